//! Files of pages.

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use wire::{RawRequest, Reply};

use crate::HTTPS_ONLY;

/// A file. [`file!`](crate::file!) makes one.
pub struct File {
    /// Without the fingerprint.
    pub name: &'static str,
    /// Its type.
    pub media_type: &'static str,
    /// As it is.
    pub plain: &'static str,
    /// Compressed.
    pub gzip: &'static [u8],
    /// The fingerprint.
    pub tag: &'static str,
}

/// A file that the build script packed, by its name and type.
#[macro_export]
macro_rules! file {
    ($name:literal, $media_type:expr) => {
        $crate::File {
            name: $name,
            media_type: $media_type,
            plain: include_str!(concat!(env!("OUT_DIR"), "/", $name)),
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
            tag: include_str!(concat!(env!("OUT_DIR"), "/", $name, ".tag")),
        }
    };
}

impl File {
    /// Where this version of it is, below the path of its kind: `chat.<fingerprint>.js`.
    #[must_use]
    pub fn address(&self, folder: &str) -> String {
        let (stem, kind) = self.name.split_once('.').unwrap_or((self.name, ""));
        format!("{folder}{stem}.{}.{kind}", self.tag)
    }

    /// Its name without the ending: the word of a screen or language.
    #[must_use]
    pub fn stem(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(stem, _)| stem)
    }
}

/// The file of this stem.
#[must_use]
pub fn called<'a>(files: &'a [File], stem: &str) -> Option<&'a File> {
    files.iter().find(|file| file.stem() == stem)
}

/// Answers for the file that `name` names with any fingerprint; `None` if there is no such file.
#[must_use]
pub fn serve<'a>(request: &RawRequest, name: &str, files: impl IntoIterator<Item = &'a File>) -> Option<Reply> {
    let (stem, rest) = name.split_once('.')?;
    let (tag, kind) = rest.split_once('.')?;
    let is_tag = tag.len() == 16 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_named = |file: &&File| file.name.split_once('.') == Some((stem, kind));
    let file = files.into_iter().find(is_named).filter(|_| is_tag)?;
    // The page that a deployment has overtaken gets what there is, and nobody keeps it under that name.
    let caching = if tag == file.tag { "public, max-age=31536000, immutable" } else { "no-store" };
    let (https_only, year) = HTTPS_ONLY;
    let mut reply = Reply::empty(StatusCode::OK)
        .with_header(CONTENT_TYPE, HeaderValue::from_static(file.media_type))
        .with_header(CACHE_CONTROL, HeaderValue::from_static(caching))
        .with_header(VARY, HeaderValue::from_static("Accept-Encoding"))
        .with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with_header(https_only, year);
    if request.takes_gzip() {
        reply = reply.with_header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        reply.body = file.gzip.into();
    } else {
        reply.body = file.plain.into();
    }
    Some(reply)
}
