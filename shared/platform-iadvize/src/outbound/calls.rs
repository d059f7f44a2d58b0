//! The calls of section 12, each as it goes over the wire, all but the token.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use url::form_urlencoded;
use wire::{HttpCall, Secret};

use crate::DeskPlatform;
use crate::api::Api;

/// Bound on one whole call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the mutation may be called with only: it is a preview.
const PREVIEW: &str = "application/vnd.iadvize.automation-chatbot-conversation-preview+json";

/// The types are those that a public connector names; the documentation shows values alone.
const SEND: &str = "mutation ChatbotMessageSend($conversationId: UUID!, $chatbotId: Int!, $actionOrMessage: \
                    ChatbotActionOrMessageInput!) { chatbotMessageSend(conversationId: $conversationId, chatbotId: $chatbotId, \
                    actionOrMessage: $actionOrMessage) { userErrors { message } } }";

/// Something that the bot does in a visitor's conversation.
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    pub(super) conversation: &'a str,
    pub(super) chatbot: u64,
    pub(super) what: &'a What,
}

/// What it does: one thing in a call.
pub(super) enum What {
    /// Says something.
    Text(String),
    /// Closes the conversation. Named so by a public connector; the documentation has no example.
    Close,
}

/// `chatbotMessageSend`. Nothing in it is there to recognise a repetition by; our id stands in a comment, for whoever compares
/// logs.
pub(super) fn send(api: &Api, platform: DeskPlatform, message: &Message<'_>) -> HttpCall {
    let mut url = api.at("/graphql");
    if platform == DeskPlatform::Standard {
        url.set_query(Some("platform=sd"));
    }
    let what = match message.what {
        What::Text(text) => json!({"chatbotMessage": {"chatbotSimpleTextMessage": text}}),
        What::Close => json!({"chatbotAction": {"closeMessage": {}}}),
    };
    let body = json!({
        "query": format!("# {}\n{SEND}", message.id),
        "variables": {
            "conversationId": message.conversation,
            "chatbotId": message.chatbot,
            "actionOrMessage": what,
        },
    });
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(PREVIEW));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    HttpCall { method: Method::POST, url, headers, body: body.to_string().into(), timeout: TIMEOUT }
}

/// `POST /oauth2/token`.
pub(super) fn login(api: &Api, password: &Secret) -> HttpCall {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("username", &api.username).append_pair("password", password.expose()).append_pair("grant_type", "password");
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    HttpCall { method: Method::POST, url: api.at("/oauth2/token"), headers, body: form.finish().into(), timeout: TIMEOUT }
}
