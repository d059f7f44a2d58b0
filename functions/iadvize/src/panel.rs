//! The conversation panel app (section 9): its page, what its page asks, and what messages mean.

mod adapters;
mod agent;
pub mod api;
mod assets;
pub mod messages;
pub mod page;
mod products;
mod timeline;

pub use adapters::{Published, Remembered};
pub use products::{Product, Products};
pub use timeline::{Known, Line, PersonKey, Speaker, Spoken, Timeline};
