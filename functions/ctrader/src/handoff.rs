//! `handoff`: cTrader says whose a token is (section 4, O1 to O3).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use lambda::Metric;
use model::{AccountId, EpochMillis};
use platform_ctrader::{Attempt, Backend, Handoff, Secrets, Vouched, ask_manager_token, attempt, hashed, manager_token, redeem};
use ports::{RecordChange, RecordKey, Sender};
use tokio::sync::Mutex;
use wire::{CallFailure, Secret};

use crate::{Code, Ctx, Found};

/// No call is begun with less time than this.
const LEAST: Duration = Duration::from_millis(50);

/// Why a token did not become a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    /// What the screen is told.
    pub(crate) code: Code,
    /// What is counted, if anything.
    pub(crate) metric: Option<Metric>,
    /// Whether the token may be spent all the same; otherwise it certainly is not, or never was one.
    pub(crate) is_perhaps_spent: bool,
}

/// The tokens of managers (O1).
///
/// A process asks for one once, holds it in memory and leaves it, sealed, in the table, where the next process finds it: a
/// call of O1 counts against cTrader's limit and against the time of whoever waits for a screen. It is sealed with the
/// manager's password, so that a changed password, with which it dies at cTrader, closes it here too.
#[derive(Debug, Default)]
pub struct Managers(Mutex<BTreeMap<AccountId, Secret>>);

/// Everything that one redemption needs.
pub(crate) struct Redemption<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) sender: &'a Arc<dyn Sender>,
    pub(crate) managers: &'a Managers,
    pub(crate) found: &'a Found,
    pub(crate) backend: &'a Backend,
    pub(crate) handoff: &'a Handoff,
    pub(crate) secrets: &'a Secrets,
    /// When whoever waits has to be answered.
    pub(crate) deadline: EpochMillis,
}

impl Redemption<'_> {
    /// Redeems a token, by the status table of O2. `is_repeat` if a try before this one may have spent it.
    pub(crate) async fn run(&self, token: &str, is_repeat: bool) -> Result<Vouched, Failed> {
        let failed = |code, metric, is_perhaps_spent| Err(Failed { code, metric, is_perhaps_spent });
        let (mut is_uncertain, mut is_refreshed, mut is_retried) = (is_repeat, false, false);
        let mut manager = self.manager(None).await.map_err(|failed| Failed { is_perhaps_spent: is_uncertain, ..failed })?;
        loop {
            let Some(left) = self.left() else {
                return failed(Code::IdentityTimeout, Some(Metric::IdentityTimeout), is_uncertain);
            };
            let result = self.sender.send(redeem(self.backend, self.handoff, &manager, token, left)).await;
            self.note(&result);
            match attempt(&result) {
                Attempt::Vouched(vouched) => return Ok(vouched),
                Attempt::Unknown => {
                    let metric = is_uncertain.then_some(Metric::PossiblySpent);
                    return failed(Code::TokenInvalid, metric, true);
                }
                Attempt::Busy => return failed(Code::IdentityBusy, Some(Metric::IdentityBusy), is_uncertain),
                Attempt::NotLetIn if !is_refreshed => {
                    is_refreshed = true;
                    let fresh = self.manager(Some(&manager)).await;
                    manager = fresh.map_err(|failed| Failed { is_perhaps_spent: is_uncertain, ..failed })?;
                }
                Attempt::NotLetIn => return failed(Code::IdentityUnavailable, Some(Metric::Unauthorised), is_uncertain),
                Attempt::Unreached => {
                    return failed(Code::IdentityUnavailable, Some(Metric::IdentityUnavailable), is_uncertain);
                }
                Attempt::Uncertain if !is_retried => (is_retried, is_uncertain) = (true, true),
                Attempt::Uncertain | Attempt::Unreadable => {
                    let is_late = self.left().is_none();
                    let (code, metric) = if is_late {
                        (Code::IdentityTimeout, Metric::IdentityTimeout)
                    } else {
                        (Code::IdentityUnavailable, Metric::IdentityUnavailable)
                    };
                    return failed(code, Some(metric), true);
                }
            }
        }
    }

    /// What is left of the time, if it is worth a call.
    fn left(&self) -> Option<Duration> {
        Some(self.deadline.since(self.ctx.clock.now())).filter(|left| *left >= LEAST)
    }

    /// Status only: addresses and bodies hold tokens.
    fn note(&self, result: &Result<wire::HttpAnswer, CallFailure>) {
        let account = &self.found.account.id;
        match result {
            Ok(answer) if answer.status == StatusCode::OK || answer.status == StatusCode::NOT_FOUND => {}
            Ok(answer) => {
                let status = answer.status.as_u16();
                tracing::warn!(account.id = %account, status, "cTrader answered {status} about a token");
            }
            Err(failure) => tracing::warn!(account.id = %account, "cTrader did not answer about a token: {failure}"),
        }
    }

    /// The manager's token, another one than `refused`. Whoever comes meanwhile waits for the same answer.
    async fn manager(&self, refused: Option<&Secret>) -> Result<Secret, Failed> {
        let mut held = self.managers.0.lock().await;
        let account = &self.found.account.id;
        if let Some(token) = held.get(account).filter(|token| Some(*token) != refused) {
            return Ok(token.clone());
        }
        let name = self.backend.name();
        let key = RecordKey { account: account.clone(), group: hashed(&name), kind: "manager", id: String::new() };
        // The record only saves a call: without it, or without the table, the token is asked for.
        let record = self.ctx.records.record(&key).await.unwrap_or_default();
        let kept = record.as_ref().and_then(|record| self.secrets.open(&name, &record.body));
        let token = match kept.filter(|kept| Some(kept) != refused) {
            Some(token) => token,
            None => {
                let token = self.ask().await?;
                if let Some(body) = self.secrets.seal(&name, &token) {
                    let rev = record.map_or(0, |record| record.rev);
                    let _saves_a_call = self.ctx.records.keep_records(&[RecordChange { key, rev, body, ends_at: None }]).await;
                }
                token
            }
        };
        held.insert(account.clone(), token.clone());
        Ok(token)
    }

    /// O1.
    async fn ask(&self) -> Result<Secret, Failed> {
        let failed = |code, metric| Failed { code, metric: Some(metric), is_perhaps_spent: false };
        let late = failed(Code::IdentityTimeout, Metric::IdentityTimeout);
        let unavailable = failed(Code::IdentityUnavailable, Metric::IdentityUnavailable);
        let left = self.left().ok_or(late)?;
        let Some(call) = ask_manager_token(self.backend, self.secrets, left) else {
            tracing::error!(account.id = %self.found.account.id, "the brand has no manager_password among its secrets");
            return Err(unavailable);
        };
        let result = self.sender.send(call).await;
        if let Some(token) = result.as_ref().ok().and_then(manager_token) {
            return Ok(token);
        }
        self.note(&result);
        Err(match attempt(&result) {
            Attempt::Busy => failed(Code::IdentityBusy, Metric::IdentityBusy),
            Attempt::NotLetIn => failed(Code::IdentityUnavailable, Metric::Unauthorised),
            Attempt::Uncertain if self.left().is_none() => late,
            _ => unavailable,
        })
    }
}
