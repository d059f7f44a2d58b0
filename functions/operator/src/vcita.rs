//! `operator-vcita`: what is done once per app and per business with vcita's platform, and a look at connections.

use std::sync::Arc;

use app::AppError;
use lambda::Roster;
use model::{Account, AccountId, InstallPhase, Installed, Platform, RemoteStatus};
use platform_vcita::{
    AppForm, Assignment, Credentials, Secrets, Settings, Told, app_token, assign_app, grant_name, install_app, register_app,
    subscribe, token_of, unsubscribe,
};
use ports::{Clock, Dice, Grants, Installs, PortError, Saved, Sender, StatusStore};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::HttpCall;

use crate::refused;

/// How often what is installed is looked at again because somebody else changed it.
const RACES: usize = 4;

/// The part of the store that is used.
pub trait VcitaStore: StatusStore + Installs {}

impl<T: StatusStore + Installs> VcitaStore for T {}

/// What the actions need.
#[derive(Clone)]
pub struct VcitaCtx {
    /// Accounts and secrets.
    pub roster: Arc<Roster>,
    /// Channels.
    pub store: Arc<dyn VcitaStore>,
    /// Whether there are tokens.
    pub grants: Arc<dyn Grants>,
    /// Calls to vcita.
    pub sender: Arc<dyn Sender>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for secrets.
    pub dice: Arc<dyn Dice>,
}

/// What is to be done. Tokens of a directory are used once and kept nowhere.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
enum Input {
    /// P1.
    Register {
        account: AccountId,
        /// Origin of the HTTP API, `https://...`.
        base: String,
        name: String,
        app_code_name: String,
        directory_token: String,
        #[serde(default)]
        trusted: bool,
        #[serde(default = "url_params")]
        url_params: Vec<String>,
        #[serde(default)]
        api_base: Option<String>,
    },
    /// P2.
    Assign {
        account: AccountId,
        directory_token: String,
        assignee_type: String,
        assignee_uid: String,
        #[serde(default)]
        app_code_name: Option<String>,
        #[serde(default)]
        directory_uid: Option<String>,
        #[serde(default)]
        assignment_mode: Option<String>,
    },
    /// P3.
    Install {
        account: AccountId,
        directory_token: String,
        business_uid: String,
        #[serde(default)]
        app_code_name: Option<String>,
    },
    /// P9.
    Subscribe {
        account: AccountId,
        /// Origin of the HTTP API.
        base: String,
        #[serde(default)]
        events: Option<Vec<String>>,
        #[serde(default)]
        directory_token: Option<String>,
    },
    /// P9, the other way round.
    Unsubscribe {
        account: AccountId,
        /// Origin of the HTTP API.
        base: String,
        #[serde(default)]
        events: Option<Vec<String>>,
        #[serde(default)]
        directory_token: Option<String>,
        /// The address with the previous path secret instead of the current one.
        #[serde(default)]
        previous: bool,
    },
    Status {
        account: AccountId,
    },
    Disconnect {
        account: AccountId,
    },
}

fn url_params() -> Vec<String> {
    ["business_uid", "staff_role", "staff_uid", "brand_host"].map(str::to_owned).to_vec()
}

/// An answer, or why there is none.
type Done = Result<Value, Value>;

/// Does one thing: `register`, `assign`, `install`, `subscribe`, `unsubscribe`, `status` or `disconnect`;
/// `docs/operations.md` shows their inputs.
///
/// Output: what is to be known, or `{"error":{"code","message"}}`. That of `register` holds the new app's secrets: they are
/// shown once.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down.
pub async fn handle(ctx: VcitaCtx, event: Value) -> Result<Value, AppError> {
    // What serde says about a value may repeat it, and one of them is a token.
    let Ok(input) = serde_json::from_value::<Input>(event) else {
        let actions = "register, assign, install, subscribe, unsubscribe, status, disconnect";
        return Ok(refused("malformed", format_args!("not an action with its members: {actions}")));
    };
    let done = match input {
        Input::Register { account, base, name, app_code_name, directory_token, trusted, url_params, api_base } => {
            let form = NewApp { account, base, name, app_code_name, trusted, url_params, api_base };
            ctx.register(&form, &directory_token).await
        }
        Input::Assign {
            account,
            directory_token,
            assignee_type,
            assignee_uid,
            app_code_name,
            directory_uid,
            assignment_mode,
        } => match ctx.app_named(&account, app_code_name).await? {
            Err(refusal) => Err(refusal),
            Ok((settings, code)) => {
                let assignment = Assignment {
                    assignee_type: &assignee_type,
                    assignee_uid: &assignee_uid,
                    app_code_name: &code,
                    directory_uid: directory_uid.as_deref(),
                    assignment_mode: assignment_mode.as_deref(),
                };
                let call = assign_app(&settings, &assignment, &directory_token);
                ctx.ask(call).await.map(|_| json!({"assigned": code, "to": assignee_uid}))
            }
        },
        Input::Install { account, directory_token, business_uid, app_code_name } => {
            match ctx.app_named(&account, app_code_name).await? {
                Err(refusal) => Err(refusal),
                Ok((settings, code)) => {
                    let call = install_app(&settings, &business_uid, &code, &directory_token);
                    ctx.ask(call).await.map(|_| json!({"installed": code, "for": business_uid}))
                }
            }
        }
        Input::Subscribe { account, base, events, directory_token } => {
            ctx.subscriptions(&account, &base, events, directory_token, Change::Subscribe).await?
        }
        Input::Unsubscribe { account, base, events, directory_token, previous } => {
            let change = if previous { Change::UnsubscribePrevious } else { Change::Unsubscribe };
            ctx.subscriptions(&account, &base, events, directory_token, change).await?
        }
        Input::Status { account } => ctx.status(&account).await?,
        Input::Disconnect { account } => ctx.disconnect(&account).await?,
    };
    Ok(done.unwrap_or_else(|refusal| refusal))
}

/// What is to become of subscriptions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Subscribe,
    Unsubscribe,
    /// Those of the address before the path secret was changed.
    UnsubscribePrevious,
}

/// What `register` is given, but the token.
struct NewApp {
    account: AccountId,
    base: String,
    name: String,
    app_code_name: String,
    trusted: bool,
    url_params: Vec<String>,
    api_base: Option<String>,
}

impl VcitaCtx {
    /// An app's own account.
    async fn app(&self, id: &AccountId) -> Result<Result<(Account, Settings, Secrets), Value>, AppError> {
        // An operator may have configured it a moment ago.
        let snapshot = self.roster.afresh().await?;
        let Some((account, secrets)) = snapshot.account(id) else {
            return Ok(Err(refused("unknown", format_args!("{id} is not configured, or has no secrets"))));
        };
        let settings = match Settings::of(account) {
            Ok(settings) => settings,
            Err(error) => return Ok(Err(refused("invalid", error))),
        };
        let secrets = match Secrets::from_value(secrets) {
            Ok(secrets) => secrets,
            Err(error) => return Ok(Err(refused("invalid", error))),
        };
        Ok(Ok((account.clone(), settings, secrets)))
    }

    /// An app's settings, and the name under which vcita knows it: the given one, else that of its secrets.
    async fn app_named(&self, id: &AccountId, given: Option<String>) -> Result<Result<(Settings, String), Value>, AppError> {
        let (_, settings, secrets) = match self.app(id).await? {
            Ok(app) => app,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let missing = || refused("invalid", "app_code_name is neither given nor among the app's secrets");
        Ok(given.or(secrets.app_code_name).map(|code| (settings, code)).ok_or_else(missing))
    }

    async fn told(&self, call: Option<HttpCall>) -> Told {
        match call {
            Some(call) => Told::of(self.sender.send(call).await, self.clock.now()),
            None => Told::No { status: 0, detail: "the token cannot stand in a header".to_owned() },
        }
    }

    /// Makes a call that has to succeed.
    async fn ask(&self, call: Option<HttpCall>) -> Done {
        match self.told(call).await {
            Told::Yes(body) => Ok(body),
            Told::No { detail, .. } => Err(refused("refused", format_args!("vcita: {detail}"))),
            Told::Unknown(reason) => Err(refused("unanswered", format_args!("{reason}; it may have been done"))),
        }
    }

    async fn register(&self, new: &NewApp, directory_token: &str) -> Done {
        let invalid = |what: &str| Err(refused("invalid", what));
        if new.account.platform() != Platform::Vcita {
            return invalid("account is not one of vcita");
        }
        if !(3..=25).contains(&new.name.chars().count()) {
            return invalid("name must have 3 to 25 characters");
        }
        if new.app_code_name.is_empty() || !new.app_code_name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return invalid("app_code_name must be letters and digits");
        }
        let (base, key) = (new.base.trim_end_matches('/'), new.account.key());
        let url_secret = self.dice.token();
        let redirect_uri = format!("{base}/vcita/{key}/connect");
        let api_uri = format!("{base}/vcita/{key}/{url_secret}");
        // Everything is judged by the settings that are proposed, and nothing is registered that could not be used.
        let mut written = json!({"business_uid": "the business", "redirect_uri": redirect_uri, "token_source": "oauth"});
        if let Some(api_base) = &new.api_base {
            written["api_base"] = json!(api_base);
        }
        let probe = Account {
            id: new.account.clone(),
            tenant: match "register".parse() {
                Ok(tenant) => tenant,
                Err(_) => return invalid("account"),
            },
            salt: String::new(),
            settings: written.clone(),
            installed: None,
        };
        let settings = match Settings::of(&probe) {
            Ok(settings) => settings,
            Err(error) => return Err(refused("invalid", error)),
        };
        let form = AppForm {
            name: &new.name,
            app_code_name: &new.app_code_name,
            redirect_uri: &redirect_uri,
            api_uri: &api_uri,
            trusted: new.trusted,
            url_params: &new.url_params,
        };
        let body = self.ask(register_app(&settings, &form, directory_token)).await?;
        let data = &body["data"];
        let given = |name: &str| data[name].as_str().map(str::to_owned).or_else(|| data[name].as_i64().map(|id| id.to_string()));
        let (Some(client_id), Some(client_secret)) = (given("client_id"), given("client_secret")) else {
            return Err(refused("unreadable", "vcita registered the app, but its answer holds no client_id and client_secret"));
        };
        let secrets = json!({
            "url_secrets": [url_secret],
            "client_id": client_id,
            "client_secret": client_secret,
            "token_keys": [format!("{}{}", self.dice.token(), self.dice.token())],
            "app_id": given("app_id"),
            "app_code_name": given("app_code_name").unwrap_or_else(|| new.app_code_name.clone()),
        });
        Ok(json!({
            "registered": new.account,
            "redirect_uri": redirect_uri,
            "api_uri": api_uri,
            "parameter": format!("vcita/{key}"),
            "secrets": secrets,
            "settings": written,
        }))
    }

    async fn subscriptions(
        &self,
        id: &AccountId,
        base: &str,
        events: Option<Vec<String>>,
        directory_token: Option<String>,
        change: Change,
    ) -> Result<Done, AppError> {
        let (account, settings, secrets) = match self.app(id).await? {
            Ok(app) => app,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let url_secret = match change {
            Change::Subscribe | Change::Unsubscribe => secrets.url_secret(),
            Change::UnsubscribePrevious => match secrets.previous_url_secret() {
                Some(previous) => previous,
                None => return Ok(Err(refused("invalid", "the app's secrets hold no previous one of url_secrets"))),
            },
        };
        let target = format!("{}/vcita/{}/{}/events", base.trim_end_matches('/'), account.app().key(), url_secret.expose());
        // Which token takes which event is said differently in different places (section 12, row 21): the app's own for its
        // installations, a directory's for the rest.
        let events = events.unwrap_or_else(|| {
            let own = ["application/installed", "application/uninstalled"].as_slice();
            let rest = ["app_subscription/installed", "app_subscription/uninstalled", "account/closed"].as_slice();
            let known = if directory_token.is_some() { rest } else { own };
            known.iter().map(|event| (*event).to_owned()).collect()
        });
        let token = match (directory_token, &secrets.credentials) {
            (Some(token), _) => token,
            (None, Credentials::Token(token)) => token.expose().to_owned(),
            (None, Credentials::Service { client_id, client_secret }) => {
                let body = match self.ask(Some(app_token(&settings, client_id, client_secret.expose()))).await {
                    Ok(body) => body,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                match token_of(&body) {
                    Some(token) => token.to_owned(),
                    None => return Ok(Err(refused("unreadable", "vcita's token answer cannot be read"))),
                }
            }
        };
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for event in events {
            let is_new = change == Change::Subscribe;
            let call = if is_new { subscribe } else { unsubscribe };
            match self.told(call(&settings, &event, &target, &token)).await {
                Told::Yes(_) if is_new => done.push(json!({"event": event, "is_new": true})),
                Told::Yes(_) => done.push(json!({"event": event})),
                Told::No { status: 422, detail } if is_new && detail.to_lowercase().contains("already exist") => {
                    done.push(json!({"event": event, "is_new": false}));
                }
                Told::No { detail, .. } => failed.push(json!({"event": event, "message": detail})),
                Told::Unknown(reason) => failed.push(json!({"event": event, "message": reason})),
            }
        }
        let word = if change == Change::Subscribe { "subscribed" } else { "unsubscribed" };
        Ok(Ok(json!({word: done, "failed": failed})))
    }

    async fn status(&self, id: &AccountId) -> Result<Done, AppError> {
        let (_, _, secrets) = match self.app(id).await? {
            Ok(app) => app,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let directory = self.store.directory().await?;
        let Some(account) = directory.accounts.get(id) else { return Ok(Err(refused("unknown", "the account is gone"))) };
        let settings = match Settings::of(account) {
            Ok(settings) => settings,
            Err(error) => return Ok(Err(refused("invalid", error))),
        };
        let now = self.clock.now();
        let channel = match account.installation() {
            Some(channel) => json!({"uid": channel, "status": self.store.installation(id, channel, now).await?}),
            None => Value::Null,
        };
        let grant = match &secrets.credentials {
            Credentials::Token(_) => json!({"kind": "token"}),
            Credentials::Service { client_id, .. } => {
                let name = grant_name(&settings.api_base, client_id, Some(&settings.business_uid));
                let stored = self.grants.grant(&name).await?.map(|stored| stored.grant);
                json!({
                    "kind": "business",
                    "is_held": stored.as_ref().is_some_and(|grant| grant.sealed.is_some()),
                    "expires_at": stored.as_ref().and_then(|grant| grant.expires_at).map(model::EpochMillis::to_utc_text),
                    "refused": stored.and_then(|grant| grant.refused),
                })
            }
        };
        let installed = account.installed.as_ref().map(|i| json!({"phase": i.phase, "since": i.since.to_utc_text()}));
        Ok(Ok(json!({
            "account": id, "app": account.app(), "business_uid": settings.business_uid,
            "channel": channel, "activation": installed, "grant": grant,
        })))
    }

    /// Ends the connection here; `vcita-upkeep` removes the channel and the tokens at vcita within a minute or two.
    async fn disconnect(&self, id: &AccountId) -> Result<Done, AppError> {
        for _ in 0..RACES {
            let directory = self.store.directory().await?;
            let Some(account) = directory.accounts.get(id).filter(|account| account.id.platform() == Platform::Vcita) else {
                return Ok(Err(refused("unknown", format_args!("{id} is not a configured account of vcita"))));
            };
            let before = account.installed.as_ref();
            if before.is_some_and(|installed| installed.phase.is_over()) {
                return Ok(Ok(json!({"disconnected": id, "is_new": false})));
            }
            let (channel, now) = (account.installation(), self.clock.now());
            let closing = Installed { id: channel.map(str::to_owned), phase: InstallPhase::Closing, since: now };
            if self.store.replace_installed(id, before, Some(&closing)).await? == Saved::Yes {
                if let Some(channel) = channel {
                    self.store.note_installation(id, channel, RemoteStatus::Deleted, now, None).await?;
                }
                return Ok(Ok(json!({"disconnected": id, "is_new": true})));
            }
        }
        Err(AppError::Unavailable(PortError::Busy))
    }
}
