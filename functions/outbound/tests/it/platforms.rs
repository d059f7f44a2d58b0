//! Every platform passes the conformance suite.

use app::Registry as _;
use model::{Account, Conversation, Delivery, Message, Platform};
use serde_json::{Value, json};
use testkit::conformance::{self, Subject};
use testkit::events;
use wire::Job;

use crate::world::registry;

/// A message to an account of the platform, the secrets of that account as texts, and what the platform answers.
fn subject_of(platform: Platform) -> (u64, Value, Vec<&'static str>, Vec<(u16, Value)>) {
    match platform {
        Platform::Ctrader => (
            1,
            json!({"webhook_secret": "invented-webhook-secret", "manager_password": "invented-password"}),
            vec!["invented-webhook-secret", "invented-password", "invented-manager-token"],
            vec![
                (204, json!(null)),
                (200, json!({"webservToken": "invented-manager-token"})),
                (201, json!({})),
                (403, json!({"errorCode": "NOT_ENOUGH_RIGHTS"})),
                (400, json!({"error": {"errorCode": "REQUEST_FREQUENCY_EXCEEDED"}})),
            ],
        ),
        Platform::Frontstage => (
            2,
            json!({"keys": [{"id": "k1", "secret": "contract-demo-secret-001"}]}),
            vec!["contract-demo-secret-001"],
            vec![
                (202, json!({})),
                (
                    200,
                    json!({"Messages": [{"Msg": "ES_MESSAGE_SENT", "Id": "a0000000-0000-4000-8000-000000000003",
                        "Body": {"Id": "26be4b95-b346-8f78-9003-680000000002", "RefId": events::GATEWAY}}]}),
                ),
            ],
        ),
        Platform::Iadvize => (
            2,
            json!({"tokens": ["9f4c1d7e2ab85c3360d1f0e4b7a96c21"], "api_password": "invented-api-password"}),
            vec!["9f4c1d7e2ab85c3360d1f0e4b7a96c21", "invented-api-password", "invented-api-token"],
            vec![
                (200, json!({"access_token": "invented-api-token", "token_type": "Bearer", "expires_in": 86400})),
                (200, json!({"data": {"chatbotMessageSend": {"userErrors": []}}})),
                (200, json!({"data": {"chatbotMessageSend": {"userErrors": [{"message": "The conversation is closed"}]}}})),
                (200, json!({"errors": [{"message": "Variable conversationId is not a UUID"}], "data": null})),
                (401, json!({"error": "invalid_token"})),
                (400, json!({"error": "invalid_grant"})),
                (429, json!({"error": "too_many_requests"})),
            ],
        ),
        Platform::Roxchat => unreachable!("it takes no messages"),
        Platform::Vcita => (
            1,
            json!({"url_secrets": ["7a1e0c94d25b4f63b8e95d107c3fa286"], "client_id": "invented-app", "client_secret": "invented-client-secret"}),
            vec!["7a1e0c94d25b4f63b8e95d107c3fa286", "invented-client-secret", "invented-bearer"],
            vec![
                (200, json!({"access_token": "invented-bearer", "token_type": "Bearer", "expires_in": 3600})),
                (200, json!({"data": {"clients": []}})),
                (201, json!({"data": {"client": {"id": "contact-1"}, "id": "contact-1", "uid": "contact-1"}})),
                (201, json!({"success": true, "data": {"session": {"uid": "session-1", "status": "pending"}}})),
                (200, json!({"success": true, "data": {"sessions": [{"uid": "session-1", "status": "inactive"}]}})),
                (201, json!({"success": true, "data": {"message": {"uid": "message-1"}}})),
                (422, json!({"success": false, "errors": [{"code": "already_exists", "message": "Session already exist"}]})),
                (422, json!({"success": false, "errors": [{"code": "invalid", "message": "session is not active"}]})),
                (404, json!({"success": false, "errors": [{"code": "invalid", "message": "session not found"}]})),
                (422, json!({"success": false, "errors": [{"code": "too_long", "message": "message is too long"}]})),
            ],
        ),
    }
}

/// Makes a message the result of an action, and returns the brand that tells its CRM and shows a ribbon.
fn result_of_an_action(message: &mut Message) -> Account {
    let of = |members: &[(&str, &str)]| members.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    message.memo = of(&[("user", "31550462"), ("lang", "en")]);
    message.details.plain =
        of(&[("result", "r-1"), ("action", "survey"), ("status", "success"), ("sinks", "crm_webhook,ribbon")]);
    let settings = json!({
        "broker_crm_name": "Invented", "ctrader_base_url": "https://ct.example:8443", "manager_login": 7,
        "crm_webhook_url": "https://crm.example/results", "actions": [{"type": "survey", "sinks": ["crm_webhook", "ribbon"]}],
    });
    let id = "ctrader/broker".parse().unwrap();
    Account { id, tenant: message.tenant.clone(), salt: "salt".to_owned(), settings, installed: None }
}

/// Makes a conversation one of a bot's, and returns the site whose bot it is.
fn talk_of_a_bot(conversation: &mut Conversation, message: &mut Message) -> Account {
    "0d8a7b1c-3f52-4f0a-a1f4-6d1c9c1be0a7".clone_into(&mut conversation.visitor.address);
    message.memo = [("chatbot".to_owned(), "60012".to_owned())].into();
    let id = "iadvize/shop".parse().unwrap();
    let settings = json!({"website": "ha-4821", "api": {"base_url": "https://api.example", "username": "bot@shop.example"}});
    Account { id, tenant: conversation.tenant.clone(), salt: "salt".to_owned(), settings, installed: None }
}

#[test]
fn every_platform_conforms() {
    // vcita's once more with a token that is shared.
    let takes_messages = |platform: &Platform| *platform != Platform::Roxchat;
    let subjects =
        Platform::ALL.into_iter().filter(takes_messages).map(|platform| (platform, false)).chain([(Platform::Vcita, true)]);
    for (platform, is_shared) in subjects {
        let (seq, mut secrets, private, answers) = subject_of(platform);
        if is_shared {
            secrets["token_keys"] = json!(["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]);
        }
        let registry = registry();
        let outbound = registry.outbound(platform);
        let mut key = events::delivery_key(seq);
        let mut message = events::message(seq);
        message.content.text = "Words that stay between the two of them".to_owned();
        let mut conversation = events::conversation(seq);
        let account = match platform {
            Platform::Ctrader => result_of_an_action(&mut message),
            Platform::Iadvize => talk_of_a_bot(&mut conversation, &mut message),
            Platform::Roxchat => unreachable!("it takes no messages"),
            Platform::Frontstage | Platform::Vcita => events::configured().accounts[&key.recipient].clone(),
        };
        key.recipient = account.id.clone();
        let mut delivery = Delivery::queued(key, message.tenant.clone(), message.accepted_at);
        delivery.route = outbound.route(&account, &message);
        let job = Job { account, secrets, conversation, message, delivery, thread: None, installation: None };
        conformance::run(&Subject { outbound, job, answers, secrets: private });
    }
}

#[test]
fn platform_that_takes_no_messages_refuses_them_at_once() {
    let (registry, conversation, message) = (registry(), events::conversation(1), events::message(1));
    let account = Account { id: "roxchat/acme".parse().unwrap(), ..events::configured().accounts[&message.origin].clone() };
    let mut key = events::delivery_key(1);
    key.recipient = account.id.clone();
    let delivery = Delivery::queued(key, message.tenant.clone(), message.accepted_at);
    let job = Job { account, secrets: json!({}), conversation, message, delivery, thread: None, installation: None };
    let step = registry.outbound(Platform::Roxchat).exchange(job).resume(wire::Input::Start, model::EpochMillis::new(0));
    let wire::Step::Finish(wire::Outcome::Rejected { detail }) = step else { panic!("{step:?}") };
    assert_eq!(detail, "Rox.Chat takes no messages from here: agents answer in its workspace");
}
