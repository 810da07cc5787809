//! Writes messages in batches, beside the posting: a provider never waits for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hocphi_adapters::contract::{Flow, Inbound, Outcome, Reason};
use tokio::sync::{mpsc, oneshot};

use super::rules::mask;
use super::secret_digest;
use super::store::{self, Message, Verdict};
use crate::clock::{Clock, Instant};
use crate::ids::{ConnectionId, Ids, MessageId, SchoolId};
use crate::payments::connections::Connection;
use crate::sealing::SealingKey;
use crate::store::{Db, StoreError, Tx};

/// How long a message waits for company. A crash loses at most this much of what was refused; what
/// was posted is in the inbox with its money.
const GATHER: Duration = Duration::from_millis(50);
const BATCH_MAX: usize = 256;
const QUEUE_MAX: usize = 4_096;
/// Refused messages kept of a connection; anybody can send such.
const REFUSED_MAX: i64 = 1_000;
/// Refused messages written of a connection at once, and the pause that allows one more.
const REFUSED_AT_ONCE: i64 = 100;
const REFUSED_EVERY_SECONDS: i64 = 5;
/// Messages are kept this long; the inbox keeps what was posted for as long as the books.
const KEPT_SECONDS: i64 = 180 * 24 * 3600;
/// Old messages of a school are looked for this often.
const PRUNE_SECONDS: i64 = 3600;
const NAMES_MAX: usize = 64;

/// A message, and what was thought of it.
#[derive(Debug)]
pub struct Seen {
    pub connection: Arc<Connection>,
    pub flow: Flow,
    /// Address of the caller.
    pub source: String,
    pub inbound: Inbound,
    pub verdict: Verdict,
    pub reason: Option<Reason>,
    pub detail: Option<String>,
    pub outcome: Outcome,
    /// How many reports it carried.
    pub notices: usize,
    /// Numbers in it that are no cards.
    pub spare: Vec<String>,
}

impl Seen {
    /// A message of which nothing is believed yet.
    pub fn refused(
        connection: &Arc<Connection>,
        flow: Flow,
        source: String,
        inbound: Inbound,
    ) -> Self {
        Self {
            connection: Arc::clone(connection),
            flow,
            source,
            inbound,
            verdict: Verdict::Refused,
            reason: None,
            detail: None,
            outcome: Outcome::Unusable,
            notices: 0,
            spare: Vec::new(),
        }
    }

    /// Notes why nothing of it is believed.
    pub fn refuse(&mut self, reason: Option<Reason>, detail: &str, outcome: Outcome) {
        (self.reason, self.detail, self.outcome) = (reason, Some(detail.to_owned()), outcome);
    }
}

#[derive(Debug)]
enum Order {
    Keep(Box<Seen>),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// Takes messages to be kept; cheap to clone.
#[derive(Clone, Debug)]
pub struct Keeper(Option<mpsc::Sender<Order>>);

/// What the keeper's task works with.
pub struct KeeperTools {
    pub db: Db,
    pub clock: Clock,
    pub ids: Ids,
    pub seal: Arc<SealingKey>,
}

impl Keeper {
    /// Starts the task that writes. It ends when every handle is gone.
    pub fn open(tools: KeeperTools) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(tools, receiver));
        Self(Some(sender))
    }

    /// Keeps nothing: messages are no part of the books, and a simulation has no second writer.
    pub const fn forgetful() -> Self {
        Self(None)
    }

    /// Hands a message over without waiting. With a full queue it is not kept, which is logged.
    pub fn keep(&self, seen: Seen) {
        if let Some(queue) = &self.0
            && let Err(error) = queue.try_send(Order::Keep(Box::new(seen)))
        {
            tracing::warn!(%error, "a provider's message is not kept");
        }
    }

    /// Returns when everything handed over before is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if let Some(queue) = &self.0
            && queue.send(Order::Flush(done)).await.is_ok()
        {
            // The task answers or has ended; either way nothing more is coming.
            let _ = written.await;
        }
    }
}

async fn run(tools: KeeperTools, mut queue: mpsc::Receiver<Order>) {
    let mut bounds = Bounds::default();
    while let Some(first) = queue.recv().await {
        let mut seen = Vec::new();
        let mut flushes = Vec::new();
        let mut take = |order| match order {
            Order::Keep(message) => seen.push(*message),
            Order::Flush(done) => flushes.push(done),
        };
        let mut is_urgent = matches!(first, Order::Flush(_));
        take(first);
        let deadline = tokio::time::Instant::now() + GATHER;
        let mut taken = 1;
        while !is_urgent && taken < BATCH_MAX {
            match tokio::time::timeout_at(deadline, queue.recv()).await {
                Ok(Some(order)) => {
                    is_urgent = matches!(order, Order::Flush(_));
                    take(order);
                    taken += 1;
                }
                Ok(None) | Err(_) => break,
            }
        }
        write(&tools, &mut bounds, seen).await;
        for done in flushes {
            // Whoever waited may have gone.
            let _ = done.send(());
        }
    }
}

async fn write(tools: &KeeperTools, bounds: &mut Bounds, seen: Vec<Seen>) {
    let now = tools.clock.now();
    let messages: Vec<Message> = seen
        .into_iter()
        .filter(|seen| bounds.allows(seen, now))
        .map(|seen| message(tools, &seen, now))
        .collect();
    if messages.is_empty() {
        return;
    }
    let pruned = bounds.due(&messages, now);
    let oldest = MessageId::new(tools.ids.next(now.plus_seconds(-KEPT_SECONDS)));
    let count = messages.len();
    let written = tools
        .db
        .write("messages.keep", async move |tx: &mut Tx| {
            store::insert(tx, &messages).await?;
            for (school, connection) in &pruned.refused {
                store::prune_refused(tx, school, connection, REFUSED_MAX).await?;
            }
            for school in &pruned.schools {
                store::prune_old(tx, school, &oldest).await?;
            }
            Ok::<_, StoreError>(())
        })
        .await;
    if let Err(error) = written {
        tracing::error!(%error, count, "messages of providers are not kept");
    }
}

fn message(tools: &KeeperTools, seen: &Seen, now: Instant) -> Message {
    let connection = &seen.connection;
    let id = connection.connection_id.as_str();
    let secrets = connection.secrets();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let spare: Vec<&str> = seen.spare.iter().map(String::as_str).collect();
    let (masked, foreign) = mask(
        &seen.inbound,
        &secrets,
        &spare,
        &secret_digest(&tools.seal, id),
    );
    let message_id = MessageId::new(tools.ids.next(now));
    // A token of ours, say: it proved the sender and is no credential that could be put back.
    let sealed = (seen.verdict == Verdict::Authentic && !foreign.is_empty()).then(|| {
        let secrets = serde_json::Value::from(foreign).to_string();
        tools
            .seal
            .seal(&tools.ids, &sealed_context(&message_id), secrets.as_bytes())
    });
    let mut message = Message {
        school_id: connection.school_id.clone(),
        message_id,
        connection_id: connection.connection_id.clone(),
        provider: connection.provider.clone(),
        flow: seen.flow.code().to_owned(),
        source: seen.source.clone(),
        method: masked.method.chars().take(NAMES_MAX).collect(),
        path: masked.path,
        query: masked.query,
        headers: serde_json::Value::from_iter(
            masked
                .headers
                .into_iter()
                .map(|(name, value)| serde_json::Value::from(vec![name, value])),
        )
        .to_string(),
        body: masked.body,
        body_form: masked.body_form,
        size: i64::try_from(seen.inbound.body.len()).unwrap_or(i64::MAX),
        is_whole: i64::from(masked.is_whole),
        sealed,
        verdict: seen.verdict,
        reason: seen.reason.map(|reason| reason.code().to_owned()),
        detail: seen.detail.clone(),
        outcome: seen.outcome.code().to_owned(),
        notices: i64::try_from(seen.notices).unwrap_or(i64::MAX),
        received_at: Instant::from_unix(seen.inbound.received_at_unix),
        digest: String::new(),
    };
    message.digest = digest(&tools.seal, &message);
    message
}

/// The place of a message's sealed secrets.
pub(super) fn sealed_context(id: &MessageId) -> String {
    format!("inbound_message/{id}")
}

/// Keyed digest over everything that a replay believes.
pub(super) fn digest(seal: &SealingKey, message: &Message) -> String {
    let size = message.size.to_be_bytes();
    let is_whole = message.is_whole.to_be_bytes();
    let received_at = message.received_at.micros().to_be_bytes();
    seal.digest(
        "inbound_message",
        &[
            message.school_id.as_str().as_bytes(),
            message.message_id.as_str().as_bytes(),
            message.connection_id.as_str().as_bytes(),
            message.provider.as_bytes(),
            message.flow.as_bytes(),
            message.source.as_bytes(),
            message.method.as_bytes(),
            message.path.as_bytes(),
            message.query.as_bytes(),
            message.headers.as_bytes(),
            message.body.as_bytes(),
            message.body_form.as_str().as_bytes(),
            &size,
            &is_whole,
            message.verdict.as_str().as_bytes(),
            message.outcome.as_bytes(),
            &received_at,
        ],
    )
}

/// Holds refused messages, which anybody can send, to a rate; remembers what is to be pruned.
#[derive(Default)]
struct Bounds {
    /// When the connection's allowance is whole again.
    full_at: HashMap<ConnectionId, Instant>,
    pruned_at: HashMap<SchoolId, Instant>,
    dropped: u64,
}

struct Pruning {
    refused: BTreeSet<(SchoolId, ConnectionId)>,
    schools: Vec<SchoolId>,
}

impl Bounds {
    fn allows(&mut self, seen: &Seen, now: Instant) -> bool {
        if seen.verdict == Verdict::Authentic {
            return true;
        }
        let full_at = self
            .full_at
            .entry(seen.connection.connection_id.clone())
            .or_insert(now);
        let after = (*full_at).max(now).plus_seconds(REFUSED_EVERY_SECONDS);
        if after > now.plus_seconds(REFUSED_EVERY_SECONDS * REFUSED_AT_ONCE) {
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                tracing::warn!(
                    connection.id = %seen.connection.connection_id, dropped = self.dropped,
                    "too many refused messages; not all are kept"
                );
            }
            return false;
        }
        *full_at = after;
        true
    }

    fn due(&mut self, messages: &[Message], now: Instant) -> Pruning {
        let refused = messages
            .iter()
            .filter(|message| message.verdict == Verdict::Refused)
            .map(|message| (message.school_id.clone(), message.connection_id.clone()))
            .collect();
        let schools: BTreeSet<&SchoolId> = messages.iter().map(|m| &m.school_id).collect();
        let schools = schools
            .into_iter()
            .filter(|school| {
                self.pruned_at
                    .get(school)
                    .is_none_or(|at| at.plus_seconds(PRUNE_SECONDS) <= now)
            })
            .cloned()
            .collect::<Vec<_>>();
        for school in &schools {
            self.pruned_at.insert(school.clone(), now);
        }
        Pruning { refused, schools }
    }
}
