//! Publishes a round: every bill and line in one transaction, or none.

use std::collections::HashSet;

use super::{FeeError, PUPILS_PER_CHUNK};
use crate::App;
use crate::clock::{Day, Instant};
use crate::fees::bill_code::BillCode;
use crate::fees::pricing::{Priced, Pricer, by_pupil_and_item};
use crate::fees::store::{self, NewBill, NewLine, Pupil, Round};
use crate::fees::vocabulary::{BillState, RoundState};
use crate::ids::{BillId, Ids, RoundId, SchoolId};
use crate::jobs::{self, NewJob};
use crate::money::Vnd;
use crate::store::{StoreError, Tx};

/// Each draw meets a code in use with the share of codes in use, below one in a thousand for
/// sixteen million bills: eight draws in a row never do.
const CODE_DRAWS_MAX: usize = 8;

/// The job that uses pupils' credit for the bills of a round; `payments` owns its handler.
pub const USE_CREDIT: &str = "credit.use";

/// What a published round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub bills: i64,
    pub total_due: Vnd,
    /// The round had been published before; nothing was written now.
    pub before: bool,
}

/// Bills every pupil who studies and has a class on the round's day of charge. Who has no line gets
/// no bill; who has lines that others bear in full gets a bill with nothing due. Publishing again
/// answers the same and writes nothing.
///
/// # Errors
/// [`FeeError`]; a missing price or parameter is named and nothing is written.
pub async fn publish(
    app: &App,
    school: &SchoolId,
    round_id: &RoundId,
) -> Result<Published, FeeError> {
    let now = app.clock.now();
    let ids = app.ids.clone();
    let school = school.clone();
    let round_id = round_id.clone();
    app.db
        .write("fees.publish", async move |tx: &mut Tx| {
            // Moved first: of two who publish at once, the second waits here and then finds it done.
            let moved = store::mark_published(tx, &school, &round_id, now).await?;
            let round = store::round(tx, &school, &round_id)
                .await?
                .ok_or(FeeError::RoundUnknown)?;
            if !moved {
                debug_assert_eq!(round.state, RoundState::Published);
                return Ok(Published {
                    bills: round.bill_count,
                    total_due: round.total_due,
                    before: true,
                });
            }
            let (bills, total_due) = write_bills(tx, &ids, &school, &round, now).await?;
            store::finish_round(tx, &school, &round_id, bills, total_due).await?;
            let use_credit = NewJob {
                school_id: school.clone(),
                kind: USE_CREDIT,
                subject: round_id.to_string(),
                run_at: now,
            };
            jobs::enqueue(tx, &ids, &[use_credit], now).await?;
            Ok(Published {
                bills,
                total_due,
                before: false,
            })
        })
        .await
}

async fn write_bills(
    tx: &mut Tx,
    ids: &Ids,
    school: &SchoolId,
    round: &Round,
    now: Instant,
) -> Result<(i64, Vnd), FeeError> {
    let today = now.day();
    let mut pricer = Pricer::load(tx, school, round, today).await?;
    let mut total = (0, Vnd::ZERO);
    let mut after = String::new();
    loop {
        let pupils = store::pupils(tx, school, round.charge_day, &after, PUPILS_PER_CHUNK).await?;
        let Some(last) = pupils
            .last()
            .map(|pupil| pupil.pupil_id.as_str().to_owned())
        else {
            return Ok(total);
        };
        let choices =
            by_pupil_and_item(store::choices(tx, school, round.charge_day, &after, &last).await?)?;
        let mut bills = Vec::with_capacity(pupils.len());
        let mut priced = Vec::with_capacity(pupils.len());
        for pupil in pupils {
            let owed = pricer.bill(&pupil, &choices)?;
            if owed.gross.is_zero() {
                continue;
            }
            total.0 += 1;
            total.1 += owed.amount_due;
            bills.push(new_bill(ids, now, pupil, &owed));
            priced.push(owed);
        }
        insert_bills(tx, ids, school, round, today, &mut bills).await?;
        // Gathered, not lazy: a closure over borrowed lines held across the statement would keep
        // this future from being sent between threads, and handlers of pages need that.
        let mut lines = Vec::new();
        for (bill, owed) in bills.iter().zip(&priced) {
            for ((place, line), line_no) in owed.lines.iter().zip(1..) {
                lines.push(NewLine {
                    bill_id: &bill.bill_id,
                    line_no,
                    item_id: &pricer.item(*place).item_id,
                    line,
                });
            }
        }
        let expected = lines.len();
        let added = store::insert_lines(tx, school, lines).await?;
        if usize::try_from(added) != Ok(expected) {
            return Err(StoreError::Contradiction(format!(
                "bill_line: {added} of {expected} lines of round {} were added",
                round.round_id
            ))
            .into());
        }
        after = last;
    }
}

fn new_bill(ids: &Ids, now: Instant, pupil: Pupil, owed: &Priced) -> NewBill {
    NewBill {
        bill_id: BillId::new(ids.next(now)),
        pupil_id: pupil.pupil_id,
        code: BillCode::draw(ids),
        access_token: ids.token(),
        payer_name: pupil.payer_name.unwrap_or_else(|| pupil.full_name.clone()),
        pupil_name: pupil.full_name,
        pupil_code: pupil.code,
        class_name: pupil.class_name,
        state: if owed.amount_due.is_zero() {
            BillState::NothingDue
        } else {
            BillState::Open
        },
        gross: owed.gross,
        amount_due: owed.amount_due,
        priced_until: owed.priced_until,
    }
}

/// Bills whose code is in use already are left out by the engine; they draw again.
async fn insert_bills(
    tx: &mut Tx,
    ids: &Ids,
    school: &SchoolId,
    round: &Round,
    today: Day,
    bills: &mut [NewBill],
) -> Result<(), StoreError> {
    let added = store::insert_bills(tx, school, round, today, bills.iter()).await?;
    if usize::try_from(added) == Ok(bills.len()) {
        return Ok(());
    }
    for _ in 0..CODE_DRAWS_MAX {
        let missing: HashSet<BillId> = store::missing_bills(tx, school, bills.iter())
            .await?
            .into_iter()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        for bill in bills
            .iter_mut()
            .filter(|bill| missing.contains(&bill.bill_id))
        {
            bill.code = BillCode::draw(ids);
            bill.access_token = ids.token();
        }
        let again = bills.iter().filter(|bill| missing.contains(&bill.bill_id));
        store::insert_bills(tx, school, round, today, again).await?;
    }
    Err(StoreError::Contradiction(format!(
        "fee_bill: bills of round {} find no free code",
        round.round_id
    )))
}
