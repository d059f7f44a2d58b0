//! What a person has said to a tenant, on whatever platform.

use std::collections::BTreeSet;

use chat::TrackingId;
use futures_util::future::try_join_all;
use model::{Account, ConversationId, Directory, EpochMillis, Platform, TenantId};
use ports::{Outline, People, RecordKey, Records};
use serde::{Deserialize, Serialize};
use wire::signature::sha256_hex;

use crate::AppError;
use crate::chats::conversation_of;

/// How somebody is known: an e-mail address, a phone number, a customer number, a platform's id of them. Personal data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// A name, without blanks around it; `None` for one that says nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_number(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_digit())
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Name(***)")
    }
}

/// The thread of the chats of somebody whom an account knows by a number of its own: the same whenever they come back, and
/// nothing that the number could be guessed by without the account's salt.
#[must_use]
pub fn thread_of_user(account: &Account, user: &str) -> String {
    sha256_hex(format!("{}/chat/{user}", account.salt).as_bytes())
}

/// Which conversations somebody of a name has on an account whose platform names them otherwise: its crate keeps this under
/// [`named_key`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Named {
    /// The conversations, in the order in which they were heard of.
    pub conversations: Vec<ConversationId>,
    /// The platform's own ids of them. Personal data.
    pub ids: Vec<String>,
}

/// Where [`Named`] stands.
#[must_use]
pub fn named_key(account: &Account, name: &Name) -> RecordKey {
    let group = sha256_hex(format!("{}/named/{}", account.salt, name.as_str()).as_bytes());
    RecordKey { account: account.id.clone(), group, kind: "named", id: String::new() }
}

/// Whether the account's platform names conversations otherwise than their visitors are named elsewhere.
fn keeps_names(account: &Account) -> bool {
    match account.id.platform() {
        Platform::Roxchat => true,
        Platform::Ctrader | Platform::Frontstage | Platform::Iadvize | Platform::Vcita => false,
    }
}

/// The conversations of somebody with a tenant, the newest first, at most `limit`: of the first of these names that leads to any,
/// as a later one may lead to somebody else. On every account of the tenant that is the conversation in which they write from the
/// name, and the chat whose thread it is, and what a platform that names conversations itself has noted under the name. Reads once
/// for every fifty that could be there, and once before for each account of such a platform.
///
/// # Errors
/// [`AppError::Unavailable`] when they cannot be read.
pub async fn conversations_of(
    people: &dyn People,
    records: &dyn Records,
    directory: &Directory,
    tenant: &TenantId,
    names: &[Name],
    kept_since: EpochMillis,
    limit: usize,
) -> Result<Vec<Outline>, AppError> {
    for name in names {
        let mut asked = possible(directory, tenant, name);
        asked.extend(noted(records, directory, tenant, name).await?);
        let mut found = people.outlines(&asked).await?;
        // The table's clean-up may be days late.
        found.retain(|outline| outline.tenant == *tenant && outline.last_at > kept_since);
        // Two threads may lead to one chat.
        let mut seen = BTreeSet::new();
        found.retain(|outline| seen.insert(outline.conversation));
        found.truncate(limit);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// What platforms that name conversations themselves have noted under the name.
async fn noted(
    records: &dyn Records,
    directory: &Directory,
    tenant: &TenantId,
    name: &Name,
) -> Result<Vec<ConversationId>, AppError> {
    let accounts = directory.accounts.values().filter(|account| account.tenant == *tenant && keeps_names(account));
    let keys: Vec<_> = accounts.map(|account| named_key(account, name)).collect();
    let found = try_join_all(keys.iter().map(|key| records.record(key))).await?;
    let read =
        |body: String| serde_json::from_str::<Named>(&body).map_err(|_| AppError::Internal("a stored record cannot be read"));
    // One whose end has passed leads to conversations that are over as long.
    let named = found.into_iter().flatten().map(|record| read(record.body)).collect::<Result<Vec<_>, _>>()?;
    Ok(named.into_iter().flat_map(|named| named.conversations).collect())
}

/// The conversations that somebody of this name can have, each once.
fn possible(directory: &Directory, tenant: &TenantId, name: &Name) -> Vec<ConversationId> {
    let accounts: Vec<_> = directory.accounts.values().filter(|account| account.tenant == *tenant).collect();
    let users = accounts.iter().filter(|account| account.id.platform() == Platform::Ctrader && name.is_number());
    let threads = users.map(|brand| thread_of_user(brand, name.as_str())).chain([name.as_str().to_owned()]);
    let threads: Vec<_> = threads.filter_map(|thread| TrackingId::try_from(thread).ok()).collect();
    // Staff's side has no conversations of its own, and where conversations are named otherwise a name must not lead to one.
    let theirs = accounts.iter().filter(|account| account.id.platform() != Platform::Vcita && !keeps_names(account));
    let of = |account: &&Account| {
        let messages = ConversationId::derive(&account.salt, &account.id, name.as_str());
        let chats: Vec<_> = threads.iter().map(|thread| conversation_of(account, thread)).collect();
        chats.into_iter().chain([messages])
    };
    theirs.flat_map(of).collect::<BTreeSet<_>>().into_iter().collect()
}
