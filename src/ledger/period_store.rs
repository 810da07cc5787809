//! Statements of closed periods.

use std::collections::HashMap;

use super::period::Event;
use crate::ids::SchoolId;
use crate::store::{Db, StoreError, Tx};

pub(super) async fn last_event(tx: &mut Tx, school: &SchoolId) -> Result<i64, StoreError> {
    let (last,): (i64,) = tx
        .sql("SELECT COALESCE(MAX(event_no), 0) FROM ledger_period WHERE school_id = $1")
        .bind(school.clone())
        .one()
        .await?;
    Ok(last)
}

pub(super) async fn insert(tx: &mut Tx, event: &Event) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO ledger_period (school_id, event_no, period, action, closed_through, after_seq,
                                    reason, actor, at, seal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(event.school_id.clone())
    .bind(event.event_no)
    .bind(event.period.clone())
    .bind(event.action)
    .bind(event.closed_through)
    .bind(event.after_seq)
    .bind(event.reason.clone())
    .bind(event.actor.clone())
    .bind(event.at)
    .bind(event.seal.clone())
    .run()
    .await?;
    Ok(())
}

pub(super) async fn history(db: &Db, school: &SchoolId) -> Result<Vec<Event>, StoreError> {
    db.sql(
        "SELECT school_id, event_no, period, action, closed_through, after_seq, reason, actor, at,
                seal
           FROM ledger_period WHERE school_id = $1 ORDER BY event_no",
    )
    .bind(school.clone())
    .all()
    .await
}

/// Of all schools, each in order.
pub(super) async fn closings(tx: &mut Tx) -> Result<HashMap<SchoolId, Vec<Event>>, StoreError> {
    let all: Vec<Event> = tx
        .sql(
            "SELECT school_id, event_no, period, action, closed_through, after_seq, reason, actor,
                    at, seal
               FROM ledger_period ORDER BY school_id, event_no",
        )
        .all()
        .await?;
    let mut found: HashMap<SchoolId, Vec<Event>> = HashMap::new();
    for event in all {
        found
            .entry(event.school_id.clone())
            .or_default()
            .push(event);
    }
    Ok(found)
}
