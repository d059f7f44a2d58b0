//! What visitors filled in: forms with their answers, kept for a time, and the lists in which a team finds them (FrontStage
//! contract, 4.3).

use std::fmt;

use async_trait::async_trait;
use chat::{ChatId, FormAnswer, FormId, ResultId};
use model::{AccountId, EpochMillis, Memo};

use crate::PortError;

/// What is to be done because of a filled-in form, by whoever fetches the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultTask {
    /// The visitor wants to be called back: an entry of this outbound list.
    Callback {
        /// The list.
        list: String,
    },
    /// A workflow is to be started.
    Workflow {
        /// Which.
        workflow: String,
    },
}

/// A filled-in form as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResult {
    /// Its id, unique within the gateway.
    pub id: ResultId,
    /// The gateway through which it came: nobody else's connector can name it.
    pub gateway: AccountId,
    /// The form.
    pub form: FormId,
    /// The chat it is attached to.
    pub chat: Option<ChatId>,
    /// What was answered. Personal data.
    pub answers: Vec<FormAnswer>,
    /// What else the platform's crate keeps of it. Personal data.
    pub memo: Memo,
    /// What is to be done because of it.
    pub task: Option<ResultTask>,
    /// When it was filled in, as the sender says.
    pub filled_at: EpochMillis,
    /// When it was stored in this form.
    pub saved_at: EpochMillis,
    /// Until when it is kept.
    pub kept_until: EpochMillis,
    /// Counts its changes, from 1.
    pub rev: u64,
}

impl fmt::Debug for StoredResult {
    /// Ids only: the rest is about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredResult")
            .field("id", &self.id)
            .field("gateway", &self.gateway)
            .field("form", &self.form)
            .field("chat", &self.chat)
            .field("rev", &self.rev)
            .finish_non_exhaustive()
    }
}

/// A result to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultChange {
    /// As it is to be kept.
    pub result: StoredResult,
    /// The `rev` that was read; `None` if there must be no such result of this gateway.
    pub expected_rev: Option<u64>,
}

/// A list in which results stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultList {
    /// All results of a gateway.
    Gateway(AccountId),
    /// Requests to be called back that go to one outbound list.
    Callbacks(AccountId, String),
    /// Starts of one workflow.
    Starts(AccountId, String),
}

impl ResultList {
    /// The lists in which a result stands.
    #[must_use]
    pub fn of(result: &StoredResult) -> Vec<Self> {
        let gateway = || result.gateway.clone();
        let task = result.task.as_ref().map(|task| match task {
            ResultTask::Callback { list } => Self::Callbacks(gateway(), list.clone()),
            ResultTask::Workflow { workflow } => Self::Starts(gateway(), workflow.clone()),
        });
        std::iter::once(Self::Gateway(gateway())).chain(task).collect()
    }

    /// The gateway whose results stand in it.
    #[must_use]
    pub const fn gateway(&self) -> &AccountId {
        match self {
            Self::Gateway(gateway) | Self::Callbacks(gateway, _) | Self::Starts(gateway, _) => gateway,
        }
    }
}

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResultPlace {
    /// When the result was stored.
    pub at: EpochMillis,
    /// Which one.
    pub id: ResultId,
}

/// A result in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedResult {
    /// Where it stands. One that was changed stands at each time at which it was stored.
    pub place: ResultPlace,
    /// The result as it is now.
    pub result: StoredResult,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultPage {
    /// The results, in the order in which they were stored.
    pub results: Vec<ListedResult>,
    /// Where to go on after; `None` at the end of the list.
    pub next: Option<ResultPlace>,
}

/// The lists of results.
#[async_trait]
pub trait Results: Send + Sync {
    /// Up to `max` places of a list: those stored at `since` or later, or after a place. What is no longer kept is left out.
    ///
    /// # Errors
    /// [`PortError`] when they cannot be read.
    async fn list(
        &self,
        list: &ResultList,
        since: EpochMillis,
        after: Option<&ResultPlace>,
        max: usize,
        now: EpochMillis,
    ) -> Result<ResultPage, PortError>;
}
