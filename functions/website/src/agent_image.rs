//! `GET ~/api/AgentImage/{agentid}`: the picture of the agent in this visitor's chat (8.1). For anybody else's id, and for
//! none at all, there is a picture of nobody, so that ids cannot be probed.

use app::AppError;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use uuid::Uuid;
use website::image::{Size, asked_side, target_size};
use website::poll::is_not_modified;
use website::settings::Picture;
use wire::{RawRequest, Reply};

use crate::Ctx;
use crate::call::{Call, Route, serve};
use crate::conversation::attendant;
use crate::problem::Problem;
use crate::scaled::{scaled, size};

/// Head and shoulders in grey, 128 pixels wide and high.
const GENERIC: &[u8] = include_bytes!("generic.png");

const ROUTE: Route = Route { is_write: false, path: &["api", "AgentImage", "*"], run };

/// Serves a picture, in the size that is asked for (8.1).
///
/// # Errors
/// [`AppError`] where no web site is known.
pub async fn handle(ctx: Ctx, request: RawRequest) -> Result<Reply, AppError> {
    serve(&ctx, &ROUTE, &request).await
}

fn run<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let picture = own(call).await?;
        let (name, media_type, file) = match picture {
            Some((id, picture)) => (format!("{id}.{}", picture.bytes.len()), picture.media_type, picture.bytes.as_slice()),
            None => ("generic".to_owned(), "image/png", GENERIC),
        };
        let to = smaller(call, file);
        let tag = match to {
            Some(Size { width, height }) => format!("\"{name}.{width}x{height}\""),
            None => format!("\"{name}\""),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, tag);
        }
        if is_not_modified(call.header(IF_NONE_MATCH), &tag) {
            return Ok(Reply { headers, ..Reply::empty(StatusCode::NOT_MODIFIED) });
        }
        let body = to.and_then(|to| scaled(file, to)).unwrap_or_else(|| file.to_vec()).into();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Ok(Reply { status: StatusCode::OK, headers, body })
    }
    .boxed()
}

/// The size in which a picture is wanted, if that is not the one it has.
fn smaller(call: &Call<'_>, file: &[u8]) -> Option<Size> {
    let own = size(file)?;
    let wanted = target_size(own, asked_side(call.query("width").as_deref()), asked_side(call.query("height").as_deref()));
    (wanted != own).then_some(wanted)
}

/// The picture that is configured for the agent of this id, if that is the agent of the visitor's chat. A read only where
/// there is a picture.
async fn own<'a>(call: &'a Call<'_>) -> Result<Option<(Uuid, &'a Picture)>, Problem> {
    let configured = Uuid::try_parse(call.name).ok().and_then(|id| Some((id, call.site.settings.picture(id)?)));
    let Some((id, picture)) = configured else { return Ok(None) };
    let agent = call.current().await?.and_then(|chat| attendant(&chat).1);
    Ok((agent == Some(id)).then_some((id, picture)))
}
