//! The bot (section 10): below `/iadvize/bot`, the base URL that the developer platform is told.
//!
//! Who a bot is says an administrator of iAdvize (B2); what it says, the site's configuration. Conversations are records that
//! are changed on their `rev`, so that of two messages at the same time the later one sees what the first has begun.

pub mod availability;
pub mod conversation;
pub(crate) mod desk;
pub mod first_messages;
pub mod operator;
pub mod scenarios;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::AppError;
use app::chats::ChatCtx;
use futures_util::future::{Either, select};
use http::Method;
use model::{AccountId, EpochMillis};
use platform_iadvize::OperatorId;
use platform_iadvize::bot::{Bot, KeptBot, Wrong};
use ports::{InboundStore, PortError, Record, RecordKey, Records, Sleeper};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::call::Methods;
use crate::{Call, Ctx, Found, Problem};

/// The methods of a route that is told something.
const POSTING: Methods = Methods(&[Method::POST], "POST");

/// The group of what is kept of a site's bots.
const BOTS: &str = "bots";
/// A bot, by the operator's number.
const BOT: &str = "bot";
/// Whose a scenario is, by its id.
const SCENARIO: &str = "bot-scenario";

/// What the routes of the bot need.
pub struct BotCtx {
    /// What every route needs.
    pub base: Ctx,
    /// Bots and conversations.
    pub records: Arc<dyn Records>,
    /// Lets time pass, for deadlines.
    pub sleeper: Arc<dyn Sleeper>,
    /// Where what visitors write to a desk is stored; `None` where nobody is handed to one.
    pub desks: Option<app::Ctx<dyn InboundStore>>,
    /// The chats in which they talk to one, where a site wants that; `None` as before.
    pub chats: Option<ChatCtx>,
    bots: Bots,
}

impl BotCtx {
    /// With no bot known yet.
    #[must_use]
    pub fn new(base: Ctx, records: Arc<dyn Records>, sleeper: Arc<dyn Sleeper>) -> Self {
        Self { base, records, sleeper, desks: None, chats: None, bots: Bots::default() }
    }

    /// The same, which can hand visitors to desks.
    #[must_use]
    pub fn with_desks(self, desks: app::Ctx<dyn InboundStore>, chats: ChatCtx) -> Self {
        Self { desks: Some(desks), chats: Some(chats), ..self }
    }

    fn now(&self) -> EpochMillis {
        self.base.clock.now()
    }

    /// Does some work, but not for longer than this: `None` if it is not over then.
    async fn within<T>(&self, limit: Duration, work: impl Future<Output = T> + Send) -> Option<T> {
        match select(Box::pin(work), self.sleeper.sleep(limit)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(((), _)) => None,
        }
    }

    /// A record that is not over.
    async fn read<T: DeserializeOwned>(&self, key: &RecordKey) -> Result<(u64, Option<T>), AppError> {
        let Some(record) = self.records.record(key).await? else { return Ok((0, None)) };
        let body = if is_over(&record, self.now()) { None } else { Some(parse(&record.body)?) };
        Ok((record.rev, body))
    }

    /// The bot of a site that an operator of iAdvize is, as it is held in memory. An operator who was unknown less than
    /// `recheck` ago still is.
    ///
    /// # Errors
    /// [`AppError`] when it is not held and cannot be read.
    async fn bot_of(&self, found: &Found, operator: OperatorId, recheck: Duration) -> Result<Option<Arc<HeldBot>>, AppError> {
        if !operator.is_at(found.site.website.platform()) {
            return Ok(None);
        }
        self.bots.find(self, &found.account.id, operator.number(), recheck).await
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self::invalid(wrong.field, wrong.what)
    }
}

fn is_over(record: &Record, now: EpochMillis) -> bool {
    record.ends_at.is_some_and(|end| end <= now)
}

fn parse<T: DeserializeOwned>(body: &str) -> Result<T, AppError> {
    let why = |error: serde_json::Error| PortError::Corrupt { what: "record of a bot", why: error.to_string() };
    Ok(serde_json::from_str(body).map_err(why)?)
}

/// What is kept, as text.
fn written(body: &impl Serialize) -> Result<String, AppError> {
    serde_json::to_string(body).map_err(|_| AppError::Internal("what is kept of a bot cannot be written"))
}

/// The bot of the site that a call names.
fn site_bot(found: &Found) -> Result<&Bot, Problem> {
    found.site.bot.as_ref().ok_or(Problem::NotFound("the site has no bot"))
}

/// The operator that stands in the path after `/iadvize/bot/bots`.
fn operator_in(call: &Call) -> Result<OperatorId, Problem> {
    let segments = call.request().segments();
    let text = segments.get(3).copied().unwrap_or_default();
    OperatorId::parse(text).ok_or(Problem::invalid("idOperator", "is not an operator such as ha-12345"))
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Age at which bots are read again, as accounts are: what an administrator has changed is in force within five minutes.
const REFRESH_AFTER: Duration = Duration::from_secs(4 * 60);

/// Age below which an unknown operator is believed to be unknown.
const UNKNOWN_RECHECK: Duration = Duration::from_secs(20);

/// Age up to which bots serve on while they cannot be read again.
const STALE_LIMIT: Duration = Duration::from_secs(60 * 60);

/// A bot as it is stored.
struct HeldBot {
    rev: u64,
    bot: KeptBot,
}

/// The bots of one site at one instant, by operator.
struct OfSite {
    loaded_at: EpochMillis,
    bots: BTreeMap<u64, Arc<HeldBot>>,
}

/// Bots as a process holds them: iAdvize asks about each about once a second (B4).
#[derive(Default)]
struct Bots {
    sites: Mutex<BTreeMap<AccountId, Arc<OfSite>>>,
    /// When this process last noted that iAdvize asks about a bot.
    noted: Mutex<BTreeMap<(AccountId, u64), EpochMillis>>,
}

impl Bots {
    async fn find(
        &self,
        ctx: &BotCtx,
        account: &AccountId,
        operator: u64,
        recheck: Duration,
    ) -> Result<Option<Arc<HeldBot>>, AppError> {
        let age = |held: &OfSite| ctx.now().since(held.loaded_at);
        let held = self.lock().get(account).cloned();
        if let Some(held) = &held {
            let bot = held.bots.get(&operator);
            if age(held) < if bot.is_some() { REFRESH_AFTER } else { recheck } {
                return Ok(bot.cloned());
            }
        }
        let site = match Self::load(ctx, account).await {
            Ok(site) => {
                let site = Arc::new(site);
                self.lock().insert(account.clone(), site.clone());
                site
            }
            Err(error) => {
                let Some(held) = held.filter(|held| age(held) < STALE_LIMIT) else { return Err(error) };
                warn!(%error, "bots could not be read again, the last known ones serve on");
                held
            }
        };
        Ok(site.bots.get(&operator).cloned())
    }

    async fn load(ctx: &BotCtx, account: &AccountId) -> Result<OfSite, AppError> {
        let loaded_at = ctx.now();
        let listed = ctx.records.records(account, BOTS, BOT).await?;
        let mut bots = BTreeMap::new();
        for (id, record) in listed.into_iter().filter(|(_, record)| !is_over(record, loaded_at)) {
            let number = id.parse().map_err(|_| AppError::Internal("a bot whose name is no number"))?;
            bots.insert(number, Arc::new(HeldBot { rev: record.rev, bot: parse(&record.body)? }));
        }
        Ok(OfSite { loaded_at, bots })
    }

    /// The bot as it was last read, if that is less than `age` ago.
    fn held(&self, account: &AccountId, operator: u64, now: EpochMillis, age: Duration) -> Option<Arc<HeldBot>> {
        let sites = self.lock();
        let site = sites.get(account).filter(|site| now.since(site.loaded_at) < age)?;
        site.bots.get(&operator).cloned()
    }

    /// Whether this process may note now that a bot is asked about: once a day.
    fn takes_note(&self, account: &AccountId, operator: u64, now: EpochMillis) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let last = noted.entry((account.clone(), operator)).or_insert(EpochMillis::new(0));
        let is_due = now.since(*last) >= DAY;
        if is_due {
            *last = now;
        }
        is_due
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountId, Arc<OfSite>>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(account: &AccountId, kind: &'static str, id: String) -> RecordKey {
    RecordKey { account: account.clone(), group: BOTS.to_owned(), kind, id }
}

/// The language in which a bot speaks.
fn lang<'a>(found: &'a Found, bot: &'a KeptBot) -> &'a str {
    bot.language.as_deref().unwrap_or(&found.site.default_lang)
}
