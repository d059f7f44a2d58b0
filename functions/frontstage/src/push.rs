//! Push queue: the stream of a gateway is brought to its connector, and what connectors say in answers to pushes is heard.

use app::chats::{PushCtx, PushTarget, push};
use app::{AppError, Progress};
use async_trait::async_trait;
use chats_frontstage::envelope;
use lambda::{Metric, Metrics, RecordFailure};
use model::{AccountId, EpochMillis, Platform, PushTask};
use platform_frontstage::{heard, push_call, said_in_answer};
use ports::{StreamEntry, StreamKey};
use wire::signature::sha256_hex;
use wire::{HttpAnswer, HttpCall};

use crate::access::{self, Connector};
use crate::{Ctx, messages};

/// What the handler needs.
#[derive(Clone)]
pub struct PushingCtx {
    /// What hearing needs.
    pub base: Ctx,
    /// What pushing needs.
    pub push: PushCtx,
}

/// Works on one queue message until `until` at most.
///
/// # Errors
/// [`RecordFailure::Poison`] if it is no task, [`RecordFailure::Retry`] if a backing service is down.
pub async fn handle(ctx: PushingCtx, body: String, until: EpochMillis) -> Result<(Platform, Progress), RecordFailure> {
    match lambda::task(&body)? {
        PushTask::V1 { gateway } => bring(&ctx, &gateway, until).await?,
        PushTask::HeardV1 { gateway, said } => match find(&ctx.base, &gateway).await? {
            Some(connector) => hear(&ctx.base, &connector, &said).await?,
            None => tracing::warn!(account.id = %gateway, "what {gateway} said in an answer is not heard: it is not configured"),
        },
    }
    // Nothing of it is a delivery.
    Ok((Platform::Frontstage, Progress::default()))
}

/// Pushes the stream of a gateway. Where it is not to be pushed, as it is configured now, it is due no more.
async fn bring(ctx: &PushingCtx, gateway: &AccountId, until: EpochMillis) -> Result<(), AppError> {
    let connector = find(&ctx.base, gateway).await?;
    let connector = connector.filter(|found| found.settings.is_pushed());
    let target = connector.map(|connector| Target {
        ctx: &ctx.base,
        stream: StreamKey::Gateway(gateway.clone()),
        address: connector.settings.push_url.as_ref().map_or_else(String::new, |url| sha256_hex(url.as_str().as_bytes())),
        connector,
    });
    let done = push(&ctx.push, gateway, target.as_ref().map(|target| target as &dyn PushTarget), until).await?;
    let mut metrics = Metrics::default();
    metrics.count(None, Metric::PushesParked, done.parked);
    metrics.count(None, Metric::PushesGivenUp, u32::from(done.is_given_up));
    metrics.emit(&ctx.base.function, ctx.base.base.clock.now());
    Ok(())
}

/// The gateway's connector; `None` if there is none any more.
async fn find(ctx: &Ctx, gateway: &AccountId) -> Result<Option<Connector>, AppError> {
    match access::connector(ctx, gateway).await {
        Ok(connector) => Ok(Some(connector)),
        Err(AppError::UnknownAccount(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes envelopes that stood in the answer to a push, as if they were posted (10.3). Nobody waits for what is wrong with
/// one: it is logged.
async fn hear(ctx: &Ctx, connector: &Connector, said: &str) -> Result<(), AppError> {
    let (id, now) = (&connector.account.id, ctx.base.clock.now());
    for request in heard(said, "answer to a push") {
        let call = connector.clone().heard(request, now);
        match messages::take(ctx, &call, None).await {
            Ok(Ok(answer)) => {
                if let Some(error) = answer.last_error() {
                    let (code, field) = (error.code, error.field.as_deref());
                    tracing::warn!(account.id = %id, field, "an envelope of {id} in the answer to a push was refused: {code:?}");
                }
            }
            Ok(Err(_)) => tracing::warn!(account.id = %id, "what {id} said in the answer to a push cannot be read"),
            Err(error @ AppError::Unavailable(_)) => return Err(error),
            Err(error) => tracing::warn!(account.id = %id, "what {id} said in the answer to a push is lost: {error}"),
        }
    }
    Ok(())
}

/// A connector that is pushed its stream.
struct Target<'a> {
    ctx: &'a Ctx,
    connector: Connector,
    stream: StreamKey,
    /// A hash, as an address may hold what only its owner is to know.
    address: String,
}

#[async_trait]
impl PushTarget for Target<'_> {
    fn address(&self) -> &str {
        &self.address
    }

    fn call(&self, entries: &[StreamEntry], now: EpochMillis, nonce: &str) -> Result<HttpCall, AppError> {
        let envelopes = entries.iter().map(|entry| envelope(&self.stream, entry)).collect::<Result<_, _>>()?;
        push_call(&self.connector.settings, &self.connector.secrets, envelopes, now, nonce)
            .map_err(|_| AppError::Internal("a gateway that is pushed has no address or no key"))
    }

    async fn hear(&self, answer: HttpAnswer) -> Result<(), AppError> {
        match said_in_answer(&answer) {
            Some(said) => hear(self.ctx, &self.connector, &said).await,
            None => Ok(()),
        }
    }
}
