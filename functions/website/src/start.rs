//! `POST ~/api/Chat/Start`: the visitor opens a chat (8.2).

use app::AppError;
use app::chats::{Enters, FilledForm, Handled, VisitorAct};
use chat::ChatVisitor;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use website::body::read_result;
use website::form::offered_rule;
use website::models::ResultModel;
use website::settings::WEB_CHAT;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: true, path: &["api", "Chat", "Start"], run };

/// Serves the start of a chat.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let result = read_result(&call.request.body)?;
        // Nothing to judge in a start that names neither rule nor form, as a first sentence may bring it about.
        let mut form = None;
        if result.web_site_routing_id.is_some() || result.scenario_id.is_some() || !result.values.is_empty() {
            let rule = offered_rule(&result, WEB_CHAT, &call.site.settings.rules)?;
            let returned = call.returned(&result, rule)?;
            form = returned.map(|returned| call.filled(&result, &returned.result)).transpose()?;
        }
        let handled = call.start(result, form).await?;
        call.answer(handled, 0).await
    }
    .boxed()
}

impl Call<'_> {
    /// `ES_CHAT_START` of a visitor of whom a page knows this, and who filled in this form.
    pub(crate) async fn start(&self, result: ResultModel, form: Option<FilledForm>) -> Result<Handled, Problem> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let visitor = ChatVisitor {
            party_name: given(result.party_name),
            user_token: given(result.user_token),
            culture: given(result.culture).or_else(|| self.language()),
            ..ChatVisitor::default()
        };
        let ext_response = given(result.ext_response);
        self.happen(VisitorAct::Start { visitor, ext_response, form, enters: Enters::None }).await
    }
}
