//! Who calls: the proof that every route asks for, and the names of what may be used once only (10.5, 10.7).

use std::sync::Arc;
use std::time::Duration;

use app::AppError;
use chat::Workplace;
use http::header::ALLOW;
use http::{HeaderValue, Method};
use lambda::{Metric, Snapshot};
use model::{Account, AccountId, EpochMillis, EventKey, Platform, Slug};
use platform_frontstage::{
    AccountSettings, AuthFailure, Code, DeskSettings, MAX_BODY, Nonce, Secrets, Settings, WireError, verify,
};
use ports::{Guard, OnceKey};
use uuid::Uuid;
use wire::{RawRequest, Reply, Verified};

use crate::Ctx;

/// How long a nonce stays refused (10.5).
const KEEP_NONCE: Duration = Duration::from_secs(600);

/// How long an envelope's answer is kept (10.7).
const KEEP_ANSWER: Duration = Duration::from_secs(86_400);

/// The refusal of a request with another method than the route's; `None` if it is the right one.
pub(crate) fn wrong_method(request: &RawRequest, right: &Method) -> Option<Reply> {
    let (allow, words) = if *right == Method::GET { ("GET", "only GET") } else { ("POST", "only POST") };
    let reply = || WireError::new(Code::MethodNotAllowed, words).to_reply(&request.request_id);
    (request.method != right).then(|| reply().with_header(ALLOW, HeaderValue::from_static(allow)))
}

/// What was proven: that the request is the account's, or of one of its workplaces.
pub(crate) struct Proof {
    pub(crate) account: AccountId,
    /// Each workplace has keys of its own, so names are its own too.
    workplace: Option<Workplace>,
    pub(crate) nonce: Nonce,
    /// Whether it came in the answer to a call of ours, which nobody can repeat: its nonce is none.
    is_answer: bool,
    /// How many envelopes a second its sender may post. Agents' clients have no such limit, and an answer to a call of ours
    /// comes at our own pace.
    pub(crate) envelopes_per_second: Option<u32>,
    pub(crate) now: EpochMillis,
}

impl Proof {
    /// The nonce, to be remembered with the first write.
    pub(crate) fn nonce_guard(&self) -> Guard {
        let name = EventKey::new("nonce", [&self.of_caller(&self.nonce.key_id), &self.nonce.value]);
        Guard::Once(OnceKey { account: self.account.clone(), name, expires_at: self.now.plus(KEEP_NONCE) })
    }

    /// What guards envelopes against a repetition of the whole request.
    pub(crate) fn nonce_guards(&self) -> Vec<Guard> {
        if self.is_answer { Vec::new() } else { vec![self.nonce_guard()] }
    }

    /// Where the answer to an envelope is kept.
    pub(crate) fn envelope_key(&self, id: Uuid) -> OnceKey {
        let name = EventKey::new("envelope", [&self.of_caller(&id.to_string())]);
        OnceKey { account: self.account.clone(), name, expires_at: self.now.plus(KEEP_ANSWER) }
    }

    fn of_caller(&self, id: &str) -> String {
        self.workplace.as_ref().map_or_else(|| id.to_owned(), |workplace| format!("{workplace}/{id}"))
    }
}

/// A nonce that was seen before is no proof.
pub(crate) const fn replayed() -> AppError {
    AppError::Unauthenticated("nonce used before")
}

/// A request of a gateway's connector.
pub(crate) struct GatewayCall {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) account: Account,
    pub(crate) settings: Settings,
    pub(crate) request: Verified<RawRequest>,
    pub(crate) proof: Proof,
}

/// Proves that a request is the gateway's.
pub(crate) async fn gateway(ctx: &Ctx, key: Slug, request: RawRequest) -> Result<GatewayCall, AppError> {
    let now = begin(ctx, &request)?;
    let id = AccountId::new(Platform::Frontstage, key);
    let Connector { snapshot, account, settings, secrets } = connector(ctx, &id).await?;
    let (request, nonce) = verify(request, &secrets, now).map_err(|failure| unproven(ctx, &id, failure, now))?;
    let envelopes_per_second = Some(settings.envelopes_per_second);
    let proof = Proof { account: id, workplace: None, nonce, is_answer: false, envelopes_per_second, now };
    Ok(GatewayCall { snapshot, account, settings, request, proof })
}

/// A gateway that has a connector, as it is configured.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) account: Account,
    pub(crate) settings: Settings,
    pub(crate) secrets: Secrets,
}

impl Connector {
    /// What it said in the answer to a push of ours, as a call of its own.
    pub(crate) fn heard(self, request: Verified<RawRequest>, now: EpochMillis) -> GatewayCall {
        let Self { snapshot, account, settings, .. } = self;
        // Only a bare payload is named by its nonce, and an answer holds none.
        let nonce = Nonce { key_id: String::new(), value: String::new() };
        let account_id = account.id.clone();
        let proof = Proof { account: account_id, workplace: None, nonce, is_answer: true, envelopes_per_second: None, now };
        GatewayCall { snapshot, account, settings, request, proof }
    }
}

/// Finds a gateway that has a connector.
pub(crate) async fn connector(ctx: &Ctx, id: &AccountId) -> Result<Connector, AppError> {
    let snapshot = ctx.roster.knowing(id).await?;
    let Some((account, secrets)) = snapshot.account(id) else { return Err(AppError::UnknownAccount(id.clone())) };
    let settings = match AccountSettings::of(account) {
        // The gateway of a web site or of screens has no connector.
        Ok(AccountSettings::Gateway(settings)) if !settings.is_looked_at() => *settings,
        Ok(AccountSettings::Gateway(_) | AccountSettings::Desk(_)) => return Err(AppError::UnknownAccount(id.clone())),
        Err(_) => return Err(AppError::Internal("settings of a gateway cannot be read")),
    };
    let secrets = Secrets::of(secrets).map_err(|_| AppError::Internal("secrets of a gateway cannot be read"))?;
    let account = account.clone();
    Ok(Connector { snapshot, account, settings, secrets })
}

/// A request of an agent's client.
pub(crate) struct WorkplaceCall {
    pub(crate) desk: DeskSettings,
    pub(crate) workplace: Workplace,
    pub(crate) request: Verified<RawRequest>,
    pub(crate) proof: Proof,
}

/// Proves that a request comes from a workplace. Numbers are unique in a tenant only: of several desks that have the
/// number, it is the one whose key made the signature.
pub(crate) async fn workplace(ctx: &Ctx, workplace: Workplace, request: RawRequest) -> Result<WorkplaceCall, AppError> {
    let now = begin(ctx, &request)?;
    let snapshot = ctx.roster.satisfying(&|snapshot| !desks(snapshot, &workplace).is_empty()).await?;
    let mut refused = None;
    for (id, desk) in desks(&snapshot, &workplace) {
        let keys = snapshot.account(&id).and_then(|(_, secrets)| Secrets::of_workplace(secrets, &workplace).ok());
        // Without keys it cannot prove anything, and counts as absent.
        let Some(keys) = keys else { continue };
        match verify(request.clone(), &keys, now) {
            Ok((request, nonce)) => {
                let number = Some(workplace.clone());
                let proof = Proof { account: id, workplace: number, nonce, is_answer: false, envelopes_per_second: None, now };
                return Ok(WorkplaceCall { desk, workplace, request, proof });
            }
            Err(failure) => refused = Some((id, failure)),
        }
    }
    let nobody = || Slug::try_from(workplace.to_string()).map(|key| AccountId::new(Platform::Frontstage, key));
    Err(match refused {
        Some((id, failure)) => unproven(ctx, &id, failure, now),
        None => nobody().map_or(AppError::Internal("a workplace that is no name"), AppError::UnknownAccount),
    })
}

fn begin(ctx: &Ctx, request: &RawRequest) -> Result<EpochMillis, AppError> {
    if request.body.len() > MAX_BODY {
        return Err(AppError::TooLarge { limit: MAX_BODY });
    }
    Ok(ctx.base.clock.now())
}

/// The desks that have a workplace of this number.
fn desks(snapshot: &Snapshot, workplace: &Workplace) -> Vec<(AccountId, DeskSettings)> {
    let accounts = snapshot.directory.accounts.values();
    let desks =
        accounts.filter(|account| account.id.platform() == Platform::Frontstage && account.settings.get("desk").is_some());
    let read = |account: &Account| Some((account.id.clone(), AccountSettings::of(account).ok()?.into_desk()?));
    desks.filter_map(read).filter(|(_, desk)| desk.has(workplace)).collect()
}

fn unproven(ctx: &Ctx, id: &AccountId, failure: AuthFailure, now: EpochMillis) -> AppError {
    ctx.count(Metric::AuthFailures, 1, now);
    tracing::warn!(account.id = %id, "request to {id} not authenticated: {failure}");
    AppError::Unauthenticated("signature rejected")
}
