//! Streams, as those who are told something read them (10.3).

use std::time::Duration;

use app::chats::read_stream;
use app::{AppError, HandOutCtx, hand_out};
use chats_frontstage::envelope;
use lambda::Metric;
use platform_frontstage::{Code, Format, StreamAnswer, WireError};
use ports::{StreamKey, StreamPage, StreamRead};
use wire::{RawRequest, Reply, Verified};

use crate::Ctx;
use crate::access::Proof;
use crate::envelopes::spend;

/// Most events in one answer.
const MAX_EVENTS: u64 = 50;
/// Longest wait for the first event, in seconds.
const MAX_WAIT: u64 = 20;
/// Pause between two looks while waiting.
const PAUSE: Duration = Duration::from_secs(1);

/// What a reader asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    after: u64,
    max: usize,
    wait: u64,
}

impl Wanted {
    fn of(query: &str) -> Result<Self, WireError> {
        let max = usize::try_from(number(query, "max", 1, MAX_EVENTS, MAX_EVENTS)?).unwrap_or(1);
        Ok(Self { after: number(query, "after", 0, u64::MAX, 0)?, max, wait: number(query, "wait", 0, MAX_WAIT, 0)? })
    }
}

/// A number of the query: `default` if it is not there, an error if it is not between `least` and `most`.
fn number(query: &str, name: &str, least: u64, most: u64, default: u64) -> Result<u64, WireError> {
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    let Some((_, text)) = values.next() else { return Ok(default) };
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_digits && (least..=most).contains(number));
    number.ok_or_else(|| WireError::on(Code::ValidationFailed, name, format!("{name} is not a number within its range")))
}

/// Answers a reader, once the nonce is spent. Deliveries that wait in the stream begin with that (section 6); a stream
/// without `fetched` holds none.
pub(crate) async fn events(
    ctx: &Ctx,
    proof: &Proof,
    request: &Verified<RawRequest>,
    stream: &StreamKey,
    fetched: Option<&HandOutCtx>,
) -> Result<Reply, AppError> {
    let RawRequest { headers, query, request_id, .. } = request.get();
    let wanted = Format::of_answer(headers, Format::Json).and_then(|format| Ok((format, Wanted::of(query)?)));
    let (format, wanted) = match wanted {
        Ok(both) => both,
        Err(error) => return Ok(error.to_reply(request_id)),
    };
    spend(ctx, proof, &mut vec![proof.nonce_guard()]).await?;
    let answer = match read(ctx, stream, &wanted).await? {
        StreamRead::Expired { next } => StreamAnswer::Expired { next },
        StreamRead::Page(StreamPage { mut entries, next, has_more }) => {
            if let Some(fetched) = fetched {
                let begun = hand_out(fetched, &mut entries).await?;
                ctx.count(Metric::Retried, begun.retried, proof.now);
            }
            let events = entries.iter().map(|entry| envelope(stream, entry)).collect::<Result<_, _>>()?;
            StreamAnswer::Page { events, next, more: has_more }
        }
    };
    Ok(answer.into_reply(format, request_id))
}

/// Looks once, and again about every second until there is something or the wait is over.
async fn read(ctx: &Ctx, stream: &StreamKey, wanted: &Wanted) -> Result<StreamRead, AppError> {
    let mut after = wanted.after;
    for _ in 0..wanted.wait {
        match read_stream(&ctx.chats, stream, after, wanted.max).await? {
            // Places that were delivered already are passed over once only.
            StreamRead::Page(page) if page.entries.is_empty() && !page.has_more => after = page.next,
            found @ (StreamRead::Page(_) | StreamRead::Expired { .. }) => return Ok(found),
        }
        lambda::pause(PAUSE).await;
    }
    read_stream(&ctx.chats, stream, after, wanted.max).await
}

/// Tells how a stream stands (10.1, `health`).
pub(crate) async fn health(
    ctx: &Ctx,
    proof: &Proof,
    request: &Verified<RawRequest>,
    stream: &StreamKey,
) -> Result<Reply, AppError> {
    let RawRequest { headers, request_id, .. } = request.get();
    let format = match Format::of_answer(headers, Format::Json) {
        Ok(format) => format,
        Err(error) => return Ok(error.to_reply(request_id)),
    };
    spend(ctx, proof, &mut vec![proof.nonce_guard()]).await?;
    let head = ctx.chats.chats.head(stream, proof.now).await?;
    Ok(StreamAnswer::Health { time: proof.now, cursor: head.last, oldest: head.oldest }.into_reply(format, request_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_is_read_in_any_order_and_within_its_ranges() {
        let wanted = |after, max, wait| Ok(Wanted { after, max, wait });
        assert_eq!(Wanted::of(""), wanted(0, 50, 0));
        assert_eq!(Wanted::of("wait=20&x=1&max=1&after=41"), wanted(41, 1, 20));
        for wrong in ["after=-1", "after=", "after=+1", "max=0", "max=51", "wait=21", "wait=x", "after=99999999999999999999"] {
            let error = Wanted::of(wrong).unwrap_err();
            assert_eq!((error.code, error.field.as_deref()), (Code::ValidationFailed, wrong.split('=').next()), "{wrong}");
        }
    }
}
