//! The files of the screens, by names that change with their content: whoever has one never asks for it again.

use pages::{File, called, file};
use wire::{RawRequest, Reply};

/// Below which path they are.
const FOLDER: &str = "/inapp/assets/";

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! words {
    ($name:literal) => {
        file!($name, "application/json")
    };
}

/// Scripts of the screens, by the word of the screen, and their style.
static SCRIPTS: [File; 3] = [file!("action.js", SCRIPT), file!("chat.js", SCRIPT), file!("education.js", SCRIPT)];

static STYLE: File = file!("inapp.css", "text/css; charset=utf-8");

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

/// Where this version of a file is.
pub(crate) fn address(file: &File) -> String {
    file.address(FOLDER)
}

/// Answers `/inapp/assets/{file}`.
pub(crate) fn reply(request: &RawRequest, name: &str) -> Option<Reply> {
    pages::serve(request, name, SCRIPTS.iter().chain([&STYLE]).chain(&WORDS))
}
