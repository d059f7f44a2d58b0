//! `operator-erase`: a person's data, by the thread of their chats or by their address (FrontStage contract, section 12).

use std::time::Duration;

use app::{AppError, Ctx, EraseCtx, EraseProgress, ErasedSoFar, Whom};
use chat::TrackingId;
use model::{AccountId, Platform};
use platform_frontstage::{AccountSettings, text_in_stream};
use ports::{DirectoryStore, Erased, Identity};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused;
use crate::trader::Trader;

/// How long one invocation erases. What is under way then is finished; the function's timeout leaves room for it.
const GO: Duration = Duration::from_secs(20);

/// The longest address, in UTF-16 units (section 7, `RemoteAddress`).
const LONGEST_ADDRESS: usize = 250;

/// Whom to erase.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The gateway on which the person is known.
    account: AccountId,
    #[serde(default)]
    tracking_id: Option<String>,
    #[serde(default)]
    remote_address: Option<String>,
    /// The brand of cTrader whose user they are, instead of their thread.
    #[serde(default)]
    brand: Option<AccountId>,
    /// Who of the brand they are.
    #[serde(default)]
    user_id: Option<i64>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
    /// `next` of the invocation before.
    #[serde(default)]
    after: Option<EraseProgress>,
}

/// Erases a person, or a part of what is to be erased: then `next` is for the next invocation.
///
/// Input: `{"account":"frontstage/key","tracking_id":"..." or "remote_address":"..." or "brand":"ctrader/key","user_id":n,
/// "dry_run":true?,"after":{...}?}`; with the brand itself as `account` its user's results are erased. Output:
/// `{"erased":{"chats","sentences","conversations","messages","deliveries","forms","entries"},"closed":n,"dry_run":bool,
/// "next":{...}|null}`, what this invocation did or, dry, what it would have done; or `{"error":{"code","message"}}`: `malformed`,
/// `invalid` or, for an account that is not configured, `unknown`. After an error nothing was changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down: the same input again does the rest.
pub async fn handle(ctx: Ctx<dyn DirectoryStore>, erase: EraseCtx, event: Value) -> Result<Value, AppError> {
    // serde's own text could repeat a name of the person.
    let Ok(Input { account, tracking_id, remote_address, brand, user_id, dry_run, after }) = serde_json::from_value(event) else {
        return Ok(refused("malformed", "not {account, tracking_id, remote_address or brand and user_id, dry_run, after}"));
    };
    let directory = ctx.store.directory().await?;
    let is_brand = account.platform() == Platform::Ctrader;
    let (tracking_id, remote_address) = match (brand, user_id, tracking_id) {
        (None, None, tracking_id) => (tracking_id, remote_address),
        (Some(brand), Some(user_id), None) => match Trader::find(&directory, &brand, user_id) {
            // What they handed in is the brand's own, their chats are a gateway's.
            Ok(trader) if is_brand && brand == account => (None, Some(trader.results())),
            Ok(trader) => (Some(trader.thread()), remote_address),
            Err(answer) => return Ok(answer),
        },
        (Some(_), Some(_), Some(_)) => return Ok(refused("invalid", "tracking_id and user_id exclude each other")),
        (Some(_), None, _) | (None, Some(_), _) => return Ok(refused("invalid", "brand and user_id stand together")),
    };
    let identity = match identity(tracking_id, remote_address) {
        Ok(identity) => identity,
        Err(rule) => return Ok(refused("invalid", rule)),
    };
    let Some(found) = directory.accounts.get(&account) else {
        return Ok(refused("unknown", format_args!("{account} is not configured")));
    };
    // Chats of Rox.Chat have addresses too; nobody is known by one on the others.
    let has_addresses = match account.platform() {
        Platform::Ctrader | Platform::Roxchat => true,
        Platform::Frontstage => matches!(AccountSettings::of(found), Ok(AccountSettings::Gateway(_))),
        Platform::Iadvize | Platform::Vcita => false,
    };
    if !has_addresses {
        return Ok(refused("invalid", format_args!("{account} is no gateway: its visitors are known elsewhere")));
    }
    let whom = Whom { account: found, identity: &identity, written: text_in_stream, is_dry: dry_run };
    let until = ctx.clock.now().plus(GO);
    Ok(match app::erase(&erase, &whom, after, until).await? {
        Some(so_far) => told(&so_far, dry_run),
        None => refused("invalid", "after is of another person"),
    })
}

/// The one name that was given.
fn identity(tracking_id: Option<String>, remote_address: Option<String>) -> Result<Identity, &'static str> {
    match (tracking_id, remote_address) {
        (Some(tracking), None) => {
            TrackingId::try_from(tracking).map(Identity::Tracking).map_err(|_| "tracking_id is not 1 to 128 characters")
        }
        (None, Some(address)) if (1..=LONGEST_ADDRESS).contains(&address.encode_utf16().count()) => {
            Ok(Identity::Address(address))
        }
        (None, Some(_)) => Err("remote_address is not 1 to 250 characters"),
        (None, None) => Err("neither tracking_id nor remote_address is given"),
        (Some(_), Some(_)) => Err("tracking_id and remote_address exclude each other"),
    }
}

fn told(so_far: &ErasedSoFar, dry_run: bool) -> Value {
    let Erased { chats, sentences, conversations, messages, deliveries, forms, entries } = so_far.erased;
    json!({
        "erased": {"chats": chats, "sentences": sentences, "conversations": conversations, "messages": messages,
                   "deliveries": deliveries, "forms": forms, "entries": entries},
        "closed": so_far.closed,
        "dry_run": dry_run,
        "next": so_far.next,
    })
}
