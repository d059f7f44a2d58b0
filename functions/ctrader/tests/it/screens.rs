//! `ctrader-screen`: pages, files, and pages that say why not (sections 5, 6.3 and 7, and section 11, "Security summary").

use ctrader_functions::{render, screen};
use serde_json::{Value, json};
use testkit::events;

use crate::world::World;

const FUNCTION: &str = "ctrader-screen";
const STORAGE: &str = "https://files.example";

struct Seen {
    status: u64,
    headers: Value,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.as_str()
    }
}

async fn answer(world: &World, event: Value) -> Seen {
    let screens = screen::Screens { ctx: world.ctx.clone(), storage: Some(STORAGE.to_owned()) };
    let handler: Box<lambda::HttpHandler> = Box::new(move |request| Box::pin(screen::handle(screens.clone(), request)));
    let response = lambda::answer(&*handler, render, serde_json::from_value(event).unwrap(), "i-1").await;
    let response = serde_json::to_value(response).unwrap();
    Seen {
        status: response["statusCode"].as_u64().unwrap(),
        headers: response["headers"].clone(),
        body: response["body"].as_str().unwrap_or_default().to_owned(),
    }
}

async fn send(case: &str) -> Seen {
    answer(&World::new().await, events::event(FUNCTION, case)).await
}

/// The same event with another query.
async fn send_query(case: &str, query: &str) -> Seen {
    let mut event: Value = events::event(FUNCTION, case);
    event["rawQueryString"] = json!(query);
    answer(&World::new().await, event).await
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; \
    connect-src 'self' https://files.example; base-uri 'none'; form-action 'self'; \
    frame-ancestors https://app.ctrader.com https://ct.spotware.com; require-trusted-types-for 'script'; trusted-types 'none'";

#[tokio::test]
async fn screen_has_the_headers_of_the_security_summary() {
    let page = send("ok").await;
    assert_eq!(page.status, 200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000"),
        ("content-security-policy", POLICY),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    assert_eq!(page.header("x-frame-options"), None);
    assert_eq!(page.header("set-cookie"), None);
}

#[tokio::test]
async fn screen_speaks_the_language_of_the_address_in_its_theme() {
    let page = send("ok").await.body;
    assert!(page.contains(r#"<html lang="es" dir="ltr" data-theme="dark">"#), "{page}");
    assert!(page.contains(r#"<meta name="color-scheme" content="dark">"#));
    assert!(page.contains(r#"<body data-screen="chat" data-words="/inapp/assets/es."#));
    assert!(page.contains("Un momento") && page.contains("Esta página necesita JavaScript."));
    let page = send("education").await.body;
    assert!(page.contains(r#"<html lang="ar" dir="rtl" data-theme="system">"#), "{page}");
    assert!(page.contains(r#"<meta name="color-scheme" content="light dark">"#));
    let page = send("action").await.body;
    assert!(page.contains(r#"<html lang="en" dir="ltr""#) && page.contains("<title>Request</title>"));
}

#[tokio::test]
async fn close_control_leads_to_the_success_url_without_script() {
    let page = send("ok").await.body;
    let close = r#"id="close" class="round" href="https://inapp.broker.example/callback/success?result=cancelled""#;
    assert!(page.contains(close), "{page}");
}

#[tokio::test]
async fn language_and_theme_of_the_address_are_words_of_ours_or_nothing() {
    for (query, lang, theme) in [
        ("token=x&lang=pt-BR&theme=light", "pt", "light"),
        ("token=x&lang=zh_CN&theme=DARK", "zh", "system"),
        ("token=x&lang=JA&theme=pink", "ja", "system"),
        ("token=x&lang=xx&theme=", "en", "system"),
        ("token=x&lang=%22%3E%3Cscript%3E&theme=%22%3E", "en", "system"),
        ("token=x&lang=%ff&theme=%zz", "en", "system"),
    ] {
        let page = send_query("ok", query).await;
        let html = format!(r#"<html lang="{lang}" dir="ltr" data-theme="{theme}">"#);
        assert!(page.status == 200 && page.body.contains(&html), "{query}: {}", page.body);
    }
}

#[tokio::test]
async fn token_is_one_of_1_to_2048_bytes_without_control_characters() {
    let longest = "é".repeat(1024);
    for (query, status) in [
        ("token=Hn7+w/4q==".to_owned(), 200),
        (format!("token={}", longest.replace('é', "%C3%A9")), 200),
        (format!("token={}x", longest.replace('é', "%C3%A9")), 400),
        ("token=%C2%80".to_owned(), 400),
        ("token=%7f".to_owned(), 400),
        ("token=%ff".to_owned(), 400),
        ("token=%4".to_owned(), 400),
        ("token=%zz".to_owned(), 400),
        ("token".to_owned(), 400),
        ("token=a&resume=1".to_owned(), 200),
        ("Token=a".to_owned(), 400),
    ] {
        assert_eq!(send_query("ok", &query).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn missing_doubled_or_malformed_token_is_a_page_in_the_language_asked_for() {
    let page = send("token_missing").await;
    assert_eq!(page.status, 400);
    assert!(page.body.contains(r#"<html lang="pt" dir="ltr" data-theme="light">"#), "{}", page.body);
    assert!(page.body.contains("Abra esta página a partir da sua aplicação de trading."));
    assert!(page.body.contains("Referência: Inapp0001FiAEJMQ="));
    assert!(page.body.contains(r#"href="https://inapp.broker.example/callback/success?result=cancelled">Fechar</a>"#));
    assert!(!page.body.contains("<script"));
    assert_eq!(page.header("content-security-policy"), Some(POLICY));
    for case in ["token_empty", "token_duplicate", "token_malformed"] {
        let page = send(case).await;
        assert!(page.status == 400 && page.body.contains("Open this page from your trading app."), "{case}");
    }
}

#[tokio::test]
async fn reload_of_a_page_that_took_its_token_is_served() {
    let page = send("resumed").await;
    assert!(page.status == 200 && page.body.contains(r#"data-screen="chat""#));
}

#[tokio::test]
async fn opening_a_screen_neither_writes_nor_spends() {
    let world = World::new().await;
    world.records.operations();
    for case in ["ok", "head", "resumed", "token_missing", "success"] {
        answer(&world, events::event(FUNCTION, case)).await;
    }
    let none: [&str; 0] = [];
    assert_eq!(world.records.operations(), none);
}

#[tokio::test]
async fn head_has_everything_but_the_body() {
    let page = send("head").await;
    assert_eq!((page.status, page.body.as_str()), (200, ""));
    assert_eq!(page.header("content-security-policy"), Some(POLICY));
}

#[tokio::test]
async fn host_of_nobody_has_no_screens_and_nobody_may_embed_what_it_says() {
    let page = send("unknown_host").await;
    assert_eq!(page.status, 404);
    assert!(page.body.contains(r#"<html lang="de""#) && page.body.contains("Das ist nicht verfügbar."), "{}", page.body);
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none';"));
    assert!(page.body.contains(r#"href="/callback/success">Schließen</a>"#));
}

#[tokio::test]
async fn screen_that_there_is_not_and_one_that_is_switched_off_are_not_available() {
    assert_eq!(send("unknown_screen").await.status, 404);
    let world = World::with_settings(&json!({"education_enabled": false})).await;
    let page = answer(&world, events::event(FUNCTION, "education")).await;
    assert!(page.status == 404 && page.body.contains("هذا غير متاح."), "{}", page.body);
    let page = answer(&world, events::event(FUNCTION, "ok")).await;
    assert_eq!(page.status, 200);
    let world = World::with_settings(&json!({"disabled": true})).await;
    assert_eq!(answer(&world, events::event(FUNCTION, "ok")).await.status, 404);
}

#[tokio::test]
async fn brand_says_who_may_embed_its_screens_and_where_its_pictures_are() {
    let settings = json!({"frame_ancestors": ["https://app.broker.example"], "media_origins": ["https://media.example/"],
        "close_url": "https://inapp.broker.example/closed", "default_lang": "fr"});
    let world = World::with_settings(&settings).await;
    let page = answer(&world, events::event(FUNCTION, "head")).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors https://app.broker.example;"), "{policy}");
    assert!(policy.contains("img-src 'self' https://media.example; media-src 'self' https://media.example;"), "{policy}");
    let page = answer(&world, events::event(FUNCTION, "action")).await.body;
    assert!(page.contains(r#"<html lang="fr""#) && page.contains(r#"href="https://inapp.broker.example/closed""#), "{page}");
}

#[tokio::test]
async fn other_methods_are_405_with_allow() {
    let page = send("wrong_method").await;
    assert_eq!((page.status, page.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn success_page_is_small_and_has_neither_script_nor_link() {
    let page = send("success").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("C’est fait") && page.body.len() < 1024, "{}", page.body);
    assert!(!page.body.contains("<script") && !page.body.contains("<a "));
}

/// What a page loads, out of its markup.
fn addresses(page: &str) -> Vec<String> {
    let mut found: Vec<String> = page.split('"').filter(|part| part.starts_with("/inapp/assets/")).map(str::to_owned).collect();
    found.dedup();
    found
}

async fn asset(path: &str, encoding: &str) -> Seen {
    let mut event: Value = events::event(FUNCTION, "script");
    event["rawPath"] = json!(path);
    event["headers"]["accept-encoding"] = json!(encoding);
    answer(&World::new().await, event).await
}

#[tokio::test]
async fn what_a_page_loads_is_there_and_is_kept_for_good() {
    let page = send("ok").await.body;
    let addresses = addresses(&page);
    assert_eq!(addresses.len(), 4, "{addresses:?}");
    for (address, kind) in addresses.iter().zip(["text/css", "application/json", "text/javascript", "application/json"]) {
        let file = asset(address, "identity").await;
        assert_eq!(file.status, 200, "{address}");
        assert!(file.header("content-type").unwrap().starts_with(kind), "{address}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(file.header("content-encoding"), None);
        let packed = asset(address, "br, gzip").await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        assert!(packed.body.len() < file.body.len());
    }
}

#[tokio::test]
async fn page_and_files_of_a_screen_are_at_most_40_kilobytes_on_the_wire() {
    for case in ["action", "ok", "education"] {
        let page = send(case).await.body;
        let mut total = page.len();
        for address in addresses(&page).iter().take(3) {
            // In an event the bytes are written in base64.
            total += asset(address, "gzip").await.body.len() / 4 * 3;
        }
        println!("{case}: {total} bytes");
        assert!(total <= 40 * 1024, "{case}: {total}");
    }
}

#[tokio::test]
async fn file_of_an_earlier_version_is_the_newest_and_is_not_kept() {
    let file = send("script").await;
    assert_eq!((file.status, file.header("cache-control")), (200, Some("no-store")));
    assert_eq!(send("unknown_file").await.status, 404);
    for name in
        ["other.0123456789abcdef.js", "chat.0123456789abcdef.css", "chat.0123456789abcdeg.js", "..%2fpolicy.txt", "chat..js"]
    {
        assert_eq!(asset(&format!("/inapp/assets/{name}"), "gzip").await.status, 404, "{name}");
    }
}

#[tokio::test]
async fn outage_is_told_on_a_page_and_may_be_tried_again() {
    let world = World::new().await;
    // What was read before serves for an hour.
    world.clock.advance(std::time::Duration::from_secs(7200));
    world.store.fail_next(100);
    let page = answer(&world, events::event(FUNCTION, "ok")).await;
    assert_eq!((page.status, page.header("retry-after")), (503, Some("5")));
    assert!(page.body.contains("Vuelva a intentarlo en un momento."), "{}", page.body);
}
