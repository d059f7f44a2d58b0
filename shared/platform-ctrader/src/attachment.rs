//! Files that go with a message (section 11, "File upload").
//!
//! Whoever answers sees a message's text and nothing else, so each file is a line at the end of it, with a link. From these lines
//! the screen's own view of its messages has the files back: nothing else needs to be kept of them.

use serde::{Deserialize, Serialize};
use url::Url;

/// Where uploads are, below the brand's origin.
const PATH: &str = "inapp/api/upload/";

/// A file, as its upload's record describes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The upload.
    pub id: String,
    /// What the visitor calls it. Personal data.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its media type, as its content says.
    #[serde(rename = "type")]
    pub media_type: String,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment").field("id", &self.id).field("size", &self.size).finish_non_exhaustive()
    }
}

/// Whether it can be the id of an upload: it becomes a part of a link and of a key.
#[must_use]
pub fn is_upload_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A text with its attachments, as it is said. `origin` is the brand's.
#[must_use]
pub fn written(text: &str, attachments: &[Attachment], origin: &Url) -> String {
    let line = |Attachment { id, name, size, media_type }: &Attachment| {
        let name = name.replace(['\r', '\n'], " ");
        format!("{name} ({media_type}, {size} bytes): {origin}{PATH}{id}")
    };
    let text = Some(text.to_owned()).filter(|text| !text.is_empty());
    text.into_iter().chain(attachments.iter().map(line)).collect::<Vec<_>>().join("\n")
}

/// A text and its attachments, out of how it was said.
#[must_use]
pub fn read<'a>(said: &'a str, origin: &Url) -> (&'a str, Vec<Attachment>) {
    let mut rest = said;
    let mut found = Vec::new();
    while let Some(attachment) = file(rest.rsplit('\n').next().unwrap_or_default(), origin) {
        found.push(attachment);
        let Some((before, _)) = rest.rsplit_once('\n') else {
            rest = "";
            break;
        };
        rest = before;
    }
    found.reverse();
    (rest, found)
}

fn file(line: &str, origin: &Url) -> Option<Attachment> {
    let (described, link) = line.rsplit_once("): ")?;
    let id = link.strip_prefix(origin.as_str())?.strip_prefix(PATH).filter(|id| is_upload_id(id))?;
    let (name, details) = described.rsplit_once(" (")?;
    let (media_type, size) = details.strip_suffix(" bytes")?.split_once(", ")?;
    Some(Attachment { id: id.to_owned(), name: name.to_owned(), size: size.parse().ok()?, media_type: media_type.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Url {
        Url::parse("https://inapp.broker.example").unwrap()
    }

    fn receipt() -> Attachment {
        Attachment { id: "u-1".into(), name: "receipt (1): new.pdf".into(), size: 48_213, media_type: "application/pdf".into() }
    }

    #[test]
    fn file_is_a_line_with_a_link_and_is_read_back() {
        let other = Attachment { id: "u-2".into(), name: "b.png".into(), size: 7, media_type: "image/png".into() };
        let said = written("Here it is", &[receipt(), other.clone()], &origin());
        assert_eq!(
            said,
            "Here it is\nreceipt (1): new.pdf (application/pdf, 48213 bytes): https://inapp.broker.example/inapp/api/upload/u-1\n\
             b.png (image/png, 7 bytes): https://inapp.broker.example/inapp/api/upload/u-2"
        );
        assert_eq!(read(&said, &origin()), ("Here it is", vec![receipt(), other]));
        let alone = written("", &[receipt()], &origin());
        assert_eq!(read(&alone, &origin()), ("", vec![receipt()]));
    }

    #[test]
    fn name_of_several_lines_stays_on_one() {
        let named = Attachment { name: "a\r\nb".into(), ..receipt() };
        assert_eq!(read(&written("x", &[named], &origin()), &origin()).1[0].name, "a  b");
    }

    #[test]
    fn links_elsewhere_are_text() {
        for text in [
            "",
            "a\nb",
            "a (b, 1 bytes): https://evil.example/inapp/api/upload/u-1",
            "a (b, 1 bytes): https://inapp.broker.example/inapp/api/upload/../u-1",
            "a (b, 1 bytes): https://inapp.broker.example/inapp/api/upload/",
            "a: https://inapp.broker.example/inapp/api/upload/u-1",
            "a (b, x bytes): https://inapp.broker.example/inapp/api/upload/u-1",
        ] {
            assert_eq!(read(text, &origin()), (text, vec![]));
        }
    }

    #[test]
    fn upload_ids_are_letters_digits_and_dashes() {
        assert!(is_upload_id("0a-Z_9"));
        for wrong in ["", "a/b", "a.b", "ä", &"a".repeat(129)] {
            assert!(!is_upload_id(wrong), "{wrong}");
        }
    }
}
