//! From a turn in memory to what is stored: numbers, words, one transaction; and again from the beginning for whoever was
//! not the first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat::{Chat, Effect, Refusal, Sentence};
use futures_util::future::try_join_all;
use model::{AccountId, ChatTask, ConversationId, EpochMillis};
use ports::{
    AgentChange, ChatChange, ChatRecord, ChatSaved, Guard, GuardRefusal, PortError, Relay, SaidBefore, StreamEntry, StreamKey,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::warn;

use super::cause::Cause;
use super::staff::{self, What};
use super::turn::{Told, Turn};
use super::{Asking, ChatCtx, ChatOutcome, ChatPlan, Handled, Keep, News, Telling, push};
use crate::AppError;

/// How often a turn begins again after somebody else changed the chat, or was given the agent.
const RACES: usize = 8;

/// How old reserved numbers may be when what they are for is stored. Readers pass over a missing number after ten seconds,
/// and never see what is stored under it later; a write takes up to four.
const FRESH: Duration = Duration::from_secs(5);

/// The most text, in bytes, of a transcript that is answered at once: a function's answer is 6 MB at most (10.1).
const ANSWERED_TEXT: usize = 3_000_000;

/// The most text, in bytes, of a transcript that waits in a stream, where it has to fit one stored item.
const STORED_TEXT: usize = 200_000;

/// The longest answer, in bytes, that is kept for a repetition of the question, if the question can be asked anew.
pub(super) const KEPT_ANSWER: usize = 100_000;

/// What came of a turn.
pub(super) struct Turned {
    pub(super) end: End,
    /// The desk of an agent who is rid of the chat.
    pub(super) freed: Option<AccountId>,
    /// Whether an agent was offered the chat.
    pub(super) is_offered: bool,
}

/// What came of an envelope.
#[derive(Debug)]
pub(super) enum End {
    Outcome(ChatOutcome),
    /// It had been dealt with before.
    Repeated(Kept),
}

impl End {
    fn refused(refusal: Option<Refusal>) -> Self {
        Self::Outcome(ChatOutcome::Done(Handled { refusal, ..Handled::default() }))
    }

    /// The same, with the chat as it is now.
    fn with_chat(self, chat: Option<Arc<ChatRecord>>) -> Self {
        match self {
            Self::Outcome(ChatOutcome::Done(handled)) => Self::Outcome(ChatOutcome::Done(Handled { chat, ..handled })),
            Self::Outcome(ChatOutcome::Replayed | ChatOutcome::IdReused) | Self::Repeated(_) => self,
        }
    }

    /// What a guard's refusal means for an envelope.
    pub(super) fn of_guard(refusal: GuardRefusal) -> Result<Self, AppError> {
        match refusal {
            GuardRefusal::Replayed => Ok(Self::Outcome(ChatOutcome::Replayed)),
            GuardRefusal::FingerprintDiffers => Ok(Self::Outcome(ChatOutcome::IdReused)),
            GuardRefusal::AnsweredBefore(kept) => match serde_json::from_value(kept) {
                Ok(kept) => Ok(Self::Repeated(kept)),
                Err(_) => Err(AppError::Internal("a kept answer cannot be read")),
            },
        }
    }
}

/// What is remembered of the answer to an envelope.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The places of the answers in the asker's stream.
    pub(super) entries: Vec<u64>,
    /// Why it was refused.
    pub(super) refusal: Option<Refusal>,
}

/// Everything that is remembered with an envelope that comes to this.
pub(super) fn guards(asking: &Asking, kept: &Kept) -> Vec<Guard> {
    let mut guards = asking.guards.clone();
    if let Some(Keep { key, fingerprint }) = &asking.kept {
        let answer = json!({"entries": kept.entries, "refusal": kept.refusal});
        guards.push(Guard::Answered { key: key.clone(), fingerprint: fingerprint.clone(), answer });
    }
    guards
}

/// Does what the cause means, beginning again as often as somebody else is first.
pub(super) async fn carry_out(ctx: &ChatCtx, cause: &Cause<'_>, asking: &Asking) -> Result<Turned, AppError> {
    let conversation = cause.conversation();
    let mut taken = Vec::new();
    let mut unused = Unused::default();
    let mut pushed = None;
    let mut last_seq = 0;
    for _ in 0..RACES {
        let found = ctx.chats.chat(conversation, cause.sentence()).await?;
        let (read, said) = found.map_or((None, SaidBefore::default()), |(read, said)| (Some(read), said));
        let now = ctx.clock.now();
        let tried = match cause.plan(ctx, read.as_ref()).await? {
            Some(_) if read.as_ref().is_some_and(|read| cause.is_past(read)) => Tried::Done(turned(End::refused(None))),
            Some(plan) if !is_early(cause, read.as_ref(), now) => {
                let mut turn = Turn::new(ctx, &plan, now, read, &taken);
                turn.run(cause, said).await?;
                Commit { ctx, cause, asking, plan: &plan, turn: &turn, last_seq }.run(&mut unused, &mut pushed).await?
            }
            Some(_) => {
                set_timer(ctx, conversation, read.and_then(|read| read.chat.timer_at), now).await;
                Tried::Done(turned(End::refused(None)))
            }
            None => match cause {
                Cause::Visitor { account, .. } => return Err(AppError::UnknownAccount(account.id.clone())),
                Cause::Agent { .. } | Cause::Form { .. } => {
                    Tried::Done(turned(remember(ctx, asking, Some(Refusal::UnknownChat), now).await?))
                }
                Cause::Staff { .. } | Cause::Away { .. } | Cause::HandOver { .. } => {
                    Tried::Done(turned(End::refused(Some(Refusal::UnknownChat))))
                }
                Cause::Time { .. } | Cause::Offer { .. } => {
                    warn!(conversation.id = %conversation, "no chats are configured for the gateway of {conversation}");
                    Tried::Done(turned(End::refused(None)))
                }
            },
        };
        match tried {
            Tried::Done(turned) => {
                end(ctx, unused, pushed).await;
                return Ok(turned);
            }
            Tried::Conflict => {}
            Tried::AgentTaken(agent) => taken.push(agent),
            Tried::Stale { last_seq: found } => last_seq = found,
        }
    }
    end(ctx, unused, pushed).await;
    Err(AppError::Unavailable(PortError::Busy))
}

/// What follows a turn, whatever came of it: numbers that were reserved and not used are told as such, and the gateway
/// whose stream became due by them is pushed.
async fn end(ctx: &ChatCtx, unused: Unused, pushed: Option<AccountId>) {
    unused.tell(ctx).await;
    if let Some(gateway) = pushed {
        push::wake(ctx.pushes.as_ref(), &gateway, Duration::ZERO).await;
    }
}

const fn turned(end: End) -> Turned {
    Turned { end, freed: None, is_offered: false }
}

/// Whether a timer comes before its time, because a queue cannot delay it for so long.
fn is_early(cause: &Cause<'_>, read: Option<&ChatRecord>, now: EpochMillis) -> bool {
    match cause {
        Cause::Time { at: Some(at), .. } => now < *at && read.is_some_and(|read| read.chat.timer_at == Some(*at)),
        Cause::Time { at: None, .. }
        | Cause::Visitor { .. }
        | Cause::Agent { .. }
        | Cause::Staff { .. }
        | Cause::Away { .. }
        | Cause::HandOver { .. }
        | Cause::Form { .. }
        | Cause::Offer { .. } => false,
    }
}

/// Ends an envelope that changes nothing and tells nobody anything. It is remembered all the same.
async fn remember(ctx: &ChatCtx, asking: &Asking, refusal: Option<Refusal>, now: EpochMillis) -> Result<End, AppError> {
    let guards = guards(asking, &Kept { refusal, ..Kept::default() });
    if guards.is_empty() {
        return Ok(End::refused(refusal));
    }
    match ctx.chats.tell(&[], &guards, now).await? {
        None => Ok(End::refused(refusal)),
        Some(refusal) => End::of_guard(refusal),
    }
}

/// Sets a timer. One that cannot be set is as good as lost, and lost ones are found by the sweep.
pub(super) async fn set_timer(ctx: &ChatCtx, conversation: ConversationId, at: Option<EpochMillis>, now: EpochMillis) {
    let Some(at) = at else { return };
    if let Err(error) = ctx.timers.set(&ChatTask::V1 { conversation, at }, at.since(now)).await {
        warn!(conversation.id = %conversation, "timer of {conversation} not set: {error}");
    }
}

/// Numbers that were reserved for something that is not told. Nobody reads past one for ten seconds, unless it is told as
/// an empty one.
#[derive(Default)]
pub(super) struct Unused(BTreeSet<(StreamKey, u64)>);

impl Unused {
    pub(super) fn add(&mut self, told: &[(StreamKey, StreamEntry)]) {
        self.0.extend(told.iter().map(|(stream, entry)| (stream.clone(), entry.seq)));
    }

    fn entries(&self, now: EpochMillis) -> Vec<(StreamKey, StreamEntry)> {
        let empty = |seq| StreamEntry { seq, at: now, is_delivered: false, is_volatile: false, offer: None, body: Bytes::new() };
        self.0.iter().map(|(stream, seq)| (stream.clone(), empty(*seq))).collect()
    }

    /// Tells what no change takes along. If that fails, nothing is lost but the ten seconds.
    pub(super) async fn tell(self, ctx: &ChatCtx) {
        let now = ctx.clock.now();
        let told = self.entries(now);
        if !told.is_empty()
            && let Err(error) = ctx.chats.tell(&told, &[], now).await
        {
            warn!("readers wait for numbers that are not used: {error}");
        }
    }
}

/// What came of one try.
enum Tried {
    Done(Turned),
    Conflict,
    AgentTaken(chat::AgentId),
    /// The conversation in which staff is told is at this place already.
    Stale {
        last_seq: u64,
    },
}

/// A turn that is to be stored.
struct Commit<'a> {
    ctx: &'a ChatCtx,
    cause: &'a Cause<'a>,
    asking: &'a Asking,
    plan: &'a ChatPlan,
    turn: &'a Turn<'a>,
    /// The last place of the conversation in which staff is told, as far as it is known.
    last_seq: u64,
}

impl Commit<'_> {
    /// `pushed` becomes the gateway whose stream is due by it.
    async fn run(&self, unused: &mut Unused, pushed: &mut Option<AccountId>) -> Result<Tried, AppError> {
        let turn = self.turn;
        let now = turn.now;
        let Some(record) = turn.record.as_ref().filter(|_| turn.has_effect()) else {
            let end = remember(self.ctx, self.asking, turn.refusal, now).await?;
            return Ok(Tried::Done(turned(end.with_chat(turn.record.clone()))));
        };

        let transcripts = self.transcripts().await?;
        let relay = self.relay(record).await?;
        let due = self.due_stream();
        *pushed = due.clone().or(pushed.take());
        let numbers = self.reserve(due.as_ref()).await?;
        let mut told: Vec<_> = turn
            .told
            .iter()
            .zip(&transcripts)
            .zip(numbers)
            .enumerate()
            .map(|(place, ((told, transcript), seq))| (told.to.stream(), self.entry(place, told, transcript, seq)))
            .collect();
        let answers: Vec<_> = (0..told.len()).filter(|place| self.is_answer(*place)).map(|place| told[place].1.clone()).collect();
        for (place, (_, entry)) in told.iter_mut().enumerate() {
            if entry.is_delivered && entry.body.len() > KEPT_ANSWER && self.can_be_asked_again(place) {
                entry.body = Bytes::new();
            }
        }
        let kept = Kept { entries: answers.iter().map(|entry| entry.seq).collect(), refusal: turn.refusal };
        if self.ctx.clock.now().since(now) > FRESH {
            unused.add(&told);
            return Ok(Tried::Conflict);
        }
        let change = ChatChange { relay, ..self.change(record, &told, unused, &kept) };
        match self.ctx.chats.save(&change).await? {
            ChatSaved::Yes => {}
            ChatSaved::Conflict => {
                unused.add(&told);
                return Ok(Tried::Conflict);
            }
            ChatSaved::AgentTaken(agent) => {
                unused.add(&told);
                return Ok(Tried::AgentTaken(agent));
            }
            ChatSaved::Stale(found) => {
                unused.add(&told);
                return Ok(Tried::Stale { last_seq: found.map_or(0, |found| found.last_seq) });
            }
            ChatSaved::Refused(refusal) => {
                unused.add(&told);
                return Ok(Tried::Done(turned(End::of_guard(refusal)?)));
            }
        }
        *unused = Unused::default();
        if turn.needs_timer {
            set_timer(self.ctx, record.chat.conversation(), record.chat.timer_at, now).await;
        }
        let relayed = change.relay.iter().flat_map(|relay| &relay.deliveries);
        staff::announce(self.ctx, relayed.chain(change.receipt.iter().map(|owed| &owed.new))).await;
        if let Some((to, is_typing)) = &turn.typing {
            staff::announce_typing(self.ctx, record.chat.conversation(), to, *is_typing, now).await;
        }
        let answers = if self.asking.is_async { Vec::new() } else { answers };
        let freed = change.agents.iter().find_map(|load| match load {
            AgentChange::Release { desk, .. } => Some(desk.clone()),
            AgentChange::Take { .. } => None,
        });
        let is_offered = change.agents.iter().any(|load| matches!(load, AgentChange::Take { .. }));
        let handled = Handled { answers, is_duplicate: false, refusal: turn.refusal, chat: Some(Arc::new(change.record)) };
        Ok(Tried::Done(Turned { end: End::Outcome(ChatOutcome::Done(handled)), freed, is_offered }))
    }

    fn change(&self, record: &Arc<ChatRecord>, told: &[(StreamKey, StreamEntry)], unused: &Unused, kept: &Kept) -> ChatChange {
        let turn = self.turn;
        let expected_rev = turn.read.as_ref().map(|read| read.chat.rev);
        let mut record = ChatRecord::clone(record);
        // A new chat counts on from the one before it, so that nobody takes the one for the other. And what was judged by
        // what is known of a sentence counts, so that of two who judge the same one begins again.
        let is_other = turn.read.as_ref().is_some_and(|read| read.chat.id != record.chat.id);
        if let Some(rev) = expected_rev
            && (is_other || !turn.sentences.is_empty() || !turn.confirmed.is_empty())
        {
            record.chat.rev = record.chat.rev.max(rev + 1);
        }
        let confirmed = self.cause.sentence().map_or_else(Vec::new, |(direction, id)| {
            turn.confirmed.iter().map(|(counter, at)| (direction, id.clone(), *counter, *at)).collect()
        });
        let receipt = turn.arrived.as_ref().and_then(|arrived| staff::receipt(&record, arrived, turn.now));
        ChatChange {
            record,
            expected_rev,
            bind: turn.bind.clone(),
            sentences: turn.sentences.clone(),
            confirmed,
            told: told.iter().cloned().chain(unused.entries(turn.now)).collect(),
            agents: turn.loads(),
            relay: None,
            receipt,
            results: turn.results(),
            guards: guards(self.asking, kept),
            now: turn.now,
        }
    }

    /// Whether this is told to the asker as an answer, or before it: what happened to the chat before the answer is told
    /// before it.
    fn is_answer(&self, place: usize) -> bool {
        self.turn.answer.is_some_and(|answer| place <= answer) && Some(self.turn.told[place].to.stream()) == self.cause.asker()
    }

    fn is_delivered(&self, place: usize) -> bool {
        !self.asking.is_async && self.is_answer(place)
    }

    /// Whether the answer is a complete status: then a repetition may as well get a newer one.
    fn can_be_asked_again(&self, place: usize) -> bool {
        matches!(self.turn.told[place].effect, Effect::Status { sentences: Some(_), .. })
    }

    /// The sentences that each of those who are told something is to see.
    async fn transcripts(&self) -> Result<Vec<Vec<Sentence>>, AppError> {
        let mut transcripts = Vec::with_capacity(self.turn.told.len());
        for (place, told) in self.turn.told.iter().enumerate() {
            let mut transcript = Vec::new();
            if let Effect::Status { sentences: Some(range), .. } = &told.effect {
                let limit = if self.is_delivered(place) { ANSWERED_TEXT } else { STORED_TEXT };
                transcript = newest(self.transcript(&told.record.chat, *range.start(), *range.end()).await?, limit);
            }
            transcripts.push(transcript);
        }
        Ok(transcripts)
    }

    /// What another platform's staff is told.
    async fn relay(&self, record: &ChatRecord) -> Result<Option<Relay>, AppError> {
        let mut words = Vec::new();
        for notice in &self.turn.notices {
            let before = match &notice.what {
                What::Before(range) => {
                    let mut before = self.transcript(&record.chat, *range.start(), *range.end()).await?;
                    let last = before.pop();
                    let room = STORED_TEXT.saturating_sub(last.as_ref().map_or(0, |last| last.text.len()));
                    // The last of it is what has to be answered, however long it is.
                    newest(before, room).into_iter().chain(last).collect()
                }
                What::Said(_) | What::Event(_) | What::Answered(..) | What::Ended(_) => Vec::new(),
            };
            words.extend(notice.words(&before, record.chat.id, self.turn.now));
        }
        staff::relay(record, words, self.last_seq, self.turn.now)
    }

    async fn transcript(&self, chat: &Chat, first: u64, last: u64) -> Result<Vec<Sentence>, AppError> {
        let stored = self.turn.read.as_ref().filter(|read| read.chat.id == chat.id).map_or(0, |read| read.chat.counter);
        let mut sentences = if first <= last.min(stored) {
            self.ctx.chats.sentences(chat.id, first, last.min(stored)).await?
        } else {
            Vec::new()
        };
        sentences.extend(self.turn.sentences.iter().filter(|new| (first..=last).contains(&new.counter)).cloned());
        Ok(sentences)
    }

    /// The gateway whose stream has something to push after this: what is delivered in the answer is not pushed.
    fn due_stream(&self) -> Option<AccountId> {
        let told = self.turn.told.iter().enumerate().filter(|(place, _)| self.plan.is_pushed && !self.is_delivered(*place));
        told.map(|(_, told)| told.to.stream()).find_map(|stream| match stream {
            StreamKey::Gateway(gateway) => Some(gateway),
            StreamKey::Workplace(..) => None,
        })
    }

    /// A number for each thing that is told, in order. The stream of the gateway `due` becomes due by it.
    async fn reserve(&self, due: Option<&AccountId>) -> Result<Vec<u64>, AppError> {
        let streams: Vec<_> = self.turn.told.iter().map(|told| told.to.stream()).collect();
        let mut counts = BTreeMap::<&StreamKey, u32>::new();
        for stream in &streams {
            *counts.entry(stream).or_default() += 1;
        }
        let reserved = counts.into_iter().map(|(stream, count)| async move {
            let now = self.turn.now;
            let first = match (stream, due) {
                (StreamKey::Gateway(gateway), Some(due)) if gateway == due => {
                    self.ctx.chats.reserve_pushed(gateway, count, now, push::due_after(now)).await?
                }
                (StreamKey::Gateway(_) | StreamKey::Workplace(..), _) => self.ctx.chats.reserve(stream, count, now).await?,
            };
            Ok::<_, PortError>((stream, first))
        });
        let mut next: BTreeMap<_, _> = try_join_all(reserved).await?.into_iter().collect();
        Ok(streams
            .iter()
            .filter_map(|stream| {
                let next = next.get_mut(stream)?;
                *next += 1;
                Some(*next - 1)
            })
            .collect())
    }

    fn entry(&self, place: usize, told: &Told, transcript: &[Sentence], seq: u64) -> StreamEntry {
        let now = self.turn.now;
        let telling = Telling {
            to: told.to.listener(),
            news: News::Chat { effect: &told.effect, record: &told.record, transcript },
            seq,
            at: now,
            in_reply_to: self.asking.in_reply_to.filter(|_| self.turn.answer == Some(place)),
        };
        StreamEntry {
            seq,
            at: now,
            is_delivered: self.is_delivered(place),
            is_volatile: matches!(told.effect, Effect::Typing { .. }),
            offer: None,
            body: self.plan.words.tell(&telling).unwrap_or_default(),
        }
    }
}

/// The newest of the sentences whose text is not longer than `limit` together.
fn newest(mut sentences: Vec<Sentence>, limit: usize) -> Vec<Sentence> {
    let mut left = limit;
    let kept = sentences.iter().rev().take_while(|sentence| {
        let fits = sentence.text.len() <= left;
        left = left.saturating_sub(sentence.text.len());
        fits
    });
    let kept = kept.count();
    sentences.drain(..sentences.len() - kept);
    sentences
}
