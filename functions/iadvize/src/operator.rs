//! `operator-iadvize`: cases that agents opened, and forgetting a visitor.

use std::sync::Arc;

use app::{AppError, erase_record};
use model::{AccountId, Platform};
use platform_iadvize::{Case, Site};
use ports::{RecordKey, Records};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::visitors::{CONVERSATION, Names, conversation_key, opened, person_group, visitor_key};
use crate::{Ctx, Problem};

/// What the function needs.
#[derive(Clone)]
pub struct OperatorCtx {
    /// Sites and the time.
    pub base: Ctx,
    /// Visitors and what they did.
    pub records: Arc<dyn Records>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    action: Action,
    account: AccountId,
    id_visitor_unique: Option<String>,
    id_visitor_external: Option<String>,
    email_visitor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// The cases of somebody.
    Cases,
    /// Somebody is not to be known any more.
    Forget,
}

fn refused(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

/// Does one thing, named by `action`: `cases` lists the cases of somebody, the newest first, `forget` erases what is remembered of a
/// visitor, their conversations with iAdvize and their cases. What they wrote on other platforms is `operator-erase`'s.
///
/// Input: `{"action","account":"iadvize/key","idVisitorUnique"?,"idVisitorExternal"?,"emailVisitor"?}`, at least one of the three.
/// Output: `{"cases":[{"number","code","at"}]}`, `{"forgotten":n}` with the number of records, or `{"error":{"code","message"}}`
/// with `malformed`, `invalid` or `unknown`; then nothing was changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down: the same input again does the rest.
pub async fn handle(ctx: OperatorCtx, event: Value) -> Result<Value, AppError> {
    // The message of the reader may repeat what it read, which can be a name.
    let Ok(input) = serde_json::from_value(event) else {
        return Ok(refused("malformed", "the input is not what docs/operations.md says"));
    };
    match run(&ctx, input).await {
        Ok(answer) => Ok(answer),
        Err(Problem::Ours(error)) => Err(error),
        Err(_) => Err(AppError::Internal("an operator who is refused")),
    }
}

async fn run(ctx: &OperatorCtx, input: Input) -> Result<Value, Problem> {
    let Input { action, account, id_visitor_unique: unique, id_visitor_external: external_id, email_visitor: email } = input;
    let names = Names { external_id, email };
    if unique.is_none() && names.are_none() {
        return Ok(refused("invalid", "none of idVisitorUnique, idVisitorExternal and emailVisitor is given"));
    }
    let snapshot = ctx.base.roster.afresh().await?;
    let known = snapshot
        .directory
        .accounts
        .get(&account)
        .filter(|found| account.platform() == Platform::Iadvize && Site::of(found).is_ok());
    let Some(account) = known else { return Ok(refused("unknown", "the account is not a configured site of iAdvize")) };
    let visitor = Somebody { ctx, account, unique: unique.as_deref(), names };
    match action {
        Action::Cases => visitor.cases().await,
        Action::Forget => visitor.forget().await,
    }
}

struct Somebody<'a> {
    ctx: &'a OperatorCtx,
    account: &'a model::Account,
    unique: Option<&'a str>,
    names: Names,
}

impl Somebody<'_> {
    /// Where cases of theirs can be: under each of their names, as an earlier card may have known fewer.
    fn groups(&self) -> Vec<String> {
        let names = [
            Names { external_id: self.names.external_id.clone(), email: None },
            Names { external_id: None, email: self.names.email.clone() },
        ];
        let of_names = names.iter().filter_map(|names| person_group(self.account, names, None));
        of_names.chain(person_group(self.account, &Names::default(), self.unique)).collect()
    }

    async fn cases(&self) -> Result<Value, Problem> {
        let now = self.ctx.base.clock.now();
        let mut cases = Vec::new();
        for group in self.groups() {
            for (_, record) in self.ctx.records.records(&self.account.id, &group, "case").await? {
                cases.extend(opened::<Case>(Some(record), now)?.0);
            }
        }
        cases.sort_by_key(|case| std::cmp::Reverse(case.number));
        let told: Vec<_> =
            cases.iter().map(|case| json!({"number": case.number, "code": case.code, "at": case.at.to_utc_text()})).collect();
        Ok(json!({ "cases": told }))
    }

    async fn forget(&self) -> Result<Value, Problem> {
        let mut forgotten = 0;
        if let Some(unique) = self.unique {
            let visitor = visitor_key(self.account, unique);
            let conversations = self.ctx.records.records(&self.account.id, &visitor.group, CONVERSATION).await?;
            for (id, _) in conversations {
                let whose = conversation_key(self.account, &id);
                forgotten += self.erase_all(&whose.group, "event").await?;
                forgotten += self.erase(whose).await?;
            }
            for kind in ["event", CONVERSATION] {
                forgotten += self.erase_all(&visitor.group, kind).await?;
            }
            forgotten += self.erase(visitor).await?;
        }
        for group in self.groups() {
            forgotten += self.erase_all(&group, "case").await?;
        }
        Ok(json!({ "forgotten": forgotten }))
    }

    async fn erase_all(&self, group: &str, kind: &'static str) -> Result<u32, Problem> {
        let mut erased = 0;
        for (id, _) in self.ctx.records.records(&self.account.id, group, kind).await? {
            erased += self.erase(RecordKey { account: self.account.id.clone(), group: group.to_owned(), kind, id }).await?;
        }
        Ok(erased)
    }

    async fn erase(&self, key: RecordKey) -> Result<u32, Problem> {
        Ok(u32::from(erase_record(&*self.ctx.records, key, self.ctx.base.clock.now()).await?))
    }
}
