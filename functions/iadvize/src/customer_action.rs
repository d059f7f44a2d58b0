//! C2 `POST /iadvize/customer/action`: what an agent clicked on a customer's card (section 7.2).

use std::sync::Arc;
use std::time::Duration;

use app::AppError;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use model::EpochMillis;
use platform_iadvize::{CardAction, Case, Does};
use ports::{PortError, RecordKey, Records, Saved, Sender, Sleeper};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::signature::of_our_call;
use wire::{HttpCall, RawRequest, Reply};

use crate::call::Methods;
use crate::customer::case_key;
use crate::problem::{answer, answered};
use crate::visitors::{Names, change, group, opened, person_group, visitor_key};
use crate::{Ctx, Found, Problem, verify};

/// Within this time the same click is the same one (section 7.2).
const SAME_CLICK: Duration = Duration::from_secs(30);

/// How often something is tried again after somebody else was first.
const RACES: usize = 8;

/// How long the tenant's own system may take: below the five seconds of a plugin endpoint (section 3.4).
const TIMEOUT: Duration = Duration::from_secs(4);

/// A second click waits for what comes of the first: so often, so long.
const WAITS: (usize, Duration) = (20, Duration::from_millis(200));

/// Longest member of the body, in bytes.
const MAX_TEXT: usize = 512;

/// What the route needs.
#[derive(Clone)]
pub struct ActionCtx {
    /// Sites and the time.
    pub base: Ctx,
    /// Visitors, clicks and cases.
    pub records: Arc<dyn Records>,
    /// What calls the tenant's own system.
    pub sender: Arc<dyn Sender>,
    /// Lets time pass.
    pub sleeper: Arc<dyn Sleeper>,
    /// How long cases are kept.
    pub kept: Duration,
}

/// The body as iAdvize sends it; everything but the action may be missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    action: Option<String>,
    id_website: Option<String>,
    id_visitor_unique: Option<String>,
    id_conversation: Option<String>,
    id_operator: Option<String>,
}

/// What the agent is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Outcome {
    success: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// A click as it is remembered.
#[derive(Serialize, Deserialize)]
struct Click {
    at: EpochMillis,
    /// `None` while it is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

/// Does what was clicked, once for all clicks within 30 seconds, and answers with what came of it.
///
/// # Errors
/// [`AppError`] when it is not known to be stored.
pub async fn handle(ctx: ActionCtx, request: RawRequest) -> Result<Reply, AppError> {
    answered(run(&ctx, request).await)
}

async fn run(ctx: &ActionCtx, request: RawRequest) -> Result<Reply, Problem> {
    let call = verify(&ctx.base, request, Methods(&[Method::POST], "POST")).await?;
    // serde's own text could repeat what it met.
    let body: Body = serde_json::from_slice(&call.request().body).map_err(|_| Problem::invalid("body", "is no such object"))?;
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let code = text(&body.action).ok_or(Problem::invalid("action", "is missing"))?;
    let found = call.site(text(&body.id_website).as_deref())?;
    let all = [&body.action, &body.id_visitor_unique, &body.id_conversation, &body.id_operator];
    if all.into_iter().flatten().any(|text| text.len() > MAX_TEXT) {
        return Err(Problem::invalid("body", "has a member that is too long"));
    }
    let click = Clicked {
        ctx,
        found,
        code: &code,
        unique: text(&body.id_visitor_unique),
        conversation: text(&body.id_conversation),
        operator: text(&body.id_operator),
    };
    let outcome = match found.site.customer.action(&code) {
        None => click.failed(Said::Unknown),
        Some(action) => click.once(action).await?,
    };
    Ok(answer(StatusCode::OK, &outcome))
}

/// What an agent is told beside what is configured.
#[derive(Clone, Copy)]
enum Said {
    Unknown,
    Nobody,
    Done,
    Failed,
    UnderWay,
}

struct Clicked<'a> {
    ctx: &'a ActionCtx,
    found: &'a Found,
    code: &'a str,
    unique: Option<String>,
    conversation: Option<String>,
    operator: Option<String>,
}

impl Clicked<'_> {
    /// No locale is sent here: the site's language (section 7.2).
    fn words(&self, said: Said) -> String {
        let [en, de, es, fr] = match said {
            Said::Unknown => [
                "This action is not available.",
                "Diese Aktion gibt es nicht.",
                "Esta acción no está disponible.",
                "Cette action n'est pas disponible.",
            ],
            Said::Nobody => [
                "This visitor is not known.",
                "Dieser Besucher ist nicht bekannt.",
                "No se conoce a este visitante.",
                "Ce visiteur n'est pas connu.",
            ],
            Said::Done => ["Done.", "Erledigt.", "Hecho.", "C'est fait."],
            Said::Failed => [
                "This did not work. Please try again.",
                "Das hat nicht geklappt. Bitte noch einmal versuchen.",
                "No ha funcionado. Inténtelo de nuevo.",
                "Cela n'a pas fonctionné. Veuillez réessayer.",
            ],
            Said::UnderWay => {
                ["This is still under way.", "Das ist noch in Arbeit.", "Aún está en curso.", "C'est encore en cours."]
            }
        };
        match self.found.site.default_lang.as_str() {
            "de" => de,
            "es" => es,
            "fr" => fr,
            _ => en,
        }
        .to_owned()
    }

    fn failed(&self, said: Said) -> Outcome {
        Outcome { success: false, message: Some(self.words(said)) }
    }

    fn done(&self, action: &CardAction, number: Option<u64>) -> Outcome {
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        let configured = action.done(&self.found.site.default_lang).map(|text| text.replace("{number}", &number));
        Outcome { success: true, message: Some(configured.unwrap_or_else(|| self.words(Said::Done))) }
    }

    fn key(&self) -> RecordKey {
        let [conversation, unique] = [&self.conversation, &self.unique].map(|text| text.as_deref().unwrap_or_default());
        let group = group(&self.found.account, "click", &format!("{conversation}\n{}\n{unique}", self.code));
        RecordKey { account: self.found.account.id.clone(), group, kind: "click", id: String::new() }
    }

    /// Does it, unless the same was clicked a moment ago: then what came of that.
    async fn once(&self, action: &CardAction) -> Result<Outcome, Problem> {
        let Some(unique) = &self.unique else { return Ok(self.failed(Said::Nobody)) };
        let visitor = self.ctx.records.record(&visitor_key(&self.found.account, unique)).await?;
        let Some(names) = opened::<Names>(visitor, self.ctx.base.clock.now())?.0 else { return Ok(self.failed(Said::Nobody)) };
        let (key, (mut waits, pause)) = (self.key(), WAITS);
        let mut races = RACES;
        loop {
            let now = self.ctx.base.clock.now();
            let (click, rev) = opened::<Click>(self.ctx.records.record(&key).await?, now)?;
            match click.filter(|click| now.since(click.at) < SAME_CLICK) {
                Some(Click { outcome: Some(outcome), .. }) => return Ok(outcome),
                Some(_) if waits == 0 => return Ok(self.failed(Said::UnderWay)),
                Some(_) => {
                    waits -= 1;
                    self.ctx.sleeper.sleep(pause).await;
                    continue;
                }
                None => {}
            }
            let outcome = match action.does {
                Does::Case | Does::CallBack => self.open_case(action, &names, &key, rev, now).await?,
                Does::Webhook => self.tell(action, &names, &key, rev, now).await?,
            };
            match outcome {
                Some(outcome) => return Ok(outcome),
                None if races == 0 => return Err(AppError::Unavailable(PortError::Busy).into()),
                None => races -= 1,
            }
        }
    }

    /// Opens a case with the next number, in one transaction with the click. `None` if somebody else was first.
    async fn open_case(
        &self,
        action: &CardAction,
        names: &Names,
        key: &RecordKey,
        rev: u64,
        now: EpochMillis,
    ) -> Result<Option<Outcome>, Problem> {
        let (account, end) = (&self.found.account, now.plus(self.ctx.kept));
        let last = RecordKey { account: account.id.clone(), group: "cases".to_owned(), kind: "counter", id: String::new() };
        let stored = self.ctx.records.record(&last).await?;
        // It never ends: a number is given once.
        let (number, last_rev) = opened::<u64>(stored, now)?;
        let number = number.unwrap_or_default() + 1;
        let outcome = self.done(action, Some(number));
        let case = Case { number, code: self.code.to_owned(), at: now };
        let group = person_group(account, names, self.unique.as_deref()).ok_or(AppError::Internal("a visitor without a name"))?;
        let click = Click { at: now, outcome: Some(outcome.clone()) };
        let mut counted = change(last, last_rev, &number, end)?;
        counted.ends_at = None;
        let changes = [
            change(key.clone(), rev, &click, now.plus(SAME_CLICK))?,
            change(case_key(self.found, group, number, now), 0, &case, end)?,
            counted,
        ];
        Ok((self.ctx.records.keep_records(&changes).await? == Saved::Yes).then_some(outcome))
    }

    /// Tells the tenant's own system. `None` if somebody else does.
    async fn tell(
        &self,
        action: &CardAction,
        names: &Names,
        key: &RecordKey,
        rev: u64,
        now: EpochMillis,
    ) -> Result<Option<Outcome>, Problem> {
        let under_way = change(key.clone(), rev, &Click { at: now, outcome: None }, now.plus(SAME_CLICK))?;
        if self.ctx.records.keep_records(&[under_way]).await? == Saved::Conflict {
            return Ok(None);
        }
        let outcome = match self.call(action, names, key, now) {
            Some(call) => match self.ctx.sender.send(call).await {
                Ok(answer) if answer.status.is_success() => self.told(action, &answer.body),
                Ok(answer) => {
                    tracing::warn!(account.id = %self.found.account.id, "a customer's action was answered {}", answer.status.as_u16());
                    self.failed(Said::Failed)
                }
                Err(failure) => {
                    tracing::warn!(account.id = %self.found.account.id, "a customer's action was not told: {failure}");
                    self.failed(Said::Failed)
                }
            },
            None => {
                tracing::error!(account.id = %self.found.account.id, "the secret webhook_secret is missing");
                self.failed(Said::Failed)
            }
        };
        let click = Click { at: now, outcome: Some(outcome.clone()) };
        // Nobody else changes it while it is under way, but one who came half a minute later.
        self.ctx.records.keep_records(&[change(key.clone(), rev + 1, &click, now.plus(SAME_CLICK))?]).await?;
        Ok(Some(outcome))
    }

    fn call(&self, action: &CardAction, names: &Names, key: &RecordKey, now: EpochMillis) -> Option<HttpCall> {
        let secret = self.found.secrets.webhook()?;
        let body = json!({
            "event": "customer.action", "account": self.found.account.id, "action": self.code, "at": now.to_utc_text(),
            "idWebsite": self.found.site.website.to_string(), "idConversation": self.conversation, "idOperator": self.operator,
            "idVisitorUnique": self.unique, "idVisitorExternal": names.external_id, "emailVisitor": names.email,
        })
        .to_string();
        let time = now.seconds().to_string();
        let text = |text: &str| HeaderValue::from_str(text).ok();
        let json = HeaderValue::from_static("application/json");
        let headers: HeaderMap = [
            (CONTENT_TYPE, json.clone()),
            (ACCEPT, json),
            (HeaderName::from_static("x-deskbridge-timestamp"), text(&time)?),
            (
                HeaderName::from_static("x-deskbridge-signature"),
                text(&format!("v1={}", of_our_call(secret.expose(), &time, &body)))?,
            ),
            (HeaderName::from_static("idempotency-key"), text(&key.group)?),
        ]
        .into_iter()
        .collect();
        Some(HttpCall { method: Method::POST, url: action.url()?, headers, body: body.into(), timeout: TIMEOUT })
    }

    /// What the tenant's system said came of it; that it took it at all is a success.
    fn told(&self, action: &CardAction, body: &[u8]) -> Outcome {
        let said: Option<Value> = serde_json::from_slice(body).ok();
        let said =
            said.as_ref().and_then(|said| Some((said.get("success")?.as_bool()?, said.get("message").and_then(Value::as_str))));
        match said {
            Some((success, Some(message))) => Outcome { success, message: Some(message.chars().take(MAX_TEXT).collect()) },
            Some((false, None)) => self.failed(Said::Failed),
            Some((true, None)) | None => self.done(action, None),
        }
    }
}
