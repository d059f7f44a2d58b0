//! `operator-ctrader`: what a broker's own systems say about its users, and the tokens of its own login (section 8.2).

use app::{AppError, erase_record};
use model::{AccountId, Platform};
use platform_ctrader::chat::PREPARED;
use platform_ctrader::{Brand, Identity, Person};
use ports::{RecordKey, Saved};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logout::leave;
use crate::tokens::{self, OneTime};
use crate::users::{self, User};
use crate::{Ctx, Found, Problem, certificate};

/// How often something is tried again that somebody else changed meanwhile.
const RACES: usize = 5;

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
enum Input {
    /// A user has logged in at the broker: a token for the success URL.
    #[serde(rename_all = "camelCase")]
    Login {
        account: AccountId,
        user_id: Value,
        name: Option<String>,
        email: Option<String>,
        trading_login: Option<i64>,
        #[serde(default)]
        stay_logged_in: bool,
    },
    /// There is this user.
    #[serde(rename_all = "camelCase")]
    Know { account: AccountId, user_id: Value, name: Option<String>, email: Option<String>, trading_login: Option<i64> },
    /// The user is to log in anew.
    #[serde(rename_all = "camelCase")]
    Revoke { account: AccountId, user_id: Value },
    /// The broker does not know the user any more.
    #[serde(rename_all = "camelCase")]
    Forget { account: AccountId, user_id: Value },
}

/// What is said of a user; what is left out stays as it was.
struct Told {
    name: Option<String>,
    email: Option<String>,
    trading_login: Option<i64>,
}

fn refused(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

/// Does one thing, named by `action`: `login` gives out a one-time token for a login, `know` names a user, `revoke` ends all that
/// a user was given, `forget` does the same and erases what is known of the user.
///
/// Input: `{"action","account":"ctrader/key","userId","name"?,"email"?,"tradingLogin"?,"stayLoggedIn"?}`. Output:
/// `{"token","expiresIn"}`, `{"known":userId}`, `{"revoked":userId,"sessions":n}`, `{"forgotten":userId,"sessions":n}`, or
/// `{"error":{"code","message"}}` with `malformed`, `unknown` or `invalid`; then nothing was changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn handle(ctx: Ctx, event: Value) -> Result<Value, AppError> {
    let input: Input = match serde_json::from_value(event) {
        Ok(input) => input,
        // The message of the reader may repeat what it read, which can be a name.
        Err(_) => return Ok(refused("malformed", "the input is not what docs/operations.md says")),
    };
    match run(&ctx, input).await {
        Ok(answer) => Ok(answer),
        Err(Problem::Fields(_)) => Err(AppError::Internal("an operator who fills in no form")),
        Err(Problem::Refused(_, why)) => Ok(refused("invalid", &why.unwrap_or_default())),
        Err(Problem::Ours(error)) => Err(error),
    }
}

async fn run(ctx: &Ctx, input: Input) -> Result<Value, Problem> {
    let (Input::Login { account, user_id, .. }
    | Input::Know { account, user_id, .. }
    | Input::Revoke { account, user_id }
    | Input::Forget { account, user_id }) = &input;
    let mut snapshot = ctx.roster.current().await?;
    if snapshot.account(account).is_none() {
        // It may have been configured a moment ago.
        snapshot = ctx.roster.afresh().await?;
    }
    let known = snapshot.account(account).filter(|_| account.platform() == Platform::Ctrader);
    let Some((account, secrets)) = known else {
        return Ok(refused("unknown", "the account is not a configured brand of cTrader with secrets"));
    };
    let brand = Brand::of(account).map_err(|_| AppError::Internal("settings of a brand cannot be read"))?;
    let found = Found { account: account.clone(), brand, secrets: secrets.clone() };
    let id = platform_ctrader::user_id(user_id).ok_or_else(|| Problem::invalid("userId is not a positive integer"))?;
    let person = Person::new(id);
    match input {
        Input::Login { name, email, trading_login, stay_logged_in, .. } => {
            let Identity::Sso(sso) = &found.brand.identity else {
                return Err(Problem::invalid("the brand's identity is handoff: cTrader logs its users in"));
            };
            let ttl = sso.ot_token_ttl;
            let token = tokens::fresh(&*ctx.dice);
            let kept = OneTime::new(person, ctx.clock.now(), ttl, Some(stay_logged_in));
            let change = tokens::change(&found, &token, &kept, 0)?;
            know(ctx, &found, person, &Told { name, email, trading_login }, Some(change)).await?;
            Ok(json!({"token": token, "expiresIn": ttl.as_secs()}))
        }
        Input::Know { name, email, trading_login, .. } => {
            know(ctx, &found, person, &Told { name, email, trading_login }, None).await?;
            Ok(json!({ "known": id }))
        }
        Input::Revoke { .. } => Ok(json!({"revoked": id, "sessions": leave(ctx, &found, person, true).await?})),
        Input::Forget { .. } => {
            let sessions = leave(ctx, &found, person, true).await?;
            forget(ctx, &found, person).await?;
            forget_deeds(ctx, &found, person).await?;
            Ok(json!({"forgotten": id, "sessions": sessions}))
        }
    }
}

/// Notes what is said of a user, with another change.
async fn know(ctx: &Ctx, found: &Found, person: Person, told: &Told, with: Option<ports::RecordChange>) -> Result<(), Problem> {
    let fits = |text: &Option<String>| text.as_ref().is_none_or(|text| (1..=320).contains(&text.chars().count()));
    if !fits(&told.name) || !fits(&told.email) {
        return Err(Problem::invalid("name and email must have 1 to 320 characters"));
    }
    if told.trading_login.is_some_and(|login| login <= 0) {
        return Err(Problem::invalid("tradingLogin is not a positive integer"));
    }
    for _ in 0..RACES {
        let stored = users::read(ctx, found, person).await?;
        let before = stored.known.clone().unwrap_or_default();
        let user = User {
            name: told.name.clone().or(before.name),
            email: told.email.clone().or(before.email),
            trading_login: told.trading_login.or(before.trading_login),
            // Tokens of a user who was forgotten do not come back.
            left_at: stored.before.left_at,
            left_for_good_at: stored.before.left_for_good_at,
            is_forgotten: false,
        };
        let is_new = stored.known.as_ref() != Some(&user);
        let changes: Vec<_> = is_new.then(|| stored.change(&user)).transpose()?.into_iter().chain(with.clone()).collect();
        if ctx.records.keep_records(&changes).await? == Saved::Yes {
            return Ok(());
        }
    }
    Err(ports::PortError::Busy.into())
}

/// The kinds of a user's records that say what they did at the screens.
const DEEDS: [&str; 3] = ["action", "learnt", PREPARED];

/// Erases what a user filled in, learnt and was invited to, and the certificates. That a code was redeemed stays, as a hash: it
/// is good for once.
async fn forget_deeds(ctx: &Ctx, found: &Found, person: Person) -> Result<(), Problem> {
    let (account, group) = (&found.account.id, person.group(&found.account.salt));
    for kind in DEEDS {
        for (id, record) in ctx.records.records(account, &group, kind).await? {
            let learnt: Value = serde_json::from_str(&record.body).unwrap_or_default();
            if let Some(code) = learnt["certificate"].as_str() {
                let key = certificate::key(account, &platform_ctrader::hashed(code));
                erase_record(&*ctx.records, key, ctx.clock.now()).await?;
            }
            let key = RecordKey { account: account.clone(), group: group.clone(), kind, id };
            erase_record(&*ctx.records, key, ctx.clock.now()).await?;
        }
    }
    Ok(())
}

/// Erases what is known of a user; what was given out before stays worth nothing.
async fn forget(ctx: &Ctx, found: &Found, person: Person) -> Result<(), Problem> {
    for _ in 0..RACES {
        let stored = users::read(ctx, found, person).await?;
        let Some(known) = &stored.known else { return Ok(()) };
        let User { left_at, left_for_good_at, .. } = *known;
        let gone = User { left_at, left_for_good_at, is_forgotten: true, ..User::default() };
        if ctx.records.keep_records(&[stored.change(&gone)?]).await? == Saved::Yes {
            return Ok(());
        }
    }
    Err(ports::PortError::Busy.into())
}
