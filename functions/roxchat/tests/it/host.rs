//! The host page, tickets, the cookie and sessions (sections 6.4 and 7.2).

use http::Method;
use http::header::{COOKIE, ORIGIN};
use serde_json::{Value, json};
use testkit::fixtures::{get, post};

use crate::world::{HOST, PAGE, World, with};

fn header<'a>(answer: &'a crate::world::Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn ticket_opens_the_page_once_and_leaves_the_address() {
    let world = World::new();
    let request = || get("/roxchat/acme/host", &format!("ticket={}", world.ticket("marta", "t-1")));
    let answer = world.host(request()).await;
    assert_eq!((answer.status, header(&answer, "location"), answer.text.as_str()), (303, "/roxchat/acme/host", ""));
    let cookie = header(&answer, "set-cookie").to_owned();
    let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
    assert_eq!(attributes, ["Max-Age=43200", "Path=/roxchat/acme", "HttpOnly", "Secure", "SameSite=None", "Partitioned"]);
    assert!(cookie.starts_with("__Secure-deskbridge-roxchat=ey"), "{cookie}");
    assert_eq!(header(&answer, "cache-control"), "no-store");

    let again = world.host(request()).await;
    assert_eq!((again.status, header(&again, "set-cookie")), (401, ""));
    let page = world.host(with(get("/roxchat/acme/host", ""), COOKIE, cookie.split(';').next().unwrap())).await;
    assert_eq!((page.status, header(&page, "content-type")), (200, "text/html; charset=utf-8"));
}

#[tokio::test]
async fn who_only_looks_uses_no_ticket_up() {
    let world = World::new();
    let request = || get("/roxchat/acme/host", &format!("ticket={}", world.ticket("marta", "t-1")));
    let mut head = request();
    head.method = Method::HEAD;
    let mut ahead = vec![head];
    for (name, value) in [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")] {
        ahead.push(with(request(), http::HeaderName::from_static(name), value));
    }
    for request in ahead {
        let answer = world.host(request).await;
        assert_eq!((answer.status, header(&answer, "set-cookie"), answer.text.as_str()), (204, "", ""));
    }
    assert!(world.records.peek().is_empty());
    assert_eq!(world.host(request()).await.status, 303);
}

#[tokio::test]
async fn page_says_what_it_may_and_what_it_is_for() {
    let settings = json!({"frame_ancestors": ["https://siebel.acme.example"], "workspace_origins": ["https://acme.rox.chat", "https://login.rox.chat"]});
    let world = World::with(&settings);
    let page = world.host(with(get("/roxchat/acme/host", ""), COOKIE, &world.cookie("marta</script>").await)).await;
    assert_eq!(page.status, 200);
    let policy = header(&page, "content-security-policy");
    for part in [
        "default-src 'none'",
        "frame-src https://acme.rox.chat https://login.rox.chat;",
        "frame-ancestors https://siebel.acme.example",
        "script-src 'self'",
        "connect-src 'self'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    for (name, value) in [
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("cross-origin-embedder-policy", ""),
        ("x-frame-options", ""),
        (
            "permissions-policy",
            "autoplay=(self \"https://acme.rox.chat\" \"https://login.rox.chat\"), camera=(self \"https://acme.rox.chat\" \"https://login.rox.chat\"), clipboard-write=(self \"https://acme.rox.chat\" \"https://login.rox.chat\"), microphone=(self \"https://acme.rox.chat\" \"https://login.rox.chat\")",
        ),
    ] {
        assert_eq!(header(&page, name), value, "{name}");
    }
    // The agent's name tries to end the element.
    let (_, behind) = page.text.split_once(r#"<script type="application/json" id="config">"#).unwrap();
    let (config, _) = behind.split_once("</script>").unwrap();
    let config: Value = serde_json::from_str(config).unwrap();
    assert_eq!(
        config,
        json!({"account": "acme", "agent": {"id": "marta</script>", "name": "marta</script> <b>"}, "origin": "https://crm.acme.example",
            "workspaceUrl": "https://acme.rox.chat/agent", "workspaceOrigins": ["https://acme.rox.chat", "https://login.rox.chat"],
            "source": "roxchat", "visitorIdName": "roxchatVisitorId",
            "limits": {"textBytes": 262_144, "batchBytes": 1_048_576, "commandSeconds": 10}, "lang": "en"})
    );
}

#[tokio::test]
async fn nobody_embeds_the_page_of_a_crm_that_is_not_named() {
    let world = World::new();
    let page = world.host(with(get("/roxchat/acme/host", ""), COOKIE, &world.cookie("marta").await)).await;
    assert!(header(&page, "content-security-policy").contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn without_ticket_or_cookie_the_page_says_where_to_open_it() {
    let world = World::new();
    let good = world.cookie("marta").await;
    let requests = [
        get("/roxchat/acme/host", ""),
        get("/roxchat/acme/host", "ticket="),
        get("/roxchat/acme/host", "ticket=a.b.c"),
        get("/roxchat/acme/host", &format!("ticket={}&ticket=x", world.ticket("marta", "t-2"))),
        with(get("/roxchat/acme/host", ""), COOKIE, "__Secure-deskbridge-roxchat=x"),
        with(get("/roxchat/acme/host", ""), COOKIE, &format!("{good}; {good}")),
        with(get("/roxchat/acme/host", ""), COOKIE, &good.replace("__Secure-", "")),
        with(get("/roxchat/rival/host", ""), COOKIE, &good),
    ];
    for request in requests {
        let answer = world.host(request).await;
        assert_eq!((answer.status, header(&answer, "content-type")), (401, "text/html; charset=utf-8"));
        assert!(answer.text.contains("You are not signed in") && !answer.text.contains("<script"), "{}", answer.text);
        assert!(header(&answer, "content-security-policy").starts_with("default-src 'none'"));
    }
    world.clock.advance(std::time::Duration::from_secs(12 * 3600));
    assert_eq!(world.host(with(get("/roxchat/acme/host", ""), COOKIE, &good)).await.status, 401, "twelve hours later");
}

#[tokio::test]
async fn files_of_the_page_are_served_under_their_fingerprints() {
    let world = World::new();
    let page = world.host(with(get("/roxchat/acme/host", ""), COOKIE, &world.cookie("marta").await)).await;
    let mut served = 0;
    for address in page.text.split(['"', ' ', '=']).filter(|text| text.starts_with("/roxchat/acme/")) {
        let answer = world.host(get(address, "")).await;
        assert_eq!((answer.status, header(&answer, "cache-control")), (200, "public, max-age=31536000, immutable"), "{address}");
        served += 1;
    }
    assert_eq!(served, 8, "{}", page.text);
    assert_eq!(world.host(get("/roxchat/acme/roxchat.js", "")).await.row(), (404, "unknown_file"));
    assert_eq!(world.host(get("/roxchat/nobody/host", "")).await.row(), (404, "unknown_account"));
    assert_eq!(world.host(post("/roxchat/acme/host", "{}")).await.row(), (405, "method_not_allowed"));
}

#[tokio::test]
async fn page_is_in_the_language_of_the_browser() {
    let world = World::with(&json!({"lang": "de"}));
    let cookie = world.cookie("marta").await;
    for (accepted, lang) in [("ar-EG,en;q=0.5", "ar"), ("xx,pt-BR", "pt"), ("xx", "de"), ("", "de")] {
        let request = with(with(get("/roxchat/acme/host", ""), COOKIE, &cookie), http::header::ACCEPT_LANGUAGE, accepted);
        let page = world.host(request).await.text;
        let direction = if lang == "ar" { "rtl" } else { "ltr" };
        assert!(page.contains(&format!("<html lang=\"{lang}\" dir=\"{direction}\">")), "{accepted}: {page}");
    }
}

#[tokio::test]
async fn page_gets_a_token_for_its_cookie_and_renews_it_at_two_thirds() {
    let world = World::new();
    let cookie = world.cookie("marta").await;
    let request = |cookie: &str, origin: &str| {
        let request = post("/roxchat/acme/session", &json!({ "pageId": PAGE }).to_string());
        with(with(request, COOKIE, cookie), ORIGIN, origin)
    };
    let answer = world.session(request(&cookie, HOST)).await;
    assert_eq!((answer.status, header(&answer, "cache-control")), (200, "no-store"));
    assert_eq!(answer.body["expiresAt"], "2026-01-01T00:15:00.000Z");
    assert_eq!(answer.body["renewAt"], "2026-01-01T00:10:00.000Z");
    assert_eq!(answer.body["agent"], json!({"id": "marta", "name": "marta <b>"}));
    assert_eq!(answer.body["token"].as_str().unwrap().split('.').count(), 3);

    assert_eq!(world.session(request("", HOST)).await.row(), (401, "signed_out"));
    assert_eq!(world.session(request(&cookie, "https://evil.example")).await.row(), (403, "origin_mismatch"));
    assert_eq!(world.session(request(&cookie, "null")).await.row(), (403, "origin_mismatch"));
    let mut silent = request(&cookie, HOST);
    silent.headers.remove(ORIGIN);
    assert_eq!(world.session(silent).await.row(), (403, "origin_mismatch"));
    for (body, row) in [("", (400, "not_json")), ("{}", (400, "bad_shape")), (r#"{"pageId":"page"}"#, (400, "bad_shape"))] {
        let mut request = request(&cookie, HOST);
        request.body = body.to_owned().into();
        assert_eq!(world.session(request).await.row(), row, "{body}");
    }
    let mut elsewhere = request(&cookie, HOST);
    elsewhere.path = "/roxchat/rival/session".to_owned();
    assert_eq!(world.session(elsewhere).await.row(), (403, "origin_mismatch"));
}

#[tokio::test]
async fn signing_out_takes_the_cookie_back() {
    let world = World::new();
    let mut request = with(get("/roxchat/acme/session", ""), ORIGIN, HOST);
    request.method = Method::DELETE;
    let answer = world.session(request.clone()).await;
    assert_eq!(answer.status, 204);
    let cleared = "__Secure-deskbridge-roxchat=; Max-Age=0; Path=/roxchat/acme; HttpOnly; Secure; SameSite=None; Partitioned";
    assert_eq!(header(&answer, "set-cookie"), cleared);
    request.headers.remove(ORIGIN);
    assert_eq!(world.session(request).await.row(), (403, "origin_mismatch"), "nobody else signs an agent out");
    assert_eq!(world.session(get("/roxchat/acme/session", "")).await.row(), (405, "method_not_allowed"));
}
