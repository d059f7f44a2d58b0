//! The real services behind the ports.

use std::sync::Arc;

use app::Ctx;
use aws::{Connection, ConnectionSettings};
use model::Platform;
use queue_sqs::{QueueUrls, SqsQueue};
use secrets_ssm::SsmSecrets;
use store_dynamodb::DynamoStore;
use tracing::{error, warn};

use crate::{Config, Roster, SystemClock, SystemDice, logs};

/// Everything a function needs, connected. Runs during INIT.
pub struct Services {
    connection: Connection,
    /// Store, queues, clock and randomness.
    pub ctx: Ctx,
}

impl Services {
    /// Starts logging and connects to store and queues.
    #[must_use]
    pub fn connect(config: &Config) -> Self {
        logs::start(&config.log_level);
        let connection = Connection::new(ConnectionSettings {
            region: config.region.clone(),
            endpoint: config.endpoint.clone(),
            access_key: config.access_key.clone(),
            secret_key: config.secret_key.clone(),
            session_token: config.session_token.clone(),
        });
        let store = Arc::new(DynamoStore::new(&connection, config.table.clone()));
        let urls =
            QueueUrls { deliver: config.deliver_queue.clone(), ack: config.ack_queue.clone(), dead: config.dead_queue.clone() };
        let queue = Arc::new(SqsQueue::new(&connection, urls));
        Self { connection, ctx: Ctx { store, queue, clock: Arc::new(SystemClock), dice: Arc::new(SystemDice) } }
    }

    /// Reads the secrets of `platforms` and opens a connection to the table, now: INIT runs at full speed whatever the
    /// memory of the function, and a TLS handshake is most of what a first call costs. The accounts themselves are one
    /// short query over that connection, which the first request makes. What fails here is done again by the first
    /// request that needs it.
    pub async fn roster(&self, config: &Config, platforms: &[Platform]) -> Arc<Roster> {
        let secrets = SsmSecrets::new(&self.connection, config.secrets_prefix.clone())
            .with_observer(|left_out| error!("secret left out: {left_out}"));
        let (store, clock) = (self.ctx.store.clone(), self.ctx.clock.clone());
        let roster = Arc::new(Roster::new(store, Arc::new(secrets), clock, platforms.to_vec()));
        let (read, ()) = futures_util::future::join(roster.read_ahead(), self.connection.open("dynamodb")).await;
        if let Err(error) = read {
            warn!(%error, "secrets could not be read during INIT");
        }
        roster
    }
}
