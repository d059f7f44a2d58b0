//! Pages and their files as functions serve them.
//!
//! A file has a name that changes with its content: whoever has one never asks for it again. A page is a template with texts
//! filled in, and the headers that all of them have. The crate knows neither a platform nor what stands in a page. To serve the
//! files of another folder, name them in the crate's build script (`pages_build::pack`) and in a list of [`file!`].

mod file;
mod page;

pub use file::{File, called, serve};
pub use page::{filled, page};

use http::{HeaderName, HeaderValue};

/// For a year, and for this host alone: the others of its domain are not ours.
const HTTPS_ONLY: (HeaderName, HeaderValue) =
    (http::header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
