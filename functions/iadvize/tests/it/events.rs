//! Every event of `events/iadvize-*`, as the functions receive it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use iadvize_functions::bot::{availability, conversation, first_messages, operator, scenarios};
use iadvize_functions::{categories, closing_form, customer, customer_action, health, options, products, render, webhook};
use lambda::HttpHandler;
use serde_json::{Value, json};
use testkit::events;

use crate::bot::{Bots, setting};
use crate::products::Shop;
use crate::world::World;

/// A case, its status, and the code of an error.
type Case = (&'static str, u64, &'static str);

/// The cases of each function.
const CASES: [(&str, &[Case]); 13] = [
    (
        "iadvize-bot",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("base64", 200, ""),
            ("malformed", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("read", 200, ""),
            ("read_unknown", 404, "not_found"),
            ("unknown_scenario", 422, "invalid_parameter"),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-bot-availability",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("missing_operator", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_operator", 200, ""),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-bot-conversation",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("base64", 200, ""),
            ("begins", 200, ""),
            ("begins_malformed", 400, "invalid_parameter"),
            ("file", 200, ""),
            ("malformed", 400, "invalid_parameter"),
            ("missing_id", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("own_message", 200, ""),
            ("read_unknown", 404, "not_found"),
            ("unknown_operator", 404, "not_found"),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-bot-first-messages",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("malformed_operator", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_operator", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-bot-scenarios",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("missing_site", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-categories",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("children", 200, ""),
            ("limit_wrong", 400, "invalid_parameter"),
            ("missing_site", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("offset_wrong", 400, "invalid_parameter"),
            ("ok", 200, ""),
            ("unknown_parent", 200, ""),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-closing-form",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("missing_site", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-customer",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("missing_site", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-customer-action",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("base64_body", 200, ""),
            ("malformed", 400, "invalid_parameter"),
            ("missing_field", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_action", 200, ""),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-products",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("category", 200, ""),
            ("former_search", 200, ""),
            ("limit_wrong", 400, "invalid_parameter"),
            ("missing_site", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("offset_wrong", 400, "invalid_parameter"),
            ("ok", 200, ""),
            ("search", 200, ""),
            ("too_many_words", 400, "invalid_parameter"),
            ("unknown_category", 200, ""),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    ("iadvize-health", &[("ok", 200, ""), ("wrong_method", 405, "method_not_allowed")]),
    (
        "iadvize-options",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("missing_site", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_key", 404, "not_found"),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-webhook",
        &[
            ("bad_signature", 401, "unauthorized"),
            ("base64_body", 200, ""),
            ("malformed", 400, "invalid_parameter"),
            ("missing_field", 400, "invalid_parameter"),
            ("no_signature", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_site", 404, "not_found"),
            ("unknown_type", 200, ""),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
];

#[tokio::test]
async fn every_event_is_answered_as_its_name_says() {
    for (function, cases) in CASES {
        let names: Vec<_> = cases.iter().map(|(case, ..)| *case).collect();
        assert_eq!(events::cases(function), names, "{function}");
        for (case, status, code) in cases {
            let world = World::with(&json!({"options": {"tax": [{"label": "Prix TTC", "value": "with_tax"}]}}));
            let (card, action, events) = (world.customer_ctx(), world.action_ctx(), world.webhook_ctx());
            let (ctx, shop) = (world.ctx, Shop::with(&json!({})).ctx);
            let bots = Bots::with(&setting());
            assert_eq!(bots.link("ha-60012", "orders-fr").await.status, 200);
            let bot = bots.ctx;
            let handler: Arc<HttpHandler> = match function {
                "iadvize-closing-form" => Arc::new(move |request| closing_form::handle(ctx.clone(), request).boxed()),
                "iadvize-customer" => Arc::new(move |request| customer::handle(card.clone(), request).boxed()),
                "iadvize-customer-action" => Arc::new(move |request| customer_action::handle(action.clone(), request).boxed()),
                "iadvize-categories" => Arc::new(move |request| categories::handle(shop.clone(), request).boxed()),
                "iadvize-products" => Arc::new(move |request| products::handle(shop.clone(), request).boxed()),
                "iadvize-bot" => Arc::new(move |request| operator::handle(bot.clone(), request).boxed()),
                "iadvize-bot-availability" => Arc::new(move |request| availability::handle(bot.clone(), request).boxed()),
                "iadvize-bot-conversation" => Arc::new(move |request| conversation::handle(bot.clone(), request).boxed()),
                "iadvize-bot-first-messages" => Arc::new(move |request| first_messages::handle(bot.clone(), request).boxed()),
                "iadvize-bot-scenarios" => Arc::new(move |request| scenarios::handle(bot.clone(), request).boxed()),
                "iadvize-health" => Arc::new(|request| health::handle(request).boxed()),
                "iadvize-options" => Arc::new(move |request| options::handle(ctx.clone(), request).boxed()),
                _ => Arc::new(move |request| webhook::handle(events.clone(), request).boxed()),
            };
            let answer = lambda::answer(&*handler, render, events::event(function, case), "i1").await;
            let answer = serde_json::to_value(answer).unwrap();
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or("null")).unwrap_or_default();
            let said = body["error"]["code"].as_str().unwrap_or_default();
            assert_eq!((answer["statusCode"].as_u64(), said), (Some(*status), *code), "{function}/{case}");
        }
    }
}

#[tokio::test]
async fn every_input_of_the_operator_is_answered_as_its_name_says() {
    let function = "operator-iadvize";
    let expected =
        [("account_unknown", "error"), ("forget", "forgotten"), ("malformed", "error"), ("nobody", "error"), ("ok", "cases")];
    assert_eq!(events::cases(function), expected.map(|(case, _)| case));
    for (case, member) in expected {
        let answer = World::with(&json!({})).operator(events::event(function, case)).await;
        assert!(answer.get(member).is_some(), "{case}: {answer}");
    }
}
