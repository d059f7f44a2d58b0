//! `operator-hand-over`: a chat goes to another desk.

use app::AppError;
use app::chats::{ChatCtx, HandedOver, hand_over};
use chat::{ChatId, State};
use model::AccountId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused;

/// The chat, and who is to answer it from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    chat: ChatId,
    desk: AccountId,
}

/// Gives a chat to another desk of its tenant, with its transcript.
///
/// Input: `{"chat":"<ChatId>","desk":"platform/key"}`. Output: `{"handed_over":true,"state":"waiting"}`, or
/// `{"error":{"code","message"}}` with code `malformed`, `unknown_chat`, `unknown_desk`, or the chat's own word, such as
/// `ChatClosed` (FrontStage contract, 10.6); after an error nothing was changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; the same again does no harm.
pub async fn handle(ctx: ChatCtx, event: Value) -> Result<Value, AppError> {
    let Input { chat, desk } = match serde_json::from_value(event) {
        Ok(input) => input,
        Err(error) => return Ok(refused("malformed", error)),
    };
    Ok(match hand_over(&ctx, chat, &desk).await? {
        HandedOver::Yes(state) => json!({ "handed_over": true, "state": word(&state) }),
        HandedOver::UnknownChat => refused("unknown_chat", "no chat of this id is the current one of its conversation"),
        HandedOver::UnknownDesk => refused("unknown_desk", format_args!("{desk} is no desk of the chat's tenant")),
        HandedOver::Refused(refusal) => refused(refusal.as_str(), refusal),
    })
}

/// How a state is called here.
const fn word(state: &State) -> &'static str {
    match state {
        State::Pilot => "pilot",
        State::Icr { .. } => "icr",
        State::Waiting { .. } => "waiting",
        State::Alerting { .. } => "alerting",
        State::Answered { .. } => "answered",
        State::Closed { .. } => "closed",
    }
}
