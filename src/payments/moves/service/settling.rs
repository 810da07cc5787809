//! Noting that an intermediary paid out.

use super::{MoveError, Refusal, lock};
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{PaymentId, SchoolId};
use crate::ledger::{self, EntryKind, Line, Posting, Side};
use crate::money::Vnd;
use crate::payments::chart::Accounts;
use crate::payments::evidence_store::{self, EvidenceKind, Step};
use crate::payments::moves::store::{self, SettlementRow};
use crate::store::Tx;

/// An intermediary's line about one payment.
#[derive(Clone, Debug)]
pub struct SettlementLine {
    /// The intermediary's own number of the line; noted once.
    pub reference: String,
    /// What the payer gave, before the intermediary's fee.
    pub gross: Vnd,
    /// Borne by the school.
    pub fee: Vnd,
    /// When it reached the school's account.
    pub day: Day,
}

/// Notes that an intermediary paid a payment out to the school: confirmed money is settled. Answers
/// whether it was new.
///
/// # Errors
/// [`MoveError`]; nothing was changed.
pub async fn settle(
    app: &App,
    school: &SchoolId,
    payment: &PaymentId,
    line: SettlementLine,
    by: &str,
) -> Result<bool, MoveError> {
    let now = app.clock.now();
    let accounts = Accounts::read(&app.db, school, now.day()).await?;
    let chain = app.chain.clone();
    let (school, payment, by) = (school.clone(), payment.clone(), by.to_owned());
    app.db
        .write("payments.settle", async move |tx: &mut Tx| {
            let mut heads = lock(tx, &chain, &school).await?;
            let facts = store::payment(tx, &school, &payment)
                .await?
                .ok_or(Refusal::NoPayment)?;
            let noted = store::settlement(tx, &school, &facts.provider, &line.reference).await?;
            if let Some((of, gross, fee)) = noted {
                let same = of == payment && gross == line.gross.get() && fee == line.fee.get();
                return if same {
                    Ok(false)
                } else {
                    Err(Refusal::FormUsed.into())
                };
            }
            // A refund before the pay-out is netted by some and listed apart by others.
            let left = facts.amount - facts.taken_back;
            if line.gross != facts.amount && line.gross != left {
                return Err(Refusal::SettlesAnother {
                    expected: facts.amount,
                    given: line.gross,
                }
                .into());
            }
            if line.fee.is_negative() || line.fee > line.gross || !line.gross.is_positive() {
                return Err(Refusal::SettlesAnother {
                    expected: facts.amount,
                    given: line.fee,
                }
                .into());
            }
            let posting = settlement_entry(&school, &payment, &line, &accounts, now)?;
            if !store::mark_settled(tx, &school, &payment).await? {
                return Err(Refusal::SettledBefore.into());
            }
            let row = SettlementRow {
                school_id: school.clone(),
                provider: facts.provider.clone(),
                reference: line.reference.clone(),
                payment_id: payment.clone(),
                gross: line.gross,
                fee: line.fee,
                settled_day: line.day,
                noted_by: by.clone(),
                noted_at: now,
            };
            if !store::insert_settlement(tx, &row).await? {
                return Err(Refusal::SettledBefore.into());
            }
            ledger::append(tx, &mut heads, &[posting]).await?;
            evidence_store::note(
                tx,
                &school,
                payment.as_str(),
                Step::Settled,
                EvidenceKind::SettlementLine,
                &line.reference,
                now,
            )
            .await?;
            Ok(true)
        })
        .await
}

fn settlement_entry(
    school: &SchoolId,
    payment: &PaymentId,
    line: &SettlementLine,
    accounts: &Accounts,
    now: Instant,
) -> Result<Posting, MoveError> {
    let entry = |account: &str, side, amount| Line {
        account: account.to_owned(),
        side,
        amount,
        object: None,
    };
    let mut lines = vec![entry(&accounts.chart.in_transit, Side::Credit, line.gross)];
    let net = line.gross - line.fee;
    if net.is_positive() {
        lines.push(entry(&accounts.chart.bank, Side::Debit, net));
    }
    if line.fee.is_positive() {
        let account = accounts
            .provider_fee
            .as_deref()
            .ok_or(Refusal::NoAccount("account.PROVIDER_FEE"))?;
        lines.push(entry(account, Side::Debit, line.fee));
    }
    Ok(Posting::new(
        school.clone(),
        EntryKind::PaymentSettled,
        payment.as_str(),
        now.day(),
        now,
        lines,
    )?)
}
