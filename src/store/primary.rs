//! Several addresses of one PostgreSQL: the primary and the standbys that may take its place.
//!
//! Every new connection is asked whether it reached a primary, and of which timeline. A watcher
//! looks for another primary when the one in use does not answer, and the pool connects there from
//! then on. A promotion raises the timeline by one, so a former primary that comes back is refused by
//! everybody who has seen its successor.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::task::JoinSet;

use super::{StoreError, Trouble};

/// How often the primary in use is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// An address that answers later than this is passed over.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The timeline of a primary; NULL on a standby, which has no place of its own to write at.
const TIMELINE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN NULL
             ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int::bigint
         END";

/// Splits `postgres://a/x,postgres://b/x` into its addresses.
pub(super) fn addresses(list: &str) -> Result<Vec<PgConnectOptions>, StoreError> {
    let mut found = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        // A comma may stand in a password or an option; one before a scheme separates.
        let end = [",postgres://", ",postgresql://"]
            .iter()
            .filter_map(|start| rest.find(start))
            .min();
        let (one, after) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, ""),
        };
        found.push(PgConnectOptions::from_str(one)?.application_name("hocphi"));
        rest = after;
    }
    Ok(found)
}

/// Connects a pool to the primary among these addresses, and keeps it there.
pub(super) async fn connect(
    options: PgPoolOptions,
    addresses: Vec<PgConnectOptions>,
) -> Result<PgPool, StoreError> {
    let watch = Watch {
        addresses,
        timeline: Arc::default(),
    };
    let first = watch.find().await.ok_or(StoreError::NoPrimary)?;
    let known = watch.timeline.clone();
    let pool = options
        .after_connect(move |connection, _| {
            let known = known.clone();
            Box::pin(async move {
                let timeline: Option<i64> =
                    sqlx::query_scalar(TIMELINE).fetch_one(connection).await?;
                match timeline {
                    Some(timeline) if timeline >= known.fetch_max(timeline, Ordering::AcqRel) => {
                        Ok(())
                    }
                    _ => Err(sqlx::Error::Io(std::io::Error::new(
                        std::io::ErrorKind::ConnectionRefused,
                        "the server is a standby, or a primary that was succeeded",
                    ))),
                }
            })
        })
        .connect_with(watch.addresses[first].clone())
        .await?;
    tokio::spawn(watch.run(pool.clone(), first));
    Ok(pool)
}

struct Watch {
    addresses: Vec<PgConnectOptions>,
    /// The highest timeline that was seen.
    timeline: Arc<AtomicI64>,
}

impl Watch {
    /// Follows the primary until the pool is closed; `current` is the address in use.
    async fn run(self, pool: PgPool, mut current: usize) {
        let mut closed = std::pin::pin!(pool.close_event());
        let mut connection: Option<PgConnection> = None;
        let mut lost = false;
        loop {
            tokio::select! {
                () = &mut closed => return,
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
            }
            if self.still_leads(current, &mut connection).await {
                lost = false;
                continue;
            }
            connection = None;
            match self.find().await {
                Some(found) => {
                    if found != current {
                        tracing::error!(
                            code = "database_primary_changed",
                            from = self.shown(current),
                            to = self.shown(found),
                            "another server is the primary now"
                        );
                        pool.set_connect_options(self.addresses[found].clone());
                        current = found;
                    }
                    lost = false;
                }
                None if !lost => {
                    lost = true;
                    tracing::error!(
                        code = Trouble::Unreachable.code(),
                        addresses = self.addresses.len(),
                        "no address answers as a primary"
                    );
                }
                None => {}
            }
        }
    }

    /// Whether the address in use answers as a primary that nobody succeeded. Keeps its connection.
    async fn still_leads(&self, current: usize, kept: &mut Option<PgConnection>) -> bool {
        let asked = tokio::time::timeout(PROBE_TIMEOUT, async {
            let connection = match kept.take() {
                Some(connection) => kept.insert(connection),
                None => kept.insert(self.addresses[current].connect().await?),
            };
            timeline_of(connection).await
        });
        match asked.await {
            Ok(Ok(Some(timeline))) => {
                timeline >= self.timeline.fetch_max(timeline, Ordering::AcqRel)
            }
            // Whatever the reason: the caller looks around.
            _ => false,
        }
    }

    /// The primary of the highest timeline that is not behind what was seen before.
    async fn find(&self) -> Option<usize> {
        let mut probes = JoinSet::new();
        for (place, address) in self.addresses.iter().cloned().enumerate() {
            probes.spawn(async move {
                let probed = tokio::time::timeout(PROBE_TIMEOUT, async {
                    let mut connection = address.connect().await?;
                    let timeline = timeline_of(&mut connection).await?;
                    connection.close().await?;
                    Ok::<_, sqlx::Error>(timeline)
                });
                match probed.await {
                    Ok(Ok(Some(timeline))) => Some((timeline, place)),
                    _ => None,
                }
            });
        }
        let mut best: Option<(i64, usize)> = None;
        while let Some(probed) = probes.join_next().await {
            if let Ok(Some((timeline, place))) = probed
                && best.is_none_or(|(highest, _)| timeline > highest)
            {
                best = Some((timeline, place));
            }
        }
        let (timeline, place) = best?;
        (timeline >= self.timeline.fetch_max(timeline, Ordering::AcqRel)).then_some(place)
    }

    fn shown(&self, place: usize) -> String {
        let address = &self.addresses[place];
        format!("{}:{}", address.get_host(), address.get_port())
    }
}

async fn timeline_of(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(TIMELINE).fetch_one(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_before_a_scheme_separates_addresses() {
        let found =
            addresses("postgres://u:a,b@one:5433/x,postgresql://u@two/x?options=-c%20a%3Db,c")
                .expect("addresses");
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.get_host().to_owned(), one.get_port()))
            .collect();
        assert_eq!(shown, [("one".to_owned(), 5433), ("two".to_owned(), 5432)]);
    }
}
