//! `GET ~/api/Routing/{webapp}`: what a page is offered (8.1, 8.3).

use app::AppError;
use app::chats::ask_gate;
use chat::ChatVisitor;
use chat::gate::Signal as Gate;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, try_join};
use http::StatusCode;
use http::header::{ACCEPT_LANGUAGE, ORIGIN, REFERER, USER_AGENT};
use website::body::{FieldError, MAX_USER_TOKEN};
use website::form::ScenarioInfo;
use website::models::{ChatStatus, RoutingModel, Signal};
use website::routing::PageRequest;
use website::settings::WEB_CHAT;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::status;
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: false, path: &["api", "Routing", "*"], run };

/// Serves the first call of a page.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move { Ok(Reply::json(StatusCode::OK, &offer(call).await?)) }.boxed()
}

/// What the page is offered; nothing is null (11.28).
async fn offer(call: &Call<'_>) -> Result<Option<RoutingModel>, Problem> {
    let (user_token, page_url) = (call.query("UserToken"), call.query("PageUrl"));
    if user_token.as_deref().is_some_and(|token| token.encode_utf16().count() > MAX_USER_TOKEN) {
        return Err(FieldError::new("UserToken", "is too long").into());
    }
    let page = PageRequest {
        web_app: call.name,
        user_token: user_token.as_deref(),
        page_url: page_url.as_deref(),
        referer: call.header(REFERER),
        origin: call.header(ORIGIN),
        accept_language: call.header(ACCEPT_LANGUAGE),
        user_agent: call.header(USER_AGENT),
        client: call.client(),
    };
    let site = &call.site;
    let Some(matched) = site.rules()?.evaluate(&page, call.ctx.chats.clock.now()) else { return Ok(None) };
    if let Some(address) = matched.logged_page(&page) {
        let id = &site.account.id;
        tracing::info!(account.id = %id, page.url = %address, "a page of {id} is offered something: {address}");
    }
    let mut model = matched.routing_model();
    // The rule's language, else the browser's.
    let culture = matched.rule.literal_culture.clone().filter(|culture| !culture.is_empty()).or_else(|| call.language());
    let scenario = matched.rule.scenario_id.and_then(|id| site.settings.scenario(id, culture.as_deref()));
    model.scenario = scenario.map(ScenarioInfo::to_browser);
    if matched.rule.is_for(WEB_CHAT) {
        offer_chat(call, user_token, &mut model).await?;
    }
    if call.query("IncludeSettings").is_some_and(|wanted| wanted.eq_ignore_ascii_case("true")) {
        site.settings.include_settings(&matched, &mut model);
    }
    Ok(Some(model))
}

/// Whether a chat would be answered, and the one that runs: of no concern to other applications (8.3).
async fn offer_chat(call: &Call<'_>, user_token: Option<String>, model: &mut RoutingModel) -> Result<(), Problem> {
    let site = &call.site;
    let asker = ChatVisitor { user_token, culture: call.language(), ..ChatVisitor::default() };
    let signal = async { Ok(ask_gate(&call.ctx.chats, &site.account.id, &asker, None).await?) };
    let (signal, chat) = try_join(signal, call.current()).await?;
    model.signal = Some(match signal {
        Gate::Free => Signal::Free,
        Gate::Busy => Signal::Busy,
        Gate::Closed => Signal::Closed,
        Gate::Hidden => Signal::Hidden,
    });
    let now = call.ctx.chats.clock.now();
    if let Some(chat) = chat.filter(|chat| status(chat, now) != ChatStatus::Closed) {
        model.party_name.clone_from(&chat.visitor.party_name);
        model.chat_running = Some(call.model(&chat, 0).await?);
    }
    Ok(())
}
