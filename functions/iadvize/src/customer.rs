//! C1 `GET /iadvize/customer`: what is known of the visitor beside whose conversation an agent sits (section 7.1).

use std::sync::Arc;
use std::time::Duration;

use app::{AppError, Name, conversations_of};
use futures_util::future::try_join3;
use http::StatusCode;
use model::EpochMillis;
use platform_iadvize::{Case, MAX_CONVERSATIONS, Query, Seen, Visitor, card};
use ports::{Outline, People, RecordKey, Records};
use wire::{RawRequest, Reply};

use crate::call::READING;
use crate::problem::{answer, answered};
use crate::visitors::{CONVERSATION, Conversation, Names, REMEMBERED, change, opened, person_group, visitor_key};
use crate::{Call, Ctx, Found, Problem, verify};

/// Age at which it is written down again that a visitor was seen.
const SEEN_AGAIN: Duration = Duration::from_secs(86_400);

/// What the route needs.
#[derive(Clone)]
pub struct CustomerCtx {
    /// Sites and the time.
    pub base: Ctx,
    /// Visitors and cases.
    pub records: Arc<dyn Records>,
    /// Conversations.
    pub people: Arc<dyn People>,
    /// How long what was said is kept.
    pub kept: Duration,
}

/// Answers with the card, empty for somebody who is not known, and remembers which visitor goes by which names, as the action is
/// told the visitor alone.
///
/// One read for the visitor, one or two for their conversations, one for those with iAdvize, one for their cases where those are
/// shown; one write when something new was said of the visitor, or a day has passed.
///
/// # Errors
/// [`AppError`] when something cannot be read.
pub async fn handle(ctx: CustomerCtx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &CustomerCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, READING).await?;
    let query = call.query();
    let found = call.site(query.get("idWebsite"))?;
    let unique = query.get("idVisitorUnique");
    let names = seen(ctx, found, unique, said(&query)).await?;
    let of_person = conversations(ctx, &call, found, &names);
    let (conversations, cases, own) =
        try_join3(of_person, cases(ctx, found, &names, unique), own_conversations(ctx, found, unique)).await?;
    let mut conversations: Vec<_> = conversations.into_iter().map(shown).chain(own).collect();
    conversations.sort_by_key(|seen| std::cmp::Reverse(seen.at));
    let visitor =
        Visitor { external_id: names.external_id.as_deref(), email: names.email.as_deref(), unique, conversations, cases };
    Ok(answer(StatusCode::OK, &card(&found.site.customer, &visitor, &found.site.tongue(query.get("operatorLocale")))))
}

fn said(query: &Query) -> Names {
    let text = |name| query.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    Names { external_id: text("idVisitorExternal"), email: text("emailVisitor") }
}

/// Who the visitor is, as the call says or, where it says nothing, as an earlier one did.
async fn seen(ctx: &CustomerCtx, found: &Found, unique: Option<&str>, said: Names) -> Result<Names, Problem> {
    let Some(unique) = unique else { return Ok(said) };
    let (key, now) = (visitor_key(&found.account, unique), ctx.base.clock.now());
    let record = ctx.records.record(&key).await?;
    let ends_at = record.as_ref().and_then(|record| record.ends_at);
    let (known, rev) = opened::<Names>(record, now)?;
    if said.are_none() {
        return Ok(known.unwrap_or_default());
    }
    let is_fresh = ends_at.is_some_and(|end| now.plus(REMEMBERED.saturating_sub(SEEN_AGAIN)) < end);
    if known.as_ref() != Some(&said) || !is_fresh {
        // If somebody else writes the same at the same time, that is as good.
        ctx.records.keep_records(&[change(key, rev, &said, now.plus(REMEMBERED))?]).await?;
    }
    Ok(said)
}

/// The conversations of whoever goes by the first of the names that leads to any.
async fn conversations(ctx: &CustomerCtx, call: &Call, found: &Found, names: &Names) -> Result<Vec<Outline>, Problem> {
    let since = ctx.base.clock.now().minus(ctx.kept);
    let names: Vec<_> = names.in_order().filter_map(|name| Name::new(&name)).collect();
    let tenant = &found.account.tenant;
    Ok(conversations_of(&*ctx.people, &*ctx.records, call.directory(), tenant, &names, since, MAX_CONVERSATIONS).await?)
}

async fn cases(ctx: &CustomerCtx, found: &Found, names: &Names, unique: Option<&str>) -> Result<Vec<Case>, Problem> {
    let group = person_group(&found.account, names, unique).filter(|_| found.site.customer.shows_cases());
    let Some(group) = group else { return Ok(Vec::new()) };
    let now = ctx.base.clock.now();
    let stored = ctx.records.records(&found.account.id, &group, "case").await?;
    let cases = stored.into_iter().map(|(_, record)| Ok(opened::<Case>(Some(record), now)?.0));
    let mut cases: Vec<_> = cases.collect::<Result<Vec<_>, Problem>>()?.into_iter().flatten().collect();
    cases.sort_by_key(|case| std::cmp::Reverse(case.at));
    Ok(cases)
}

/// What iAdvize told of its own conversations with the visitor.
async fn own_conversations(ctx: &CustomerCtx, found: &Found, unique: Option<&str>) -> Result<Vec<Seen>, Problem> {
    let Some(unique) = unique else { return Ok(Vec::new()) };
    let (account, now) = (&found.account, ctx.base.clock.now());
    let stored = ctx.records.records(&account.id, &visitor_key(account, unique).group, CONVERSATION).await?;
    let told = stored.into_iter().map(|(_, record)| Ok(opened::<Conversation>(Some(record), now)?.0));
    let told = told.collect::<Result<Vec<_>, Problem>>()?.into_iter().flatten();
    let seen = |told: Conversation| Seen {
        account: account.id.clone(),
        at: told.last_at,
        is_open: Some(told.closed_at.is_none()),
        by: None,
    };
    Ok(told.map(seen).collect())
}

fn shown(outline: Outline) -> Seen {
    let chat = outline.chat.as_ref();
    Seen {
        account: outline.visitor,
        at: outline.last_at,
        is_open: chat.map(|chat| chat.closed_at.is_none()),
        by: chat.and_then(|chat| chat.attendant.clone()),
    }
}

/// Where a case stands.
pub(crate) fn case_key(found: &Found, group: String, number: u64, at: EpochMillis) -> RecordKey {
    RecordKey { account: found.account.id.clone(), group, kind: "case", id: format!("{:013}-{number}", at.millis()) }
}
