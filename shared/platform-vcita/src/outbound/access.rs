//! How an attempt comes by its token, and what is done when vcita refuses it (sections 8.5, 9.1, 9.2 and 9.4).
//!
//! A token is kept in memory, in front of the grant that all functions share. Whoever finds it missing, over or refused
//! reads the grant, and renews it only if nobody else has: the right to do so is had by one at a time. A grant that
//! cannot be renewed is marked, and nobody calls VCS with it until somebody has authorised us again.

use std::sync::Arc;
use std::time::Duration;

use model::{EpochMillis, Grant, StoredGrant};
use wire::{CallFailure, GrantSeen, GrantStep, HttpAnswer, Input, Outcome, Step};

use super::answer::{self, Read, Unauthorized, unanswered};
use super::token::{AppKey, Bearer, DEFAULT_LIFETIME, Memory, Token};
use super::{calls, out_of_order};
use crate::grant::Tokens;
use crate::{ConfigProblem, Credentials, Seals, Secrets, Settings, TokenSource, grant_name};

/// How long one worker has the right to renew: its one call takes 8 s at most.
const RENEWAL: Duration = Duration::from_secs(20);

/// When whoever meets a renewal looks again: most are over within a second.
const SOON: Duration = Duration::from_secs(2);

/// How often a delivery looks whether somebody has authorised us again.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// How long a refusal stands that no person has to mend by signing in.
const DOUBT: Duration = Duration::from_secs(900);

/// A token that somebody else is renewing is used for as long as it cannot expire on the way.
const ON_THE_WAY: Duration = Duration::from_secs(10);

/// Most reads of the grant in one attempt. More happen only if it changes all the time.
const MOST_READS: u32 = 6;

/// What comes next.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is returned, never stored")]
pub(super) enum Move {
    /// Make the call with this.
    Use(Bearer),
    /// Do this first, and go on with what came back.
    Do(Step),
    /// There is no token: the attempt is over.
    End(Outcome),
}

/// Why vcita does not let us in. The text is what is stored, told in the story and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The token is refused or over, and nothing renews it.
    Token,
    /// It is of another business or kind.
    Mismatch,
    /// 403.
    Forbidden,
    /// The app could not prove itself.
    Client,
    /// The app is not set up for the business.
    Configuration,
    /// Nobody has authorised us yet.
    NotYet,
    /// None of the keys opens the token.
    Sealed,
}

impl Reason {
    const ALL: [Self; 7] =
        [Self::Token, Self::Mismatch, Self::Forbidden, Self::Client, Self::Configuration, Self::NotYet, Self::Sealed];

    const fn text(self) -> &'static str {
        match self {
            Self::Token => "reauth_required",
            Self::Mismatch => "reauth_required: business_mismatch",
            Self::Forbidden => "reauth_required: vcita answered 403",
            Self::Client => "configuration error: client id or secret refused",
            Self::Configuration => "configuration error: vcita refuses the app for this business",
            Self::NotYet => "reauth_required: not authorised yet",
            Self::Sealed => "configuration error: no token key opens the stored token",
        }
    }

    /// Of what stands in a grant. Others may have written it.
    fn of(text: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.text() == text).unwrap_or(Self::Token)
    }

    /// Whether it may be over without anybody signing in: what an operator mends, and all of an app's own token.
    const fn may_pass(self, source: TokenSource) -> bool {
        matches!(source, TokenSource::Service) || matches!(self, Self::Client | Self::Configuration)
    }

    /// The attempt's end because of it.
    fn ends(self, until: EpochMillis, is_news: bool) -> Move {
        Move::End(Outcome::Unauthorised { until, reason: self.text(), is_news })
    }
}

impl From<Unauthorized> for Reason {
    fn from(kind: Unauthorized) -> Self {
        match kind {
            Unauthorized::Token => Self::Token,
            Unauthorized::Mismatch => Self::Mismatch,
            Unauthorized::Configuration => Self::Configuration,
        }
    }
}

/// Where the token comes from.
enum Source {
    /// It is configured, and nothing can renew it.
    Fixed(Bearer),
    /// It is the app's, or was granted to it.
    App(Box<App>),
}

struct App {
    settings: Settings,
    client_id: String,
    client_secret: String,
    /// Where it is shared; `None` if each process asks for its own.
    vault: Option<Vault>,
}

struct Vault {
    name: String,
    seals: Seals,
}

/// Why the grant is read.
#[derive(Clone, Copy)]
enum Why {
    /// A token is needed.
    Need,
    /// It is to be marked as refused.
    Refuse(Reason),
}

/// What is remembered of the grant that is being renewed.
struct Seen {
    rev: u64,
    sealed: Option<String>,
    refresh: Option<String>,
}

/// What is waited for.
enum Doing {
    Nothing,
    Reading(Why),
    /// The right to renew. `spare` serves for a moment if somebody else has it.
    Taking {
        seen: Seen,
        spare: Option<Bearer>,
    },
    /// The answer to P4 or P5.
    Renewing(Seen),
    /// The new token is being stored.
    Keeping(Bearer),
    /// The refusal is being stored.
    Noting(Reason),
}

/// The access of one attempt.
pub(super) struct Access {
    memory: Arc<Memory>,
    key: AppKey,
    source: Source,
    doing: Doing,
    /// What was used last.
    current: Option<Bearer>,
    /// What vcita refused in this attempt.
    refused: Vec<Bearer>,
    /// Why it did so last.
    reason: Reason,
    /// A token has been renewed in this attempt because vcita refused one.
    is_renewed: bool,
    reads: u32,
}

impl Access {
    pub(super) fn new(settings: &Settings, secrets: Secrets, memory: Arc<Memory>) -> Result<Self, ConfigProblem> {
        let seals = secrets.seals();
        let (api_base, business) = (&settings.api_base, settings.business_uid.as_str());
        let (key, source) = match secrets.credentials {
            Credentials::Token(token) => {
                let bearer = Bearer::new(token.expose()).ok_or_else(ConfigProblem::token)?;
                (AppKey::new(api_base, business, "", token.expose()), Source::Fixed(bearer))
            }
            Credentials::Service { client_id, client_secret } => {
                let key = AppKey::new(api_base, business, &client_id, client_secret.expose());
                let name = match settings.token_source {
                    TokenSource::Oauth => grant_name(api_base, &client_id, Some(business)),
                    TokenSource::Service => key.grant_name(),
                };
                if seals.is_none() && settings.token_source == TokenSource::Oauth {
                    return Err(ConfigProblem::token_keys());
                }
                let vault = seals.map(|seals| Vault { name, seals });
                let client_secret = client_secret.expose().to_owned();
                (key, Source::App(Box::new(App { settings: settings.clone(), client_id, client_secret, vault })))
            }
        };
        Ok(Self {
            memory,
            key,
            source,
            doing: Doing::Nothing,
            current: None,
            refused: Vec::new(),
            reason: Reason::Token,
            is_renewed: false,
            reads: 0,
        })
    }

    /// A token for a call.
    pub(super) fn token(&mut self, now: EpochMillis) -> Move {
        let app = match &self.source {
            Source::App(app) => app,
            Source::Fixed(bearer) => {
                return match self.memory.refusal(&self.key, now) {
                    Some((reason, until)) => reason.ends(until, false),
                    None => Move::Use(bearer.clone()),
                };
            }
        };
        let known = self.memory.get(&self.key, now).or_else(|| self.current.clone());
        if let Some(bearer) = known.filter(|bearer| !self.refused.contains(bearer)) {
            return Move::Use(bearer);
        }
        if app.vault.is_some() {
            return self.read(Why::Need, now);
        }
        match self.memory.refusal(&self.key, now) {
            Some((reason, until)) => reason.ends(until, false),
            None => self.renew(Seen { rev: 0, sealed: None, refresh: None }),
        }
    }

    /// VCS answered 401 to `bearer`.
    pub(super) fn unauthorized(&mut self, bearer: Bearer, kind: Unauthorized, now: EpochMillis) -> Move {
        self.forget(bearer);
        self.reason = kind.into();
        let is_repeated = match kind {
            Unauthorized::Configuration => true,
            // Another token was no better: it is not the token.
            Unauthorized::Mismatch => self.refused.len() > 1,
            Unauthorized::Token => false,
        };
        if is_repeated || self.is_renewed || matches!(self.source, Source::Fixed(_)) {
            return self.refuse(self.reason, now);
        }
        self.token(now)
    }

    /// VCS answered 403 to `bearer` (section 10).
    pub(super) fn forbidden(&mut self, bearer: Bearer, now: EpochMillis) -> Move {
        self.forget(bearer);
        self.refuse(Reason::Forbidden, now)
    }

    /// Goes on with what came back.
    pub(super) fn resume(&mut self, input: Input, now: EpochMillis) -> Move {
        match (std::mem::replace(&mut self.doing, Doing::Nothing), input) {
            (Doing::Reading(why), Input::Grant(GrantSeen::Read(stored))) => self.seen(why, stored, now),
            (Doing::Taking { seen, .. }, Input::Grant(GrantSeen::Begun(true))) => self.renew(seen),
            (Doing::Taking { spare, .. }, Input::Grant(GrantSeen::Begun(false))) => {
                spare.map_or_else(|| busy(now.plus(SOON)), |bearer| self.take(bearer))
            }
            (Doing::Renewing(seen), Input::Answered(result)) => self.renewed(seen, result, now),
            (Doing::Keeping(bearer), Input::Grant(GrantSeen::Kept(true))) => self.take(bearer),
            // Somebody authorised us anew, or was slow to renew: theirs counts.
            (Doing::Keeping(_), Input::Grant(GrantSeen::Kept(false))) => {
                self.memory.forget(&self.key);
                self.read(Why::Need, now)
            }
            (Doing::Noting(reason), Input::Grant(GrantSeen::Kept(true))) => reason.ends(now.plus(LOOK_AGAIN), true),
            (Doing::Noting(_), Input::Grant(GrantSeen::Kept(false))) => busy(now.plus(SOON)),
            _ => Move::End(out_of_order()),
        }
    }

    fn take(&mut self, bearer: Bearer) -> Move {
        self.current = Some(bearer.clone());
        Move::Use(bearer)
    }

    fn forget(&mut self, bearer: Bearer) {
        self.memory.refused(&self.key, &bearer);
        self.refused.push(bearer);
    }

    fn read(&mut self, why: Why, now: EpochMillis) -> Move {
        let Source::App(app) = &self.source else { return Move::End(out_of_order()) };
        let Some(vault) = &app.vault else { return Move::End(out_of_order()) };
        self.reads += 1;
        if self.reads > MOST_READS {
            return busy(now.plus(SOON));
        }
        self.doing = Doing::Reading(why);
        Move::Do(Step::Grant(GrantStep::Read { name: vault.name.clone() }))
    }

    fn seen(&mut self, why: Why, stored: Option<StoredGrant>, now: EpochMillis) -> Move {
        let Source::App(app) = &self.source else { return Move::End(out_of_order()) };
        let Some(vault) = &app.vault else { return Move::End(out_of_order()) };
        let source = app.settings.token_source;
        let nothing = || StoredGrant { grant: Grant::default(), rev: 0, renewed_until: EpochMillis::new(0) };
        let StoredGrant { grant: Grant { sealed, expires_at, refused }, rev, renewed_until } = stored.unwrap_or_else(nothing);
        let refusal = refused.as_deref().map(Reason::of);
        if let Some(reason) = refusal
            && expires_at.is_none_or(|over| now < over)
        {
            let look_again = now.plus(LOOK_AGAIN);
            return reason.ends(expires_at.map_or(look_again, |over| over.min(look_again)), false);
        }
        let tokens = sealed.as_deref().and_then(|sealed| vault.seals.open(&vault.name, sealed));
        // What somebody signed in for is never thrown away; the app's own token is simply asked for again.
        if sealed.is_some() && tokens.is_none() && source == TokenSource::Oauth {
            return Reason::Sealed.ends(now.plus(LOOK_AGAIN), true);
        }
        let token = tokens.as_ref().and_then(Token::of).filter(|token| !self.refused.contains(&token.bearer));
        let seen = Seen { rev, sealed, refresh: tokens.and_then(|tokens| tokens.refresh) };
        let can_renew = source == TokenSource::Service || seen.refresh.is_some();
        if let Some(token) = token.as_ref().filter(|token| token.is_usable(now))
            && (refusal.is_none() || !can_renew)
        {
            return match why {
                Why::Need => {
                    let bearer = token.bearer.clone();
                    self.memory.put(self.key.clone(), token.clone());
                    self.take(bearer)
                }
                // Somebody has replaced the token that was refused.
                Why::Refuse(_) => busy(now.plus(SOON)),
            };
        }
        let spare = token.filter(|token| refusal.is_none() && token.outlasts(now, ON_THE_WAY)).map(|token| token.bearer);
        if now < renewed_until {
            return match (why, spare) {
                (Why::Need, Some(bearer)) => self.take(bearer),
                _ => busy(now.plus(SOON).min(renewed_until)),
            };
        }
        match why {
            Why::Refuse(reason) => self.note(seen, reason, now),
            Why::Need if can_renew => {
                let step = GrantStep::BeginRenewal { name: vault.name.clone(), rev, until: now.plus(RENEWAL) };
                self.doing = Doing::Taking { seen, spare };
                Move::Do(Step::Grant(step))
            }
            Why::Need if seen.sealed.is_none() => Reason::NotYet.ends(now.plus(LOOK_AGAIN), false),
            Why::Need => self.note(seen, self.reason, now),
        }
    }

    /// P4 if there is something to renew with, else P5.
    fn renew(&mut self, seen: Seen) -> Move {
        let Source::App(app) = &self.source else { return Move::End(out_of_order()) };
        let (id, secret) = (&app.client_id, &app.client_secret);
        let call = match &seen.refresh {
            Some(refresh) => calls::refresh_token(&app.settings, id, secret, refresh),
            None => calls::app_token(&app.settings, id, secret),
        };
        self.doing = Doing::Renewing(seen);
        Move::Do(Step::Call(call))
    }

    fn renewed(&mut self, seen: Seen, result: Result<HttpAnswer, CallFailure>, now: EpochMillis) -> Move {
        let body = match answer::read(result, now) {
            Read::Success(body) => body,
            // The right to renew ends by itself.
            Read::Unusable(outcome) => return Move::End(outcome),
            Read::Refused(refusal) if seen.refresh.is_some() && !refusal.is_of("invalid_client") => {
                return self.give_up(seen, Reason::Token, now);
            }
            Read::Refused(_) | Read::Unauthorized(_) | Read::Forbidden => return self.give_up(seen, Reason::Client, now),
        };
        // Only of the app's own token is it known how long it is good for (section 9.2).
        let lifetime = seen.refresh.is_none().then_some(DEFAULT_LIFETIME);
        let Some((tokens, token)) = Tokens::read(&body, now, lifetime).and_then(|t| Token::of(&t).map(|token| (t, token))) else {
            return Move::End(unanswered("vcita's token answer cannot be read"));
        };
        let bearer = token.bearer.clone();
        self.is_renewed |= !self.refused.is_empty();
        self.memory.put(self.key.clone(), token);
        let Source::App(app) = &self.source else { return Move::End(out_of_order()) };
        let Some(vault) = &app.vault else { return self.take(bearer) };
        // An answer without a refresh token leaves the old one as it is (RFC 6749, section 6).
        let refresh = seen.refresh.map(|old| tokens.refresh.clone().unwrap_or(old));
        let tokens = Tokens { refresh, ..tokens };
        let Some(sealed) = vault.seals.seal(&vault.name, &tokens) else {
            return Move::End(unanswered("the token cannot be sealed"));
        };
        let grant = Grant { sealed: Some(sealed), expires_at: tokens.expires_at, refused: None };
        self.doing = Doing::Keeping(bearer);
        Move::Do(Step::Grant(GrantStep::Keep { name: vault.name.clone(), rev: seen.rev, grant }))
    }

    /// vcita refused us, whatever the token: that is marked with the grant, unless somebody has replaced it.
    fn refuse(&mut self, reason: Reason, now: EpochMillis) -> Move {
        match &self.source {
            Source::App(app) if app.vault.is_some() => self.read(Why::Refuse(reason), now),
            Source::App(_) | Source::Fixed(_) => self.remember(reason, now),
        }
    }

    /// Whoever renews could not: it has seen the grant, and nobody has changed it since.
    fn give_up(&mut self, seen: Seen, reason: Reason, now: EpochMillis) -> Move {
        match &self.source {
            Source::App(app) if app.vault.is_some() => self.note(seen, reason, now),
            Source::App(_) | Source::Fixed(_) => self.remember(reason, now),
        }
    }

    fn remember(&self, reason: Reason, now: EpochMillis) -> Move {
        let until = now.plus(LOOK_AGAIN);
        self.memory.refuse(self.key.clone(), reason, until);
        reason.ends(until, true)
    }

    fn note(&mut self, seen: Seen, reason: Reason, now: EpochMillis) -> Move {
        let Source::App(app) = &self.source else { return Move::End(out_of_order()) };
        let Some(vault) = &app.vault else { return Move::End(out_of_order()) };
        let expires_at = reason.may_pass(app.settings.token_source).then(|| now.plus(DOUBT));
        let grant = Grant { sealed: seen.sealed, expires_at, refused: Some(reason.text().to_owned()) };
        self.doing = Doing::Noting(reason);
        Move::Do(Step::Grant(GrantStep::Keep { name: vault.name.clone(), rev: seen.rev, grant }))
    }
}

/// Somebody else is at it. The attempt does not count.
fn busy(until: EpochMillis) -> Move {
    Move::End(Outcome::Parked { until, reason: "the token is being renewed" })
}
