//! `GET|HEAD /inapp/action|chat|education`, `/callback/success` and `/inapp/assets/{file}`: the pages that the app opens, and
//! those that say why not (sections 5 and 6.3).
//!
//! Opening a page spends nothing, so neither a preview nor a prefetch does: the token is looked at for its shape and no
//! more. Its script exchanges it (section 8.1, rows 3 and 4).

use std::collections::HashMap;

use app::AppError;
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use lambda::Config;
use pages::{File, filled, page};
use percent_encoding::percent_decode_str;
use platform_ctrader::Brand;
use wire::{RawRequest, Reply};

use crate::{Code, Ctx, Problem, assets, find_brand};

/// What a page may load and who may embed it (section 11, "Security summary").
const POLICY: &str = include_str!("../../../web/inapp/policy.txt");

const SCREEN: &str = include_str!("../../../web/inapp/screen.html");
const SUCCESS: &str = include_str!("../../../web/inapp/success.html");
const MESSAGE: &str = include_str!("../../../web/inapp/message.html");

/// The longest token, in bytes (section 7).
const LONGEST_TOKEN: usize = 2048;

/// By this parameter a script says that it has taken the token, so a reload is no opening without one (section 8.4).
const RESUME: &str = "resume";

/// Where an app sees that a screen is over, when there is no brand to ask.
const SUCCESS_PATH: &str = "/callback/success";

/// What the pages need.
#[derive(Clone)]
pub struct Screens {
    /// Where brands are known.
    pub ctx: Ctx,
    /// The origin to which files are uploaded, if it is not the pages' own.
    pub storage: Option<String>,
}

/// Connects, during INIT.
pub async fn connect(config: &Config) -> Screens {
    Screens { ctx: crate::connect(config).await, storage: crate::upload_bucket(config).origin() }
}

/// Answers a page or a file.
///
/// # Errors
/// None: what goes wrong is told on a page.
pub async fn handle(screens: Screens, request: RawRequest) -> Result<Reply, AppError> {
    let mut reply = answer(&screens.ctx, screens.storage.as_deref(), &request).await;
    if request.method == Method::HEAD {
        reply.body = bytes::Bytes::new();
    }
    Ok(reply)
}

async fn answer(ctx: &Ctx, storage: Option<&str>, request: &RawRequest) -> Reply {
    let query = Query::read(&request.query);
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let page = Page::of_nobody(&query);
        let reply = page.message(Code::MethodNotAllowed, &request.request_id);
        return reply.with_header(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    let segments = request.segments();
    if let ["inapp", "assets", name] = segments[..]
        && let Some(reply) = assets::reply(request, name)
    {
        return reply;
    }
    let brand = match find_brand(ctx, request).await {
        Ok(found) if !found.brand.disabled => found.brand,
        Ok(_) | Err(Problem::Refused(..) | Problem::Fields(_)) => {
            return Page::of_nobody(&query).message(Code::NotFound, &request.request_id);
        }
        Err(problem @ Problem::Ours(_)) => {
            // Logged, and its status is what the page has too.
            let status = problem.to_reply(&request.request_id).status;
            let code = if status == StatusCode::SERVICE_UNAVAILABLE { Code::Unavailable } else { Code::Internal };
            return Page::of_nobody(&query).message(code, &request.request_id);
        }
    };
    let page = Page::of(&brand, &query, storage);
    match segments[..] {
        ["callback", "success"] => page.success(),
        ["inapp", "education"] if !brand.education_enabled => page.message(Code::NotFound, &request.request_id),
        ["inapp", screen] => match (assets::script(screen), query.refusal()) {
            (None, _) => page.message(Code::NotFound, &request.request_id),
            (Some(_), Some(code)) => page.message(code, &request.request_id),
            (Some(script), None) => page.screen(screen, script),
        },
        _ => page.message(Code::NotFound, &request.request_id),
    }
}

/// What a page reads of its query itself. The rest is for its script.
struct Query {
    tokens: Vec<Option<String>>,
    is_resumed: bool,
    lang: Option<String>,
    theme: Option<String>,
}

impl Query {
    /// Percent-decoded once; a plus is a plus (section 7).
    fn read(raw: &str) -> Self {
        let mut query = Self { tokens: Vec::new(), is_resumed: false, lang: None, theme: None };
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value);
            match decoded(name).as_deref() {
                Some("token") => query.tokens.push(value),
                Some(RESUME) => query.is_resumed = true,
                Some("lang") => query.lang = query.lang.or(value),
                Some("theme") => query.theme = query.theme.or(value),
                _ => {}
            }
        }
        query
    }

    /// Why there can be no screen, if there cannot.
    fn refusal(&self) -> Option<Code> {
        match &self.tokens[..] {
            [] if self.is_resumed => None,
            [] => Some(Code::TokenMissing),
            [Some(token)] if token.is_empty() => Some(Code::TokenMissing),
            [Some(token)] if token.len() <= LONGEST_TOKEN && !token.contains(char::is_control) => None,
            [_] => Some(Code::TokenMalformed),
            _ => Some(Code::TokenDuplicate),
        }
    }
}

/// The text, if its escapes are whole and make UTF-8.
fn decoded(text: &str) -> Option<String> {
    let digits = |rest: &str| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    let is_whole = text.split('%').skip(1).all(digits);
    percent_decode_str(text).decode_utf8().ok().filter(|_| is_whole).map(std::borrow::Cow::into_owned)
}

/// In whose name, in which language and in which colours a page speaks.
struct Page<'a> {
    lang: &'static str,
    words: HashMap<String, String>,
    theme: &'static str,
    close: &'a str,
    policy: String,
}

impl<'a> Page<'a> {
    fn of(brand: &'a Brand, query: &Query, storage: Option<&str>) -> Self {
        let policy = policy(&brand.frame_ancestors, &brand.media_origins, storage);
        Self::new(brand.language(query.lang.as_deref()), query, brand.close_url.as_str(), policy)
    }

    /// A page of no brand: nobody may embed it.
    fn of_nobody(query: &Query) -> Self {
        let wished = query.lang.as_deref().and_then(|text| text.split(['-', '_']).next()).unwrap_or_default();
        Self::new(&wished.to_ascii_lowercase(), query, SUCCESS_PATH, policy(&[], &[], None))
    }

    fn new(lang: &str, query: &Query, close: &'a str, policy: String) -> Self {
        let file = assets::words(lang);
        let theme = match query.theme.as_deref() {
            Some("light") => "light",
            Some("dark") => "dark",
            _ => "system",
        };
        // The catalogues are ours, and a test reads them all.
        let words = serde_json::from_str(file.plain).unwrap_or_default();
        Self { lang: file.stem(), words, theme, close, policy }
    }

    fn say(&self, key: &'static str) -> &str {
        self.words.get(key).map_or(key, String::as_str)
    }

    fn screen(&self, screen: &str, script: &File) -> Reply {
        let title = match screen {
            "action" => "TitleAction",
            "chat" => "TitleChat",
            _ => "TitleEducation",
        };
        let words = assets::address(assets::words(self.lang));
        let values = [
            ("title", self.say(title)),
            ("words", &words),
            ("script", &assets::address(script)),
            ("screen", screen),
            ("back", self.say("Back")),
            ("loading", self.say("Loading")),
            ("noScript", self.say("NoScript")),
        ];
        self.reply(StatusCode::OK, SCREEN, &values)
    }

    fn success(&self) -> Reply {
        let values = [("heading", self.say("SuccessTitle")), ("text", self.say("SuccessText"))];
        self.reply(StatusCode::OK, SUCCESS, &values)
    }

    /// What a user is told for a code (section 6.3), with the id by which the log knows of it.
    fn message(&self, code: Code, request_id: &str) -> Reply {
        let (heading, text) = match code {
            Code::TokenMissing | Code::TokenMalformed | Code::TokenDuplicate => ("NotOpen", "OpenFromApp"),
            Code::NotFound | Code::MethodNotAllowed => ("NotOpen", "NotAvailable"),
            Code::SessionExpired | Code::TokenInvalid => ("NotOpen", "LinkExpired"),
            Code::IdentityBusy
            | Code::IdentityUnavailable
            | Code::IdentityTimeout
            | Code::Unavailable
            | Code::Internal
            | Code::Invalid
            | Code::Conflict
            | Code::NobodyThere
            | Code::TooLarge
            | Code::TooMany => ("NotNow", "TryAgainSoon"),
        };
        let reference = self.say("Reference").replace("{id}", request_id);
        let values = [("heading", self.say(heading)), ("text", self.say(text)), ("reference", &reference)];
        let reply = self.reply(code.status(), MESSAGE, &values);
        if code == Code::Unavailable { reply.with_header(RETRY_AFTER, HeaderValue::from_static("5")) } else { reply }
    }

    fn reply(&self, status: StatusCode, template: &str, values: &[(&str, &str)]) -> Reply {
        let style = assets::address(assets::style());
        let own = [
            ("lang", self.lang),
            ("dir", if self.lang == "ar" { "rtl" } else { "ltr" }),
            ("theme", self.theme),
            ("scheme", if self.theme == "system" { "light dark" } else { self.theme }),
            ("style", style.as_str()),
            ("close", self.close),
            ("closeLabel", self.say("Close")),
        ];
        let values: HashMap<&str, &str> = own.into_iter().chain(values.iter().copied()).collect();
        page(status, &self.policy, filled(template, &values))
    }
}

fn policy(ancestors: &[String], media: &[String], storage: Option<&str>) -> String {
    let listed = |origins: &[String]| origins.iter().map(|origin| format!(" {origin}")).collect::<String>();
    let ancestors = if ancestors.is_empty() { "'none'".to_owned() } else { ancestors.join(" ") };
    POLICY
        .trim_end()
        .replace("{{media}}", &listed(media))
        .replace("{{storage}}", &storage.map(|origin| format!(" {origin}")).unwrap_or_default())
        .replace("{{ancestors}}", &ancestors)
}
