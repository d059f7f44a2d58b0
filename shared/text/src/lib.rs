//! Text and HTML: clean it, turn one into the other, measure and cut it.
//!
//! Pure functions over strings, used by every platform's crate. This crate must not know a vendor's types, a store or a
//! network; where a contract words a rule of text (what HTML is harmless, what looks like HTML), the rule is here once
//! and names it. To add a conversion, add a function to the module of its noun and its hostile inputs to the tests.

mod fold;
mod html;
mod length;
mod pattern;
mod sanitise;
mod tokens;
mod words;

pub use fold::{Word, fold, words};
pub use html::{html_to_text, looks_like_html, plain, staff_text, text_to_html};
pub use length::{cut_utf16, split_message, split_scalars, utf16_len};
pub use pattern::Pattern;
pub use sanitise::sanitise_html;
pub use words::{Words, in_lang};
