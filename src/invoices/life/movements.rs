//! What money that moved asks of invoices: a negative adjustment for what left bill lines, a further
//! invoice for what came to others. Contract: head of `payments/mod.rs`.
//!
//! The document of a refund is a saga whose state stands in `refund.document`: WAITING until every
//! invoice it touches is adjusted and the authority has taken the adjustments, then DONE; FAILED
//! while something needs a person. The job stays until DONE, so what a person mends is noticed.

use std::collections::BTreeMap;

use super::rules::{self, Refusal};
use super::service::{After, Ask, LifeError, correct};
use super::store::{self, ChainRow, CorrectionOf, LeftRow};
use crate::App;
use crate::ids::{InvoiceId, MoveId, SchoolId};
use crate::invoices::document::{Correction, CorrectionReason};
use crate::invoices::service::{InvoiceError, KeyRing, issue_wanted, receipt_wanted};
use crate::invoices::store::{InvoiceState, Wanted};
use crate::money::Vnd;
use crate::payments::moves::rules::MoveKind;
use crate::refunds::rules::Charge;
use crate::refunds::service::documented;
use crate::store::StoreError;

/// How far a movement is documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Documented {
    /// With the words that the refund shows.
    Done(String),
    /// Something else must happen first, which does so by itself.
    NotYet,
    /// A person must do something; afterwards it goes on by itself.
    Stuck(String),
}

/// Takes the documents of a movement one step on.
///
/// # Errors
/// [`InvoiceError`]; the step may be repeated.
pub async fn refunded(
    app: &App,
    keys: &KeyRing,
    school: &SchoolId,
    of: &MoveId,
) -> Result<Documented, InvoiceError> {
    if store::still_documenting(&app.db, school, of).await? {
        return Ok(Documented::NotYet);
    }
    let left = store::left_lines(&app.db, school, of).await?;
    let mut by_root: BTreeMap<InvoiceId, Vec<LeftRow>> = BTreeMap::new();
    for row in left {
        if let Some(root) = row.invoice_id.clone() {
            by_root.entry(root).or_default().push(row);
        }
    }
    let reason = reason_of(app, school, of, &by_root).await?;
    let known = store::corrections_of(&app.db, school, of).await?;
    let mut standing = Documented::Done(String::new());
    for (root, rows) in &by_root {
        if known.iter().any(|correction| correction.root_id == *root) {
            continue;
        }
        match adjust(app, keys, school, of, root, rows, reason).await {
            Ok(true) => {}
            Ok(false) => worsen(&mut standing, Documented::NotYet),
            Err(LifeError::Invoice(error)) if error.may_pass() => return Err(error),
            Err(error) => worsen(&mut standing, Documented::Stuck(error.to_string())),
        }
    }
    let made = store::corrections_of(&app.db, school, of).await?;
    for correction in &made {
        worsen(&mut standing, progress(correction));
    }
    if let Documented::Done(words) = &mut standing {
        *words = match made.as_slice() {
            [] => "không có hóa đơn cần điều chỉnh".to_owned(),
            some => some.iter().map(name).collect::<Vec<_>>().join(", "),
        };
    }
    report(app, school, of, &standing).await?;
    Ok(standing)
}

fn name(correction: &CorrectionOf) -> String {
    format!(
        "{}{}-{}",
        correction.form, correction.symbol, correction.number
    )
}

fn progress(correction: &CorrectionOf) -> Documented {
    match correction.state {
        InvoiceState::Coded => Documented::Done(String::new()),
        InvoiceState::Numbered | InvoiceState::Signed | InvoiceState::Sent => Documented::NotYet,
        InvoiceState::Refused => Documented::Stuck(format!(
            "{} bị từ chối: {}",
            name(correction),
            correction.refusal.as_deref().unwrap_or("?")
        )),
    }
}

/// What needs a person outweighs what only takes time, and that outweighs what is done.
fn worsen(standing: &mut Documented, next: Documented) {
    let weight = |of: &Documented| match of {
        Documented::Done(_) => 0,
        Documented::NotYet => 1,
        Documented::Stuck(_) => 2,
    };
    if weight(&next) > weight(standing) {
        *standing = next;
    }
}

/// A service that ended lowers what is owed; money that went back for another reason was documented
/// wrongly.
async fn reason_of(
    app: &App,
    school: &SchoolId,
    of: &MoveId,
    rows: &BTreeMap<InvoiceId, Vec<LeftRow>>,
) -> Result<CorrectionReason, StoreError> {
    let is_refund = rows
        .values()
        .flatten()
        .any(|row| row.kind == MoveKind::Refund);
    let charge = store::refund_charge(&app.db, school, of).await?;
    Ok(match charge {
        Some(Charge::Falls) if is_refund => CorrectionReason::ServiceCancelled,
        _ => CorrectionReason::WronglyMade,
    })
}

/// `false` when the invoice in force is not with the authority yet.
async fn adjust(
    app: &App,
    keys: &KeyRing,
    school: &SchoolId,
    of: &MoveId,
    root: &InvoiceId,
    rows: &[LeftRow],
    reason: CorrectionReason,
) -> Result<bool, LifeError> {
    let chain = store::chain_shown(&app.db, school, root).await?;
    let links: Vec<_> = chain.iter().map(ChainRow::link).collect();
    let in_force = rules::in_force(&links).ok_or(Refusal::NoInvoice)?;
    match in_force.state {
        InvoiceState::Coded => {}
        InvoiceState::Refused => return Err(Refusal::NotAccepted(in_force.state).into()),
        InvoiceState::Numbered | InvoiceState::Signed | InvoiceState::Sent => return Ok(false),
    }
    let parts: Vec<(i64, Vnd)> = rows.iter().map(|row| (row.seq, row.amount)).collect();
    let first = rows.first();
    let ask = Ask {
        target: in_force.invoice_id.clone(),
        method: Correction::Adjusting,
        reason,
        after: After::Less(parts),
        why: first.map(|row| row.reason.clone()).unwrap_or_default(),
        // The refund is what was agreed; an organisation's paper is kept with it.
        agreement: Some(format!("khoản tiền {of}")),
        cause: of.to_string(),
        by: first.map(|row| row.made_by.clone()).unwrap_or_default(),
    };
    correct(app, keys, school, ask).await?;
    Ok(true)
}

async fn report(
    app: &App,
    school: &SchoolId,
    of: &MoveId,
    standing: &Documented,
) -> Result<(), StoreError> {
    let outcome = match standing {
        Documented::NotYet => return Ok(()),
        Documented::Done(words) => Ok(words.clone()),
        Documented::Stuck(problem) => Err(problem.clone()),
    };
    documented(app, school, of, outcome).await?;
    Ok(())
}

/// Further invoices and receipts for movements that brought money to bill lines; one outcome each, in
/// order: `false` while the payment's own invoice is still being made.
///
/// # Errors
/// As [`issue_wanted`].
pub async fn allocated(
    app: &App,
    keys: &KeyRing,
    moves: &[(SchoolId, MoveId)],
) -> Result<Vec<Result<bool, InvoiceError>>, InvoiceError> {
    let wanted = store::brought(&app.db, moves).await?;
    let busy = store::being_issued(&app.db, &wanted).await?;
    let (waiting, ready): (Vec<Wanted>, Vec<Wanted>) = wanted
        .into_iter()
        .partition(|(_, payment, _)| busy.iter().any(|subject| subject == payment.as_str()));
    let issued = issue_wanted(app, keys, &ready).await?;
    let receipted = receipt_wanted(app, keys, &ready).await?;
    let mut problems: BTreeMap<(SchoolId, String), InvoiceError> = BTreeMap::new();
    for ((wanted, invoice), receipt) in ready.iter().zip(issued).zip(receipted) {
        if let Some(error) = invoice.err().or(receipt.err()) {
            problems.insert((wanted.0.clone(), wanted.2.clone()), error);
        }
    }
    Ok(moves
        .iter()
        .map(|(school, of)| {
            let of_move = |wanted: &&Wanted| wanted.0 == *school && wanted.2 == of.as_str();
            match problems.remove(&(school.clone(), of.to_string())) {
                Some(error) => Err(error),
                None => Ok(!waiting.iter().any(|wanted| of_move(&wanted))),
            }
        })
        .collect())
}
