//! Registers: what a connector copies of the configuration, and is told by itself once that has changed (FrontStage
//! contract, 3.1 and section 12).
//!
//! Who has asked is kept with the fingerprint of what was told last, and the sweep compares. So nobody has to notice the
//! change itself: whoever configures stores, and a telling that is lost is due again a minute later.

use model::{AccountId, Directory};
use ports::{AskedRegister, Asker, Askers, DirectoryStore, PortError, Saved};
use tracing::{info, warn};

use super::list::tell_gateway;
use super::{ChatCtx, ChatWords, Listener, News, Telling};
use crate::AppError;

/// The most questions of one gateway that are kept: its rules, and its texts in some languages. Of more the oldest are
/// forgotten, as all of a gateway stand in one item.
const MOST_QUESTIONS: usize = 20;

/// How often a question is noted again after somebody else noted one.
const RACES: usize = 8;

/// A register as it is configured now.
pub struct Register {
    /// They tell it, as [`News::Configuration`].
    pub words: Box<dyn ChatWords>,
    /// Fingerprint of what is told.
    pub fingerprint: String,
    /// Whether the gateway's connector is pushed its stream.
    pub is_pushed: bool,
}

/// Reads the register that a gateway asked for by this question; `None` if it can be told none.
pub type ReadRegister = fn(&Directory, &AccountId, &str) -> Option<Register>;

/// Notes that a gateway asked, and by which fingerprint it was answered; `None` if it was given an earlier answer again. To be
/// called once the answer is certain to be given: what the sweep tells meanwhile is then told again.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be noted; whoever asked is expected to ask again.
pub async fn note_asked(askers: &dyn Askers, gateway: &AccountId, question: &str, told: Option<&str>) -> Result<(), AppError> {
    for _ in 0..RACES {
        let read = askers.asker(gateway).await?;
        let mut asker = read.unwrap_or_else(|| Asker { gateway: gateway.clone(), rev: 0, asked: Vec::new() });
        asker.asked.retain(|asked| asked.question != question);
        asker.asked.push(AskedRegister { question: question.to_owned(), told: told.map(str::to_owned) });
        if asker.asked.len() > MOST_QUESTIONS {
            asker.asked.remove(0);
            warn!(account.id = %gateway, "{gateway} asks for more than {MOST_QUESTIONS} registers: the oldest is forgotten");
        }
        // Also where nothing is new: a sweep that is telling something now has to find that it was not the last.
        if askers.keep_asker(&asker).await? == Saved::Yes {
            return Ok(());
        }
    }
    Err(AppError::Unavailable(PortError::Busy))
}

/// Tells every gateway those of the registers it asked for that have changed. Returns how many were told.
///
/// # Errors
/// The first [`AppError`] met, after everybody was looked at; the next sweep makes up for it.
pub async fn sweep_registers(
    ctx: &ChatCtx,
    askers: &dyn Askers,
    directory: &dyn DirectoryStore,
    read: ReadRegister,
) -> Result<usize, AppError> {
    let all = askers.askers().await?;
    if all.is_empty() {
        return Ok(0);
    }
    // As it is now, not as it is held in memory: a change is told within a minute.
    let directory = directory.directory().await?;
    let (mut told, mut failed) = (0, None);
    for asker in all {
        match tell_changed(ctx, askers, &directory, read, asker).await {
            Ok(count) => told += count,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(told), Err)
}

/// Tells first and notes then: what was told and not noted is told again.
async fn tell_changed(
    ctx: &ChatCtx,
    askers: &dyn Askers,
    directory: &Directory,
    read: ReadRegister,
    mut asker: Asker,
) -> Result<usize, AppError> {
    let gateway = &asker.gateway;
    let mut told = 0;
    for asked in &mut asker.asked {
        let Some(register) = read(directory, gateway, &asked.question) else { continue };
        if asked.told.as_ref() == Some(&register.fingerprint) {
            continue;
        }
        let at = ctx.clock.now();
        let body = |seq| {
            let telling = Telling { to: Listener::Gateway(gateway), news: News::Configuration, seq, at, in_reply_to: None };
            register.words.tell(&telling).unwrap_or_default()
        };
        tell_gateway(ctx, gateway, register.is_pushed, &body).await?;
        asked.told = Some(register.fingerprint);
        told += 1;
    }
    if told > 0 {
        info!(account.id = %gateway, "{told} changed registers told to {gateway}");
        // Who asked meanwhile was answered by what is held in memory, perhaps after this: then nothing is noted, and the
        // next sweep tells it again.
        askers.keep_asker(&asker).await?;
    }
    Ok(told)
}
