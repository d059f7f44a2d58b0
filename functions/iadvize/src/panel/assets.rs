//! The files of the page.

use pages::{File, called, file};
use wire::{RawRequest, Reply};

/// Below which path they are.
const FOLDER: &str = "/iadvize/panel/assets/";

pub(crate) static SCRIPT: File = file!("panel.js", "text/javascript; charset=utf-8");

pub(crate) static STYLE: File = file!("panel.css", "text/css; charset=utf-8");

/// The catalogues; the first is for languages that have none.
static WORDS: [File; 4] = [
    file!("en.json", "application/json"),
    file!("de.json", "application/json"),
    file!("es.json", "application/json"),
    file!("fr.json", "application/json"),
];

/// Where this version of a file is.
pub(crate) fn address(file: &File) -> String {
    file.address(FOLDER)
}

/// The catalogue of the language that a browser would rather have.
pub(crate) fn words(accepted: Option<&str>) -> &'static File {
    let languages =
        accepted.unwrap_or_default().split(',').filter_map(|entry| platform_iadvize::language(entry.split(';').next()?.trim()));
    let found = languages.into_iter().find_map(|lang| called(&WORDS, &lang));
    found.unwrap_or(&WORDS[0])
}

/// Where the catalogues are, as the page finds them: `en=/... de=/...`.
pub(crate) fn catalogues() -> String {
    WORDS.iter().map(|file| format!("{}={}", file.stem(), address(file))).collect::<Vec<_>>().join(" ")
}

/// Answers `/iadvize/panel/assets/{file}`.
pub(crate) fn reply(request: &RawRequest, name: &str) -> Option<Reply> {
    pages::serve(request, name, [&SCRIPT, &STYLE].into_iter().chain(&WORDS))
}
