//! What the SDK's errors become: the service's word for it, never its data.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use ports::PortError;

/// The error of a call that failed.
pub(crate) fn failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> PortError {
    unavailable(aws::error_code(error))
}

/// The error of a call that may succeed later.
pub(crate) fn unavailable(code: &str) -> PortError {
    PortError::Unavailable(format!("dynamodb: {code}"))
}

/// The error of a request that lacks a required part: a defect of this crate.
pub(crate) fn incomplete() -> PortError {
    unavailable("request incomplete")
}
