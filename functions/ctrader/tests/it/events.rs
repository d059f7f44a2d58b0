//! Every event of `events/ctrader-*` and `events/operator-ctrader`, as the functions receive it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use lambda::HttpHandler;
use serde_json::{Value, json};
use testkit::{ScriptedSender, events};

use crate::world::World;

/// A case, its status, and the code of an error.
type Case = (&'static str, u64, &'static str);

/// The cases of each function.
const CASES: [(&str, &[Case]); 6] = [
    (
        "ctrader-authorize",
        &[
            ("base64_body", 404, "NOT_FOUND"),
            ("brand_unknown", 404, "NOT_FOUND"),
            ("crm_token_missing", 403, "CH_CLIENT_AUTH_FAILURE"),
            ("crm_token_wrong", 403, "CH_CLIENT_AUTH_FAILURE"),
            ("malformed", 400, "MISSING_REQUIRED_PARAMETER"),
            ("missing_field", 400, "MISSING_REQUIRED_PARAMETER"),
            ("token_malformed", 417, "CID_NON_EXISTED_TOKEN"),
            ("unknown_token", 404, "NOT_FOUND"),
            ("wrong_method", 405, "INVALID_REQUEST"),
        ],
    ),
    (
        "ctrader-crm-token",
        &[
            ("base64_body", 200, ""),
            ("brand_unknown", 404, "NOT_FOUND"),
            ("duplicate", 200, ""),
            ("malformed", 400, "MISSING_REQUIRED_PARAMETER"),
            ("missing_field", 400, "MISSING_REQUIRED_PARAMETER"),
            ("ok", 200, ""),
            ("password_wrong", 403, "CH_CLIENT_AUTH_FAILURE"),
            ("wrong_method", 405, "INVALID_REQUEST"),
            ("wrong_type", 400, "MISSING_REQUIRED_PARAMETER"),
        ],
    ),
    (
        "ctrader-logout",
        &[
            ("crm_token_wrong", 403, "CH_CLIENT_AUTH_FAILURE"),
            ("missing_field", 400, "MISSING_REQUIRED_PARAMETER"),
            ("ok", 200, ""),
            ("unknown_token", 200, ""),
            ("unknown_user", 200, ""),
            ("wrong_method", 405, "INVALID_REQUEST"),
        ],
    ),
    (
        "ctrader-onetime-authorize",
        &[
            ("base64_body", 404, "NOT_FOUND"),
            ("brand_unknown", 404, "NOT_FOUND"),
            ("crm_token_missing", 403, "CH_CLIENT_AUTH_FAILURE"),
            ("crm_token_wrong", 403, "CH_CLIENT_AUTH_FAILURE"),
            ("malformed", 400, "MISSING_REQUIRED_PARAMETER"),
            ("missing_field", 400, "MISSING_REQUIRED_PARAMETER"),
            ("token_malformed", 417, "CID_NON_EXISTED_TOKEN"),
            ("unknown_token", 404, "NOT_FOUND"),
            ("wrong_method", 405, "INVALID_REQUEST"),
        ],
    ),
    (
        "ctrader-onetime-generate",
        &[
            ("base64_body", 200, ""),
            ("brand_unknown", 404, "NOT_FOUND"),
            ("crm_token_missing", 403, "CH_CLIENT_AUTH_FAILURE"),
            ("crm_token_wrong", 403, "CH_CLIENT_AUTH_FAILURE"),
            ("digits", 200, ""),
            ("malformed", 400, "MISSING_REQUIRED_PARAMETER"),
            ("missing_field", 400, "MISSING_REQUIRED_PARAMETER"),
            ("ok", 200, ""),
            ("unknown_user", 404, "NOT_FOUND"),
            ("wrong_method", 405, "INVALID_REQUEST"),
        ],
    ),
    (
        "ctrader-session",
        &[
            ("action_params_broken", 400, "invalid"),
            ("base64_body", 200, ""),
            ("brand_unknown", 404, "not_found"),
            ("malformed", 400, "invalid"),
            ("nonce_missing", 400, "invalid"),
            ("ok", 200, ""),
            ("screen_unknown", 400, "invalid"),
            ("token_duplicate", 400, "token_duplicate"),
            ("token_malformed", 400, "token_malformed"),
            ("token_missing", 400, "token_missing"),
            ("token_unknown", 401, "token_invalid"),
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
            let sender = ScriptedSender::new();
            sender.answer(200, &json!({"webservToken": "9d3f"})).answer(200, &json!({"userId": 31_550_462}));
            let world = Arc::new(World::calling(sender).await);
            let handler: Box<HttpHandler> = Box::new(move |request| {
                let world = world.clone();
                async move {
                    let is_page = request.path.starts_with("/inapp/");
                    Ok(if is_page { world.page_reply(request).await } else { world.oauth_reply(request).await })
                }
                .boxed()
            });
            let event = events::event(function, case);
            let answer = lambda::answer(&*handler, ctrader_functions::render, event, "i1").await;
            let answer = serde_json::to_value(answer).unwrap();
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or("null")).unwrap_or_default();
            let said = body["code"].as_str().or_else(|| body["error"]["code"].as_str()).unwrap_or_default();
            assert_eq!((answer["statusCode"].as_u64(), said), (Some(*status), *code), "{function}/{case}");
        }
    }
}

#[tokio::test]
async fn every_input_of_the_operator_is_answered_as_its_name_says() {
    let function = "operator-ctrader";
    let expected = [
        ("account_unknown", "error"),
        ("forget", "forgotten"),
        ("know", "known"),
        ("malformed", "error"),
        ("ok", "token"),
        ("revoke", "revoked"),
    ];
    assert_eq!(events::cases(function), expected.map(|(case, _)| case));
    for (case, member) in expected {
        let world = World::new().await;
        let answer = world.operator(events::event(function, case)).await;
        assert!(answer.get(member).is_some(), "{case}: {answer}");
    }
}
