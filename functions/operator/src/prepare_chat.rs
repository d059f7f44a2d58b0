//! `operator-prepare-chat`: a chat that waits for its visitor (FrontStage contract, 2.1 `ReturnChatId`, 5.1 rows 4 and 5).

use std::sync::Arc;
use std::time::Duration;

use app::chats::{ChatCtx, PrepareError, prepare};
use app::{AppError, Ctx};
use chat::{AgentId, ChatVisitor};
use model::AccountId;
use platform_ctrader::chat::{PREPARED, PROACTIVE, prepared_body};
use ports::{DirectoryStore, PortError, RecordChange, RecordKey, Records, Saved};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::refused;
use crate::trader::Trader;

/// For so long a chat is offered to the person it was prepared for.
const INVITED: Duration = Duration::from_secs(86_400);

/// The chat to prepare.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The gateway its visitor will come through. For somebody of a brand, the brand's own for such chats unless it is given.
    #[serde(default)]
    gateway: Option<AccountId>,
    /// The brand of cTrader whose user is invited.
    #[serde(default)]
    brand: Option<AccountId>,
    /// Who of the brand is invited.
    #[serde(default)]
    user_id: Option<i64>,
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
            None => Ok(ChatVisitor { party_name, remote_address, user_token, culture, ..ChatVisitor::default() }),
        }
    }
}

/// Prepares a chat. Every invocation prepares another one.
///
/// Input: `{"gateway":"frontstage/key","visitor":{"party_name"?,"remote_address"?,"culture"?,"user_token"?}?,"agent":"id"?}`, or
/// with `"brand":"ctrader/key","user_id":n` and the gateway left to the brand. Output: `{"return_chat_id":"guid"}`, for the
/// connector to name in `ES_CHAT_START`; the person of a brand enters it by opening the chat screen with `chatReason=proactive`
/// within a day. Or `{"error":{"code","message"}}`: `unknown` for an account that is not configured, `invalid` for a gateway
/// without chats or an agent of another desk, `conflict` for an agent who is not there or has no room. After an error nothing was
/// changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down: a chat that was prepared all the same is never entered, and
/// closes after the gateway's inactivity.
pub async fn handle(
    ctx: Ctx<dyn DirectoryStore>,
    chats: ChatCtx,
    records: Arc<dyn Records>,
    event: Value,
) -> Result<Value, AppError> {
    let Input { gateway, brand, user_id, visitor, agent } = match serde_json::from_value(event) {
        Ok(input) => input,
        Err(error) => return Ok(refused("malformed", error)),
    };
    let visitor = match visitor.check() {
        Ok(visitor) => visitor,
        Err((name, limit)) => return Ok(refused("invalid", format_args!("{name} is longer than {limit}"))),
    };
    let directory = ctx.store.directory().await?;
    let invited = match (brand, user_id) {
        (None, None) => None,
        (Some(brand), Some(user_id)) => match Trader::find(&directory, &brand, user_id) {
            Ok(trader) => Some(trader),
            Err(answer) => return Ok(answer),
        },
        (Some(_), None) | (None, Some(_)) => return Ok(refused("malformed", "brand and user_id stand together")),
    };
    let proactive = Map::from_iter([("chatReason".to_owned(), json!(PROACTIVE))]);
    let usual = invited.as_ref().and_then(|trader| trader.brand.chat.as_ref()).map(|chat| chat.gateway_for(&proactive).clone());
    let Some(gateway) = gateway.or(usual) else { return Ok(refused("malformed", "no gateway is given")) };
    let Some(account) = directory.accounts.get(&gateway) else {
        return Ok(refused("unknown", format_args!("{gateway} is not configured")));
    };
    let chat = match prepare(&chats, account, visitor, agent.as_ref(), &ctx.dice.token()).await {
        Ok(chat) => chat,
        Err(error @ (PrepareError::NoChats | PrepareError::UnknownAgent)) => return Ok(refused("invalid", error)),
        Err(error @ (PrepareError::AgentAway | PrepareError::AgentBusy)) => return Ok(refused("conflict", error)),
        Err(PrepareError::App(error)) => return Err(error),
    };
    if let Some(trader) = invited {
        let key = RecordKey { account: trader.account.id.clone(), group: trader.group(), kind: PREPARED, id: String::new() };
        let rev = records.record(&key).await?.map_or(0, |record| record.rev);
        let body = prepared_body(&gateway, &chat.to_string());
        let change = RecordChange { key, rev, body, ends_at: Some(ctx.clock.now().plus(INVITED)) };
        if records.keep_records(&[change]).await? == Saved::Conflict {
            return Err(PortError::Busy.into());
        }
    }
    Ok(json!({ "return_chat_id": chat }))
}
