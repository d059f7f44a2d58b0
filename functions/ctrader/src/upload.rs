//! `POST /inapp/api/upload`, `POST …/{id}/done`, `GET …/{id}`: files on their way to and from the bucket (section 11,
//! "File upload").
//!
//! Files never pass through a function: a browser posts them to the bucket with a form that allows one object of one size, and
//! fetches them from there as attachments, from another origin than the screens. Who hands a file in proves it by a session. To
//! fetch it, its id is proof enough: 122 random bits, which stand in the link that whoever answers the person gets. Operations on
//! the table: one or two reads, and a write for whatever changes.

use std::sync::Arc;
use std::time::Duration;

use app::AppError;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use objects_s3::Bucket;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use platform_ctrader::{FileKind, LOOKED_AT, Person, Scan, file_name, hashed};
use ports::{PortError, RecordChange, RecordKey, Saved, Sender};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::{HttpCall, RawRequest, Reply};

use crate::call::{Operation, body, change, ok, read, serve};
use crate::{Code, Ctx, Found, Problem, Visit, find_brand, visit};

/// How long a form can be used.
const FORM_LASTS: Duration = Duration::from_secs(300);

/// How long an address to fetch a file from can be used.
const ADDRESS_LASTS: Duration = Duration::from_secs(60);

/// How long it is remembered that a file was to come.
const EXPECTED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Bound on a look into the bucket.
const LOOK: Duration = Duration::from_secs(5);

/// What every object is stored as, so that no browser ever runs one.
const STORED_AS: &str = "application/octet-stream";

/// What the route needs.
pub struct UploadCtx {
    /// What every route needs.
    pub base: Ctx,
    /// Where the files are.
    pub bucket: Bucket,
    /// Looks into the bucket.
    pub sender: Arc<dyn Sender>,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// It is to come, or has not been looked at.
    Pending,
    /// It may be used.
    Clean,
    /// It is not what may be handed in. Nobody is given it.
    Quarantined,
}

/// A file as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Who hands it in.
    pub person: Person,
    /// Its name, without a path. A personal datum.
    pub name: String,
    /// What it was found to be.
    pub kind: Option<FileKind>,
    /// Its size in bytes.
    pub size: u64,
    /// How far it is.
    pub state: UploadState,
    /// Its key in the bucket, which nobody can guess.
    pub object: String,
}

impl Upload {
    fn key(found: &Found, id: &str) -> RecordKey {
        RecordKey { account: found.account.id.clone(), group: hashed(id), kind: "upload", id: String::new() }
    }

    /// A file of this brand, and the `rev` of its record. Ids that cannot be one are none.
    async fn of(ctx: &Ctx, found: &Found, id: &str) -> Result<Option<(Self, u64)>, Problem> {
        if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let (upload, rev) = read::<Self>(ctx, &Self::key(found, id)).await?;
        Ok(upload.map(|upload| (upload, rev)))
    }

    /// A file of this person, and the `rev` of its record.
    ///
    /// # Errors
    /// [`Problem::Ours`] when it cannot be read.
    pub async fn find(ctx: &Ctx, visit: &Visit, id: &str) -> Result<Option<(Self, u64)>, Problem> {
        let upload = Self::of(ctx, &visit.found, id).await?;
        Ok(upload.filter(|(upload, _)| upload.person == visit.session.person))
    }

    /// The file as it is named to screens and in results.
    #[must_use]
    pub fn shown(&self, id: &str) -> Value {
        json!({"id": id, "name": self.name, "size": self.size, "type": self.kind.map(FileKind::media_type)})
    }
}

/// Serves the route.
///
/// # Errors
/// None that are not answered.
pub async fn handle(ctx: Arc<UploadCtx>, request: RawRequest) -> Result<Reply, AppError> {
    let operations = [
        Operation { method: Method::POST, path: &["upload"], run: |ctx, request, _| begin(ctx, request).boxed() },
        Operation {
            method: Method::POST,
            path: &["upload", "*", "done"],
            run: |ctx, request, ids| done(ctx, request, ids).boxed(),
        },
        Operation { method: Method::GET, path: &["upload", "*"], run: |ctx, request, ids| fetch(ctx, request, ids).boxed() },
    ];
    serve(ctx, &operations, &request).await
}

#[derive(Deserialize)]
struct Announced {
    name: String,
    r#type: String,
    size: u64,
}

async fn begin(ctx: &UploadCtx, request: &RawRequest) -> Result<Reply, Problem> {
    let Announced { name, r#type, size } = body(request)?;
    let visit = visit(&ctx.base, request).await?;
    let rules = &visit.found.brand.uploads;
    if FileKind::of_media_type(&r#type).is_none_or(|kind| !rules.takes(kind)) {
        return Err(Problem::invalid("type"));
    }
    if size == 0 {
        return Err(Problem::invalid("size"));
    }
    if size > rules.max_bytes {
        return Err(Problem::refused(Code::TooLarge));
    }
    let (id, secret) = (ctx.base.dice.token(), ctx.base.dice.token());
    let object = format!("uploads/{}/{secret}", visit.found.account.id.key());
    let person = visit.session.person;
    let upload = Upload { person, name: file_name(&name), kind: None, size, state: UploadState::Pending, object };
    let now = ctx.base.clock.now();
    let kept = change(&ctx.base, Upload::key(&visit.found, &id), 0, &upload)?;
    let kept = RecordChange { ends_at: Some(now.plus(EXPECTED_FOR)), ..kept };
    if ctx.base.records.keep_records(&[kept]).await? == Saved::Conflict {
        return Err(AppError::Internal("an id that was drawn twice").into());
    }
    let form = ctx.bucket.form(&upload.object, STORED_AS, size, now, FORM_LASTS);
    let valid = FORM_LASTS.as_secs();
    Ok(ok(&json!({"id": id, "url": form.url, "fields": form.fields, "expiresIn": valid})))
}

fn named<'a>(ids: &[&'a str]) -> Result<&'a str, Problem> {
    ids.first().copied().ok_or(Problem::not_found())
}

async fn done(ctx: &UploadCtx, request: &RawRequest, ids: &[&str]) -> Result<Reply, Problem> {
    let id = named(ids)?;
    let visit = visit(&ctx.base, request).await?;
    let (mut upload, rev) = Upload::find(&ctx.base, &visit, id).await?.ok_or(Problem::not_found())?;
    if upload.state == UploadState::Pending {
        let rules = &visit.found.brand.uploads;
        let Looked { beginning, size } = ctx.look(&upload.object).await?;
        let is_whole = u64::try_from(beginning.len()).is_ok_and(|read| read == size);
        upload.kind = FileKind::sniffed(&beginning, is_whole).filter(|kind| rules.takes(*kind));
        let is_right = upload.kind.is_some() && size == upload.size && size <= rules.max_bytes;
        let is_clean = match rules.scan {
            _ if !is_right => false,
            Scan::None => true,
            Scan::Tag => ctx.is_tagged_clean(&upload.object).await?,
        };
        upload.state = if is_clean { UploadState::Clean } else { UploadState::Quarantined };
        let change = change(&ctx.base, Upload::key(&visit.found, id), rev, &upload)?;
        // Whoever was first has seen the same.
        let (Saved::Yes | Saved::Conflict) = ctx.base.records.keep_records(&[change]).await?;
        tracing::info!(account.id = %visit.found.account.id, "file {id} is {:?}", upload.state);
    }
    match upload.state {
        UploadState::Clean => Ok(ok(&upload.shown(id))),
        UploadState::Pending | UploadState::Quarantined => Err(Problem::invalid("file")),
    }
}

async fn fetch(ctx: &UploadCtx, request: &RawRequest, ids: &[&str]) -> Result<Reply, Problem> {
    let id = named(ids)?;
    let brand = find_brand(&ctx.base, request).await?;
    let found = Upload::of(&ctx.base, &brand, id).await?;
    let (upload, _) = found.filter(|(upload, _)| upload.state == UploadState::Clean).ok_or(Problem::not_found())?;
    let address = ctx.attachment(&upload).ok_or(AppError::Internal("an address that cannot be made"))?;
    let address = HeaderValue::from_str(&address).map_err(|_| AppError::Internal("an address that is no header"))?;
    Ok(Reply::empty(StatusCode::FOUND).with_header(LOCATION, address))
}

/// What was found in the bucket.
struct Looked {
    beginning: Bytes,
    size: u64,
}

impl UploadCtx {
    /// An address from which a file is fetched as an attachment of what it was found to be.
    #[must_use]
    pub fn attachment(&self, upload: &Upload) -> Option<String> {
        let name = utf8_percent_encode(&upload.name, NON_ALPHANUMERIC);
        let disposition = format!("attachment; filename*=UTF-8''{name}");
        let kind = upload.kind.map_or(STORED_AS, FileKind::media_type);
        let query = [("response-content-disposition", disposition.as_str()), ("response-content-type", kind)];
        let address = self.bucket.address(&upload.object, &query, self.base.clock.now(), ADDRESS_LASTS);
        address.map(|address| address.to_string())
    }

    async fn get(&self, object: &str, query: &[(&str, &str)], headers: HeaderMap) -> Result<wire::HttpAnswer, Problem> {
        let url = self.bucket.address(object, query, self.base.clock.now(), ADDRESS_LASTS);
        let url = url.ok_or(AppError::Internal("an address that cannot be made"))?;
        let call = HttpCall { method: Method::GET, url, headers, body: Bytes::new(), timeout: LOOK };
        // The address is a secret while it lasts: nothing of it may be told.
        self.sender.send(call).await.map_err(|failure| unavailable(&failure.to_string()))
    }

    /// The beginning of an object, and its size.
    async fn look(&self, object: &str) -> Result<Looked, Problem> {
        let range = HeaderValue::from_str(&format!("bytes=0-{}", LOOKED_AT - 1));
        let range = range.map_err(|_| AppError::Internal("a range that is no header"))?;
        let answer = self.get(object, &[], [(RANGE, range)].into_iter().collect()).await?;
        match answer.status {
            StatusCode::PARTIAL_CONTENT | StatusCode::OK => {
                // `bytes 0-65535/1234567`
                let total =
                    answer.headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok()?.rsplit_once('/')?.1.parse().ok());
                let size = total.or_else(|| u64::try_from(answer.body.len()).ok()).unwrap_or_default();
                Ok(Looked { beginning: answer.body, size })
            }
            // It has not come, or it is empty.
            StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE => Err(Problem::invalid("file")),
            status => Err(unavailable(&format!("answered {status}"))),
        }
    }

    /// What the team's scanner says of an object. While it says nothing, it is to be asked again.
    async fn is_tagged_clean(&self, object: &str) -> Result<bool, Problem> {
        let answer = self.get(object, &[("tagging", "")], HeaderMap::new()).await?;
        if answer.status != StatusCode::OK {
            return Err(unavailable(&format!("tagging answered {}", answer.status)));
        }
        let text = String::from_utf8_lossy(&answer.body);
        let tag = text.split("<Tag>").find(|tag| tag.contains("<Key>scan</Key>"));
        let tag = tag.ok_or(Problem::refused(Code::Unavailable))?;
        Ok(tag.contains("<Value>clean</Value>"))
    }
}

fn unavailable(why: &str) -> Problem {
    Problem::from(PortError::Unavailable(format!("s3: {why}")))
}
