//! B6 `POST /iadvize/bot/conversations`, B7 `POST .../{idConversation}/messages` and B8 `GET .../{idConversation}`: conversations.
//!
//! A visitor's message is answered in one conditional write of the conversation and of the replies, so a message that comes
//! twice is answered twice with the same, and one that comes meanwhile waits for its turn. A call that is understood is always
//! answered 200: whatever fails here would leave the visitor without an answer (section 3.3).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use app::AppError;
use futures_util::future::try_join;
use http::StatusCode;
use model::EpochMillis;
use percent_encoding::percent_decode_str;
use platform_iadvize::bot::{Bot, Conversation, Opened, Replies, Role, Run, Said, Scenario, Turn, kept_for};
use ports::{RecordChange, RecordKey, Records, Saved};
use serde_json::{Value, json};
use tracing::warn;
use wire::signature::sha256_hex;
use wire::{RawRequest, Reply};

use super::desk::{Given, Way};
use super::{BotCtx, HeldBot, POSTING, STALE_LIMIT, lang, site_bot, written};
use crate::call::READING;
use crate::problem::{answer, answered};
use crate::visitors::{change, opened};
use crate::{Found, Problem, verify};

/// iAdvize waits ten seconds (section 3.4).
const DEADLINE: Duration = Duration::from_secs(8);

/// How often another message of the conversation may have been faster.
const MOST_TRIES: usize = 8;

/// How many records are changed at a time.
const MOST_CHANGES: usize = 100;

/// A conversation.
const CONVERSATION: &str = "bot-conversation";
/// The replies to a message, by the hash of its id.
const REPLIES: &str = "bot-replies";

/// Serves all three.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(ctx: Arc<BotCtx>, request: RawRequest) -> Result<Reply, AppError> {
    let segments: Vec<String> = request.segments().into_iter().map(str::to_owned).collect();
    let named = segments.get(3).and_then(|id| percent_decode_str(id).decode_utf8().ok()).map(std::borrow::Cow::into_owned);
    answered(match (segments.len(), named) {
        (3, _) => open(&ctx, request).await,
        (4, Some(id)) => read(&ctx, request, &id).await,
        (5, Some(id)) => hear(&ctx, request, id).await,
        _ => Err(Problem::NotFound("there is no such conversation")),
    })
}

/// The conversation as iAdvize reads it.
fn told(id: &str, operator: &str, replies: Value, kept: &Conversation) -> Reply {
    let body = json!({
        "idConversation": id,
        "idOperator": operator,
        "replies": replies,
        "createdAt": kept.created_at.to_utc_text(),
        "updatedAt": kept.updated_at.to_utc_text(),
    });
    answer(StatusCode::OK, &body)
}

/// Both kinds of records of a conversation stand under its hash: the id is iAdvize's, and may be anything.
fn key(found: &Found, conversation: &str, kind: &'static str, id: String) -> RecordKey {
    let group = format!("talk-{}", sha256_hex(conversation.as_bytes()));
    RecordKey { account: found.account.id.clone(), group, kind, id }
}

/// B6. A conversation that is there already is told as it is.
async fn open(ctx: &BotCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, POSTING).await?;
    let found = call.site(call.query().get("idWebsite"))?;
    site_bot(found)?;
    let opened = Opened::read(&call.request().body)?;
    let fresh = Conversation::begun(&opened.operator_text, "", ctx.now());
    let kept = match ctx.within(DEADLINE, opened_once(ctx, found, &opened)).await {
        Some(Ok(Some(kept))) => kept,
        Some(Ok(None)) => return Err(Problem::NotFound("there is no such bot")),
        Some(Err(error)) => {
            warn!(%error, "a conversation begins that could not be stored: its first message will begin it");
            fresh
        }
        None => {
            warn!("a conversation begins that could not be stored in time: its first message will begin it");
            fresh
        }
    };
    Ok(told(&opened.conversation, &opened.operator_text, json!([]), &kept))
}

/// Stores a conversation unless it is there. `None` if the operator is no bot of the site.
async fn opened_once(ctx: &BotCtx, found: &Found, opened: &Opened) -> Result<Option<Conversation>, AppError> {
    let Some(held) = ctx.bot_of(found, opened.operator, Duration::ZERO).await? else { return Ok(None) };
    let key = key(found, &opened.conversation, CONVERSATION, String::new());
    for _ in 0..MOST_TRIES {
        let (rev, kept) = ctx.read::<Conversation>(&key).await?;
        if kept.is_some() {
            return Ok(kept);
        }
        let now = ctx.now();
        let fresh = Conversation::begun(&opened.operator_text, &held.bot.scenario, now);
        // Whether it is one of web chat, its first message will tell.
        let ends_at = Some(now.plus(kept_for(&opened.conversation)));
        let change = RecordChange { key: key.clone(), rev, body: written(&fresh)?, ends_at };
        if ctx.records.keep_records(&[change]).await? == Saved::Yes {
            return Ok(Some(fresh));
        }
    }
    Err(AppError::Internal("a conversation that is changed all the time"))
}

/// Frees what is kept of a conversation that iAdvize says has ended (section 10.4): where it stood, and the replies to its messages.
/// What is left for a day says when that was, because messages and events come in any order. `false` if somebody was faster: it
/// has to be tried again. Once more is as good as once.
pub(crate) async fn end(
    records: &dyn Records,
    found: &Found,
    conversation: &str,
    at: EpochMillis,
    now: EpochMillis,
) -> Result<bool, Problem> {
    let of_conversation = key(found, conversation, CONVERSATION, String::new());
    let (kept, rev) = opened::<Conversation>(records.record(&of_conversation).await?, now)?;
    let before = kept.unwrap_or_else(|| Conversation { closed_at: None, ..Conversation::begun("", "", at) });
    match before.ended(at) {
        Some(ended) => {
            let ends_at = now.plus(kept_for(conversation));
            if records.keep_records(&[change(of_conversation.clone(), rev, &ended, ends_at)?]).await? == Saved::Conflict {
                return Ok(false);
            }
        }
        // Another one has begun since, and its replies are its own.
        None if before.closed_at.is_none() => return Ok(true),
        // Whoever noted it may not have come further.
        None => {}
    }
    let replies = records.records(&found.account.id, &of_conversation.group, REPLIES).await?;
    let over = replies.into_iter().filter(|(_, record)| !record.body.is_empty()).map(|(id, record)| RecordChange {
        key: RecordKey { kind: REPLIES, id, ..of_conversation.clone() },
        rev: record.rev,
        body: String::new(),
        ends_at: Some(now),
    });
    for some in over.collect::<Vec<_>>().chunks(MOST_CHANGES) {
        if records.keep_records(some).await? == Saved::Conflict {
            return Ok(false);
        }
    }
    Ok(true)
}

/// B8, which iAdvize called until 2019.
async fn read(ctx: &BotCtx, request: RawRequest, id: &str) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, READING).await?;
    let found = call.site(call.query().get("idWebsite"))?;
    let (_, kept) = ctx.read::<Conversation>(&key(found, id, CONVERSATION, String::new())).await?;
    // Of one that ended before it was heard of, only that is known.
    let kept = kept.filter(|kept| !kept.operator.is_empty()).ok_or(Problem::NotFound("there is no such conversation"))?;
    Ok(told(id, &kept.operator, json!([]), &kept))
}

/// B7.
async fn hear(ctx: &BotCtx, request: RawRequest, id: String) -> Result<Reply, Problem> {
    let is_messages = request.path.trim_end_matches('/').ends_with("/messages");
    let call = verify(&ctx.base, request, POSTING).await?;
    if !is_messages {
        return Err(Problem::NotFound("there is no such conversation"));
    }
    let found = call.site(call.query().get("idWebsite"))?;
    let bot = site_bot(found)?;
    let said = Said::read(&call.request().body)?;
    let hearing = Hearing { ctx, found, bot, said: &said, id: &id };
    let (replies, kept) = match ctx.within(DEADLINE, hearing.answered()).await {
        Some(Ok(Some(heard))) => heard,
        Some(Ok(None)) => return Err(Problem::NotFound("there is no such bot")),
        Some(Err(error)) => {
            warn!(%error, "a visitor is answered with the fallback: the scenario could not go on");
            hearing.fallback()
        }
        None => {
            warn!("a visitor is answered with the fallback: the scenario could not go on in time");
            hearing.fallback()
        }
    };
    Ok(told(&id, &said.operator_text, replies, &kept))
}

/// A message that is being answered.
pub(super) struct Hearing<'a> {
    pub(super) ctx: &'a BotCtx,
    pub(super) found: &'a Found,
    pub(super) bot: &'a Bot,
    pub(super) said: &'a Said,
    /// iAdvize's id of the conversation.
    pub(super) id: &'a str,
}

impl Hearing<'_> {
    /// When it was written.
    pub(super) fn at(&self) -> EpochMillis {
        self.said.at.unwrap_or_else(|| self.ctx.now())
    }

    /// The replies and the conversation after it. `None` if the operator is no bot of the site.
    async fn answered(&self) -> Result<Option<(Value, Conversation)>, AppError> {
        let of_conversation = key(self.found, self.id, CONVERSATION, String::new());
        if self.said.role == Role::Other {
            // Every message comes here, our own too (section 10.2 step 4): answering those would never end.
            let (_, kept) = self.ctx.read::<Conversation>(&of_conversation).await?;
            let kept = kept.unwrap_or_else(|| Conversation::begun(&self.said.operator_text, "", self.at()));
            return Ok(Some((json!([]), Conversation { updated_at: kept.updated_at.max(self.at()), ..kept })));
        }
        let Some(held) = self.ctx.bot_of(self.found, self.said.operator, Duration::ZERO).await? else { return Ok(None) };
        let desks = Way::of(self).await?;
        let of_replies = key(self.found, self.id, REPLIES, sha256_hex(self.said.message.as_bytes()));
        // Whether an attempt that came to nothing has given the visitor to a desk.
        let mut was_given = false;
        for _ in 0..MOST_TRIES {
            let read = try_join(self.ctx.read::<Conversation>(&of_conversation), self.ctx.read::<Value>(&of_replies));
            let ((rev, kept), (replies_rev, replied)) = read.await?;
            let now = self.ctx.now();
            if let Some(over) = kept.as_ref().filter(|kept| kept.is_over_for(self.at())) {
                self.take_back(desks.as_ref().filter(|_| was_given)).await?;
                return Ok(Some((json!([]), over.clone())));
            }
            let kept = kept.filter(|kept| kept.closed_at.is_none());
            let kept = kept.unwrap_or_else(|| Conversation::begun(&self.said.operator_text, &held.bot.scenario, now));
            if let Some(replies) = replied {
                return Ok(Some((replies, kept)));
            }
            let was_handed = kept.is_handed;
            let Run { replies, at, is_handed } = self.run_and_give(&held, &kept, desks.as_ref()).await?;
            let scenario = held.bot.scenario.clone();
            let updated_at = kept.updated_at.max(self.at());
            let next = Conversation { scenario, at, updated_at, is_handed, ..kept };
            let replies = replies.to_json();
            let ends_at = Some(now.plus(kept_for(&self.said.message)));
            let changes = [
                RecordChange { key: of_conversation.clone(), rev, body: written(&next)?, ends_at },
                RecordChange { key: of_replies.clone(), rev: replies_rev, body: written(&replies)?, ends_at },
            ];
            if self.ctx.records.keep_records(&changes).await? == Saved::Yes {
                self.take_back(desks.as_ref().filter(|_| was_given && !next.is_handed)).await?;
                return Ok(Some((replies, next)));
            }
            was_given |= is_handed && !was_handed;
        }
        Err(AppError::Internal("a conversation that is changed all the time"))
    }

    /// Ends the chat at a desk that has a visitor whom nobody notes to be there.
    async fn take_back(&self, way: Option<&Way<'_>>) -> Result<(), AppError> {
        match way {
            Some(way) => way.leave(self).await,
            None => Ok(()),
        }
    }

    /// What the scenario says, and a desk is given what the visitor has written, if it has them. If that is over, or nobody takes
    /// them, the scenario goes on without.
    async fn run_and_give(&self, held: &HeldBot, kept: &Conversation, desk: Option<&Way<'_>>) -> Result<Run, AppError> {
        let (mut kept, mut desk) = (kept.clone(), desk);
        loop {
            let run = self.run(held, &kept, desk.is_some());
            let (true, Some(way), Some(text)) = (run.is_handed, desk, self.said.spoken.text()) else { return Ok(run) };
            // Before it is noted here: what is once more given to the desk is recognised, what is not is lost.
            match way.give(self, held, kept.is_handed, text).await? {
                Given::Yes => return Ok(run),
                Given::Over => kept = Conversation { is_handed: false, at: None, ..kept },
                Given::Nobody => desk = None,
            }
        }
    }

    /// What the scenario says, or the fallback where it is switched off or gone.
    fn run(&self, held: &HeldBot, kept: &Conversation, has_desk: bool) -> Run {
        let rules = held.bot.rule_ids();
        let lang = lang(self.found, &held.bot);
        let turn = Turn { bot: self.bot, lang, rules: &rules, has_desk };
        if kept.is_handed {
            // Whoever has the visitor answers; what a desk cannot be shown is answered here.
            let has_text = self.said.spoken.text().is_some() && has_desk;
            let replies = if has_text { Replies::default() } else { turn.other_content() };
            return Run { replies, at: None, is_handed: true };
        }
        let is_on = |scenario: &&Scenario| self.bot.is_on(scenario);
        let Some(scenario) = self.bot.scenario(&held.bot.scenario).filter(is_on) else {
            return Run { replies: turn.fallback(), at: None, is_handed: false };
        };
        // An administrator may have chosen another one meanwhile.
        let at = kept.at.as_deref().filter(|_| kept.scenario == scenario.id);
        turn.answer(scenario, at, self.said.spoken.text())
    }

    /// What is said without the store: the fallback text, and its transfer if the bot's rules are in memory.
    fn fallback(&self) -> (Value, Conversation) {
        let kept = Conversation::begun(&self.said.operator_text, "", self.at());
        if self.said.role == Role::Other {
            return (json!([]), kept);
        }
        let held = self.ctx.bots.held(&self.found.account.id, self.said.operator.number(), self.ctx.now(), STALE_LIMIT);
        let rules = held.as_ref().map_or_else(BTreeSet::new, |held| held.bot.rule_ids());
        let lang = held.as_ref().map_or(self.found.site.default_lang.as_str(), |held| lang(self.found, &held.bot));
        let replies: Replies = Turn { bot: self.bot, lang, rules: &rules, has_desk: false }.fallback();
        (replies.to_json(), kept)
    }
}
