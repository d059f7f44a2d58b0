//! Where things stand. Groups are hashes with the account's salt: nobody can tell from a key whom it is about.

use model::{Account, ConversationId};
use ports::RecordKey;
use wire::signature::sha256_hex;

fn key(account: &Account, kind: &'static str, name: &str) -> RecordKey {
    let group = sha256_hex(format!("{}/{kind}/{name}", account.salt).as_bytes());
    RecordKey { account: account.id.clone(), group, kind, id: String::new() }
}

/// That a ticket was used.
pub(crate) fn ticket(account: &Account, id: &str) -> RecordKey {
    key(account, "ticket", id)
}

/// What became of an event.
pub(crate) fn event(account: &Account, id: &str) -> RecordKey {
    key(account, "event", id)
}

/// How far a page has counted, and whose it is.
pub(crate) fn page(account: &Account, id: &str) -> RecordKey {
    key(account, "page", id)
}

/// A visitor under one of their ids.
pub(crate) fn visitor(account: &Account, id: &str) -> RecordKey {
    key(account, "visitor", id)
}

/// A chat.
pub(crate) fn chat(account: &Account, id: i64) -> RecordKey {
    key(account, "chat", &id.to_string())
}

/// The notifications of an agent's workspaces.
pub(crate) fn notices(account: &Account, agent: &str) -> RecordKey {
    key(account, "notices", agent)
}

/// A command.
pub(crate) fn command(account: &Account, id: &str) -> RecordKey {
    key(account, "command", id)
}

/// The commands that wait.
pub(crate) fn queue(account: &Account) -> RecordKey {
    key(account, "queue", "")
}

/// What is the same for two tellings of one message, and tells nobody what was said.
pub(crate) fn print(account: &Account, kind: &str, text: &str) -> String {
    let mut hash = sha256_hex(format!("{}/print/{kind}/{text}", account.salt).as_bytes());
    hash.truncate(16);
    hash
}

/// Where a message is filed: with its chat, or with its visitor before there is one. What was said stands apart from what is not to
/// be told elsewhere, so that whoever tells what a person said cannot tell that.
pub(crate) fn address(chat: Option<i64>, visitor: &str, is_told: bool) -> String {
    let apart = if is_told { "" } else { " aside" };
    match chat {
        Some(chat) => format!("chat{apart} {chat}"),
        None => format!("visitor{apart} {visitor}"),
    }
}

/// The conversation of an address.
pub(crate) fn conversation(account: &Account, address: &str) -> ConversationId {
    ConversationId::derive(&account.salt, &account.id, address)
}
