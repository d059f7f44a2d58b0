//! A1 `GET|HEAD /iadvize/panel` and `/iadvize/panel/assets/{file}`: the page in the Desk (sections 9.1 to 9.3).
//!
//! The token is looked at, and the page is the same for everybody whose token is good: it holds nothing about anybody. What it
//! shows it asks for itself, with tokens of its own.

use std::collections::{BTreeSet, HashMap};

use app::AppError;
use http::header::{ACCEPT_LANGUAGE, ALLOW};
use http::{HeaderValue, Method, StatusCode};
use pages::{filled, page};
use platform_iadvize::panel::{Panel, launch_token};
use wire::{RawRequest, Reply};

use super::agent::seated;
use super::assets;
use crate::{Ctx, Problem};

const PANEL: &str = include_str!("../../../../web/panel/panel.html");
const MESSAGE: &str = include_str!("../../../../web/panel/message.html");

/// What the page may load and who may embed it (section 9.2).
const POLICY: &str = include_str!("../../../../web/panel/policy.txt");

/// What a page that says why not may do: nothing. Agents see it where they see the panel; whose site it is about is not known, so that
/// of a list of the site's own they do not.
const NOTHING: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors https://sd.iadvize.com https://ha.iadvize.com";

/// Answers the page or a file of it.
///
/// # Errors
/// [`AppError`] when accounts cannot be read.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    let mut reply = answer(&ctx, &request).await?;
    if request.method == Method::HEAD {
        reply.body = bytes::Bytes::new();
    }
    Ok(reply)
}

async fn answer(ctx: &Ctx, request: &RawRequest) -> Result<Reply, AppError> {
    let words = Words::of(request);
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let reply = words.message(StatusCode::METHOD_NOT_ALLOWED, "NotOpen", "OpenFromDesk");
        return Ok(reply.with_header(ALLOW, HeaderValue::from_static("GET, HEAD")));
    }
    match request.segments()[..] {
        ["iadvize", "panel", "assets", name] => {
            Ok(assets::reply(request, name).unwrap_or_else(|| words.message(StatusCode::NOT_FOUND, "NotOpen", "OpenFromDesk")))
        }
        _ => match seated(ctx, launch_token(&request.query).as_deref()).await {
            Ok(seat) => Ok(words.panel(&seat.panels().collect::<Vec<_>>())),
            Err(Problem::Ours(error)) => Err(error),
            Err(_) => Ok(words.message(StatusCode::UNAUTHORIZED, "NotOpen", "OpenFromDesk")),
        },
    }
}

/// In which language a page speaks, until it knows that of the conversation.
struct Words {
    lang: &'static str,
    texts: HashMap<String, String>,
}

impl Words {
    fn of(request: &RawRequest) -> Self {
        let file = assets::words(request.header(ACCEPT_LANGUAGE.as_str()));
        // The catalogues are ours, and a test reads them all.
        Self { lang: file.stem(), texts: serde_json::from_str(file.plain).unwrap_or_default() }
    }

    fn say(&self, key: &'static str) -> &str {
        self.texts.get(key).map_or(key, String::as_str)
    }

    /// The page for these panels: several sites of one connector have one address.
    fn panel(&self, panels: &[&Panel]) -> Reply {
        let [script, style] = panels.first().map(|panel| panel.library_files()).unwrap_or_default();
        let library = panels.first().map(|panel| panel.library_origin()).unwrap_or_default();
        let listed = |origins: fn(&Panel) -> &[String]| {
            let mut seen = BTreeSet::new();
            let all = panels.iter().flat_map(|panel| origins(panel)).filter(|origin| seen.insert(*origin));
            all.map(|origin| format!(" {origin}")).collect::<String>()
        };
        let (media, desks) = (listed(|panel| &panel.media_origins), listed(|panel| &panel.desk_origins));
        let policy = POLICY.trim_end().replace("{{library}}", &library).replace("{{media}}", &media).replace("{{desks}}", &desks);
        let values = [
            ("library", script.as_str()),
            ("libraryStyle", &style),
            ("script", &assets::address(&assets::SCRIPT)),
            ("catalogues", &assets::catalogues()),
            ("media", media.trim_start()),
            ("loading", self.say("Loading")),
            ("noScript", self.say("NoScript")),
            ("title", self.say("Title")),
        ];
        self.reply(StatusCode::OK, &policy, PANEL, &values)
    }

    fn message(&self, status: StatusCode, heading: &'static str, text: &'static str) -> Reply {
        self.reply(status, NOTHING, MESSAGE, &[("heading", self.say(heading)), ("text", self.say(text))])
    }

    fn reply(&self, status: StatusCode, policy: &str, template: &str, values: &[(&str, &str)]) -> Reply {
        let style = assets::address(&assets::STYLE);
        let own = [("lang", self.lang), ("style", style.as_str())];
        page(status, policy, filled(template, &own.into_iter().chain(values.iter().copied()).collect()))
    }
}
