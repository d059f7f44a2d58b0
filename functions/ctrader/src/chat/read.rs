//! `GET /inapp/api/chat`: what is new; and `GET /inapp/api/chat/transcript`: all of it, as a text.

use std::fmt::Write as _;

use app::AppError;
use chat::{Direction, Sentence, SentenceKind};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use wire::{RawRequest, Reply};

use super::view::Asked;
use super::{Caller, ChatsCtx, finished};
use crate::{Code, Problem};

/// The most text, in bytes, of a transcript: a function's answer is 6 MB at most.
const TRANSCRIPT_TEXT: usize = 4_000_000;

/// Serves what a screen reads.
///
/// # Errors
/// None: what is wrong is answered.
pub async fn handle(ctx: ChatsCtx, request: RawRequest) -> Result<Reply, AppError> {
    Ok(finished(serve(&ctx, &request).await, &request, "GET, HEAD"))
}

fn serve<'a>(ctx: &'a ChatsCtx, request: &'a RawRequest) -> BoxFuture<'a, Result<Reply, Problem>> {
    async move {
        let is_transcript = match request.segments()[..] {
            ["inapp", "api", "chat"] => false,
            ["inapp", "api", "chat", "transcript"] => true,
            _ => return Err(Problem::not_found()),
        };
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Err(Problem::refused(Code::MethodNotAllowed));
        }
        let caller = Caller::of(ctx, request).await?;
        if is_transcript {
            return caller.transcript().await;
        }
        let asked = Asked::of(request)?.or_everything();
        let mut record = caller.current().await?;
        if record.as_ref().is_none_or(|record| record.chat.ended_at(ctx.chats.clock.now()).is_some())
            && caller.prepared().await?.is_some()
        {
            // What is over is nothing to somebody who was invited anew: their screen enters the chat that waits for them.
            record = None;
        }
        caller.told(record.as_ref(), &asked).await
    }
    .boxed()
}

impl Caller<'_> {
    async fn transcript(&self) -> Result<Reply, Problem> {
        let record = self.current().await?.ok_or(Problem::not_found())?;
        let (first, last) = record.chat.transcript().into_inner();
        let sentences =
            if first <= last { self.ctx.chats.chats.sentences(record.chat.id, first, last).await? } else { Vec::new() };
        let mut room = TRANSCRIPT_TEXT;
        let kept = sentences.iter().rev().take_while(|sentence| {
            let fits = sentence.text.len() <= room;
            room = room.saturating_sub(sentence.text.len());
            fits
        });
        let kept = kept.count();
        let mut text = String::new();
        for sentence in sentences.iter().skip(sentences.len() - kept) {
            write_line(&mut text, sentence);
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"chat.txt\""));
        Ok(Reply { status: StatusCode::OK, headers, body: text.into() })
    }
}

/// A line of the transcript: when, who, what. Further lines of one message are indented, so that none looks like another message.
fn write_line(text: &mut String, sentence: &Sentence) {
    let speaker = match (sentence.kind, sentence.direction) {
        (SentenceKind::Text, Direction::Inbound) => sentence.party_name.as_deref().unwrap_or("You"),
        (SentenceKind::Text, Direction::Outbound) => sentence.party_name.as_deref().unwrap_or("Agent"),
        (SentenceKind::Note, Direction::Outbound) => "*",
        (SentenceKind::Note, Direction::Inbound)
        | (SentenceKind::Panel | SentenceKind::Navigation | SentenceKind::CoBrowsing | SentenceKind::Other(_), _) => return,
    };
    let said = sentence.text.lines().collect::<Vec<_>>().join("\n    ");
    // Writing into a text does not fail.
    let _ = writeln!(text, "{} {speaker}: {said}", sentence.sent_at.to_utc_text());
}
