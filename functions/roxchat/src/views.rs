//! `GET /roxchat/{account}/visitors/{id}` and `/roxchat/{account}/chats/{chatId}`: what is known of a visitor, and what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::{AppError, Name, Named, conversations_of, named_key};
use futures_util::future::try_join;
use http::{Method, StatusCode};
use model::{Account, ConversationId, EpochMillis, Message};
use percent_encoding::percent_decode_str;
use platform_roxchat::{Chat, ChatState, Notices, Purpose, Session, Visitor};
use ports::{Outline, People};
use serde_json::{Value, json};
use url::form_urlencoded;
use wire::{RawRequest, Reply};

use crate::problem::{answer, answered};
use crate::sheet::Sheet;
use crate::who::Found;
use crate::{Keeping, Problem, keys, who};

/// The most chats and conversations of a card.
const MOST: usize = 50;

/// The most messages of a page.
const PAGE: usize = 100;

/// The longest page in bytes of text: an answer of Lambda holds 6 MB, and JSON may write a byte as six.
const PAGE_BYTES: usize = 768 * 1024;

/// What the routes need.
#[derive(Clone)]
pub struct Views {
    /// Accounts, and what is kept.
    pub keeping: Keeping,
    /// What was said.
    pub people: Arc<dyn People>,
}

/// Answers both.
///
/// # Errors
/// [`AppError`] when a backing service is down.
pub async fn handle(ctx: Views, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &Views, request: RawRequest) -> Result<Reply, Problem> {
    if request.method != Method::GET {
        return Err(Problem::Method("GET"));
    }
    let base = &ctx.keeping.base;
    let found = who::found(base, &request).await?;
    let page = who::page(base, &found, &request, Purpose::Events, false)?;
    match request.segments()[2..] {
        ["visitors", id] => visitor(ctx, &found, &request, &page, id).await,
        ["chats", id] => chat(ctx, &found, &request, id).await,
        _ => Err(Problem::NotFound("unknown_visitor")),
    }
}

fn asked(request: &RawRequest, wanted: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(request.query.as_bytes()).filter(|(name, _)| name == wanted);
    values.next().map(|(_, value)| value.into_owned())
}

/// A visitor under any of their ids, and the one as which they are known now.
pub(crate) async fn visitor_of(
    sheet: &mut Sheet<'_>,
    account: &Account,
    id: &str,
    now: EpochMillis,
) -> Result<Option<(String, Visitor)>, Problem> {
    let mut id = id.to_owned();
    // One step, or two while somebody else writes.
    for _ in 0..4 {
        match sheet.look::<Visitor>(&keys::visitor(account, &id), now).await? {
            None => return Ok(None),
            Some(Visitor { alias_of: Some(next), .. }) => id = next,
            Some(visitor) => return Ok(Some((id, visitor))),
        }
    }
    Err(AppError::Internal("aliases of a visitor lead nowhere").into())
}

/// The visitor who goes by an id of another system now: of several, the one that was heard of last.
async fn visitor_by(
    sheet: &mut Sheet<'_>,
    account: &Account,
    name: &str,
    own: fn(&Visitor) -> Option<&str>,
    now: EpochMillis,
) -> Result<Option<(String, Visitor)>, Problem> {
    let Some(name) = Name::new(name) else { return Ok(None) };
    let named = sheet.look::<Named>(&named_key(account, &name), now).await?.unwrap_or_default();
    sheet.read(named.ids.iter().map(|id| keys::visitor(account, id)), now).await?;
    let seen_at = |visitor: &Visitor| visitor.session.as_ref().map(|seen| seen.at);
    let mut newest: Option<(String, Visitor)> = None;
    for id in named.ids.iter().rev() {
        let found = visitor_of(sheet, account, id, now).await?;
        let found = found.filter(|(_, visitor)| own(visitor).and_then(Name::new).as_ref() == Some(&name));
        if let Some(found) = found
            && newest.as_ref().is_none_or(|(_, newest)| seen_at(newest) < seen_at(&found.1))
        {
            newest = Some(found);
        }
    }
    Ok(newest)
}

async fn visitor(ctx: &Views, found: &Found, request: &RawRequest, page: &Session, id: &str) -> Result<Reply, Problem> {
    let (account, now) = (&found.account, ctx.keeping.base.clock.now());
    let unknown = || Problem::NotFound("unknown_visitor");
    let id = percent_decode_str(id).decode_utf8().map_err(|_| unknown())?;
    let mut sheet = Sheet::new(&*ctx.keeping.records);
    let known = match asked(request, "by").as_deref() {
        None => visitor_of(&mut sheet, account, &id, now).await?,
        Some("provided") => visitor_by(&mut sheet, account, &id, |visitor| visitor.provided.as_deref(), now).await?,
        Some("siebel") => visitor_by(&mut sheet, account, &id, |visitor| visitor.siebel.as_deref(), now).await?,
        Some(_) => return Err(Problem::BadShape),
    };
    let (id, visitor) = known.ok_or_else(unknown)?;
    let newest: Vec<_> = visitor.chats.iter().rev().take(MOST).copied().collect();
    let notices_key = keys::notices(account, &page.agent.id);
    let chat_keys = newest.iter().map(|chat| keys::chat(account, *chat));
    sheet.read(chat_keys.chain([notices_key.clone()]), now).await?;
    let mut chats = Vec::new();
    for chat in newest {
        if let Some(stored) = sheet.get::<Chat>(&keys::chat(account, chat))? {
            chats.push((chat, stored));
        }
    }
    chats.sort_by_key(|(_, chat)| std::cmp::Reverse(chat.last_at));
    let notices = sheet.get::<Notices>(&notices_key)?.unwrap_or_default();
    let session = visitor.session.as_ref().map(|seen| seen.id.as_str());
    let is_theirs = |notice: &&platform_roxchat::Notice| session.is_some() && notice.session.as_deref() == session;
    let notifications: Vec<_> = notices
        .live
        .iter()
        .filter(is_theirs)
        .map(|notice| json!({"id": notice.id, "kind": notice.kind, "text": notice.text, "at": notice.at.to_utc_text()}))
        .collect();
    let timeline = timeline(ctx, found, &visitor, &chats).await?;
    let channel = visitor
        .channel
        .as_ref()
        .map(|channel| json!({"type": channel.kind, "userId": channel.user_id, "userName": channel.user_name}));
    let switches = visitor.switches.iter();
    let switches: Vec<_> =
        switches.map(|switch| json!({"from": switch.from, "to": switch.to, "at": switch.at.to_utc_text()})).collect();
    Ok(answer(
        StatusCode::OK,
        &json!({
            "visitor": {
                "id": id,
                "providedVisitorId": visitor.provided,
                "siebelId": visitor.siebel,
                "aliases": visitor.aliases,
                "switches": switches,
                "session": visitor.session.as_ref().map(|seen| json!({"id": seen.id, "at": seen.at.to_utc_text()})),
                "channel": channel,
                "taskId": visitor.task,
                "canStartChat": visitor.session.is_some(),
            },
            "chats": chats.iter().map(|(id, chat)| shown(*id, chat)).collect::<Vec<_>>(),
            "timeline": timeline,
            "notifications": notifications,
        }),
    ))
}

fn shown(id: i64, chat: &Chat) -> Value {
    json!({"id": id, "state": chat.state, "reopened": chat.reopened, "lastAt": chat.last_at.map(EpochMillis::to_utc_text)})
}

/// The person's conversations on every platform, the newest first: their own chats, and those that the customer's or Siebel's id leads
/// to.
async fn timeline(ctx: &Views, found: &Found, visitor: &Visitor, chats: &[(i64, Chat)]) -> Result<Vec<Value>, Problem> {
    let account = &found.account;
    let address = |chat: i64| keys::conversation(account, &keys::address(Some(chat), "", true));
    let states: BTreeMap<ConversationId, ChatState> = chats.iter().map(|(id, chat)| (address(*id), chat.state)).collect();
    let others = visitor.without_chat.iter().map(|id| keys::conversation(account, &keys::address(None, id, true)));
    let own: Vec<_> = states.keys().copied().chain(others).collect();
    let names: Vec<_> = [&visitor.provided, &visitor.siebel].into_iter().flatten().filter_map(|name| Name::new(name)).collect();
    let since = ctx.keeping.base.clock.now().minus(ctx.keeping.kept);
    let (directory, records) = (&found.snapshot.directory, &*ctx.keeping.records);
    let elsewhere = conversations_of(&*ctx.people, records, directory, &account.tenant, &names, since, MOST);
    let here = async { Ok(ctx.people.outlines(&own).await?) };
    let (mut all, here) = try_join(elsewhere, here).await?;
    let mut seen = BTreeSet::new();
    all.extend(here.into_iter().filter(|outline| outline.last_at > since));
    all.retain(|outline| seen.insert(outline.conversation));
    all.sort_by_key(|outline| std::cmp::Reverse(outline.last_at));
    all.truncate(MOST);
    Ok(all.iter().map(|outline| told(outline, states.get(&outline.conversation))).collect())
}

fn told(outline: &Outline, state: Option<&ChatState>) -> Value {
    let state = match (&outline.chat, state) {
        (Some(chat), _) if chat.closed_at.is_some() => "closed",
        (Some(_), _) | (None, Some(ChatState::Open)) => "open",
        (None, Some(ChatState::ClosedByAgent)) => "closed",
        (None, None) => "messages",
    };
    json!({
        "platform": outline.visitor.platform(),
        "conversation": outline.conversation,
        "at": outline.last_at.to_utc_text(),
        "state": state,
        "with": outline.chat.as_ref().and_then(|chat| chat.attendant.as_deref()),
    })
}

/// The newest page of a chat, or the one before a place: what was said, and what stands apart, in the order of receipt.
async fn chat(ctx: &Views, found: &Found, request: &RawRequest, id: &str) -> Result<Reply, Problem> {
    let (account, now) = (&found.account, ctx.keeping.base.clock.now());
    let id: i64 = id.parse().map_err(|_| Problem::NotFound("unknown_chat"))?;
    let before = asked(request, "before").map(|text| text.parse::<u64>().map_err(|_| Problem::BadShape)).transpose()?;
    let stored = Sheet::new(&*ctx.keeping.records).look::<Chat>(&keys::chat(account, id), now).await?;
    let stored = stored.ok_or(Problem::NotFound("unknown_chat"))?;
    let of = |is_told| keys::conversation(account, &keys::address(Some(id), "", is_told));
    // One more than a page: whether there are earlier ones.
    let [said, aside] = [of(true), of(false)].map(|conversation| ctx.people.messages(conversation, before, PAGE + 1));
    let (said, aside) = try_join(said, aside).await?;
    let (messages, more) = newest(said.into_iter().chain(aside).collect());
    let messages: Vec<_> = messages.iter().map(line).collect();
    Ok(answer(
        StatusCode::OK,
        &json!({"chat": shown(id, &stored), "messages": messages, "more": more.map(|place| place.to_string())}),
    ))
}

/// The newest of the messages that fit a page, and the place from which on they are all there, if there are earlier ones.
///
/// Two conversations may have a message at the same place: a page ends between places, so that none is left out.
fn newest(mut messages: Vec<Message>) -> (Vec<Message>, Option<u64>) {
    messages.sort_by_key(|message| message.id.seq());
    let (mut first, mut bytes) = (messages.len(), 0);
    while first > 0 {
        let place = messages[first - 1].id.seq();
        let begin = messages[..first].iter().rposition(|message| message.id.seq() != place).map_or(0, |before| before + 1);
        bytes += messages[begin..first].iter().map(|message| message.content.text.len()).sum::<usize>();
        let is_full = messages.len() - begin > PAGE || bytes > PAGE_BYTES;
        if is_full && first < messages.len() {
            break;
        }
        first = begin;
    }
    let page = messages.split_off(first);
    let more = if messages.is_empty() { None } else { page.first().map(|message| message.id.seq()) };
    (page, more)
}

fn line(message: &Message) -> Value {
    let said = &message.details.plain;
    let mut line = json!({
        "eventId": message.origin_id,
        "kind": said.get("kind"),
        "side": said.get("side"),
        "text": message.content.text,
        "at": message.sent_at.to_utc_text(),
    });
    if let Some(bytes) = said.get("original_bytes").and_then(|bytes| bytes.parse::<u64>().ok()) {
        line["truncated"] = true.into();
        line["originalBytes"] = bytes.into();
    }
    if said.contains_key("suspected_duplicate") {
        line["suspectedDuplicate"] = true.into();
    }
    line
}
