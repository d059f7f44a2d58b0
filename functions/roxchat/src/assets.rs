//! The files of the host page, and its languages.

use pages::{File, called, file};
use wire::{RawRequest, Reply};

pub(crate) static SCRIPT: File = file!("roxchat.js", "text/javascript; charset=utf-8");

pub(crate) static STYLE: File = file!("roxchat.css", "text/css; charset=utf-8");

/// The catalogues of words.
static WORDS: [File; 6] = [
    file!("en.json", "application/json"),
    file!("ar.json", "application/json"),
    file!("de.json", "application/json"),
    file!("es.json", "application/json"),
    file!("fr.json", "application/json"),
    file!("pt.json", "application/json"),
];

/// The catalogue of the language that a browser would rather have, that of the account, or English.
pub(crate) fn words(accepted: Option<&str>, default: &str) -> &'static File {
    let wished = accepted.unwrap_or_default().split(',');
    let wished = wished.filter_map(|entry| entry.split([';', '-']).next()).map(|lang| lang.trim().to_ascii_lowercase());
    wished.chain([default.to_owned()]).find_map(|lang| called(&WORDS, &lang)).unwrap_or(&WORDS[0])
}

/// How a language is written.
pub(crate) fn direction(lang: &str) -> &'static str {
    if lang == "ar" { "rtl" } else { "ltr" }
}

/// Where the catalogues are, as the page finds them: `en=/... de=/...`.
pub(crate) fn catalogues(folder: &str) -> String {
    WORDS.iter().map(|file| format!("{}={}", file.stem(), file.address(folder))).collect::<Vec<_>>().join(" ")
}

/// Answers `/roxchat/{account}/{file}`.
pub(crate) fn reply(request: &RawRequest, name: &str) -> Option<Reply> {
    pages::serve(request, name, [&SCRIPT, &STYLE].into_iter().chain(&WORDS))
}
