//! H1 `GET /iadvize/health`: whether the app is there (section 5.1).
//!
//! It looks at nothing behind it: a table that is down must not take the whole app off the marketplace.

use app::AppError;
use http::{Method, StatusCode};
use serde_json::json;
use wire::{RawRequest, Reply};

use crate::Problem;
use crate::problem::answer;

/// Answers whoever asks; nothing is signed here.
///
/// # Errors
/// None that are not answered.
pub async fn handle(request: RawRequest) -> Result<Reply, AppError> {
    Ok(match request.method {
        Method::GET | Method::HEAD => answer(StatusCode::OK, &json!({"status": "UP"})),
        _ => Problem::Method("GET, HEAD").to_reply(),
    })
}
