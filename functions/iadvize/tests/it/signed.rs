//! Who may call, about which site, and what the others are told (sections 3.2, 3.3 and 4.2).

use http::Method;
use serde_json::json;
use testkit::fixtures::{get, post};

use crate::world::{OTHER_TOKEN, TOKEN, World, signed};

fn world() -> World {
    let choices = json!([{"label": "Prix TTC", "value": "with_tax"}, {"label": "Prix HT", "value": "without_tax"}]);
    World::with(&json!({"options": {"tax": choices}}))
}

#[tokio::test]
async fn signed_call_about_a_site_is_served() {
    let answer = world().options(signed(get("/iadvize/options/tax", "idWebsite=ha-4821"), TOKEN)).await;
    let choices = json!([{"label": "Prix TTC", "value": "with_tax"}, {"label": "Prix HT", "value": "without_tax"}]);
    assert_eq!((answer.status, answer.body), (200, choices));
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
}

#[tokio::test]
async fn call_that_is_not_signed_is_told_nothing_of_why() {
    let world = world();
    let request = || get("/iadvize/options/tax", "idWebsite=ha-4821");
    let mut twice = signed(request(), TOKEN);
    twice.headers.append("x-iadvize-signature", twice.headers["x-iadvize-signature"].clone());
    let mut other_query = signed(request(), TOKEN);
    other_query.query = "idWebsite=ha-4822".to_owned();
    let refused = json!({"error": {"code": "unauthorized", "message": "not signed by iAdvize"}});
    for request in [request(), signed(request(), "9f4c1d7e2ab85c3360d1f0e4b7a96c20"), twice, other_query] {
        let answer = world.options(request).await;
        assert_eq!((answer.status, answer.body), (401, refused.clone()));
    }
}

#[tokio::test]
async fn token_of_one_connector_opens_no_site_of_another() {
    let world = world();
    let of = |query: &str, token| signed(get("/iadvize/options/tax", query), token);
    assert_eq!(world.options(of("idWebsite=ha-4821", OTHER_TOKEN)).await.row(), (404, "not_found"));
    assert_eq!(world.options(of("idWebsite=sd-77", TOKEN)).await.row(), (404, "not_found"));
    // The third site is the only one of its connector; it has no such parameter.
    assert_eq!(world.options(of("", OTHER_TOKEN)).await.body["error"]["message"], "there is no such parameter");
}

#[tokio::test]
async fn site_has_to_be_named_where_a_connector_is_on_several() {
    let world = world();
    let of = |query: &str| signed(get("/iadvize/options/tax", query), TOKEN);
    for query in ["", "idWebsite=", "idOperator=9999"] {
        let answer = world.options(of(query)).await;
        assert_eq!((answer.row(), &answer.body["error"]["field"]), ((400, "invalid_parameter"), &json!("idWebsite")), "{query}");
    }
    assert_eq!(world.options(of("idWebsite=ha-9")).await.row(), (404, "not_found"));
    assert_eq!(world.options(of("idWebsite=HA-4821&idWebsite=ha-9")).await.status, 200, "the first counts");
}

#[tokio::test]
async fn new_token_is_taken_beside_the_one_before() {
    let world = world();
    let request = || get("/iadvize/options/tax", "idWebsite=ha-4822");
    for token in [TOKEN, "1f4c1d7e2ab85c3360d1f0e4b7a96c23"] {
        assert_eq!(world.options(signed(request(), token)).await.row(), (404, "not_found"), "the site has no such parameter");
    }
}

#[tokio::test]
async fn source_has_to_be_on_the_list_of_a_site_that_has_one() {
    for (listed, status) in [(json!(["iadvize"]), 403), (json!(["203.0.113.0/24"]), 200)] {
        let world = World::with(&json!({"inbound_cidrs": listed, "options": {"tax": [{"label": "a", "value": "b"}]}}));
        let answer = world.options(signed(get("/iadvize/options/tax", "idWebsite=ha-4821"), TOKEN)).await;
        assert_eq!(answer.status, status, "{listed}");
    }
}

#[tokio::test]
async fn other_methods_and_long_bodies_are_refused() {
    let world = world();
    let answer = world.options(signed(post("/iadvize/options/tax", "{}"), TOKEN)).await;
    assert_eq!((answer.row(), answer.headers["allow"].to_str().unwrap()), ((405, "method_not_allowed"), "GET, HEAD"));
    let mut long = post("/iadvize/options/tax", &"x".repeat(1024 * 1024 + 1));
    long.method = Method::GET;
    assert_eq!(world.options(signed(long, TOKEN)).await.row(), (413, "too_large"));
}

#[tokio::test]
async fn site_without_secrets_believes_nobody() {
    let world = world();
    world.secrets.set(&"iadvize/rival".parse().unwrap(), json!({"tokens": []}));
    assert_eq!(world.options(signed(get("/iadvize/options/tax", ""), OTHER_TOKEN)).await.row(), (401, "unauthorized"));
}
