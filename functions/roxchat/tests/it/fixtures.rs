//! Every event of `events/roxchat-*`, as the functions receive it.

use futures_util::FutureExt as _;
use lambda::HttpHandler;
use roxchat_functions::{commands, events, host, render, session, views};
use serde_json::{Value, json};

use crate::world::{PAGE, World, said};

/// A case, its status, and the code of an error.
type Case = (&'static str, u64, &'static str);

/// The cases of each function.
const CASES: [(&str, &[Case]); 5] = [
    (
        "roxchat-commands",
        &[
            ("ask", 202, ""),
            ("ask_by_key", 202, ""),
            ("bad_key", 401, "token_invalid"),
            ("malformed", 400, "not_json"),
            ("ok", 200, ""),
            ("report_malformed", 400, "bad_shape"),
            ("report_unknown", 404, "unknown_command"),
            ("unknown_command", 404, "unknown_command"),
            ("unknown_visitor", 409, "session_unknown"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "roxchat-events",
        &[
            ("bad_token", 401, "token_invalid"),
            ("base64", 200, ""),
            ("content_type", 415, "content_type"),
            ("duplicate", 200, ""),
            ("expired", 401, "token_expired"),
            ("invalid", 200, ""),
            ("malformed", 400, "not_json"),
            ("no_token", 401, "token_invalid"),
            ("ok", 200, ""),
            ("other_account", 401, "token_invalid"),
            ("other_origin", 403, "origin_mismatch"),
            ("six", 200, ""),
            ("unknown_account", 404, "unknown_account"),
            ("unknown_type", 200, ""),
            ("wrong_method", 405, "method_not_allowed"),
            ("wrong_shape", 400, "bad_shape"),
        ],
    ),
    (
        "roxchat-host",
        &[
            ("bad_signature", 401, ""),
            ("expired", 401, ""),
            ("head", 204, ""),
            ("ok", 303, ""),
            ("prefetch", 204, ""),
            ("signed_in", 200, ""),
            ("signed_out", 401, ""),
            ("unknown_account", 404, "unknown_account"),
            ("unknown_file", 404, "unknown_file"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "roxchat-session",
        &[
            ("malformed", 400, "not_json"),
            ("no_origin", 403, "origin_mismatch"),
            ("ok", 200, ""),
            ("other_origin", 403, "origin_mismatch"),
            ("sign_out", 204, ""),
            ("signed_out", 401, "signed_out"),
            ("wrong_method", 405, "method_not_allowed"),
            ("wrong_page", 400, "bad_shape"),
        ],
    ),
    (
        "roxchat-views",
        &[
            ("chat", 200, ""),
            ("expired", 401, "token_expired"),
            ("no_token", 401, "token_invalid"),
            ("unknown_chat", 404, "unknown_chat"),
            ("unknown_name", 404, "unknown_visitor"),
            ("unknown_visitor", 404, "unknown_visitor"),
            ("visitor", 200, ""),
            ("wrong_cursor", 400, "bad_shape"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
];

/// The visitor whom the events are about.
const VISITOR: &str = "9a41c07e5b6d4f3288d0e1f2a3b4c5d6";

fn handler(world: &World, function: &str) -> Box<HttpHandler> {
    let keeping = world.events.keeping.clone();
    match function {
        "roxchat-commands" => Box::new(move |request| commands::handle(keeping.clone(), request).boxed()),
        "roxchat-events" => {
            let ctx = world.events.clone();
            Box::new(move |request| events::handle(ctx.clone(), request).boxed())
        }
        "roxchat-host" => Box::new(move |request| host::handle(keeping.clone(), request).boxed()),
        "roxchat-session" => Box::new(move |request| session::handle(keeping.base.clone(), request).boxed()),
        _ => {
            let ctx = views::Views { keeping, people: world.chats.clone() };
            Box::new(move |request| views::handle(ctx.clone(), request).boxed())
        }
    }
}

/// What a function answers to the event of a case.
async fn answered(world: &World, function: &str, case: &str) -> (u64, Value) {
    let handler = handler(world, function);
    let answer = lambda::answer(&*handler, render, testkit::events::event(function, case), "i-1").await;
    let answer = serde_json::to_value(answer).unwrap();
    let body = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or(Value::Null);
    (answer["statusCode"].as_u64().unwrap(), body)
}

#[tokio::test]
async fn every_event_is_answered_as_it_should_be() {
    for (function, cases) in CASES {
        assert_eq!(testkit::events::cases(function), cases.iter().map(|(case, ..)| *case).collect::<Vec<_>>(), "{function}");
        for (case, status, code) in cases {
            let world = World::new();
            if *case != "ok" && function != "roxchat-events" {
                world.page("marta", PAGE).await.tells(99, 1, "newMessageAdded", &said(VISITOR, 55102, "visitor", "hi")).await;
            }
            let (answered, body) = answered(&world, function, case).await;
            assert_eq!((answered, body["error"]["code"].as_str().unwrap_or_default()), (*status, *code), "{function} {case}");
        }
    }
}

#[tokio::test]
async fn events_of_the_workspace_are_taken_once() {
    let world = World::new();
    let statuses = async |case| {
        let (_, body) = answered(&world, "roxchat-events", case).await;
        let results = body["results"].as_array().unwrap().iter();
        results.map(|result| result["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(statuses("ok").await, ["accepted"]);
    assert_eq!(statuses("duplicate").await, ["duplicate"]);
    assert_eq!(statuses("base64").await, ["duplicate"]);
    assert_eq!(statuses("six").await, ["duplicate", "accepted", "accepted", "accepted", "accepted", "accepted"]);
    assert_eq!(statuses("unknown_type").await, ["ignored"]);
    assert_eq!(statuses("invalid").await, ["rejected", "rejected"]);
    let (_, card) = answered(&world, "roxchat-views", "visitor").await;
    assert_eq!(card["visitor"]["id"], "1f0e2d3c4b5a69788796a5b4c3d2e1f0", "who signed in meanwhile");
    assert_eq!(
        card["chats"][0],
        json!({"id": 55102, "state": "closed_by_agent", "reopened": 0, "lastAt": "2026-01-01T00:00:00.000Z"})
    );
}
