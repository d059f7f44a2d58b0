//! What a page gets before anybody says anything: the script, the offer, the picture.

use serde_json::{Value, json};

use crate::world::{CHAT, JANA, VISITOR, World};

/// The first id that the dice of a test give, under the key of the tests.
const NEW_VISITOR: &str = "icc3_TrackingId=00000000-0000-4000-8000-000000000001.";
const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=31536000";

/// The offer without settings, with this signal.
fn offer(signal: &str) -> Value {
    json!({
        "TargetElementID": "chat-box", "WebResponse": null, "Scenario": null, "Signal": signal, "ChatRunning": null,
        "HtmlTemplate": null, "Settings": null, "Literals": null, "PartyName": null, "SolicitationTimeOut": 30,
        "SolicitationDuration": 20, "WebSiteRoutingId": "77777777-7777-4777-8777-777777777777"
    })
}

#[tokio::test]
async fn page_is_offered_what_its_rule_says() {
    let world = World::with_jana().await;
    let answer = world.send("website-routing", "ok").await;
    let mut expected = offer("Free");
    expected["HtmlTemplate"] = json!("<div data-slot=\"main\"></div><div data-slot=\"footer\"></div>");
    expected["Settings"] = json!({"ChatTrackUrl": "1", "Color": "#1a4d8f", "HonorRejectPeriod": "3600"});
    expected["Literals"] = json!({"Culture": "cs", "Title": "Napište nám"});
    assert_eq!((answer.status, &answer.body), (200, &expected));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-tracking-token"), Some(VISITOR));
    let clock = "icc3_Clock=0.60; Path=/; Secure; HttpOnly; SameSite=None; Partitioned";
    assert_eq!(answer.cookies, json!([format!("icc3_TrackingId={VISITOR}{ATTRIBUTES}"), clock]));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("ETag, Retry-After, X-Poll-After, X-Tracking-Token"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    // Who is there to answer, and whether there is a chat: nothing is written.
    assert_eq!(world.chats.operations(), ["agents", "chat"]);
}

#[tokio::test]
async fn row_8_3_broken_rule_that_was_stored_once_takes_no_page_down() {
    let mut configured: Value = testkit::events::event("operator-configure", "website");
    let site =
        configured["accounts"].as_array_mut().unwrap().iter_mut().find(|a| a["settings"].get("website").is_some()).unwrap();
    let rules = site["settings"]["website"]["rules"].as_array_mut().unwrap();
    let broken =
        json!({"WebSiteRoutingId": "77777777-7777-4777-8777-777777777701", "WebApp": "webchat", "Rank": -1, "PageUrlRegex": "("});
    rules.insert(0, broken);
    let answer = World::configured(configured).send("website-routing", "without_settings").await;
    assert_eq!((answer.status, answer.body), (200, offer("Closed")));
}

#[tokio::test]
async fn settings_are_sent_only_when_asked_for() {
    let world = World::new();
    let answer = world.send("website-routing", "without_settings").await;
    assert_eq!((answer.status, answer.body), (200, offer("Closed")));
}

#[tokio::test]
async fn page_that_no_rule_offers_anything_is_told_null() {
    let world = World::with_jana().await;
    for case in ["page_without_rule", "page_of_another_origin", "blocked_client", "other_application"] {
        let answer = world.send("website-routing", case).await;
        assert_eq!((answer.status, &answer.body), (200, &Value::Null), "{case}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{case}");
        assert_eq!(answer.header("x-tracking-token"), Some(VISITOR), "{case}");
    }
    assert!(world.chats.operations().is_empty());
}

#[tokio::test]
async fn head_is_answered_without_the_body() {
    let world = World::with_jana().await;
    let answer = world.send("website-routing", "head").await;
    assert_eq!((answer.status, &answer.body), (200, &json!("")));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn new_visitor_gets_an_id_and_keeps_it() {
    let world = World::with_jana().await;
    let answer = world.send("website-routing", "new_visitor").await;
    let cookie = answer.cookies[0].as_str().unwrap();
    assert!(cookie.starts_with(NEW_VISITOR) && cookie.ends_with(ATTRIBUTES), "{cookie}");
    assert!(cookie.contains(answer.header("x-tracking-token").unwrap()));
}

#[tokio::test]
async fn chat_that_runs_comes_with_the_offer() {
    let world = World::with_conversation().await;
    let answer = world.send("website-routing", "without_settings").await;
    let running = &answer.body["ChatRunning"];
    assert_eq!((&running["ChatId"], &running["Status"], &running["Counter"]), (&json!(CHAT), &json!("Answered"), &json!(1)));
    assert_eq!(running["Sentences"][0]["ID"], "5e000000-0000-4000-8000-000000000001");
    assert_eq!(answer.body["PartyName"], "Eva");

    world.send("website-stop", "ok").await;
    let answer = world.send("website-routing", "without_settings").await;
    assert_eq!((&answer.body["ChatRunning"], &answer.body["PartyName"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn script_comes_compressed_with_a_cookie() {
    let world = World::new();
    let answer = world.send("website-script", "ok").await;
    assert_eq!((answer.status, answer.is_base64), (200, true));
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    // The first bytes of every gzip file.
    assert!(answer.body.as_str().unwrap().starts_with("H4sI"));
    assert!(answer.cookies[0].as_str().unwrap().starts_with(NEW_VISITOR));
    assert_eq!(answer.header("access-control-allow-origin"), None);

    let known = world.send("website-script", "known_visitor").await;
    assert_eq!(known.cookies, json!([format!("icc3_TrackingId={VISITOR}{ATTRIBUTES}")]));

    let tag = answer.header("etag").unwrap();
    let unchanged = world.send_with("website-script", "ok", "if-none-match", tag).await;
    assert_eq!((unchanged.status, unchanged.body), (304, json!("")));
    assert!(unchanged.cookies[0].as_str().unwrap().starts_with("icc3_TrackingId="));
    assert!(world.chats.operations().is_empty());
}

#[tokio::test]
async fn script_comes_plain_where_gzip_is_not_taken() {
    let world = World::new();
    let style = world.send("website-script", "stylesheet").await;
    assert_eq!((style.status, style.is_base64, style.header("content-encoding")), (200, false, None));
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(style.body, json!(include_str!("../../../../web/widget/webchat.css")));
    let script = world.send("website-script", "gzip_refused").await;
    assert_eq!((script.status, script.header("content-encoding")), (200, None));
    assert_eq!(script.body, json!(include_str!("../../../../web/widget/webchat.js")));
}

#[tokio::test]
async fn script_of_nobody_is_not_found() {
    let answer = World::new().send("website-script", "unknown_file").await;
    assert_eq!((answer.status, answer.body), (404, json!("")));
}

#[tokio::test]
async fn agent_of_the_visitors_chat_is_shown_and_nobody_else() {
    let world = World::with_conversation().await;
    let own = world.send("website-agent-image", "ok").await;
    assert_eq!((own.status, own.header("content-type"), own.is_base64), (200, Some("image/png"), true));
    assert_eq!(own.header("cache-control"), Some("private, max-age=300"));
    assert_eq!(own.header("etag"), Some(format!("\"{JANA}.69\"").as_str()));
    assert_eq!(world.chats.operations(), ["chat"]);

    let generic = world.send("website-agent-image", "other_agent").await;
    assert_eq!((generic.status, generic.header("etag")), (200, Some("\"generic\"")));
    assert_ne!(generic.body, own.body);
    let malformed = world.send("website-agent-image", "id_malformed").await;
    assert_eq!((malformed.status, &malformed.body), (200, &generic.body));
    let unchanged = world.send_with("website-agent-image", "other_agent", "if-none-match", "\"generic\"").await;
    assert_eq!((unchanged.status, unchanged.body), (304, json!("")));

    // Before there is a chat, an id that is somebody's looks like one that is nobody's.
    let stranger = World::with_jana().await;
    let shown = stranger.send("website-agent-image", "ok").await;
    assert_eq!((shown.status, shown.header("etag")), (200, Some("\"generic.80x80\"")));
    assert_ne!(shown.body, own.body);
}

#[tokio::test]
async fn picture_comes_in_the_size_that_is_asked_for_and_never_larger() {
    let world = World::with_jana().await;
    let shown = world.send("website-agent-image", "ok").await;
    // The first bytes of every PNG file of 80 by 80.
    assert!(shown.body.as_str().unwrap().starts_with("iVBORw0KGgoAAAANSUhEUgAAAFAAAABQ"));
    let unchanged = world.send_with("website-agent-image", "ok", "if-none-match", "\"generic.80x80\"").await;
    assert_eq!((unchanged.status, unchanged.body), (304, json!("")));
    let other_size = world.send_with("website-agent-image", "ok", "if-none-match", "\"generic\"").await;
    assert_eq!(other_size.status, 200);
    // Jana's picture is smaller than what is asked for.
    let own = World::with_conversation().await.send("website-agent-image", "ok").await;
    assert_eq!(own.header("etag"), Some(format!("\"{JANA}.69\"").as_str()));
}
