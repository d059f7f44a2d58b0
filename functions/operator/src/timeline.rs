//! `operator-timeline`: from any id to one ordered story.

use app::{AppError, Ctx, TimelineKey};
use model::{AccountId, DeliveryKey, Directory, EventKey, Platform};
use ports::StoryStore;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused;

/// What the operator has in hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    /// A conversation, message or delivery id of ours, or a platform's id of a message.
    id: String,
    /// Where a platform's id comes from, if that is known; otherwise every account is asked.
    account: Option<AccountId>,
}

/// Tells the story of a conversation, a message or a delivery.
///
/// Input: `{"id":"...","account":"platform/key"?}`. Output: `{"conversation","entries":[...],"deliveries":[...]}` or
/// `{"error":{"code":"unknown",...}}`. Texts are not part of it.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn handle(ctx: Ctx<dyn StoryStore>, event: Value) -> Result<Value, AppError> {
    let input: Input = match serde_json::from_value(event) {
        Ok(input) => input,
        Err(error) => return Ok(refused("malformed", error)),
    };
    let key = if let Ok(conversation) = input.id.parse() {
        TimelineKey::Conversation(conversation)
    } else if let Ok(message) = input.id.parse() {
        TimelineKey::Message(message)
    } else if let Ok(delivery) = input.id.parse::<DeliveryKey>() {
        TimelineKey::Message(delivery.message)
    } else if let Some(message) = platform_frontstage::own_reply(&input.id) {
        // The DeliverySystemId that we proposed to a connector.
        TimelineKey::Message(message)
    } else {
        TimelineKey::Events(events(&ctx.store.directory().await?, &input))
    };
    match app::timeline(&ctx, key).await? {
        Some(timeline) => Ok(json!(timeline)),
        None => Ok(refused("unknown", "nothing is stored under this id")),
    }
}

/// The names under which a platform's id may be stored.
fn events(directory: &Directory, input: &Input) -> Vec<(AccountId, EventKey)> {
    let mut events = Vec::new();
    for account in directory.accounts.values().filter(|a| input.account.as_ref().is_none_or(|wanted| a.id == *wanted)) {
        let keys = match account.id.platform() {
            Platform::Ctrader | Platform::Iadvize => Vec::new(),
            Platform::Roxchat => platform_roxchat::event_keys(&input.id),
            Platform::Frontstage => platform_frontstage::event_keys(account, &input.id),
            Platform::Vcita => platform_vcita::event_keys(account, &input.id),
        };
        events.extend(keys.into_iter().map(|key| (account.id.clone(), key)));
    }
    events
}
