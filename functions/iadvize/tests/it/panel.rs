//! The panel app: its page, its API, and what messages mean (section 9).

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderValue, Method};
use iadvize_functions::panel::{Known, Line, PersonKey, Product, Products, Speaker, Spoken, Timeline, api, messages, page};
use iadvize_functions::{Ctx, render};
use lambda::{HttpHandler, Roster};
use model::{Account, AccountId, Directory, EpochMillis, Platform, Tenant, TenantId};
use ports::PortError;
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::fixtures::{get, post};
use testkit::{InMemorySecrets, InMemoryStore, ManualClock, events};
use wire::signature::hmac_sha256;
use wire::{RawRequest, Reply};

use crate::schemas::{Schema, runner};
use crate::world::{OTHER_TOKEN, TOKEN};

/// The vector of section 9.3, its panel and its clock.
const JWT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJpYWR2aXplIiwic3ViIjoiMjcwOTExIiwiYXVkIjoiaHR0cHM6Ly9wYW5lbC5leGFtcGxlLmNvbS9vcmRlcnMiLCJpYXQiOjE3NjAwMDAwMDAsImV4cCI6MTc2MDAwMDA2MCwiZW1haWwiOiJsZWEubWFydGluQGV4YW1wbGUuY29tIn0.idvFrNOOxAT5fX8w_bxrsN_4uao5qlnTw1MhI_Hu_P0";
const PANEL: &str = "https://panel.example.com/orders";
const CLOCK: i64 = 1_760_000_030_000;

const BOTH_TOKEN: &str = "2f4c1d7e2ab85c3360d1f0e4b7a96c24";

const CONVERSATION: &str = "7d0f4c5e-2b1a-4e7d-9f33-61a2b8c4d901";

/// A token of another connector's.
fn jwt(key: &str, audience: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256"}"#);
    let claims = json!({"iss": "iadvize", "sub": "1", "aud": audience, "iat": 1_760_000_000, "exp": 1_760_000_060});
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(key.as_bytes(), text.as_bytes())))
}

/// Ada in two conversations and Bea in one, all of the tenant `demo`. What was asked stands in `asked`.
#[derive(Default)]
struct People {
    asked: Mutex<Vec<String>>,
}

fn spoken(id: &str, platform: Platform, last: i64) -> Spoken {
    Spoken { id: id.to_owned(), platform, open: last > 2, began: EpochMillis::new(1), last: EpochMillis::new(last) }
}

#[async_trait]
impl Timeline for People {
    async fn visitor_of(&self, account: &AccountId, conversation: &str) -> Result<Option<Known>, PortError> {
        self.asked.lock().unwrap().push(format!("{account} {conversation}"));
        let known = Known { keys: vec![PersonKey::Email("ada@example.org".to_owned())], name: Some("Ada".to_owned()) };
        Ok((conversation == CONVERSATION).then_some(known))
    }

    async fn conversations(&self, tenant: &TenantId, person: &Known, limit: usize) -> Result<Vec<Spoken>, PortError> {
        assert_eq!((person.keys.len(), limit), (1, 50));
        let own = tenant.to_string() == "demo";
        Ok(if own { vec![spoken("c2", Platform::Vcita, 3), spoken("c1", Platform::Ctrader, 2)] } else { Vec::new() })
    }

    async fn lines(&self, tenant: &TenantId, conversation: &str, _limit: usize) -> Result<Vec<Line>, PortError> {
        assert_eq!(tenant.to_string(), "demo");
        assert_ne!(conversation, "bea");
        let line = |at, from, text: &str| Line { at: EpochMillis::new(at), from, name: None, text: text.to_owned() };
        Ok(match conversation {
            "c1" => vec![line(1, Speaker::Visitor, "Une bouilloire ÉLECTRIQUE ?"), line(2, Speaker::Desk, "Oui")],
            _ => vec![line(3, Speaker::Visitor, "Bonjour")],
        })
    }
}

struct Shop;

fn kettle() -> Product {
    Product {
        id: 501,
        title: "Bouilloire Nami".to_owned(),
        brand: Some("Nami".to_owned()),
        reference: "NAM-17-IX".to_owned(),
        summary: None,
        price: "49,90 €".to_owned(),
        available: Some(true),
        url: "https://boutique.example/p/501".to_owned(),
        image: Some("https://boutique.example/img/501.jpg".to_owned()),
    }
}

#[async_trait]
impl Products for Shop {
    async fn search(&self, account: &AccountId, words: &str, limit: usize) -> Result<Vec<Product>, PortError> {
        assert_eq!((account.to_string().as_str(), limit), ("iadvize/shop", 20));
        match words {
            "down" => Err(PortError::Unavailable("table".to_owned())),
            "kettle" => Ok(vec![kettle()]),
            _ => Ok(Vec::new()),
        }
    }

    async fn with_ids(&self, _account: &AccountId, ids: &[u64]) -> Result<Vec<Product>, PortError> {
        Ok(ids.iter().filter(|id| **id == 501).map(|_| kettle()).collect())
    }

    async fn with_references(&self, _account: &AccountId, references: &[&str]) -> Result<Vec<Product>, PortError> {
        if references.contains(&"down1") {
            return Err(PortError::Unavailable("table".to_owned()));
        }
        Ok(if references.contains(&"nam-17-ix") { vec![kettle()] } else { Vec::new() })
    }
}

/// What is answered.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn of(reply: Reply) -> Self {
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        Self { status: reply.status.as_u16(), headers: reply.headers, text }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Status and code of an error.
    fn row(&self) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        (self.status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// The site `ha-4821` of the tenant `demo` with a panel, `ha-4822` of the same connector with the same one, and `sd-77` of another
/// tenant's.
#[derive(Clone)]
struct Stage {
    ctx: Ctx,
    people: Arc<People>,
}

impl Stage {
    fn new() -> Self {
        Self::with(json!({}))
    }

    /// The first site with these more settings of its panel.
    fn with(more: Value) -> Self {
        let secrets = Arc::new(InMemorySecrets::new());
        let site = |key: &str, tenant: &str, website: &str, token: &str, panel: Value| {
            let id: AccountId = format!("iadvize/{key}").parse().unwrap();
            secrets.set(&id, json!({ "tokens": [token] }));
            let settings = json!({ "website": website, "default_lang": "fr", "panel": panel });
            Account { id, tenant: tenant.parse().unwrap(), salt: "salt".to_owned(), settings, installed: None }
        };
        let text = json!({"fr": "Bonjour {name}", "de": "Hallo {name}"});
        let mut panel = json!({
            "url": PANEL,
            "templates": [{"title": "Hallo", "text": text}],
            "keywords": [{"words": ["Nami"], "product": 501, "title": {"fr": "Bouilloire Nami"}}],
            "apple_pay": {"currency": "EUR", "label": "Boutique"},
        });
        for (name, value) in more.as_object().unwrap() {
            panel[name] = value.clone();
        }
        let shop = site("shop", "demo", "ha-4821", TOKEN, panel);
        let second = site("shop-fr", "demo", "ha-4822", TOKEN, json!({"url": PANEL, "desk_origins": ["https://desk.example"]}));
        let rival = site("rival", "rival", "sd-77", OTHER_TOKEN, json!({"url": "https://rival.example/panel"}));
        // A connector that was put on the sites of two tenants.
        let both = [("one", "demo", "sd-1"), ("other", "rival", "sd-2")];
        let both = both.map(|(key, tenant, website)| site(key, tenant, website, BOTH_TOKEN, json!({"url": PANEL})));
        let tenant = |id: &str| -> Tenant { serde_json::from_value(json!({"id": id, "routes": []})).unwrap() };
        let directory = Directory {
            accounts: [shop, second, rival].into_iter().chain(both).map(|account| (account.id.clone(), account)).collect(),
            tenants: ["demo", "rival"].map(|id| (id.parse().unwrap(), tenant(id))).into(),
        };
        let clock = Arc::new(ManualClock::at(EpochMillis::new(CLOCK)));
        let store = Arc::new(InMemoryStore::with_directory(&directory));
        let roster = Roster::new(store, secrets, clock.clone(), vec![Platform::Iadvize]);
        let ctx = Ctx { roster: Arc::new(roster), sites: Arc::default(), clock, function: "iadvize-test".to_owned() };
        Self { ctx, people: Arc::new(People::default()) }
    }

    fn api(&self) -> api::Api {
        api::Api { ctx: self.ctx.clone(), timeline: Some(self.people.clone()), products: Some(Arc::new(Shop)) }
    }

    fn messages(&self) -> messages::Messages {
        messages::Messages { ctx: self.ctx.clone(), products: Some(Arc::new(Shop)) }
    }

    async fn page(&self, query: &str) -> Answer {
        Answer::of(page::handle(self.ctx.clone(), get("/iadvize/panel", query)).await.unwrap())
    }

    async fn ask_with(&self, api: api::Api, what: &str, token: &str, body: &Value) -> Answer {
        let mut request = post(&format!("/iadvize/panel/api/{what}"), &body.to_string());
        request.headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        Answer::of(api::handle(api, request).await.unwrap_or_else(|error| render(&error, "")))
    }

    /// A question about the conversation of the first site.
    async fn ask(&self, what: &str, more: Value) -> Answer {
        let mut body = json!({"project": "4821", "conversation": CONVERSATION, "language": "de"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.ask_with(self.api(), what, JWT, &body).await
    }

    async fn mean_to(&self, request: RawRequest) -> Answer {
        let reply = messages::handle(self.messages(), request).await;
        Answer::of(reply.unwrap_or_else(|error| render(&error, "")))
    }

    async fn mean(&self, body: &str) -> Answer {
        self.mean_to(of_desk(body)).await
    }
}

fn of_desk(body: &str) -> RawRequest {
    let mut request = post("/iadvize/panel/messages", body);
    request.query = "idWebsite=ha-4821".to_owned();
    request.headers.insert(ORIGIN, HeaderValue::from_static("https://ha.iadvize.com"));
    request
}

// -------------------------------------------------------------------------------------------------------------------- page

#[tokio::test]
async fn page_has_the_headers_of_the_contract() {
    let page = Stage::new().page(&format!("jwt={JWT}")).await;
    assert_eq!(page.status, 200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    assert_eq!((page.header("x-frame-options"), page.header("set-cookie")), (None, None));
    // Two sites have this panel: whoever may embed the one may embed the other.
    assert_eq!(
        page.header("content-security-policy").unwrap(),
        "default-src 'none'; script-src 'self' https://static.iadvize.com; style-src 'self' https://static.iadvize.com; \
         font-src 'self' https://static.iadvize.com; img-src 'self' https://static.iadvize.com; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; \
         frame-ancestors https://sd.iadvize.com https://ha.iadvize.com https://desk.example"
    );
}

#[tokio::test]
async fn a_panel_is_framed_by_the_two_desks_and_nobody_else() {
    let token = jwt(OTHER_TOKEN, "https://rival.example/panel");
    let policy = Stage::new().page(&format!("lang=fr&jwt={token}")).await.header("content-security-policy").unwrap().to_owned();
    assert!(policy.ends_with("; frame-ancestors https://sd.iadvize.com https://ha.iadvize.com"), "{policy}");
}

#[tokio::test]
async fn page_loads_the_library_and_its_own_files() {
    let library = "http://127.0.0.1:9105/lib/";
    let stage = Stage::with(json!({"library": library, "media_origins": ["https://img.example"]}));
    let page = stage.page(&format!("jwt={JWT}")).await;
    assert!(page.text.contains(r#"<script defer src="http://127.0.0.1:9105/lib/idzcpa.umd.production.min.js"></script>"#));
    assert!(page.text.contains(r#"data-library-style="http://127.0.0.1:9105/lib/idzcpa.base.css""#));
    assert!(page.text.contains(r#"data-media="https://img.example""#));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self' http://127.0.0.1:9105;"), "{policy}");
    assert!(policy.contains("img-src 'self' http://127.0.0.1:9105 https://img.example;"), "{policy}");
    // Neither who looks nor with what.
    for secret in ["lea.martin", "270911", "eyJ", "4821"] {
        assert!(!page.text.contains(secret), "{secret}");
    }
    let address =
        page.text.split('"').find(|text| text.ends_with(".js") && text.starts_with("/iadvize/panel/assets/panel.")).unwrap();
    let file = |address: &str, gzip: bool| {
        let mut request = get(address, "");
        if gzip {
            request.headers.insert("accept-encoding", HeaderValue::from_static("gzip, br"));
        }
        page::handle(stage.ctx.clone(), request)
    };
    let plain = Answer::of(file(address, false).await.unwrap());
    assert_eq!(plain.text, include_str!("../../../../web/panel/panel.js"));
    assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let packed = file(address, true).await.unwrap();
    assert_eq!((packed.headers["content-encoding"].to_str().unwrap(), &packed.body[..2]), ("gzip", &[0x1f, 0x8b][..]));
    let stale = Answer::of(file("/iadvize/panel/assets/panel.0123456789abcdef.css", false).await.unwrap());
    assert_eq!((stale.status, stale.header("cache-control")), (200, Some("no-store")));
    let missing = Answer::of(file("/iadvize/panel/assets/other.0123456789abcdef.js", false).await.unwrap());
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn without_a_good_token_there_is_a_page_that_says_so_and_no_more() {
    let stage = Stage::new();
    let of_rival = jwt(OTHER_TOKEN, PANEL);
    let elsewhere = jwt(TOKEN, "https://rival.example/panel");
    let decoded = jwt("\u{9f}L\u{1d}~", PANEL);
    for query in [
        "".to_owned(),
        "jwt=".to_owned(),
        "jwt=a.b.c".to_owned(),
        format!("jwt={JWT}&jwt={JWT}"),
        format!("JWT={JWT}"),
        format!("jwt={of_rival}"),
        format!("jwt={elsewhere}"),
        format!("jwt={decoded}"),
        format!("jwt={JWT}%20"),
    ] {
        let page = stage.page(&query).await;
        assert_eq!((page.status, page.header("content-type")), (401, Some("text/html; charset=utf-8")), "{query}");
        assert!(page.text.contains("This page cannot be opened") && !page.text.contains("<script"), "{query}");
        let policy = page.header("content-security-policy").unwrap();
        assert_eq!(
            policy,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors https://sd.iadvize.com https://ha.iadvize.com"
        );
        assert!(!page.text.contains("eyJ") && !page.text.contains("static.iadvize.com"), "{query}");
        assert_eq!((page.header("cache-control"), page.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    }
}

#[tokio::test]
async fn page_speaks_the_browsers_language_until_it_knows_that_of_the_conversation() {
    let stage = Stage::new();
    for (accepted, lang) in
        [("fr-FR,fr;q=0.9,en;q=0.8", "fr"), ("ja, es;q=0.5", "es"), ("DE", "de"), ("*", "en"), ("\"><b>", "en")]
    {
        let mut request = get("/iadvize/panel", &format!("jwt={JWT}"));
        request.headers.insert("accept-language", HeaderValue::from_str(accepted).unwrap());
        let page = Answer::of(page::handle(stage.ctx.clone(), request).await.unwrap());
        assert!(page.text.contains(&format!(r#"<html lang="{lang}">"#)), "{accepted}");
    }
}

#[tokio::test]
async fn token_is_over_a_minute_later() {
    let stage = Stage::new();
    let later =
        Stage { ctx: Ctx { clock: Arc::new(ManualClock::at(EpochMillis::new(1_760_000_200_000))), ..stage.ctx }, ..stage };
    assert_eq!(later.page(&format!("jwt={JWT}")).await.status, 401);
    assert_eq!(later.ask("start", json!({})).await.row(), (401, "unauthorized".to_owned()));
}

// --------------------------------------------------------------------------------------------------------------------- API

#[tokio::test]
async fn start_tells_what_the_site_has_in_the_language_of_the_conversation() {
    let stage = Stage::new();
    let answer = stage.ask("start", json!({})).await;
    let reply = json!({"title": "Hallo", "text": "Hallo {name}", "fields": []});
    let pay = json!({"currency": "EUR", "label": "Boutique"});
    assert_eq!(answer.json(), json!({"timeline": true, "products": true, "templates": [reply], "applePay": pay}));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let french = stage.ask("start", json!({"language": "es-ES"})).await.json();
    assert_eq!(french["templates"][0]["text"], "Bonjour {name}", "the site's own");
    let bare = api::Api { ctx: stage.ctx.clone(), timeline: None, products: None };
    let answer = stage.ask_with(bare, "start", JWT, &json!({"project": "4822"})).await;
    assert_eq!(answer.json(), json!({"timeline": false, "products": false, "templates": [], "applePay": null}));
}

#[tokio::test]
async fn nothing_is_told_without_a_good_token() {
    let stage = Stage::new();
    for what in ["start", "timeline", "conversation", "search", "products", "nonsense"] {
        for token in [String::new(), "a.b.c".to_owned(), jwt(OTHER_TOKEN, PANEL), format!("{JWT} "), format!("{JWT},{JWT}")] {
            let answer =
                stage.ask_with(stage.api(), what, &token, &json!({"project": "4821", "conversation": CONVERSATION})).await;
            assert_eq!(answer.row(), (401, "unauthorized".to_owned()), "{what}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        let mut request = post(&format!("/iadvize/panel/api/{what}"), "{}");
        request.query = format!("jwt={JWT}");
        let answer = Answer::of(api::handle(stage.api(), request).await.unwrap());
        assert_eq!(answer.row(), (401, "unauthorized".to_owned()), "the address is no place for a token");
        let mut request = post(&format!("/iadvize/panel/api/{what}"), "{}");
        for _ in 0..2 {
            request.headers.append(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {JWT}")).unwrap());
        }
        assert_eq!(Answer::of(api::handle(stage.api(), request).await.unwrap()).status, 401, "two tokens");
    }
    assert!(stage.people.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn project_chooses_among_the_sites_of_the_token_alone() {
    let stage = Stage::new();
    for (project, row) in [
        (json!("4821"), (200, "")),
        (json!(4821), (200, "")),
        (json!("4822"), (200, "")),
        (json!("77"), (404, "not_found")),
        (json!("9"), (404, "not_found")),
        (json!(null), (400, "invalid_parameter")),
        (json!("ha-4821"), (400, "invalid_parameter")),
        (json!(""), (400, "invalid_parameter")),
        (json!(-1), (400, "invalid_parameter")),
        (json!(48.21), (400, "invalid_parameter")),
        (json!(["4821"]), (400, "invalid_parameter")),
        (json!("99999999999999999999"), (400, "invalid_parameter")),
    ] {
        let answer = stage.ask("start", json!({ "project": project })).await;
        assert_eq!(answer.row(), (row.0, row.1.to_owned()), "{project}");
    }
    let of_two_tenants = jwt(BOTH_TOKEN, PANEL);
    assert_eq!(stage.page(&format!("jwt={of_two_tenants}")).await.status, 401);
    for project in ["1", "2"] {
        let answer = stage.ask_with(stage.api(), "start", &of_two_tenants, &json!({ "project": project })).await;
        assert_eq!(answer.row(), (401, "unauthorized".to_owned()), "{project}");
    }
    let only = jwt(OTHER_TOKEN, "https://rival.example/panel");
    let bare = api::Api { timeline: None, products: None, ..stage.api() };
    assert_eq!(stage.ask_with(bare, "start", &only, &json!({})).await.status, 200, "the only site there is");
    assert_eq!(stage.ask_with(stage.api(), "start", &only, &json!({"project": "4821"})).await.status, 404);
}

#[tokio::test]
async fn timeline_is_that_of_the_visitor_of_the_conversation() {
    let stage = Stage::new();
    let told = stage.ask("timeline", json!({})).await.json();
    let conversations = json!([
        {"id": "c2", "platform": "vcita", "open": true, "began": 1, "last": 3},
        {"id": "c1", "platform": "ctrader", "open": false, "began": 1, "last": 2}
    ]);
    assert_eq!(told, json!({"known": true, "name": "Ada", "conversations": conversations}));
    let nobody = stage.ask("timeline", json!({"conversation": "other"})).await.json();
    assert_eq!(nobody, json!({"known": false, "name": null, "conversations": []}));
    assert_eq!(*stage.people.asked.lock().unwrap(), [format!("iadvize/shop {CONVERSATION}"), "iadvize/shop other".to_owned()]);
    assert_eq!(stage.ask("timeline", json!({"conversation": ""})).await.row(), (400, "invalid_parameter".to_owned()));
}

#[tokio::test]
async fn conversations_of_others_are_told_to_nobody() {
    let stage = Stage::new();
    let told = stage.ask("conversation", json!({"id": "c2"})).await.json();
    assert_eq!(told, json!({"lines": [{"at": 3, "from": "visitor", "name": null, "text": "Bonjour"}]}));
    for id in [json!("bea"), json!(""), json!(null), json!("c2 ")] {
        assert_eq!(stage.ask("conversation", json!({ "id": id })).await.row(), (404, "not_found".to_owned()), "{id}");
    }
    assert_eq!(stage.ask("conversation", json!({"id": "c1", "conversation": "other"})).await.status, 404);
    let of_rival = jwt(OTHER_TOKEN, "https://rival.example/panel");
    let body = json!({"conversation": CONVERSATION, "id": "c1"});
    assert_eq!(stage.ask_with(stage.api(), "conversation", &of_rival, &body).await.status, 404, "another tenant");
}

#[tokio::test]
async fn search_finds_words_without_case_and_accents() {
    let stage = Stage::new();
    let places = |query: &'static str| {
        let stage = stage.clone();
        async move { stage.ask("search", json!({ "query": query })).await.json()["places"].clone() }
    };
    let line = json!({"at": 1, "from": "visitor", "name": null, "text": "Une bouilloire ÉLECTRIQUE ?"});
    let conversation = json!({"id": "c1", "platform": "ctrader", "open": false, "began": 1, "last": 2});
    assert_eq!(places("electrique bouil").await, json!([{"conversation": conversation, "line": line}]));
    assert_eq!(places("bonjour électrique").await, json!([]));
    assert_eq!(places("  ?!").await, json!([]));
}

#[tokio::test]
async fn products_are_found_by_words_and_by_id() {
    let stage = Stage::new();
    let kettle = json!({
        "id": 501, "title": "Bouilloire Nami", "brand": "Nami", "reference": "NAM-17-IX", "summary": null, "price": "49,90 €",
        "available": true, "url": "https://boutique.example/p/501", "image": "https://boutique.example/img/501.jpg"
    });
    assert_eq!(stage.ask("products", json!({"query": " kettle "})).await.json(), json!({ "products": [kettle] }));
    assert_eq!(stage.ask("products", json!({"ids": [9, 501]})).await.json(), json!({ "products": [kettle] }));
    for nothing in [json!({}), json!({"query": " "}), json!({"query": "teapot"})] {
        assert_eq!(stage.ask("products", nothing).await.json(), json!({"products": []}));
    }
    assert_eq!(stage.ask("products", json!({"query": "down"})).await.row(), (502, "unavailable".to_owned()));
    let bare = api::Api { products: None, ..stage.api() };
    assert_eq!(stage.ask_with(bare, "products", JWT, &json!({"project": "4821"})).await.status, 404);
}

#[tokio::test]
async fn what_the_page_would_not_say_is_refused() {
    let stage = Stage::new();
    for body in ["", "{", "[]", "\"x\"", "7", r#"{"ids":["501"]}"#, r#"{"ids":[-1]}"#, r#"{"query":7}"#, r#"{"conversation":{}}"#]
    {
        let mut request = post("/iadvize/panel/api/products", body);
        request.headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {JWT}")).unwrap());
        let answer = Answer::of(api::handle(stage.api(), request.clone()).await.unwrap());
        assert_eq!(answer.row(), (400, "invalid_parameter".to_owned()), "{body}");
        request.method = Method::GET;
        let answer = Answer::of(api::handle(stage.api(), request).await.unwrap());
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    }
    let long = stage.ask("products", json!({"query": "x".repeat(16 * 1024)})).await;
    assert_eq!(long.row(), (413, "too_large".to_owned()));
    assert_eq!(stage.ask("nonsense", json!({})).await.row(), (404, "not_found".to_owned()));
}

// ---------------------------------------------------------------------------------------------------------------- messages

#[tokio::test]
async fn messages_are_answered_as_in_the_contract() {
    let body = json!({"messages": [{"id": "f0", "authorType": "VISITOR", "text": "Bonjour"}, {"id": "f1", "text": "La Nami ?"}]});
    let answer = Stage::new().mean(&body.to_string()).await;
    let expected = json!({
      "commands": [
        {
          "type": "addMessageActions",
          "messageId": "f1",
          "actions": [ { "highlight": "Nami", "intent": { "key": "501", "payload": { "title": "Bouilloire Nami" } } } ]
        }
      ]
    });
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://ha.iadvize.com"));
    assert_eq!((answer.header("vary"), answer.header("access-control-allow-credentials")), (Some("Origin"), None));
}

#[tokio::test]
async fn reference_of_a_product_is_marked_and_missed_only_while_nobody_can_look_it_up() {
    let stage = Stage::new();
    let marked = |text: &str| {
        let (stage, body) = (stage.clone(), json!({"messages": [{"id": "m", "text": text}]}).to_string());
        async move { stage.mean(&body).await.json()["commands"][0]["actions"].clone() }
    };
    let payload = json!({"title": "Bouilloire Nami"});
    assert_eq!(marked("réf. nam-17-ix").await, json!([{"highlight": "nam-17-ix", "intent": {"key": "501", "payload": payload}}]));
    assert_eq!(marked("Nami, down1").await, json!([{"highlight": "Nami", "intent": {"key": "501", "payload": payload}}]));
}

#[tokio::test]
async fn only_the_desks_may_ask() {
    let stage = Stage::new();
    let body = r#"{"messages":[]}"#;
    for origin in ["https://sd.iadvize.com", "https://ha.iadvize.com"] {
        let mut request = of_desk(body);
        request.headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        let answer = stage.mean_to(request.clone()).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin)));
        request.method = Method::OPTIONS;
        let answer = stage.mean_to(request).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        for (name, value) in [
            ("access-control-allow-origin", origin),
            ("access-control-allow-methods", "POST, OPTIONS"),
            ("access-control-allow-headers", "Content-Type"),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
    for origin in [
        None,
        Some("null"),
        Some("*"),
        Some(""),
        Some("http://ha.iadvize.com"),
        Some("https://HA.iadvize.com"),
        Some("https://ha.iadvize.com/"),
        Some("https://ha.iadvize.com:443"),
        Some("https://xha.iadvize.com"),
        Some("https://ha.iadvize.com.evil.example"),
        Some("https://evil.example"),
        Some("https://desk.example"),
    ] {
        let mut request = of_desk(body);
        request.headers.remove(ORIGIN);
        if let Some(origin) = origin {
            request.headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        for (method, status) in [(Method::POST, 403), (Method::OPTIONS, 204)] {
            request.method = method;
            let answer = stage.mean_to(request.clone()).await;
            assert_eq!((answer.status, answer.header("vary")), (status, Some("Origin")), "{origin:?}");
            let told = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control")).count();
            assert_eq!(told, 0, "{origin:?}");
        }
    }
}

#[tokio::test]
async fn site_of_messages_is_the_one_in_the_address() {
    let stage = Stage::new();
    for (query, row) in [
        ("idWebsite=ha-4821", (200, "")),
        ("x=1&idWebsite=HA-4821", (200, "")),
        ("idWebsite=sd-77", (200, "")),
        ("", (400, "invalid_parameter")),
        ("idWebsite=", (400, "invalid_parameter")),
        ("idWebsite=ha-9", (404, "not_found")),
        ("idWebsite=4821", (404, "not_found")),
    ] {
        let mut request = of_desk(r#"{"messages":[]}"#);
        request.query = query.to_owned();
        let answer = stage.mean_to(request).await;
        assert_eq!(answer.row(), (row.0, row.1.to_owned()), "{query}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{query}");
    }
}

#[tokio::test]
async fn messages_that_are_none_are_refused_and_long_ones_too() {
    let stage = Stage::new();
    for body in ["", "{", "[]", "null", "{}", r#"{"messages":{}}"#, r#"{"messages":"x"}"#] {
        let answer = stage.mean(body).await;
        assert_eq!(answer.row(), (400, "invalid_parameter".to_owned()), "{body}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://ha.iadvize.com"), "the Desk may read why");
    }
    let of_length = |length: usize| format!(r#"{{"messages":[{{"id":"a","text":"{}"}}]}}"#, "x".repeat(length - 35));
    assert_eq!(of_length(64 * 1024).len(), 65_536);
    assert_eq!(stage.mean(&of_length(64 * 1024)).await.status, 200);
    assert_eq!(stage.mean(&of_length(64 * 1024 + 1)).await.row(), (413, "too_large".to_owned()));
    let mut request = of_desk("{}");
    request.method = Method::GET;
    let answer = stage.mean_to(request).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, OPTIONS")));
}

/// A message of words that mean something, of others, and of whatever else there is.
fn any_message() -> impl Strategy<Value = Value> {
    let word = prop_oneof!["nami", "NAMI", "n\u{301}ami", "nam-17-ix", "[a-z0-9-]{1,8}", ".{0,6}", Just("\u{0}".to_owned())];
    let text = prop::collection::vec(word, 0..8).prop_map(|words| json!(words.join(" ")));
    let odd = prop_oneof![Just(json!(null)), Just(json!(7)), Just(json!([])), Just(json!(""))];
    let id = prop_oneof![4 => ".{0,8}".prop_map(Value::from), 1 => odd.clone()];
    let text = prop_oneof![6 => text, 1 => odd];
    (id, text).prop_map(|(id, text)| json!({"id": id, "authorType": "x", "text": text}))
}

#[test]
fn every_answer_to_messages_fits_the_schema() {
    let schema = Schema::named("panel:commands");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stage = Stage::new();
    let found = std::cell::Cell::new(0);
    let bodies = prop::collection::vec(any_message(), 0..6).prop_map(|messages| json!({ "messages": messages }));
    let ran = runner().run(&bodies, |body| {
        let answer = runtime.block_on(stage.mean(&body.to_string()));
        prop_assert_eq!(answer.status, 200);
        let told = answer.json();
        prop_assert_eq!(schema.problems(&told), Vec::<String>::new(), "{}", told);
        for command in told["commands"].as_array().unwrap() {
            let messages = body["messages"].as_array().unwrap();
            let own = |message: &&Value| message["id"] == command["messageId"] && message["text"].is_string();
            for action in command["actions"].as_array().unwrap() {
                let spelled = action["highlight"].as_str().unwrap();
                prop_assert!(messages.iter().filter(own).any(|message| message["text"].as_str().unwrap().contains(spelled)));
                found.set(found.get() + 1);
            }
        }
        Ok(())
    });
    ran.unwrap();
    assert!(found.get() > 1000, "{}", found.get());
}

// ------------------------------------------------------------------------------------------------------------------ events

/// A case, its status, and the code of an error.
type Case = (&'static str, u64, &'static str);

const CASES: [(&str, &[Case]); 3] = [
    (
        "iadvize-panel",
        &[
            ("asset", 200, ""),
            ("bad_token", 401, ""),
            ("doubled_token", 401, ""),
            ("no_token", 401, ""),
            ("ok", 200, ""),
            ("wrong_method", 405, ""),
        ],
    ),
    (
        "iadvize-panel-api",
        &[
            ("bad_token", 401, "unauthorized"),
            ("base64", 200, ""),
            ("malformed", 400, "invalid_parameter"),
            ("no_token", 401, "unauthorized"),
            ("ok", 200, ""),
            ("unknown_call", 404, "not_found"),
            ("unknown_site", 404, "not_found"),
            ("wrong_method", 405, "method_not_allowed"),
        ],
    ),
    (
        "iadvize-panel-messages",
        &[
            ("base64", 200, ""),
            ("malformed", 400, "invalid_parameter"),
            ("ok", 200, ""),
            ("other_origin", 403, "forbidden"),
            ("preflight", 204, ""),
            ("unknown_site", 404, "not_found"),
        ],
    ),
];

#[tokio::test]
async fn every_event_is_answered_as_its_name_says() {
    for (function, cases) in CASES {
        let names: Vec<_> = cases.iter().map(|(case, ..)| *case).collect();
        assert_eq!(events::cases(function), names, "{function}");
        for (case, status, code) in cases {
            let stage = Stage::new();
            let handler: Arc<HttpHandler> = match function {
                "iadvize-panel" => Arc::new(move |request| page::handle(stage.ctx.clone(), request).boxed()),
                "iadvize-panel-api" => Arc::new(move |request| api::handle(stage.api(), request).boxed()),
                _ => Arc::new(move |request| messages::handle(stage.messages(), request).boxed()),
            };
            let answer = lambda::answer(&*handler, render, events::event(function, case), "i1").await;
            let answer = serde_json::to_value(answer).unwrap();
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or("null")).unwrap_or_default();
            let said = body["error"]["code"].as_str().unwrap_or_default();
            assert_eq!((answer["statusCode"].as_u64(), said), (Some(*status), *code), "{function}/{case}");
        }
    }
}
