//! A school's agreements with providers, with their sealed credentials.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use hocphi_adapters::Registry;
use hocphi_adapters::contract::{Adapter, Credentials};

use super::books::Channel;
use super::store;
use crate::clock::Instant;
use crate::ids::{ConnectionId, Ids, SchoolId};
use crate::sealing::{SealError, SealingKey};
use crate::store::{Db, StoreError, Tx};

/// A changed or disabled connection is seen after this time at the latest.
const KEPT_SECONDS: i64 = 10;

#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("credentials of connection {0} are not a list of names and texts")]
    Credentials(ConnectionId),
    #[error("connection {connection} needs the adapter {provider}, which is not loaded")]
    NoAdapter {
        connection: ConnectionId,
        provider: String,
    },
}

/// An enabled connection, ready for use.
pub struct Connection {
    pub school_id: SchoolId,
    pub connection_id: ConnectionId,
    pub provider: String,
    pub display_name: String,
    pub channel: Channel,
    pub credentials: Credentials,
    pub adapter: Arc<dyn Adapter>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} {})", self.provider, self.connection_id)
    }
}

/// Connections read lately, and the adapters they use.
#[derive(Clone)]
pub struct Connections {
    registry: Arc<Registry>,
    seal: Arc<SealingKey>,
    kept: Arc<RwLock<HashMap<ConnectionId, Kept>>>,
}

/// When a connection was read, and what it was.
type Kept = (Instant, Arc<Connection>);

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

impl Connections {
    pub fn new(registry: Arc<Registry>, seal: Arc<SealingKey>) -> Self {
        Self {
            registry,
            seal,
            kept: Arc::default(),
        }
    }

    /// The adapters that are loaded.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The enabled connection of this identifier.
    ///
    /// # Errors
    /// [`ConnectionError`] when it cannot be read, opened, or has no adapter.
    pub async fn get(
        &self,
        db: &Db,
        id: &ConnectionId,
        now: Instant,
    ) -> Result<Option<Arc<Connection>>, ConnectionError> {
        if let Some((read_at, connection)) = self
            .kept
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            && read_at.plus_seconds(KEPT_SECONDS) > now
        {
            return Ok(Some(connection.clone()));
        }
        let Some(row) = store::enabled_connection(db, id).await? else {
            return Ok(None);
        };
        let adapter =
            self.registry
                .get(&row.provider)
                .ok_or_else(|| ConnectionError::NoAdapter {
                    connection: id.clone(),
                    provider: row.provider.clone(),
                })?;
        let opened = self.seal.open(&context(id), &row.credentials)?;
        let credentials = serde_json::from_slice(&opened)
            .map_err(|_| ConnectionError::Credentials(id.clone()))?;
        let connection = Arc::new(Connection {
            school_id: row.school_id,
            connection_id: id.clone(),
            provider: row.provider,
            display_name: row.display_name,
            channel: row.channel,
            credentials,
            adapter,
        });
        self.kept
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone(), (now, connection.clone()));
        Ok(Some(connection))
    }
}

/// A connection to be written.
#[derive(Clone, Debug)]
pub struct NewConnection {
    pub school_id: SchoolId,
    pub connection_id: ConnectionId,
    pub provider: String,
    pub display_name: String,
    pub channel: Channel,
    /// Names and values as the adapter's README lists them.
    pub credentials: Vec<(String, String)>,
}

/// Writes a connection with its credentials sealed; replaces the credentials of one that exists.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn put(
    tx: &mut Tx,
    seal: &SealingKey,
    ids: &Ids,
    new: &NewConnection,
) -> Result<(), StoreError> {
    let plain: serde_json::Map<String, serde_json::Value> = new
        .credentials
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let sealed = seal.seal(
        ids,
        &context(&new.connection_id),
        serde_json::Value::Object(plain).to_string().as_bytes(),
    );
    store::put_connection(tx, new, &sealed).await
}

fn context(id: &ConnectionId) -> String {
    format!("provider_connection/{id}")
}
