//! One reading of a list to its end: calls outside any transaction, what is not known handed to the
//! desk, the cursor moved afterwards. Every reading may be repeated, by any node.

use std::sync::Arc;

use hocphi_adapters::contract::{
    Flow as Message, ListPlan, ListQuestion, ListRow, Listing, Notice, Outcome, Reception, Status,
};

use super::rules::{self, Next, Row};
use super::store::{self, ListState, Switch};
use crate::App;
use crate::clock::Instant;
use crate::payments::connections::{Connection, ConnectionError};
use crate::payments::outbound::call::reach;
use crate::payments::outbound::service::{chance, shortened};
use crate::payments::receive;
use crate::payments::rules::fingerprint;
use crate::schools::parameters;
use crate::store::{StoreError, Tx};

/// A list is left to one node for so long; longer than one page takes.
pub(super) const LEASE_SECONDS: i64 = 120;
/// Pages of one reading; the next one goes on from there.
const PAGES_MAX: u32 = 100;
/// Without the credential it is looked again so much later.
const UNCONFIGURED_SECONDS: i64 = 3_600;
/// Movements handed to the desk at once; it has others to serve.
const AT_ONCE_MAX: usize = 128;
/// Dated parameter of a school: minutes between two readings of a provider's list.
pub const MINUTES: &str = "provider_list_minutes";
const MINUTES_MAX: i64 = 1_440;

/// Why a reading did not come to its end, for people.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("the connection is switched off, or its provider has no list any more")]
    Gone,
    #[error("the credential {0} is not configured")]
    Unconfigured(String),
    #[error("{0}")]
    Call(String),
    #[error("another page is full and the provider gives no more: import the bank's statement")]
    OutOfReach,
    #[error("there are more than {PAGES_MAX} pages")]
    TooLong,
    #[error("the books could not take {0}")]
    Books(String),
    #[error("{count} rows cannot be read, the first: {first}")]
    Unreadable { count: usize, first: String },
    #[error("somebody else reads the list")]
    Overtaken,
}

/// Reads a claimed list to its end and writes down how that went.
///
/// # Errors
/// [`StoreError`] when that cannot be written; the list is due again when its lease runs out.
pub(super) async fn read(app: &App, mut state: ListState) -> Result<(), StoreError> {
    let began = app.clock.now();
    let mut found = 0;
    let done = read_to_end(app, &state, began, &mut found).await;
    let now = app.clock.now();
    if found > 0 {
        state.found += found;
        state.found_at = Some(now);
    }
    let every = every(app, &state, now).await?;
    state.state = match done {
        Err(Trouble::Unconfigured(_)) => Switch::Off,
        _ => Switch::On,
    };
    match done {
        Ok(Done { cursor, trouble }) => {
            state.through_at = cursor.through;
            state.after_number = cursor.after;
            state.read_at = Some(now);
            state.faults = 0;
            state.next_at = rules::next_at(every, 0, now, chance(app));
            state.problem = trouble.map(|trouble| shortened(trouble.to_string()));
        }
        Err(Trouble::Overtaken) => return Ok(()),
        Err(trouble @ (Trouble::Unconfigured(_) | Trouble::Gone)) => {
            state.next_at = rules::next_at(UNCONFIGURED_SECONDS, 0, now, chance(app));
            state.problem = Some(shortened(trouble.to_string()));
        }
        Err(trouble) => {
            state.faults += 1;
            state.next_at = rules::next_at(every, state.faults, now, chance(app));
            state.problem = Some(shortened(trouble.to_string()));
            tracing::warn!(
                connection.id = %state.connection_id, problem = %trouble, faults = state.faults,
                "a provider's list was not read to its end"
            );
        }
    }
    app.db
        .write("listing.save", async move |tx: &mut Tx| {
            store::save(tx, &state).await
        })
        .await?;
    Ok(())
}

struct Done {
    cursor: rules::Cursor,
    /// What was left out all the same.
    trouble: Option<Trouble>,
}

async fn read_to_end(
    app: &App,
    state: &ListState,
    began: Instant,
    found: &mut i64,
) -> Result<Done, Trouble> {
    let connection = app
        .connections
        .get(&app.db, &state.connection_id, began)
        .await?
        .ok_or(Trouble::Gone)?;
    let plan = connection.adapter.profile().list.as_ref();
    let plan = plan.ok_or(Trouble::Gone)?;
    if connection.credentials.get(&plan.needs).is_none() {
        return Err(Trouble::Unconfigured(plan.needs.clone()));
    }
    let cursor = state.cursor();
    let (from, after) = rules::begin(&cursor, plan, began);
    let (mut page, mut until) = (1, None);
    let mut seen: Vec<(String, Option<Instant>)> = Vec::new();
    let mut unreadable = Vec::new();
    for _ in 0..PAGES_MAX {
        hold(app, state).await?;
        let question = ListQuestion {
            at_unix: app.clock.now().unix(),
            from_unix: from.map(Instant::unix),
            until_unix: until.map(Instant::unix),
            after,
            page,
        };
        let listing = ask(app, &connection, &question).await?;
        let count = listing.rows.len() + listing.unreadable.len();
        unreadable.extend(listing.unreadable);
        let dates: Vec<_> = listing.rows.iter().map(|row| at(&row.notice)).collect();
        let numbers = listing.rows.iter().zip(&dates).map(|(row, at)| {
            let number = row.notice.transaction_id.clone().unwrap_or_default();
            (number, *at)
        });
        seen.extend(numbers);
        *found += taken_over(app, &connection, &cursor, listing.rows).await?;
        match rules::next(plan, page, until, count, dates.into_iter().flatten().min()) {
            Next::End => return Ok(ended(&cursor, plan, &seen, unreadable, began)),
            Next::Page(number) => page = number,
            Next::Until(moment) => until = Some(moment),
            Next::OutOfReach => return Err(Trouble::OutOfReach),
        }
    }
    Err(Trouble::TooLong)
}

/// What was read to the end; with rows that nobody could read the cursor stays, so that they come
/// again for whoever can.
fn ended(
    cursor: &rules::Cursor,
    plan: &ListPlan,
    seen: &[(String, Option<Instant>)],
    unreadable: Vec<hocphi_adapters::contract::Rejection>,
    began: Instant,
) -> Done {
    let rows = seen.iter().map(|(number, at)| Row { number, at: *at });
    match unreadable.first() {
        None => Done {
            cursor: rules::advanced(cursor, rows, plan, began),
            trouble: None,
        },
        Some(first) => Done {
            cursor: cursor.clone(),
            trouble: Some(Trouble::Unreadable {
                count: unreadable.len(),
                first: first.detail.clone(),
            }),
        },
    }
}

async fn hold(app: &App, state: &ListState) -> Result<(), Trouble> {
    let until = app.clock.now().plus_seconds(LEASE_SECONDS);
    let state = state.clone();
    let held = app
        .db
        .write("listing.hold", async move |tx: &mut Tx| {
            store::hold(tx, &state, until).await
        })
        .await?;
    if held {
        Ok(())
    } else {
        Err(Trouble::Overtaken)
    }
}

async fn ask(
    app: &App,
    connection: &Arc<Connection>,
    question: &ListQuestion<'_>,
) -> Result<Listing, Trouble> {
    let call = connection
        .adapter
        .list(question, &connection.credentials)
        .map_err(|fault| Trouble::Call(fault.message))?;
    let reply = reach(app, connection, Message::List, &call)
        .await
        .map_err(|fault| Trouble::Call(fault.message))?;
    let status = reply.status;
    let listing = receive::with_valid(connection, app.clock.now(), |credentials| {
        connection.adapter.read_list(&reply, credentials)
    })
    .map_err(|rejection| Trouble::Call(format!("HTTP {status}: {rejection}")))?;
    if listing.reception == Reception::Taken {
        return Ok(listing);
    }
    let told = [listing.code, listing.message];
    let told: Vec<String> = told.into_iter().flatten().collect();
    Err(Trouble::Call(format!("HTTP {status}: {}", told.join(": "))))
}

fn at(notice: &Notice) -> Option<Instant> {
    notice.occurred_at_unix.map(Instant::from_unix)
}

/// Hands in what is money to us and not in the books; answers how many movements that were.
async fn taken_over(
    app: &App,
    connection: &Arc<Connection>,
    cursor: &rules::Cursor,
    rows: Vec<ListRow>,
) -> Result<i64, Trouble> {
    let is_ours = |notice: &Notice| {
        // Money that went out, or came to another account of the same user.
        notice.status == Status::Paid
            && notice.remark.is_none()
            && at(notice).is_none_or(|at| at >= cursor.not_before)
    };
    let rows: Vec<ListRow> = rows
        .into_iter()
        .filter(|row| is_ours(&row.notice))
        .collect();
    if rows.is_empty() {
        return Ok(0);
    }
    let numbers = rows
        .iter()
        .filter_map(|row| row.notice.transaction_id.clone());
    let (school, provider) = (&connection.school_id, &connection.provider);
    let known = store::known(&app.db, school, provider, numbers).await?;
    let mut new = rows
        .into_iter()
        .filter(|row| {
            let number = row.notice.transaction_id.as_deref().unwrap_or_default();
            // The same number with another meaning is for a person, as with notices.
            known.get(number) != Some(&fingerprint(&row.notice))
        })
        .map(|row| (row.notice, row.raw));
    let (mut taken, mut refused) = (0, None);
    let mut posted = Vec::new();
    loop {
        let some = new.by_ref().take(AT_ONCE_MAX);
        let done = receive::post_each(app, connection, some).await;
        if done.is_empty() {
            break;
        }
        posted.extend(done);
    }
    for posted in posted {
        let number = posted.transaction_id.unwrap_or_default();
        tracing::info!(
            connection.id = %connection.connection_id, transaction = number,
            outcome = posted.outcome.code(), "a movement was found in the provider's list"
        );
        match posted.outcome {
            Outcome::Temporary => refused = Some(number),
            Outcome::Repeated => {}
            Outcome::Accepted
            | Outcome::UnknownOrder
            | Outcome::AmountDiffers
            | Outcome::NotAuthentic
            | Outcome::Unusable => taken += 1,
        }
    }
    match refused {
        Some(number) => Err(Trouble::Books(number)),
        None => Ok(taken),
    }
}

/// Seconds between two readings: the school's dated word, else the recipe's.
async fn every(app: &App, state: &ListState, now: Instant) -> Result<i64, StoreError> {
    let told = parameters::load(&app.db, &state.school_id).await?;
    let told = told.as_ref().and_then(|told| told.at(MINUTES, now.day()));
    if let Some(minutes) = told.and_then(|told| told.value.parse::<i64>().ok()) {
        return Ok(minutes.clamp(1, MINUTES_MAX) * 60);
    }
    let connection = app.connections.get_any(&app.db, &state.connection_id).await;
    let plan = connection.ok().flatten();
    let plan = plan.and_then(|connection| connection.adapter.profile().list.clone());
    Ok(plan.map_or(UNCONFIGURED_SECONDS, |plan| i64::from(plan.every)))
}
