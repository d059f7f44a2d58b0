//! The functions as iAdvize sees them, over ports in memory and the complete events of `events/iadvize-*`.

#![expect(clippy::unwrap_used, reason = "a broken invariant in a test must stop the test")]

mod bot;
mod bot_answers;
mod bot_chats;
mod customers;
mod events;
mod panel;
mod panel_adapters;
mod plugin_answers;
mod products;
mod schemas;
mod signed;
mod world;
