//! `operator-prepare-chat`: a chat that waits for its visitor (FrontStage contract, 2.1 `ReturnChatId`, 5.1 rows 4 and 5).

use app::chats::{ChatCtx, PrepareError, prepare};
use app::{AppError, Ctx};
use chat::{AgentId, ChatVisitor};
use model::AccountId;
use ports::DirectoryStore;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused;

/// The chat to prepare.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The gateway its visitor will come through.
    gateway: AccountId,
    #[serde(default)]
    visitor: Visitor,
    /// The agent who invites; without one the conditions choose once the visitor is there.
    #[serde(default)]
    agent: Option<AgentId>,
}

/// What is known of the visitor.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Visitor {
    party_name: Option<String>,
    remote_address: Option<String>,
    culture: Option<String>,
    user_token: Option<String>,
}

/// Limits of the texts, in UTF-16 units (4.2, `ChatServiceInfo`).
const LIMITS: [(&str, usize); 4] = [("party_name", 160), ("remote_address", 250), ("culture", 16), ("user_token", 320)];

impl Visitor {
    /// The visitor as a chat knows them, or the member that is too long, with its limit.
    fn check(self) -> Result<ChatVisitor, (&'static str, usize)> {
        let Self { party_name, remote_address, culture, user_token } = self;
        let texts = [&party_name, &remote_address, &culture, &user_token];
        let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.encode_utf16().count());
        let too_long = LIMITS.into_iter().zip(texts).find(|((_, limit), text)| length(text) > *limit);
        match too_long.map(|(member, _)| member) {
            Some(member) => Err(member),
            None => Ok(ChatVisitor { port: None, party_name, remote_address, user_token, culture }),
        }
    }
}

/// Prepares a chat. Every invocation prepares another one.
///
/// Input: `{"gateway":"frontstage/key","visitor":{"party_name"?,"remote_address"?,"culture"?,"user_token"?}?,"agent":"id"?}`.
/// Output: `{"return_chat_id":"guid"}`, for the connector to name in `ES_CHAT_START`, or `{"error":{"code","message"}}`:
/// `unknown` for a gateway that is not configured, `invalid` for one without chats or an agent of another desk, `conflict`
/// for an agent who is not there or has no room. After an error nothing was changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down: a chat that was prepared all the same is never entered, and
/// closes after the gateway's inactivity.
pub async fn handle(ctx: Ctx<dyn DirectoryStore>, chats: ChatCtx, event: Value) -> Result<Value, AppError> {
    let Input { gateway, visitor, agent } = match serde_json::from_value(event) {
        Ok(input) => input,
        Err(error) => return Ok(refused("malformed", error)),
    };
    let visitor = match visitor.check() {
        Ok(visitor) => visitor,
        Err((name, limit)) => return Ok(refused("invalid", format_args!("{name} is longer than {limit}"))),
    };
    let directory = ctx.store.directory().await?;
    let Some(account) = directory.accounts.get(&gateway) else {
        return Ok(refused("unknown", format_args!("{gateway} is not configured")));
    };
    match prepare(&chats, account, visitor, agent.as_ref(), &ctx.dice.token()).await {
        Ok(chat) => Ok(json!({ "return_chat_id": chat })),
        Err(error @ (PrepareError::NoChats | PrepareError::UnknownAgent)) => Ok(refused("invalid", error)),
        Err(error @ (PrepareError::AgentAway | PrepareError::AgentBusy)) => Ok(refused("conflict", error)),
        Err(PrepareError::App(error)) => Err(error),
    }
}
