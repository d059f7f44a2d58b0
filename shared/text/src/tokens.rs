//! Walks over the tags and texts of HTML without building a tree: linear in the length of the input, whatever it is.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// One piece of HTML.
pub(crate) enum Piece<'a> {
    /// Text between tags, entities decoded.
    Text(&'a str),
    /// A start tag.
    Open(&'a Tag),
    /// The name of an end tag.
    Close(&'a str),
}

struct Sink<F>(RefCell<F>);

impl<F: FnMut(Piece<'_>)> TokenSink for Sink<F> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut visit = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => visit(Piece::Text(&text)),
            Token::TagToken(tag) => match tag.kind {
                TagKind::EndTag => visit(Piece::Close(&tag.name)),
                TagKind::StartTag => {
                    visit(Piece::Open(&tag));
                    // Within these a browser sees no tags, so neither may we.
                    match &*tag.name {
                        "script" => return TokenSinkResult::RawData(RawKind::ScriptData),
                        "style" | "iframe" | "xmp" | "noembed" | "noframes" => return TokenSinkResult::RawData(RawKind::Rawtext),
                        "title" | "textarea" => return TokenSinkResult::RawData(RawKind::Rcdata),
                        _ => {}
                    }
                }
            },
            Token::DoctypeToken(_)
            | Token::CommentToken(_)
            | Token::NullCharacterToken
            | Token::EOFToken
            | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

/// Calls `visit` for every piece of `html`, in order.
pub(crate) fn walk(html: &str, visit: impl FnMut(Piece<'_>)) {
    let tokenizer = Tokenizer::new(Sink(RefCell::new(visit)), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    // The only other result than "done" is a script to be run, which our sink never hands out.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
}
