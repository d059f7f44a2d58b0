//! `GET /vcita/{app}/connect`: staff connect their business (section 8.1). Landing page and return address in one, because
//! vcita knows one `redirect_uri` of an app.

use std::sync::Arc;
use std::time::Duration;

use app::AppError;
use http::header::{ALLOW, LOCATION, SET_COOKIE};
use http::{HeaderValue, Method, StatusCode};
use lambda::Snapshot;
use model::{Account, AccountId, Directory, EpochMillis, InstallPhase, Installed, Platform, RemoteStatus};
use platform_vcita::{
    Credentials, Seals, Secrets, Settings, Tokens, Told, Visit, app_key, authorization_url, business_of, create_channel,
    created_channel, delete_channel, exchange_code, grant_name, granted, granted_business, revoke, who_is_it,
};
use ports::{Consent, ConsentEnd, Grant, Grants, PortError, Saved, Sender};
use wire::signature::sha256_hex;
use wire::{HttpCall, RawRequest, Reply, Secret};

use crate::page::{Page, closed, later};
use crate::{ChannelStore, Ctx};

/// How long a consent may take (section 11, row 6).
const CONSENT: Duration = Duration::from_secs(600);

/// After how long somebody who makes a channel is taken for dead: longer than this function runs.
const CLAIM: Duration = Duration::from_secs(60);

/// No channel is begun later than this after the request came: its answer may take 8 s, and the gateway waits 29 s.
const LAST_CALL: Duration = Duration::from_secs(18);

/// How often something is tried again that somebody else changed meanwhile.
const RACES: usize = 5;

/// What the browser is known by while it is away. `__Host-`: no other host can set it, and it is sent over https only.
const COOKIE: &str = "__Host-deskbridge-vcita";

/// What connecting needs, and what calls about channels need.
#[derive(Clone)]
pub struct ConnectCtx {
    /// Channels, accounts and secrets.
    pub base: Ctx<dyn ChannelStore>,
    /// Tokens.
    pub grants: Arc<dyn Grants>,
    /// Calls to vcita.
    pub sender: Arc<dyn Sender>,
}

/// The app that the path names, set up to be connected.
struct App {
    id: AccountId,
    settings: Settings,
    client_id: String,
    client_secret: Secret,
    seals: Seals,
    /// What is configured, as far as known.
    snapshot: Arc<Snapshot>,
}

/// The accounts of an app for a business.
fn of_business(directory: &Directory, app: &AccountId, business: &str) -> Vec<(Account, Settings)> {
    let accounts = directory.accounts_of(app);
    let accounts = accounts.filter_map(|account| Some((account.clone(), Settings::of(account).ok()?)));
    accounts.filter(|(_, settings)| settings.business_uid == business).collect()
}

/// What became of the channel of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Active,
    Waiting,
    /// Somebody else makes it at this moment.
    Busy,
    /// vcita refused to make it.
    Refused,
    /// vcita did not answer, or there was no time left to ask.
    Unanswered,
    /// The configured one was deleted.
    Deleted,
}

/// Sends staff to vcita, or takes what vcita sends back with them.
///
/// # Errors
/// [`AppError`] when a backing service is down or the app is not set up.
pub async fn handle(ctx: ConnectCtx, request: RawRequest) -> Result<Reply, AppError> {
    match request.method {
        Method::GET => {}
        // Asked by whoever wants to know whether the page is there; nothing is begun and nothing is spent.
        Method::HEAD => return Ok(closed(Reply::empty(StatusCode::OK))),
        _ => {
            let reply = Reply::empty(StatusCode::METHOD_NOT_ALLOWED);
            return Ok(closed(reply.with_header(ALLOW, HeaderValue::from_static("GET, HEAD"))));
        }
    }
    if is_ahead(&request) {
        // A browser that loads pages ahead throws such an answer away and asks again when somebody wants the page.
        return Ok(closed(Reply::empty(StatusCode::SERVICE_UNAVAILABLE)));
    }
    let app = ctx.app(&request).await?;
    match Visit::parse(&request.query) {
        None => Ok(problem(StatusCode::BAD_REQUEST, "This address is not complete", &["Open the app in vcita again."], None)),
        Some(Visit::Landing { business_uid, brand_host }) => {
            ctx.land(&app, &request, business_uid.as_deref(), brand_host.as_deref()).await
        }
        Some(Visit::Return { state, answer }) => ctx.come_back(&app, &request, &state, answer).await,
    }
}

/// What staff see when a request did not happen.
#[must_use]
pub fn render(error: &AppError, _request_id: &str) -> Reply {
    match error {
        AppError::Unauthenticated(_) | AppError::UnknownAccount(_) => {
            problem(StatusCode::NOT_FOUND, "There is no such app", &["Check the address."], None)
        }
        AppError::Unavailable(_) => {
            let says = ["Nothing was changed that would have to be undone. Open the app in vcita again in a minute."];
            later(problem(StatusCode::SERVICE_UNAVAILABLE, "This does not work at the moment", &says, None))
        }
        AppError::TooLarge { .. } | AppError::Internal(_) => {
            let says = ["This is not your fault. Please tell whoever runs this service for you; the reason is in the log."];
            problem(StatusCode::INTERNAL_SERVER_ERROR, "The app is not set up", &says, None)
        }
    }
}

/// Whether a browser loads the page before anybody wants it.
fn is_ahead(request: &RawRequest) -> bool {
    ["sec-purpose", "purpose", "x-moz"]
        .iter()
        .any(|name| request.header(name).is_some_and(|value| value.contains("prefetch") || value.contains("prerender")))
}

fn problem(status: StatusCode, title: &str, says: &[&str], again: Option<&str>) -> Reply {
    Page { status, title, says: says.iter().map(|text| (*text).to_owned()).collect(), again }.reply()
}

/// The word a browser was given, if it holds one of ours.
fn browser_of(request: &RawRequest) -> Option<&str> {
    let cookies = request.header("cookie")?.split(';');
    let value = cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == COOKIE)?.1;
    (value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit())).then_some(value)
}

impl ConnectCtx {
    fn now(&self) -> EpochMillis {
        self.base.base.clock.now()
    }

    /// Finds the app the path names.
    async fn app(&self, request: &RawRequest) -> Result<App, AppError> {
        let Some(key) = app_key(request).and_then(|key| key.parse().ok()) else {
            return Err(AppError::Unauthenticated("no account in the path"));
        };
        let id = AccountId::new(Platform::Vcita, key);
        let snapshot = self.base.roster.knowing(&id).await?;
        let Some((account, secrets)) = snapshot.account(&id).filter(|(account, _)| account.app() == id) else {
            return Err(AppError::UnknownAccount(id));
        };
        let secrets = Secrets::from_value(secrets).map_err(|_| AppError::Internal("secrets of an app cannot be read"))?;
        let settings = Settings::of(account).map_err(|_| AppError::Internal("settings of an app cannot be read"))?;
        let seals = secrets.seals().ok_or(AppError::Internal("the app has no token_keys among its secrets"))?;
        let Credentials::Service { client_id, client_secret } = secrets.credentials else {
            return Err(AppError::Internal("the app has a token instead of client_id and client_secret"));
        };
        if settings.redirect_uri.is_none() {
            return Err(AppError::Internal("the app has no redirect_uri among its settings"));
        }
        Ok(App { id, settings, client_id, client_secret, seals, snapshot })
    }

    /// The accounts of the app for a business. One that is not known may have been configured a moment ago.
    async fn of_business(&self, app: &App, business: &str) -> Result<Vec<(Account, Settings)>, AppError> {
        let known = of_business(&app.snapshot.directory, &app.id, business);
        if !known.is_empty() {
            return Ok(known);
        }
        Ok(of_business(&self.base.base.store.directory().await?, &app.id, business))
    }

    /// Section 8.1, steps 3 and 4.
    async fn land(
        &self,
        app: &App,
        request: &RawRequest,
        business: Option<&str>,
        brand_host: Option<&str>,
    ) -> Result<Reply, AppError> {
        let Some(business) = business else {
            let says = ["The address does not say for which business. Open the app in vcita."];
            return Ok(problem(StatusCode::BAD_REQUEST, "Which business?", &says, None));
        };
        if self.of_business(app, business).await?.is_empty() {
            return Ok(unknown_business());
        }
        let dice = &self.base.base.dice;
        // One word for all windows of a browser, so that two of them do not lock each other out.
        let browser = browser_of(request).map_or_else(|| dice.token(), str::to_owned);
        let state = format!("{}{}", dice.token(), dice.token());
        // 64 characters, of the 43 to 128 that a verifier has.
        let verifier = format!("{}{}", dice.token(), dice.token());
        let consent = Consent {
            business: business.to_owned(),
            verifier: verifier.clone(),
            browser: sha256_hex(browser.as_bytes()),
            valid_until: self.now().plus(CONSENT),
        };
        self.base.base.store.begin_consent(&app.id, &sha256_hex(state.as_bytes()), &consent).await?;
        let there = authorization_url(&app.settings, &app.client_id, &state, &verifier, brand_host);
        let there = there.and_then(|url| HeaderValue::from_str(url.as_str()).ok());
        let there = there.ok_or(AppError::Internal("no address of the authorization page can be made"))?;
        let cookie = format!("{COOKIE}={browser}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Lax", CONSENT.as_secs());
        let cookie = HeaderValue::from_str(&cookie).map_err(|_| AppError::Internal("a cookie cannot be written"))?;
        Ok(closed(Reply::empty(StatusCode::FOUND)).with_header(LOCATION, there).with_header(SET_COOKIE, cookie))
    }

    /// Section 8.1, steps 5 to 8 and 10.
    async fn come_back(
        &self,
        app: &App,
        request: &RawRequest,
        state: &str,
        answer: Result<String, String>,
    ) -> Result<Reply, AppError> {
        let last_call = self.now().plus(LAST_CALL);
        // A browser without our word is nobody's; the state stays for the one it belongs to.
        let browser = sha256_hex(browser_of(request).unwrap_or_default().as_bytes());
        let name = sha256_hex(state.as_bytes());
        let consent = match self.base.base.store.end_consent(&app.id, &name, &browser, self.now()).await? {
            ConsentEnd::Taken(consent) => consent,
            ConsentEnd::Unknown => {
                let says = ["It has been used before, or was never asked for. Open the app in vcita again."];
                return Ok(problem(StatusCode::BAD_REQUEST, "This answer of vcita does not count", &says, None));
            }
            ConsentEnd::Expired => {
                let says = ["More than ten minutes have passed. Open the app in vcita again."];
                return Ok(problem(StatusCode::BAD_REQUEST, "This took too long", &says, None));
            }
            ConsentEnd::OtherBrowser => {
                let says = [
                    "You have to come back with the browser in which you opened the app, and it has to keep cookies.",
                    "Open the app in vcita again.",
                ];
                return Ok(problem(StatusCode::BAD_REQUEST, "This is another browser", &says, None));
            }
        };
        let business = consent.business.as_str();
        let Ok(code) = answer else {
            let says = ["vcita did not give us permission, so nothing was connected."];
            return Ok(problem(StatusCode::FORBIDDEN, "Not connected", &says, Some(business)));
        };
        let call = exchange_code(&app.settings, &app.client_id, app.client_secret.expose(), &code, &consent.verifier);
        let body = match self.told(Some(call)).await {
            Told::Yes(body) => body,
            Told::No { status, .. } => {
                tracing::warn!(account.id = %app.id, status, "vcita refused an authorization code: {status}");
                let says =
                    ["vcita did not accept its own permission; it is valid for half a minute only. Nothing was connected."];
                return Ok(problem(StatusCode::BAD_GATEWAY, "Not connected", &says, Some(business)));
            }
            Told::Unknown(reason) => {
                tracing::warn!(account.id = %app.id, "an authorization code was not exchanged: {reason}");
                return Ok(unanswered(business));
            }
        };
        let Some(tokens) = granted(&body, self.now()) else {
            tracing::error!(account.id = %app.id, "vcita's token answer cannot be read");
            return Ok(unanswered(business));
        };
        let found = match granted_business(&body) {
            Some(found) => Some(found),
            None => match self.told(who_is_it(&app.settings, &tokens.access)).await {
                Told::Yes(body) => business_of(&body),
                Told::No { .. } | Told::Unknown(_) => None,
            },
        };
        let accounts = self.of_business(app, business).await?;
        if found.as_deref() != Some(business) || accounts.is_empty() {
            // A token for somebody whom we do not serve is not kept, not even there.
            let _best_effort = self.told(revoke(&app.settings, &tokens.access)).await;
            tracing::warn!(account.id = %app.id, is_named = found.is_some(), "the authorized business is not the one that began");
            return Ok(if found.is_none() { unanswered(business) } else { other_business() });
        }
        for (_, settings) in &accounts {
            self.keep(&grant_name(&settings.api_base, &app.client_id, Some(business)), &app.seals, &tokens).await?;
        }
        let mut channels = Vec::new();
        for (account, settings) in &accounts {
            let channel = self.channel(app, account, settings, &tokens, last_call).await?;
            tracing::info!(account.id = %account.id, "account {} connected: {channel:?}", account.id);
            channels.push((name_of(account, settings), channel));
        }
        Ok(result(business, &channels))
    }

    /// Makes a call and reads the answer.
    pub(crate) async fn told(&self, call: Option<HttpCall>) -> Told {
        match call {
            Some(call) => Told::of(self.sender.send(call).await, self.now()),
            None => Told::No { status: 401, detail: "the token cannot stand in a header".to_owned() },
        }
    }

    /// Stores tokens, whatever was stored before: these are the newest.
    async fn keep(&self, name: &str, seals: &Seals, tokens: &Tokens) -> Result<(), AppError> {
        let sealed = seals.seal(name, tokens).ok_or(AppError::Internal("tokens cannot be sealed"))?;
        let grant = Grant { sealed: Some(sealed), expires_at: tokens.expires_at, refused: None };
        for _ in 0..RACES {
            let rev = self.grants.grant(name).await?.map_or(0, |known| known.rev);
            if self.grants.keep_grant(name, rev, &grant).await? == Saved::Yes {
                return Ok(());
            }
        }
        Err(AppError::Unavailable(PortError::Busy))
    }

    /// The channel of an account: the one it has, or a new one (section 8.1, steps 8 and 10).
    async fn channel(
        &self,
        app: &App,
        account: &Account,
        settings: &Settings,
        tokens: &Tokens,
        last_call: EpochMillis,
    ) -> Result<Channel, AppError> {
        let store = &self.base.base.store;
        for _ in 0..RACES {
            let now = self.now();
            let directory = store.directory().await?;
            let Some(known) = directory.accounts.get(&account.id) else { return Ok(Channel::Refused) };
            let is_over = known.installed.as_ref().is_some_and(|installed| installed.phase.is_over());
            if let Some(channel) = known.installation().filter(|_| !is_over || is_configured_one(known)) {
                return Ok(match store.installation(&account.id, channel, now).await? {
                    None if is_configured_one(known) => Channel::Active,
                    // Whoever made it died before they wrote down its status.
                    None => self.adopt(app, account, channel, RemoteStatus::Pending).await?,
                    Some(RemoteStatus::Active) => Channel::Active,
                    Some(RemoteStatus::Deleted) => Channel::Deleted,
                    Some(_) => Channel::Waiting,
                });
            }
            let before = known.installed.as_ref();
            if before.is_some_and(|installed| installed.phase == InstallPhase::Claimed && now.since(installed.since) < CLAIM) {
                return Ok(Channel::Busy);
            }
            if now > last_call {
                return Ok(Channel::Unanswered);
            }
            let claim = Installed { id: None, phase: InstallPhase::Claimed, since: now };
            if store.replace_installed(&account.id, before, Some(&claim)).await? == Saved::Yes {
                return self.make(app, account, settings, tokens, before, &claim).await;
            }
        }
        Ok(Channel::Busy)
    }

    /// V1, by the one who has the claim.
    async fn make(
        &self,
        app: &App,
        account: &Account,
        settings: &Settings,
        tokens: &Tokens,
        before: Option<&Installed>,
        claim: &Installed,
    ) -> Result<Channel, AppError> {
        let store = &self.base.base.store;
        let (uid, status) = match self.told(create_channel(settings, &tokens.access)).await {
            Told::Yes(body) => match created_channel(&body) {
                Some(made) => made,
                None => {
                    tracing::error!(account.id = %account.id, "vcita's answer to a new channel cannot be read");
                    return Ok(Channel::Unanswered);
                }
            },
            Told::No { status, .. } => {
                tracing::error!(account.id = %account.id, status, "vcita refused a channel: {status}");
                store.replace_installed(&account.id, Some(claim), before).await?;
                return Ok(Channel::Refused);
            }
            // It may have been made. The claim stays until nobody can be waiting for the answer any more.
            Told::Unknown(reason) => {
                tracing::warn!(account.id = %account.id, "no answer to a new channel: {reason}");
                return Ok(Channel::Unanswered);
            }
        };
        let uid = uid.as_str();
        let made = Installed { id: Some(uid.to_owned()), phase: InstallPhase::Pending, since: self.now() };
        if store.replace_installed(&account.id, Some(claim), Some(&made)).await? == Saved::Conflict {
            // The business was disconnected meanwhile.
            let _best_effort = self.told(delete_channel(settings, uid, &tokens.access)).await;
            return Ok(Channel::Busy);
        }
        self.adopt(app, account, uid, status).await
    }

    /// Notes the status of a channel that is the account's by now: what is heard from now on finds the account, and what was
    /// heard before is parked with the app.
    async fn adopt(&self, app: &App, account: &Account, uid: &str, status: RemoteStatus) -> Result<Channel, AppError> {
        let store = &self.base.base.store;
        let heard = store.installation(&app.id, uid, self.now()).await?;
        let status = store.adopt_installation(&account.id, uid, heard.unwrap_or(status), self.now()).await?;
        if status == RemoteStatus::Active {
            app::note_installation(&self.base.statuses(), &account.id, uid, status, true).await?;
        }
        Ok(if status == RemoteStatus::Active { Channel::Active } else { Channel::Waiting })
    }
}

/// Whether the account's channel is the one that is configured.
fn is_configured_one(account: &Account) -> bool {
    Account { installed: None, ..account.clone() }.installation().is_some()
}

fn name_of(account: &Account, settings: &Settings) -> String {
    settings.display_name.clone().unwrap_or_else(|| account.id.key().to_string())
}

fn unknown_business() -> Reply {
    let says =
        ["Nobody has told us yet that we work for this business, and nothing was stored. Please ask whoever runs this service."];
    problem(StatusCode::NOT_FOUND, "This business is not known here", &says, None)
}

fn other_business() -> Reply {
    let says = [
        "You began with one business and gave permission for another, so nothing was connected.",
        "Choose the right business in vcita and open the app there again.",
    ];
    problem(StatusCode::CONFLICT, "This is another business", &says, None)
}

fn unanswered(business: &str) -> Reply {
    let says = ["vcita did not answer as it should, so nothing was connected. Try again in a minute."];
    problem(StatusCode::BAD_GATEWAY, "Not connected", &says, Some(business))
}

/// The page at the end, about all channels of the business.
fn result(business: &str, channels: &[(String, Channel)]) -> Reply {
    let is = |channel: Channel| channels.iter().any(|(_, found)| *found == channel);
    let line = |(name, channel): &(String, Channel)| match channel {
        Channel::Active => format!("{name}: connected."),
        Channel::Waiting => format!("{name}: connected. vcita still has to activate the channel, which takes a minute or two."),
        Channel::Busy => format!("{name}: another window is connecting it at this moment."),
        Channel::Refused => {
            format!("{name}: vcita refused to create the channel. Please tell whoever runs this service for you.")
        }
        Channel::Unanswered => format!("{name}: vcita did not answer. Try again in two minutes."),
        Channel::Deleted => format!("{name}: its channel was deleted in vcita. Please tell whoever runs this service for you."),
    };
    let is_problem = is(Channel::Refused) || is(Channel::Unanswered) || is(Channel::Deleted);
    let (status, title) = if is_problem {
        (StatusCode::BAD_GATEWAY, "Not everything is connected")
    } else if is(Channel::Busy) {
        (StatusCode::CONFLICT, "Somebody else is connecting")
    } else if is(Channel::Waiting) {
        (StatusCode::OK, "Connected, waiting for activation")
    } else {
        (StatusCode::OK, "Connected")
    };
    let mut says: Vec<String> = channels.iter().map(line).collect();
    if status == StatusCode::OK {
        says.push("You can close this window.".to_owned());
    }
    Page { status, title, says, again: (status != StatusCode::OK).then_some(business) }.reply()
}
