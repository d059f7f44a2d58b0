//! Files that users hand in (section 11, "File upload").

use serde::{Deserialize, Serialize};

use crate::settings::{ConfigProblem, problem};

/// The most that a brand may allow, in bytes.
const LARGEST: u64 = largest();

/// Most files of one message or answer (section 11).
pub const MAX_FILES: usize = 5;

/// How much of a file is looked at.
pub const LOOKED_AT: u64 = 65_536;

/// What kinds of files are taken (section 11). Neither SVG nor HTML, which can carry scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A PNG picture.
    Png,
    /// A JPEG picture.
    Jpeg,
    /// A WebP picture.
    Webp,
    /// A PDF document.
    Pdf,
    /// Plain text in UTF-8.
    Txt,
}

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Png, Self::Jpeg, Self::Webp, Self::Pdf, Self::Txt];

    /// Its media type, as it is stored and served.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Txt => "text/plain",
        }
    }

    /// The kind of a media type, parameters left aside.
    #[must_use]
    pub fn of_media_type(text: &str) -> Option<Self> {
        let bare = text.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|kind| kind.media_type().eq_ignore_ascii_case(bare))
    }

    /// What the beginning of a file shows it to be, whatever it is called. `is_whole` is whether that is all of it. `None` for
    /// anything that is not taken, text that looks like a document of a browser included.
    #[must_use]
    pub fn sniffed(beginning: &[u8], is_whole: bool) -> Option<Self> {
        if beginning.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Some(Self::Png);
        }
        if beginning.starts_with(b"\xff\xd8\xff") {
            return Some(Self::Jpeg);
        }
        if beginning.starts_with(b"RIFF") && beginning.get(8..12) == Some(b"WEBP") {
            return Some(Self::Webp);
        }
        if beginning.starts_with(b"%PDF-") {
            return Some(Self::Pdf);
        }
        let text = match std::str::from_utf8(beginning) {
            Ok(text) => text,
            // A character may have been cut in two.
            Err(error) if !is_whole && error.error_len().is_none() => {
                std::str::from_utf8(beginning.get(..error.valid_up_to())?).ok()?
            }
            Err(_) => return None,
        };
        let is_plain = |char: char| !char.is_control() || matches!(char, '\t' | '\n' | '\r');
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // What a browser that guesses would run. `<` before a letter, `!`, `?` or `/` begins a tag.
        let is_tag =
            |pair: &[u8]| matches!(pair, [b'<', next] if next.is_ascii_alphabetic() || matches!(next, b'!' | b'?' | b'/'));
        let is_markup = text.as_bytes().windows(2).any(is_tag);
        (!text.is_empty() && text.chars().all(is_plain) && !is_markup).then_some(Self::Txt)
    }
}

/// How files are looked at beyond their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scan {
    /// They are not.
    #[default]
    None,
    /// The team's scanner tags each object `scan=clean`, or otherwise: until then it is not served.
    Tag,
}

/// The settings `uploads`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    /// The largest file, in bytes.
    #[serde(default = "largest")]
    pub max_bytes: u64,
    /// The kinds that are taken; all of them if it is not said.
    pub types: Option<Vec<FileKind>>,
    /// How they are looked at.
    #[serde(default)]
    pub scan: Scan,
}

const fn largest() -> u64 {
    10_485_760
}

impl Default for Uploads {
    fn default() -> Self {
        Self { max_bytes: LARGEST, types: None, scan: Scan::None }
    }
}

impl Uploads {
    pub(crate) fn check(&self) -> Result<(), ConfigProblem> {
        if !(1..=LARGEST).contains(&self.max_bytes) {
            return Err(problem(format!("uploads.max_bytes is not 1 to {LARGEST}")));
        }
        if self.types.as_ref().is_some_and(Vec::is_empty) {
            return Err(problem("uploads.types is empty"));
        }
        Ok(())
    }

    /// Whether files of this kind are taken.
    #[must_use]
    pub fn takes(&self, kind: FileKind) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&kind))
    }
}

/// The name of a file as it is kept and shown: its last part, without what means something to a file system or a header.
#[must_use]
pub fn file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_kept =
        |char: &char| !char.is_control() && !"\"<>:|?*;\u{202a}\u{202b}\u{202d}\u{202e}\u{2066}\u{2067}".contains(*char);
    let name: String = last.chars().filter(is_kept).take(120).collect();
    let name = name.trim().trim_start_matches('.').trim();
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn file_is_what_its_first_bytes_say() {
        for (beginning, kind) in [
            (&b"\x89PNG\r\n\x1a\n rest"[..], Some(FileKind::Png)),
            (b"\xff\xd8\xff\xe0", Some(FileKind::Jpeg)),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some(FileKind::Webp)),
            (b"RIFF\x10\0\0\0WAVEfmt ", None),
            (b"%PDF-1.7\n", Some(FileKind::Pdf)),
            (b"Dear all,\r\n\tI earn 5 < 6.\n", Some(FileKind::Txt)),
            ("Žluťoučký kůň".as_bytes(), Some(FileKind::Txt)),
            (b"\xef\xbb\xbfwith a mark", Some(FileKind::Txt)),
            (b"<!DOCTYPE html>", None),
            (b"words\n<script>alert(1)</script>", None),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", None),
            (b"<?xml version=\"1.0\"?>", None),
            (b"a\0b", None),
            (b"\x1b[31m", None),
            (b"caf\xe9", None),
            (b"MZ\x90\0", None),
            (b"PK\x03\x04", None),
            (b"", None),
        ] {
            assert_eq!(FileKind::sniffed(beginning, true), kind, "{:?}", String::from_utf8_lossy(beginning));
        }
    }

    #[test]
    fn character_may_be_cut_only_where_the_file_goes_on() {
        let cut = &"ž".as_bytes()[..1];
        assert_eq!(FileKind::sniffed(&[b"a", cut].concat(), false), Some(FileKind::Txt));
        assert_eq!(FileKind::sniffed(&[b"a", cut].concat(), true), None);
    }

    #[test]
    fn name_of_a_file_holds_no_path_and_no_trick() {
        for (given, name) in [
            ("passport.png", "passport.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ines\\id.pdf", "id.pdf"),
            ("a\"; filename=evil.exe", "a filename=evil.exe"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            (".htaccess", "htaccess"),
            ("a\r\nb.txt", "ab.txt"),
            ("   ", "file"),
        ] {
            assert_eq!(file_name(given), name, "{given:?}");
        }
        assert_eq!(file_name(&"x".repeat(300)).len(), 120);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn no_file_panics_and_text_never_begins_a_tag(bytes in prop::collection::vec(any::<u8>(), 0..60), is_whole: bool) {
            if FileKind::sniffed(&bytes, is_whole) == Some(FileKind::Txt) {
                let text = String::from_utf8_lossy(&bytes).to_lowercase();
                prop_assert!(!text.contains("<script") && !text.contains('\0'));
            }
        }
    }
}
