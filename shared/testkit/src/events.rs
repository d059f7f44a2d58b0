//! The complete events under `events/`, which `events/README.md` describes.

use std::path::Path;
use std::time::Duration;

use model::{
    Account, AccountId, Author, Content, Conversation, ConversationId, DeliveryKey, DeliveryState, Directory, EpochMillis,
    FailureReason, Message, Platform, Slug, StoryEvent, Tenant,
};
use ports::{AcceptOutcome, Acceptance, LaneSelector, NewDelivery, Saved, Store, Transition};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fixtures::{
    DUE_AFTER, NOW, sample_account, sample_conversation, sample_delivery, sample_message, sending, story_entry,
};

/// `frontstage/gw-mail`: the account Eva writes through.
#[must_use]
pub fn visitor_account_id() -> AccountId {
    "frontstage/gw-mail".parse().unwrap()
}

/// The message gateway behind it, as the connector names it.
pub const GATEWAY: &str = "44444444-4444-4444-8444-444444444444";

/// The event `events/<function>/<case>.json`, as the type its function is given.
#[must_use]
pub fn event<T: DeserializeOwned>(function: &str, case: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(function).join(format!("{case}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the cases there are for a function, in order.
#[must_use]
pub fn cases(function: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(function);
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// What `events/operator-configure/ok.json` configures: the tenant and the accounts that all other events belong to. The
/// salt of every account is that of [`sample_account`].
#[must_use]
pub fn configured() -> Directory {
    let mut directory = Directory::default();
    configure(&mut directory, "ok");
    directory
}

/// What `events/operator-configure/chats.json` configures after it: a gateway with chats, and a desk of our own.
#[must_use]
pub fn configured_with_chats() -> Directory {
    let mut directory = configured();
    configure(&mut directory, "chats");
    directory
}

/// What `events/operator-configure/screens.json` configures after both: a brand of cTrader, and the gateways of its chat screen.
#[must_use]
pub fn configured_with_screens() -> Directory {
    let mut directory = configured_with_chats();
    configure(&mut directory, "screens");
    directory
}

fn configure(directory: &mut Directory, case: &str) {
    #[derive(Deserialize)]
    struct Document {
        tenant: Tenant,
        accounts: Vec<Written>,
    }
    #[derive(Deserialize)]
    struct Written {
        platform: Platform,
        key: Slug,
        settings: Value,
    }
    let Document { tenant, accounts } = event("operator-configure", case);
    for Written { platform, key, settings } in accounts {
        let id = AccountId::new(platform, key);
        let account = Account { settings, tenant: tenant.id.clone(), ..sample_account(&id) };
        directory.accounts.insert(id, account);
    }
    directory.tenants.insert(tenant.id.clone(), tenant);
}

/// The conversation with Eva after `last_seq` messages.
#[must_use]
pub fn conversation(last_seq: u64) -> Conversation {
    let account = sample_account(&visitor_account_id());
    let mut conversation = sample_conversation(last_seq);
    conversation.visitor.account = account.id.clone();
    conversation.visitor.address = "eva@demo.example".to_owned();
    conversation.visitor.name = Some("Eva Demová".to_owned());
    conversation.visitor.memo = [("gateway".to_owned(), GATEWAY.to_owned())].into();
    conversation.id = ConversationId::derive(&account.salt, &account.id, &conversation.visitor.address);
    conversation
}

/// Message 1 of the conversation, by Eva, or message 2, the answer of staff.
#[must_use]
pub fn message(seq: u64) -> Message {
    let conversation = conversation(seq);
    let mut message = sample_message(&conversation, seq);
    if seq > 1 {
        message.author = Author::Desk;
        message.origin = conversation.desk.unwrap();
        message.content = Content { text: "Yes, from 10 to 16.".to_owned(), html: None, subject: None };
    }
    message
}

/// The delivery of message `seq` to the other side of its conversation.
#[must_use]
pub fn delivery_key(seq: u64) -> DeliveryKey {
    let conversation = conversation(seq);
    let recipient = if seq > 1 { conversation.visitor.account } else { conversation.desk.unwrap() };
    sample_delivery(&message(seq), &recipient).key
}

/// Stores the first `last_seq` messages of the conversation, with their deliveries queued.
pub async fn given_messages(store: &dyn Store, last_seq: u64) {
    for seq in 1..=last_seq {
        let delivery = sample_delivery(&message(seq), &delivery_key(seq).recipient);
        let acceptance = Acceptance {
            conversation: conversation(seq),
            may_create: seq == 1,
            message: message(seq),
            events: Vec::new(),
            deliveries: vec![NewDelivery { delivery, due_at: NOW.plus(DUE_AFTER) }],
            guards: Vec::new(),
        };
        assert_eq!(store.accept(&acceptance).await.unwrap(), AcceptOutcome::Stored);
    }
}

/// Stores both messages, and that the first attempt at message 2 began just now and has 90 s.
pub async fn given_attempt(store: &dyn Store) {
    given_messages(store, 2).await;
    let deadline = NOW.plus(Duration::from_secs(90));
    given_state(store, sending(1, NOW, deadline), StoryEvent::HandedOver { attempt: 1 }, Some(deadline)).await;
}

/// Stores both messages, and that message 2 was given up just now.
pub async fn given_failure(store: &dyn Store) {
    given_attempt(store).await;
    let failed = DeliveryState::Failed { at: NOW, reason: FailureReason::NoAcknowledgement };
    given_state(store, failed, StoryEvent::NoAcknowledgement { attempt: 1, given_up: true }, None).await;
}

/// Moves message 2; without a due time it leaves its lane.
async fn given_state(store: &dyn Store, state: DeliveryState, event: StoryEvent, due_at: Option<EpochMillis>) {
    let key = delivery_key(2);
    let item = store.work(&key.lane(), LaneSelector::Entry(key.entry()), None, NOW).await.unwrap().unwrap();
    let mut delivery = item.delivery;
    delivery.state = state;
    delivery.route = Some(GATEWAY.to_owned());
    let transition = Transition {
        delivery,
        story: Some(story_entry(NOW, event)),
        lane: item.lane,
        leaves_lane: due_at.is_none(),
        due_at,
        needs_same_thread_status: false,
        receipt: None,
        alias: None,
    };
    assert_eq!(store.save(&transition).await.unwrap(), Saved::Yes);
}
