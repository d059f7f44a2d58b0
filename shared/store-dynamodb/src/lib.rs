//! The stores in one DynamoDB table.
//!
//! [`keys`] spells the keys and lists the access patterns, [`items`] and [`chat_items`] the shapes of what stands there; the
//! rest turns the operations of [`ports::Store`], [`ports::Chats`], [`ports::PushStates`], [`ports::Askers`], [`ports::Grants`],
//! [`ports::Paces`], [`ports::People`], [`ports::Records`], [`ports::Catalogue`] and [`ports::Erasure`] into calls: one call each, except where its documentation says more. Conditions are evaluated by the
//! table, in the same call as what they guard, and a refused call brings back the item it was refused for, so that nothing is
//! read twice. This crate must not decide anything about a conversation or a chat: states are computed elsewhere and stored
//! here. To add a kind of item, add its key, its struct and its line in the list of patterns.
//!
//! How many calls an operation takes:
//!
//! | Operation | Calls |
//! |---|---|
//! | `open`, `work` of an entry, `event`, `thread`, `lane_of` | 1 batch or single read |
//! | `work` of a lane's head | 1 read and 1 batch read |
//! | `work` of a message above 320 KB | 1 batch read more, of the parts of its content |
//! | `accept`, `acknowledge`, `save`, `guard`, `requeue`, `configure` | 1 transaction |
//! | `bind` | 1 transaction; 1 more when something was known of the thread |
//! | `note_thread` | 1 read and 1 write |
//! | `note_installation`, `note_receipt`, `note_part`, `postpone` | 1 update |
//! | `reserve` of an instant | 1 update; 2 when others have reserved meanwhile; none when all is known to be taken |
//! | `failed`, `recovered` | 1 update; 2 for a failure that stops the calls |
//! | `slow` | 2 updates |
//! | `due` | 1 query for each of 4 partitions, at the same time |
//! | `story`, `directory` | 1 query per megabyte |
//! | `grant` | 1 read |
//! | `begin_renewal`, `keep_grant` | 1 update |
//! | `record` | 1 read |
//! | `records` | 1 query per megabyte |
//! | `keep_records` | 1 update; 1 transaction for several |
//! | `begin_consent`, `replace_installed`, `note_happened` | 1 transaction |
//! | `end_consent` | 1 read and 1 transaction |
//! | `adopt_installation` | 1 update |
//! | `installation`, `has_happened` | 1 read |
//!
//! And of the catalogues:
//!
//! | Operation | Calls |
//! |---|---|
//! | `products` of the whole catalogue, `categories` | 1 batch read |
//! | `products` of a category, with words, or both | 2 batch reads; 1 if nothing is found |
//! | the first of a process, and the first after a publication | 1 query more, or a batch read and a query |
//! | `catalogue_state` | 1 batch read |
//! | `begin_load`, `abort_load` | 1 batch read and 1 transaction; 1 batch write per 2,500 categories |
//! | `add_part` | 1 batch read, 1 transaction and 1 batch write per hundred products |
//! | `publish_load` | the same for each: 1 batch read per 400 products, 1 batch write per 25 blocks of the index, 2 transactions |
//! | `clear_leftovers` | 1 batch read, 1 batch write per 25 items, 1 transaction |
//!
//! And of the chats:
//!
//! | Operation | Calls |
//! |---|---|
//! | `chat` | 1 batch read; 1 more if there are sentences with the id, and 1 more from a thread that was bound |
//! | `save`, `tell` | 1 transaction |
//! | `save` by a store that has not read the chat, when its place in the lists changes | 1 transaction more |
//! | `save` of a sentence whose id was used 50 times, every 25 times from then on | 1 transaction more |
//! | `save` that confirms or releases what is not there, or owes a receipt of it | 1 transaction more |
//! | `reserve`, `reserve_pushed` | 1 update; 2 after a day and a half of silence |
//! | `read` | 1 query; 1 read more when the page is full and does not begin with the next number |
//! | `head`, and `read` of a place that has expired | 1 read, and 1 query or as many as halve what has expired |
//! | `entries` | 1 batch read |
//! | `sentences`, `agents`, `waiting` | 1 query per megabyte |
//! | `of_gateway` | 1 query, 2 with closed ones, and 1 batch read per hundred chats |
//! | `of_agent` | 1 read and 1 batch read |
//! | `note_presence`, `note_seen` | 1 update |
//! | `overdue`, `pushes_due` | 1 query for each of 4 partitions, at the same time |
//! | `claim`, `keep`, `postpone_push` | 1 update |
//! | `result`, `asker` | 1 batch read |
//! | `askers` | 1 query per megabyte |
//! | `outlines` | 1 batch read per fifty conversations; 1 more if a thread was bound |
//! | `said` | 1 batch read, 2 from a thread that was bound, and 1 query per megabyte |
//! | `keep_asker` | 1 update |
//! | `offer` | 1 update and 1 transaction; 1 transaction more when the delivery has gone on |
//! | `hand_out` | 1 transaction |
//! | `save_result` | 1 transaction |
//! | `list` of results | 1 query and 1 batch read per hundred |
//! | `find` | 1 scan of a page of 1 MB |
//! | `erase_elsewhere` | the same, and 1 transaction per ten items that change; 1 batch read per entry above 320 KB |
//! | `erase_conversation` | 2 queries, each per megabyte, and 1 transaction per ten items |
//! | any that reads sentences or entries above 320 KB | 1 batch read more, of their parts |
//!
//! What a sentence costs does not depend on how many there are: no item grows with a chat.
//!
//! A transaction that meets another one on the same item is repeated a few times, then [`ports::PortError::Busy`].
//!
//! What was said has an end from the moment it is written: `expires_at` stands in every item of a conversation, and in those of a
//! chat's transcript. A chat has one once it is closed, a week behind its last sentence, and the parts of what is too long for
//! one item end a week behind it: the clean-up takes items in any order.
//!
//! Expiry is compared when something is written, with the time of the write. Reads have no time to compare with: they
//! return what is there, and the table's clean-up removes it within a few days of its end.

mod askers;
mod catalogue;
mod change;
mod chat_items;
mod chats;
mod erasure;
mod error;
mod grants;
mod installs;
mod items;
mod kept;
mod keys;
mod offers;
mod paces;
mod people;
mod records;
mod results;
mod store;
mod table;

use std::time::Duration;

use aws::Service;

use crate::kept::Kept;
use crate::table::Table;

pub use crate::catalogue::DynamoCatalogue;
pub use crate::chats::DynamoChats;
pub use crate::paces::DynamoPaces;

/// The service, as [`aws::Connection::service`] knows it.
pub const SERVICE: &str = "dynamodb";

/// The store over one table.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    table: Table,
}

impl DynamoStore {
    /// A store over the table of this name, reached through `connection`. Connects nothing yet.
    #[must_use]
    pub fn new(connection: &aws::Connection, table_name: impl Into<String>) -> Self {
        Self::over(connection.service(SERVICE), table_name)
    }

    /// A store over the table of this name, reached through a service that was made elsewhere, e.g. with an interceptor.
    #[must_use]
    pub fn over(service: Service, table_name: impl Into<String>) -> Self {
        Self { table: Table { service, name: table_name.into(), kept: kept::USUAL } }
    }

    /// The same store, which keeps what was said for so long after it was written, instead of 90 days.
    #[must_use]
    pub fn keeping(mut self, kept: Duration) -> Self {
        self.table.kept = Kept(kept);
        self
    }
}
