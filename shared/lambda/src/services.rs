//! The real services behind the ports.

use std::sync::Arc;

use app::Ctx;
use aws::{Connection, ConnectionSettings};
use futures_util::future::join3;
use model::Platform;
use ports::Clock as _;
use queue_sqs::{QueueUrls, SqsQueue};
use secrets_ssm::SsmSecrets;
use store_dynamodb::DynamoStore;
use tracing::{error, warn};

use crate::roster::{Roster, read_secrets};
use crate::{Config, SystemClock, SystemDice, logs};

/// Everything a function needs, connected. Runs during INIT.
pub struct Services {
    store: Arc<DynamoStore>,
    queue: Arc<SqsQueue>,
}

impl Services {
    /// Starts logging and connects to store and queues.
    #[must_use]
    pub fn connect(config: &Config) -> Self {
        let connection = connection(config);
        Self { store: store(&connection, config), queue: queue(&connection, config) }
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
            Self { store, queue: queue(&connection, config) }
        };
        let (read, (), services) = join3(read_secrets(&secrets, platforms), connection.open("dynamodb"), clients).await;
        let roster = Roster::new(services.store.clone(), Arc::new(secrets), Arc::new(SystemClock), platforms.to_vec());
        match read {
            Ok(secrets) => roster.hold_ahead(secrets, now),
            Err(error) => warn!(%error, "secrets could not be read during INIT"),
        }
        (services, Arc::new(roster))
    }

    /// What a use case needs, with the part of the store that it uses. `part` only says which: `services.ctx(|store| store)`.
    pub fn ctx<S: ?Sized>(&self, part: fn(Arc<DynamoStore>) -> Arc<S>) -> Ctx<S> {
        let store = part(self.store.clone());
        Ctx { store, queue: self.queue.clone(), clock: Arc::new(SystemClock), dice: Arc::new(SystemDice) }
    }
}

fn store(connection: &Connection, config: &Config) -> Arc<DynamoStore> {
    Arc::new(DynamoStore::new(connection, config.table.clone()))
}

fn queue(connection: &Connection, config: &Config) -> Arc<SqsQueue> {
    let urls =
        QueueUrls { deliver: config.deliver_queue.clone(), ack: config.ack_queue.clone(), dead: config.dead_queue.clone() };
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
