//! `POST ~/api/Chat/Sentence?After=`: the visitor says something (8.2, 5.2).

use app::AppError;
use app::chats::VisitorAct;
use chat::{Draft, Refusal, SentenceId, SentenceKind};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use website::body::{FieldError, read_sentence};
use website::models::{ResultModel, SentencePost};
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::changed;
use crate::problem::Problem;

const ROUTE: Route = Route { is_write: true, path: &["api", "Chat", "Sentence"], run };

/// Serves a sentence. What it answers is its echo, and what else is new.
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let after = call.after()?.unwrap_or_default();
        let SentencePost { id, text, party_name, location: _ } = read_sentence(&call.request.body)?;
        let id = id.unwrap_or_else(|| call.fresh_id().to_string());
        let draft = call.draft(id, SentenceKind::Text, text, party_name.filter(|name| !name.is_empty()))?;
        let mut handled = call.happen(VisitorAct::Speaks(draft.clone())).await?;
        if handled.refusal == Some(Refusal::UnknownChat) {
            // The first sentence begins the chat that nobody started (8.2).
            changed(call.start(ResultModel::default(), None).await?)?;
            handled = call.happen(VisitorAct::Speaks(draft)).await?;
        }
        call.answer(handled, after).await
    }
    .boxed()
}

impl Call<'_> {
    /// What the visitor says.
    pub(crate) fn draft(&self, id: String, kind: SentenceKind, text: String, name: Option<String>) -> Result<Draft, Problem> {
        let id = SentenceId::try_from(id).map_err(|_| FieldError::new("ID", "is not 1 to 64 characters"))?;
        // When it was sent is for the server to say: a visitor's clock may be anything.
        Ok(Draft::new(id, kind, text, name, None).map_err(|_| FieldError::new("Text", "is empty or too long"))?)
    }
}
