//! Sample values with invented people.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use model::{
    Account, AccountId, Author, Content, Conversation, ConversationId, Delivery, DeliveryContent, DeliveryKey, DeliveryState,
    Directory, EpochMillis, EventKey, LaneKey, LaneKind, Memo, Message, MessageDetails, MessageId, Route, RouteWhen, StoryEntry,
    StoryEvent, Tenant, TenantId, Visitor,
};
use ports::{Acceptance, NewDelivery};
use serde_json::json;
use wire::RawRequest;

/// The time at which sample values are: 2026-01-01T00:00:00Z.
pub const NOW: EpochMillis = EpochMillis::new(1_767_225_600_000);

/// How long after a message the sweep looks at its lane, in sample values.
pub const DUE_AFTER: Duration = Duration::from_secs(60);

/// The tenant `demo`.
#[must_use]
pub fn sample_tenant_id() -> TenantId {
    "demo".parse().unwrap()
}

/// `frontstage/gw-demo`: the account visitors write through.
#[must_use]
pub fn visitor_account_id() -> AccountId {
    "frontstage/gw-demo".parse().unwrap()
}

/// `vcita/demo`: the account whose staff answers.
#[must_use]
pub fn desk_account_id() -> AccountId {
    "vcita/demo".parse().unwrap()
}

/// An account of the sample tenant.
#[must_use]
pub fn sample_account(id: &AccountId) -> Account {
    Account {
        id: id.clone(),
        tenant: sample_tenant_id(),
        salt: "00000000000000000000000000000001".to_owned(),
        settings: json!({}),
        installed: None,
    }
}

/// The sample tenant: everybody who writes is answered by the desk account.
#[must_use]
pub fn sample_tenant() -> Tenant {
    Tenant { id: sample_tenant_id(), routes: vec![Route { when: RouteWhen::default(), desk: desk_account_id() }] }
}

/// The sample tenant with its two accounts.
#[must_use]
pub fn sample_directory() -> Directory {
    let accounts = [visitor_account_id(), desk_account_id()];
    Directory {
        accounts: accounts.iter().map(|id| (id.clone(), sample_account(id))).collect(),
        tenants: [(sample_tenant_id(), sample_tenant())].into(),
    }
}

/// The visitor: Jana Novotná, who writes from an invented number.
#[must_use]
pub fn sample_visitor() -> Visitor {
    Visitor {
        account: visitor_account_id(),
        address: "+420700000001".to_owned(),
        name: Some("Jana Novotná".to_owned()),
        memo: Memo::from([("gateway".to_owned(), "sms".to_owned())]),
    }
}

/// The id of the sample visitor's conversation.
#[must_use]
pub fn sample_conversation_id() -> ConversationId {
    let account = sample_account(&visitor_account_id());
    ConversationId::derive(&account.salt, &account.id, &sample_visitor().address)
}

/// The sample visitor's conversation after `last_seq` messages.
#[must_use]
pub fn sample_conversation(last_seq: u64) -> Conversation {
    Conversation {
        id: sample_conversation_id(),
        tenant: sample_tenant_id(),
        visitor: sample_visitor(),
        desk: Some(desk_account_id()),
        last_seq,
        is_chat: false,
    }
}

/// The lane of messages to the conversation's desk.
#[must_use]
pub fn sample_lane_key() -> LaneKey {
    LaneKey { conversation: sample_conversation_id(), recipient: desk_account_id(), kind: LaneKind::Messages }
}

/// Message number `seq` of a conversation, written by its visitor.
#[must_use]
pub fn sample_message(conversation: &Conversation, seq: u64) -> Message {
    Message {
        id: MessageId::new(conversation.id, seq).unwrap(),
        tenant: conversation.tenant.clone(),
        author: Author::Visitor,
        origin: conversation.visitor.account.clone(),
        origin_id: format!("m-{seq}"),
        sent_at: NOW,
        accepted_at: NOW,
        content: Content { text: format!("Dobrý den, zpráva {seq} 👋"), html: None, subject: None },
        details: MessageDetails::default(),
        memo: conversation.visitor.memo.clone(),
    }
}

/// The delivery of a message to `recipient`, queued.
#[must_use]
pub fn sample_delivery(message: &Message, recipient: &AccountId) -> Delivery {
    let key = DeliveryKey { message: message.id, recipient: recipient.clone(), content: DeliveryContent::Message };
    Delivery::queued(key, message.tenant.clone(), message.accepted_at)
}

/// Acceptance of message number `conversation.last_seq`, with one event `msg/m-<seq>` and one delivery to the desk, if
/// the conversation has one.
#[must_use]
pub fn sample_acceptance(conversation: &Conversation) -> Acceptance {
    let message = sample_message(conversation, conversation.last_seq);
    let delivery = conversation.desk.as_ref().map(|desk| sample_delivery(&message, desk));
    Acceptance {
        may_create: true,
        events: vec![(EventKey::new("msg", [&message.origin_id]), None)],
        deliveries: delivery.map(|delivery| NewDelivery { delivery, due_at: NOW.plus(DUE_AFTER) }).into_iter().collect(),
        guards: Vec::new(),
        conversation: conversation.clone(),
        message,
    }
}

/// A first attempt that began at `started_at` and must be acknowledged by `deadline`.
#[must_use]
pub const fn sending(attempt: u32, started_at: EpochMillis, deadline: EpochMillis) -> DeliveryState {
    DeliveryState::Sending { attempt, started_at, deadline, pushes: 1, next_push: None }
}

/// A story entry without details.
#[must_use]
pub const fn story_entry(at: EpochMillis, event: StoryEvent) -> StoryEntry {
    StoryEntry { at, event, next_at: None, detail: None, said_at: None }
}

/// A request without a body, as whoever asks for something sends it. `query` is undecoded.
#[must_use]
pub fn get(path: &str, query: &str) -> RawRequest {
    RawRequest {
        method: Method::GET,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        request_id: "r-1".to_owned(),
        source_ip: Some("203.0.113.7".to_owned()),
    }
}

/// A request with a JSON body.
#[must_use]
pub fn post(path: &str, body: &str) -> RawRequest {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    RawRequest { method: Method::POST, headers, body: Bytes::copy_from_slice(body.as_bytes()), ..get(path, "") }
}
