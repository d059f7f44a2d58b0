//! `operator-replay`: failed deliveries go back to the end of their lanes.

use app::{AppError, Ctx, Replayed};
use model::DeliveryKey;
use ports::StoryStore;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::refused;

/// The deliveries to put back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    deliveries: Vec<String>,
}

/// The most deliveries of one invocation.
const MOST: usize = 100;

/// Puts failed deliveries back.
///
/// Input: `{"deliveries":["message@platform/key",...]}`, at most 100. Output:
/// `{"replayed":[...],"not_failed":[...]}` or `{"error":{"code","message"}}`; after an error nothing was changed.
///
/// # Errors
/// [`AppError::Unavailable`] when a backing service is down; what was put back by then stays so.
pub async fn handle(ctx: Ctx<dyn StoryStore>, event: Value) -> Result<Value, AppError> {
    let input: Input = match serde_json::from_value(event) {
        Ok(input) => input,
        Err(error) => return Ok(refused("malformed", error)),
    };
    if input.deliveries.len() > MOST {
        return Ok(refused("invalid", format_args!("at most {MOST} deliveries at once")));
    }
    let keys: Vec<DeliveryKey> = match input.deliveries.iter().map(|text| text.parse()).collect() {
        Ok(keys) => keys,
        Err(error) => return Ok(refused("invalid", error)),
    };
    let (mut replayed, mut not_failed) = (Vec::new(), Vec::new());
    for key in keys {
        match app::replay(&ctx, &key).await? {
            Replayed::Queued => replayed.push(key.to_string()),
            Replayed::NotFailed => not_failed.push(key.to_string()),
        }
    }
    Ok(json!({ "replayed": replayed, "not_failed": not_failed }))
}
