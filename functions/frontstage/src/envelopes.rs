//! Envelopes that were posted, on either path: how they are read, guarded and answered (10.2).

use app::AppError;
use app::chats::{Asking, ChatOutcome, Keep};
use chats_frontstage::envelope;
use platform_frontstage::{Answer, Batch, Code, Envelope, Form, Format, Item, Outcome, Side, WireError, parse, wants_async};
use ports::{Guard, StreamKey};
use wire::{RawRequest, Reply, Verified};

use crate::access::{Proof, replayed};
use crate::{Ctx, too_large};

/// What one request brought, and how it is to be answered.
pub(crate) struct Posted {
    pub(crate) batch: Batch,
    pub(crate) answer: Answer,
    /// The nonce, as long as nothing has remembered it.
    pub(crate) nonce_guard: Vec<Guard>,
    pub(crate) is_async: bool,
}

/// Reads a request, or says what is wrong with all of it.
pub(crate) async fn read(
    ctx: &Ctx,
    proof: &Proof,
    request: &Verified<RawRequest>,
    named: Option<&str>,
    side: Side<'_>,
) -> Result<Result<Posted, Reply>, AppError> {
    let RawRequest { headers, request_id, .. } = request.get();
    let format = Format::of_body(headers).and_then(|format| Format::of_answer(headers, format));
    let format = match format {
        Ok(format) => format,
        Err(error) => return Ok(Err(error.to_reply(request_id))),
    };
    let batch = match parse(request, named, side) {
        Ok(batch) => batch,
        Err(error) => return Ok(Err(error.to_reply_in(format, request_id))),
    };
    if let Some(per_second) = proof.envelopes_per_second
        && !ctx.rates.admit(&proof.account, per_second, batch.items.len(), proof.now)
    {
        // Before anything is stored, the nonce included. Nothing of an array is taken.
        tracing::warn!(account.id = %proof.account, "{} posts more than {per_second} envelopes a second", proof.account);
        let words = format!("more than {per_second} envelopes a second");
        return Ok(Err(WireError::new(Code::TooManyRequests, words).to_reply_in(format, request_id)));
    }
    let mut nonce_guard = proof.nonce_guards();
    if batch.form == Form::Array {
        // Several writes follow, and the nonce can guard only one.
        spend(ctx, proof, &mut nonce_guard).await?;
    }
    let is_async = wants_async(headers);
    let answer = Answer::new(batch.form, request_id).in_format(format).later(is_async);
    Ok(Ok(Posted { batch, answer, nonce_guard, is_async }))
}

/// Remembers the nonce now, where no write of a use case will.
pub(crate) async fn spend(ctx: &Ctx, proof: &Proof, nonce_guard: &mut Vec<Guard>) -> Result<(), AppError> {
    if !nonce_guard.is_empty() && ctx.base.store.guard(nonce_guard, proof.now).await?.is_some() {
        return Err(replayed());
    }
    nonce_guard.clear();
    Ok(())
}

/// How the use case is to answer an envelope.
pub(crate) fn asking(proof: &Proof, envelope: &Envelope, guards: &[Guard], is_async: bool) -> Asking {
    let keep = |id| Keep { key: proof.envelope_key(id), fingerprint: envelope.body_sha256.clone() };
    Asking { in_reply_to: envelope.id, is_async, guards: guards.to_vec(), kept: envelope.id.map(keep) }
}

/// Adds what became of an envelope about chats. An envelope too large to be kept stops no other of its array.
pub(crate) fn answer(
    answer: &mut Answer,
    item: &Item,
    stream: &StreamKey,
    outcome: Result<ChatOutcome, AppError>,
) -> Result<(), AppError> {
    let handled = match outcome {
        Ok(ChatOutcome::Done(handled)) => handled,
        Ok(ChatOutcome::Replayed) => return Err(replayed()),
        Ok(ChatOutcome::IdReused) => {
            answer.reject(item, id_reused());
            return Ok(());
        }
        Err(AppError::TooLarge { limit }) => {
            answer.reject(item, too_large(limit));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let replies: Vec<_> = handled.answers.iter().map(|entry| envelope(stream, entry)).collect::<Result<_, _>>()?;
    let outcome = if handled.is_duplicate { Outcome::Duplicate } else { Outcome::Accepted };
    match handled.refusal {
        Some(refusal) => answer.reject_placed(item, refusal.into(), replies),
        None => answer.accept_placed(item, outcome, replies),
    }
    Ok(())
}

/// An envelope id that was used for something else (10.6).
pub(crate) fn id_reused() -> WireError {
    WireError::on(Code::IdReused, "Id", "this envelope Id was used with another body")
}

/// A message of the catalogue that nobody serves here.
pub(crate) fn not_served() -> WireError {
    WireError::on(Code::UnknownMessage, "Msg", "this message is not served by this installation yet")
}
