//! The real services behind the ports.

use std::sync::Arc;
use std::time::Duration;

use app::Ctx;
use app::chats::ChatCtx;
use aws::{Connection, ConnectionSettings};
use futures_util::future::join3;
use model::Platform;
use ports::{
    Askers, Catalogue, CatalogueLoader, Clock as _, Erasure, Grants, Paces, People, PushQueue, PushStates, Records, Results,
};
use queue_sqs::{QueueUrls, SqsChatTimers, SqsPushQueue, SqsQueue};
use secrets_ssm::SsmSecrets;
use store_dynamodb::{DynamoCatalogue, DynamoChats, DynamoPaces, DynamoStore};
use tracing::{error, warn};

use crate::roster::{ReadPlan, Roster, read_secrets};
use crate::{Config, RosterPlans, SystemClock, SystemDice, logs};

/// Everything a function needs, connected. Runs during INIT.
pub struct Services {
    connection: Connection,
    store: Arc<DynamoStore>,
    queue: Arc<SqsQueue>,
    kept: Duration,
}

impl Services {
    /// Starts logging and connects to store and queues.
    #[must_use]
    pub fn connect(config: &Config) -> Self {
        let connection = connection(config);
        Self { store: store(&connection, config), queue: queue(&connection, config), connection, kept: config.retention }
    }

    /// What moving chats needs, with plans out of `roster` as their platform reads them.
    #[must_use]
    pub fn chats(&self, roster: &Arc<Roster>, read: ReadPlan) -> ChatCtx {
        ChatCtx {
            chats: Arc::new(DynamoChats::beside(&self.store)),
            timers: Arc::new(SqsChatTimers::of(&self.queue)),
            pushes: self.pushes(),
            clock: Arc::new(SystemClock),
            plans: Arc::new(RosterPlans::new(roster.clone(), read)),
            kept: self.kept,
        }
    }

    /// What erases persons.
    #[must_use]
    pub fn erasure(&self) -> Arc<dyn Erasure> {
        Arc::new(DynamoChats::beside(&self.store))
    }

    /// The lists of filled-in forms.
    #[must_use]
    pub fn results(&self) -> Arc<dyn Results> {
        Arc::new(DynamoChats::beside(&self.store))
    }

    /// The same, and reads the secrets of `platforms` and opens a connection to the table, now: INIT runs at full speed
    /// whatever the memory of the function, and a TLS handshake is most of what a first call costs. The accounts
    /// themselves are one short query over that connection, which the first request makes. What fails here is done again
    /// by the first request that needs it.
    pub async fn connect_reading(config: &Config, platforms: &[Platform]) -> (Self, Arc<Roster>) {
        let connection = connection(config);
        let secrets = SsmSecrets::new(&connection, config.secrets_prefix.clone())
            .with_observer(|left_out| error!("secret left out: {left_out}"));
        let now = SystemClock.now();
        // In this order: the clients are made while the answers are under way.
        let clients = async {
            // Each takes a quarter of a millisecond or more: what has come meanwhile is looked at before.
            tokio::task::yield_now().await;
            let store = store(&connection, config);
            tokio::task::yield_now().await;
            (store, queue(&connection, config))
        };
        let (read, (), (store, queue)) = join3(read_secrets(&secrets, platforms), connection.open("dynamodb"), clients).await;
        let roster = Roster::new(store.clone(), Arc::new(secrets), Arc::new(SystemClock), platforms.to_vec());
        match read {
            Ok(secrets) => roster.hold_ahead(secrets, now),
            Err(error) => warn!(%error, "secrets could not be read during INIT"),
        }
        (Self { connection, store, queue, kept: config.retention }, Arc::new(roster))
    }

    /// Tokens that platforms granted.
    #[must_use]
    pub fn grants(&self) -> Arc<dyn Grants> {
        self.store.clone()
    }

    /// Tokens, sessions and what else belongs to no conversation.
    #[must_use]
    pub fn records(&self) -> Arc<dyn Records> {
        self.store.clone()
    }

    /// What people have said, for whoever has no part in it.
    #[must_use]
    pub fn people(&self) -> Arc<dyn People> {
        Arc::new(DynamoChats::beside(&self.store))
    }

    /// Catalogues of products.
    #[must_use]
    pub fn catalogue(&self) -> Arc<dyn Catalogue> {
        Arc::new(DynamoCatalogue::beside(&self.store))
    }

    /// What replaces them.
    #[must_use]
    pub fn catalogue_loader(&self) -> Arc<dyn CatalogueLoader> {
        Arc::new(DynamoCatalogue::beside(&self.store))
    }

    /// The queue of what is to be pushed.
    #[must_use]
    pub fn pushes(&self) -> Arc<dyn PushQueue> {
        Arc::new(SqsPushQueue::of(&self.queue))
    }

    /// Who has asked for registers.
    #[must_use]
    pub fn askers(&self) -> Arc<dyn Askers> {
        Arc::new(DynamoChats::beside(&self.store))
    }

    /// How far streams are pushed.
    #[must_use]
    pub fn push_states(&self) -> Arc<dyn PushStates> {
        Arc::new(DynamoChats::beside(&self.store))
    }

    /// When platforms may be called.
    #[must_use]
    pub fn paces(&self) -> Arc<dyn Paces> {
        Arc::new(DynamoPaces::beside(&self.store))
    }

    /// The accounts for functions that need nobody's secrets.
    #[must_use]
    pub fn accounts(&self, config: &Config) -> Arc<Roster> {
        let secrets = SsmSecrets::new(&self.connection, config.secrets_prefix.clone());
        Arc::new(Roster::new(self.store.clone(), Arc::new(secrets), Arc::new(SystemClock), Vec::new()))
    }

    /// What a use case needs, with the part of the store that it uses. `part` only says which: `services.ctx(|store| store)`.
    pub fn ctx<S: ?Sized>(&self, part: fn(Arc<DynamoStore>) -> Arc<S>) -> Ctx<S> {
        let store = part(self.store.clone());
        Ctx { store, queue: self.queue.clone(), clock: Arc::new(SystemClock), dice: Arc::new(SystemDice) }
    }
}

fn store(connection: &Connection, config: &Config) -> Arc<DynamoStore> {
    Arc::new(DynamoStore::new(connection, config.table.clone()).keeping(config.retention))
}

fn queue(connection: &Connection, config: &Config) -> Arc<SqsQueue> {
    let urls = QueueUrls {
        deliver: config.deliver_queue.clone(),
        chat: config.chat_timer_queue.clone(),
        push: config.push_queue.clone(),
        ack: config.ack_queue.clone(),
        dead: config.dead_queue.clone(),
    };
    Arc::new(SqsQueue::new(connection, urls))
}

/// Starts logging, too: whatever goes wrong from here on is to be seen.
fn connection(config: &Config) -> Connection {
    logs::start(&config.log_level);
    Connection::new(ConnectionSettings {
        region: config.region.clone(),
        endpoint: config.endpoint.clone(),
        access_key: config.access_key.clone(),
        secret_key: config.secret_key.clone(),
        session_token: config.session_token.clone(),
    })
}
