//! A school's agreements with providers, with their sealed credentials.
//!
//! Credentials rotate with overlap: what we send is signed with the new ones, what comes in is
//! checked with the new ones and, until the overlap ends, with the old ones too.

mod network;
mod store;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use hocphi_adapters::Registry;
use hocphi_adapters::contract::{Adapter, Credentials};

use super::books::Channel;
use super::trust::{Trust, Untrusted};
use crate::clock::Instant;
use crate::ids::{ConnectionId, Ids, SchoolId};
use crate::sealing::{SealError, SealingKey};
use crate::store::{Db, StoreError, Tx};

pub use network::{Network, NotANetwork};
pub use store::{ConnectionLine, State, list};

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
    #[error("networks of connection {0}: {1}")]
    Sources(ConnectionId, NotANetwork),
    #[error("connection {connection} needs the adapter {provider}, which is not loaded")]
    NoAdapter {
        connection: ConnectionId,
        provider: String,
    },
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error("no such connection")]
    Unknown,
    #[error("somebody else changed the connection meanwhile")]
    Overtaken,
}

/// A connection, ready for use.
pub struct Connection {
    pub school_id: SchoolId,
    pub connection_id: ConnectionId,
    pub provider: String,
    pub display_name: String,
    pub channel: Channel,
    pub state: State,
    /// What we sign with, and check with first.
    pub credentials: Credentials,
    /// What was replaced, and until when it is still good for checking.
    previous: Option<(Credentials, Instant)>,
    /// Where its notices may come from; none means anywhere.
    pub sources: Vec<Network>,
    pub adapter: Arc<dyn Adapter>,
    /// Values of all credentials, old ones included.
    values: Vec<String>,
    /// Those of them that must not be seen.
    secrets: Vec<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} {})", self.provider, self.connection_id)
    }
}

impl Connection {
    /// The credentials by which a message of this moment may be proven, the newest first.
    pub fn valid_at(&self, at: Instant) -> impl Iterator<Item = &Credentials> {
        let previous = self.previous.as_ref();
        std::iter::once(&self.credentials).chain(
            previous
                .filter(|(_, until)| at < *until)
                .map(|(credentials, _)| credentials),
        )
    }

    /// Until when the replaced credentials are still good for checking.
    pub fn overlap_until(&self) -> Option<Instant> {
        self.previous.as_ref().map(|(_, until)| *until)
    }

    /// Credentials that must not be seen in what is kept of messages.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// What may stand where a secret was masked.
    pub(super) fn known_values(&self) -> &[String] {
        &self.values
    }
}

/// Connections read lately, and the adapters they use.
#[derive(Clone)]
pub struct Connections {
    registry: Arc<Registry>,
    trust: Arc<Trust>,
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
    pub fn new(registry: Arc<Registry>, trust: Arc<Trust>, seal: Arc<SealingKey>) -> Self {
        Self {
            registry,
            trust,
            seal,
            kept: Arc::default(),
        }
    }

    /// The adapters that are loaded.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Which adapters may carry payments here.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The enabled connection of this identifier.
    ///
    /// # Errors
    /// [`ConnectionError`] when it cannot be read, opened, has no adapter, or one that is not trusted
    /// here.
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
        let connection = match self.get_any(db, id).await? {
            Some(connection) if connection.state == State::Enabled => connection,
            Some(_) | None => {
                self.forget(id);
                return Ok(None);
            }
        };
        self.trust.check(&connection.provider)?;
        self.kept
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone(), (now, connection.clone()));
        Ok(Some(connection))
    }

    /// The connection of this identifier, also when it is switched off; read anew.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_any(
        &self,
        db: &Db,
        id: &ConnectionId,
    ) -> Result<Option<Arc<Connection>>, ConnectionError> {
        let Some(row) = store::connection(db, id).await? else {
            return Ok(None);
        };
        let adapter =
            self.registry
                .get(&row.provider)
                .ok_or_else(|| ConnectionError::NoAdapter {
                    connection: id.clone(),
                    provider: row.provider.clone(),
                })?;
        let current = self.open(id, &row.credentials)?;
        let previous = match (&row.previous_credentials, row.previous_until) {
            (Some(sealed), Some(until)) => Some((self.open(id, sealed)?, until)),
            _ => None,
        };
        let all = [Some(&current), previous.as_ref().map(|(named, _)| named)];
        let named = || all.into_iter().flatten().flatten();
        let values = named().map(|(_, value)| value.clone()).collect();
        let specs = &adapter.profile().credentials;
        let is_secret = |name: &str| {
            let spec = specs.iter().find(|spec| spec.name == name);
            // What the adapter does not know may be anything.
            spec.is_none_or(|spec| spec.kind.is_secret())
        };
        let secrets = named()
            .filter(|(name, _)| is_secret(name))
            .map(|(_, value)| value.clone())
            .collect();
        let sources = row
            .sources
            .as_deref()
            .unwrap_or_default()
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|error| ConnectionError::Sources(id.clone(), error))?;
        Ok(Some(Arc::new(Connection {
            school_id: row.school_id,
            connection_id: id.clone(),
            provider: row.provider,
            display_name: row.display_name,
            channel: row.channel,
            state: row.state,
            credentials: current.into_iter().collect(),
            previous: previous.map(|(named, until)| (named.into_iter().collect(), until)),
            sources,
            adapter,
            values,
            secrets,
        })))
    }

    /// Reads this connection anew when it is next asked for, in this process.
    pub fn forget(&self, id: &ConnectionId) {
        self.kept
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
    }

    fn open(
        &self,
        id: &ConnectionId,
        sealed: &str,
    ) -> Result<BTreeMap<String, String>, ConnectionError> {
        let opened = self.seal.open(&context(id), sealed)?;
        serde_json::from_slice(&opened).map_err(|_| ConnectionError::Credentials(id.clone()))
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

/// Writes a connection with its credentials sealed; replaces those of one that exists, without
/// overlap.
///
/// # Errors
/// [`StoreError`] of the engine.
pub async fn put(
    tx: &mut Tx,
    seal: &SealingKey,
    ids: &Ids,
    new: &NewConnection,
) -> Result<(), StoreError> {
    let sealed = sealed(seal, ids, &new.connection_id, &new.credentials);
    store::put(tx, new, &sealed).await
}

/// Replaces the credentials of a connection; the old ones stay good for checking until
/// `overlap_until`. The same credentials once more change nothing: whoever heard no answer may ask
/// again without losing the old ones.
///
/// # Errors
/// [`ConnectionError::Unknown`] when there is none, [`ConnectionError::Overtaken`] when somebody
/// else rotated at the same time.
pub async fn rotate(
    tx: &mut Tx,
    seal: &SealingKey,
    ids: &Ids,
    id: &ConnectionId,
    credentials: &[(String, String)],
    overlap_until: Instant,
) -> Result<(), ConnectionError> {
    let old = store::credentials(tx, id)
        .await?
        .ok_or(ConnectionError::Unknown)?;
    let opened = seal.open(&context(id), &old)?;
    let held: BTreeMap<String, String> =
        serde_json::from_slice(&opened).map_err(|_| ConnectionError::Credentials(id.clone()))?;
    if held == credentials.iter().cloned().collect() {
        return Ok(());
    }
    let sealed = sealed(seal, ids, id, credentials);
    match store::rotate(tx, id, &old, &sealed, overlap_until).await? {
        0 => Err(ConnectionError::Overtaken),
        _ => Ok(()),
    }
}

/// Switches a connection on or off. Off, its address answers that there is no such connection, and
/// no page offers it.
///
/// # Errors
/// [`ConnectionError::Unknown`] when there is none.
pub async fn switch(tx: &mut Tx, id: &ConnectionId, state: State) -> Result<(), ConnectionError> {
    match store::switch(tx, id, state).await? {
        0 => Err(ConnectionError::Unknown),
        _ => Ok(()),
    }
}

/// Sets the networks its notices may come from; none means anywhere.
///
/// # Errors
/// [`ConnectionError::Unknown`] when there is none.
pub async fn set_sources(
    tx: &mut Tx,
    id: &ConnectionId,
    sources: &[Network],
) -> Result<(), ConnectionError> {
    let text: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let text = Some(text.join(" ")).filter(|text| !text.is_empty());
    match store::set_sources(tx, id, text).await? {
        0 => Err(ConnectionError::Unknown),
        _ => Ok(()),
    }
}

fn sealed(
    seal: &SealingKey,
    ids: &Ids,
    id: &ConnectionId,
    credentials: &[(String, String)],
) -> String {
    let plain: serde_json::Map<String, serde_json::Value> = credentials
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    seal.seal(
        ids,
        &context(id),
        serde_json::Value::Object(plain).to_string().as_bytes(),
    )
}

fn context(id: &ConnectionId) -> String {
    format!("provider_connection/{id}")
}
