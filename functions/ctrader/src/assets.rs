//! The files of the screens, by names that change with their content: whoever has one never asks for it again.

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use wire::{RawRequest, Reply};

/// A file.
pub(crate) struct File {
    /// Without the fingerprint.
    name: &'static str,
    media_type: &'static str,
    plain: &'static str,
    gzip: &'static [u8],
    tag: &'static str,
}

impl File {
    /// Where this version of it is.
    pub(crate) fn address(&self) -> String {
        let (stem, kind) = self.name.split_once('.').unwrap_or((self.name, ""));
        format!("/inapp/assets/{stem}.{}.{kind}", self.tag)
    }

    /// Its name without the ending: the word of a screen or language.
    pub(crate) fn stem(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(stem, _)| stem)
    }

    /// What stands in it.
    pub(crate) const fn text(&self) -> &'static str {
        self.plain
    }
}

macro_rules! file {
    ($folder:literal, $name:literal, $media_type:literal) => {
        File {
            name: $name,
            media_type: $media_type,
            plain: include_str!(concat!("../../../web/inapp/", $folder, $name)),
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
            tag: include_str!(concat!(env!("OUT_DIR"), "/", $name, ".tag")),
        }
    };
}

macro_rules! words {
    ($name:literal) => {
        file!("words/", $name, "application/json")
    };
}

/// Scripts of the screens, by the word of the screen, and their style.
static SCRIPTS: [File; 3] = [
    file!("", "action.js", "text/javascript; charset=utf-8"),
    file!("", "chat.js", "text/javascript; charset=utf-8"),
    file!("", "education.js", "text/javascript; charset=utf-8"),
];

static STYLE: File = file!("", "inapp.css", "text/css; charset=utf-8");

static WORDS: [File; 8] = [
    words!("en.json"),
    words!("ar.json"),
    words!("de.json"),
    words!("es.json"),
    words!("fr.json"),
    words!("ja.json"),
    words!("pt.json"),
    words!("zh.json"),
];

fn called<'a>(files: &'a [File], stem: &str) -> Option<&'a File> {
    files.iter().find(|file| file.stem() == stem)
}

/// The script of a screen.
pub(crate) fn script(screen: &str) -> Option<&'static File> {
    called(&SCRIPTS, screen)
}

/// The one style sheet.
pub(crate) fn style() -> &'static File {
    &STYLE
}

/// The catalogue of a language, English for one that has none.
pub(crate) fn words(lang: &str) -> &'static File {
    called(&WORDS, lang).unwrap_or(&WORDS[0])
}

/// Answers `/inapp/assets/{file}`.
pub(crate) fn reply(request: &RawRequest, name: &str) -> Option<Reply> {
    let (stem, rest) = name.split_once('.')?;
    let (tag, kind) = rest.split_once('.')?;
    let is_tag = tag.len() == 16 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let all = SCRIPTS.iter().chain([&STYLE]).chain(&WORDS);
    let is_named = |file: &&File| file.name.split_once('.') == Some((stem, kind));
    let file = all.into_iter().find(is_named).filter(|_| is_tag)?;
    // The page that a deployment has overtaken gets what there is, and nobody keeps it under that name.
    let caching = if tag == file.tag { "public, max-age=31536000, immutable" } else { "no-store" };
    let mut reply = Reply::empty(StatusCode::OK)
        .with_header(CONTENT_TYPE, HeaderValue::from_static(file.media_type))
        .with_header(CACHE_CONTROL, HeaderValue::from_static(caching))
        .with_header(VARY, HeaderValue::from_static("Accept-Encoding"))
        .with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with_header(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(crate::screen::HTTPS_ONLY));
    if request.takes_gzip() {
        reply = reply.with_header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        reply.body = file.gzip.into();
    } else {
        reply.body = file.plain.into();
    }
    Some(reply)
}
