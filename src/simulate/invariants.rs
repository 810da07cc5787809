//! The promises, held against the books and against what was said outside.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hocphi_sandbox::{Peers, tax::reason};

use super::gateways::Providers;
use super::power::Touched;
use super::stage::StagedSchool;
use super::store;
use super::told::Told;
use super::{SimulateError, trouble};
use crate::ids::{ConnectionId, PaymentId, SchoolId};
use crate::invoices::{self, InvoiceState};
use crate::ledger::ChainKeys;
use crate::ledger::check::Extent;
use crate::payments::outbound::rules::State as FlowState;
use crate::payments::review::service::REFUND_CONFIRMED;
use crate::refunds::rules::State as RefundState;
use crate::store::Db;
use crate::{jobs, ledger, payments};

/// What must hold after every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Each movement somebody heard is booked is booked once, with its amount.
    AcknowledgedOnce,
    /// Nothing is booked that did not truly move.
    OnlyGenuine,
    /// No forgery is acknowledged.
    ForgeryRefused,
    /// Another meaning under a known transaction is counted for review.
    ContradictionSeen,
    /// Money in = settled + credit + suspense.
    MoneyConserved,
    /// A form of the staff moves money once, however often it is sent.
    MovedOnce,
    /// Gateways pay back what was asked for and nothing else, and the books know what they paid back.
    MoneyBackOnce,
    /// What a gateway took back is booked or before a person.
    TakenBackSeen,
    /// An invoice is adjusted by what left it, once for each movement.
    AdjustedOnce,
    /// Bills, credits and suspense are what allocations say.
    BooksAgree,
    /// The journal balances and is chained; balances follow from it.
    JournalSound,
    /// Numbers are 1..n, and dates do not fall while they rise.
    NumbersGapless,
    /// A collection has one invoice over what it settled.
    OneInvoice,
    /// The authority knows each invoice once and as it is here.
    AuthorityAgrees,
    /// In the end all money that was reported in good weather is booked.
    AllBooked,
    /// In the end nothing waits, nothing is given up, every collection is documented.
    OutboxDrains,
}

impl Invariant {
    /// Stable name, as printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcknowledgedOnce => "acknowledged-once",
            Self::OnlyGenuine => "only-genuine",
            Self::ForgeryRefused => "forgery-refused",
            Self::ContradictionSeen => "contradiction-seen",
            Self::MoneyConserved => "money-conserved",
            Self::MovedOnce => "moved-once",
            Self::MoneyBackOnce => "money-back-once",
            Self::TakenBackSeen => "taken-back-seen",
            Self::AdjustedOnce => "adjusted-once",
            Self::BooksAgree => "books-agree",
            Self::JournalSound => "journal-sound",
            Self::NumbersGapless => "numbers-gapless",
            Self::OneInvoice => "one-invoice",
            Self::AuthorityAgrees => "authority-agrees",
            Self::AllBooked => "all-booked",
            Self::OutboxDrains => "outbox-drains",
        }
    }
}

/// A broken promise and what shows it.
pub type Found = (Invariant, String);

/// What the books are held against.
pub struct Truth<'w> {
    pub told: &'w Told,
    pub providers: &'w Providers,
    pub schools: &'w [StagedSchool],
}

/// Everything that must hold at any moment, as far as it may have changed.
pub async fn hold(
    db: &Db,
    chain: &ChainKeys,
    truth: &Truth<'_>,
    touched: Touched,
) -> Result<Option<Found>, SimulateError> {
    let (told, peers) = (truth.told, &truth.providers.peers);
    if let Some(forged) = told.forged.first() {
        return Ok(Some((Invariant::ForgeryRefused, forged.clone())));
    }
    if (touched.notices || touched.payments)
        && let Some(found) = booked(db, told).await?
    {
        return Ok(Some(found));
    }
    if touched.payments
        && let Some(found) = placed(db).await?
    {
        return Ok(Some(found));
    }
    if touched.payments
        && let Some(found) = moved(db, told).await?
    {
        return Ok(Some(found));
    }
    if (touched.flows || touched.payments)
        && let Some(found) = paid_back(db, truth).await?
    {
        return Ok(Some(found));
    }
    if touched.journal
        && let Some(found) = journal(db, chain).await?
    {
        return Ok(Some(found));
    }
    if (touched.numbers || touched.payments)
        && let Some(found) = documented(db).await?
    {
        return Ok(Some(found));
    }
    if (touched.invoices || touched.numbers)
        && let Some(found) = exchanged(db, told, peers).await?
    {
        return Ok(Some(found));
    }
    Ok(None)
}

/// Everything, and that nothing is left to do.
pub async fn at_the_end(
    db: &Db,
    chain: &ChainKeys,
    truth: &Truth<'_>,
) -> Result<Option<Found>, SimulateError> {
    if let Some(found) = hold(db, chain, truth, Touched::ALL).await? {
        return Ok(Some(found));
    }
    let told = truth.told;
    let booked: BTreeSet<_> = store::payments(db)
        .await?
        .into_iter()
        .map(|row| (row.provider, row.transaction_id))
        .collect();
    // Cash that got no answer is still in the payer's hand.
    let lost = told
        .moved
        .keys()
        .find(|movement| movement.0 != "cash" && !booked.contains(*movement));
    if let Some((provider, id)) = lost {
        return Ok(Some((Invariant::AllBooked, format!("{provider} {id}"))));
    }
    let waiting = jobs::waiting(db).await?;
    if !waiting.is_empty() {
        return Ok(Some((
            Invariant::OutboxDrains,
            format!("waiting: {waiting:?}"),
        )));
    }
    let mut dead = jobs::dead(db).await?;
    // A gateway that takes a payment back while it is asked to pay it back: only a person can tell
    // which of the two its notice meant.
    dead.retain(|(kind, ..)| kind != REFUND_CONFIRMED || told.taken_back.is_empty());
    if let Some((kind, _, error)) = dead.first() {
        return Ok(Some((
            Invariant::OutboxDrains,
            format!("{kind} is dead: {error:?}"),
        )));
    }
    let open = store::invoices(db)
        .await?
        .into_iter()
        .find(|row| !matches!(row.state, InvoiceState::Coded | InvoiceState::Refused));
    Ok(open.map(|row| {
        let detail = format!("{}-{} is {:?}", row.symbol, row.number, row.state);
        (Invariant::OutboxDrains, detail)
    }))
}

/// Payments against movements.
async fn booked(db: &Db, told: &Told) -> Result<Option<Found>, SimulateError> {
    let mut times: HashMap<(String, String), usize> = HashMap::new();
    for row in store::payments(db).await? {
        let movement = (row.provider, row.transaction_id);
        let shown = format!("{} {}", movement.0, movement.1);
        match told.moved.get(&movement) {
            None if is_other_word(told, &movement, row.amount) => {}
            None => return Ok(Some((Invariant::OnlyGenuine, shown))),
            Some(amount) if *amount != row.amount => {
                let detail = format!("{shown}: {} of {amount}", row.amount);
                return Ok(Some((Invariant::OnlyGenuine, detail)));
            }
            Some(_) => {}
        }
        let expected = told.contradicted.get(&movement).copied().unwrap_or(0);
        let counted = row.conflicts.unwrap_or(0);
        if counted < expected {
            let detail = format!("{shown}: {counted} of {expected}");
            return Ok(Some((Invariant::ContradictionSeen, detail)));
        }
        let times = times.entry(movement).or_default();
        *times += 1;
        if *times > 1 {
            return Ok(Some((
                Invariant::AcknowledgedOnce,
                format!("{shown} is booked twice"),
            )));
        }
    }
    let lost = told
        .acknowledged
        .iter()
        .find(|movement| !times.contains_key(*movement));
    Ok(lost.map(|(provider, id)| {
        (
            Invariant::AcknowledgedOnce,
            format!("{provider} {id} is acknowledged and not booked"),
        )
    }))
}

/// Whether a person may have booked this in the place of what was said first.
fn is_other_word(told: &Told, movement: &(String, String), amount: i64) -> bool {
    movement.1.rsplit_once('/').is_some_and(|(first, _)| {
        told.otherwise
            .get(&(movement.0.clone(), first.to_owned()))
            .is_some_and(|amounts| amounts.contains(&amount))
    })
}

/// Forms of the staff against movements.
async fn moved(db: &Db, told: &Told) -> Result<Option<Found>, SimulateError> {
    let mut done = BTreeSet::new();
    for (form, times) in store::moves(db).await? {
        if times > 1 && form.starts_with(super::office::FORMS) {
            let detail = format!("{form} has moved money {times} times");
            return Ok(Some((Invariant::MovedOnce, detail)));
        }
        done.insert(form);
    }
    let lost = told.moves.iter().find(|form| !done.contains(*form));
    Ok(lost.map(|form| {
        (
            Invariant::MovedOnce,
            format!("{form} is done and not moved"),
        )
    }))
}

/// What gateways paid back against refunds, and what they took back against the books.
async fn paid_back(db: &Db, truth: &Truth<'_>) -> Result<Option<Found>, SimulateError> {
    let mut ours: BTreeMap<(ConnectionId, String), (i64, i64)> = BTreeMap::new();
    // That a request is leaving is written down first: else it could leave again.
    let mut noted: BTreeSet<(ConnectionId, String)> = BTreeSet::new();
    for row in store::outside_refunds(db).await? {
        if row.flow != FlowState::Planned {
            noted.insert((row.connection_id.clone(), row.order_ref.clone()));
        }
        let (asked, done) = ours.entry((row.connection_id, row.order_ref)).or_default();
        if row.state != RefundState::Failed {
            *asked += row.amount;
        }
        if row.state == RefundState::Done {
            *done += row.amount;
        }
    }
    let booked = store::taken_back(db).await?;
    for ((connection, order), (asked, done)) in &ours {
        let Some(peer) = truth.providers.behind(connection, truth.schools) else {
            return Err(trouble("gateway")(connection));
        };
        let (mut gone, mut arrived) = (0, 0);
        for refund in peer.book().refunds().values() {
            // What was refused may be asked for again.
            if refund.order == *order && refund.done() != Some(false) {
                if !noted.contains(&(connection.clone(), order.clone())) {
                    return Ok(Some((
                        Invariant::MoneyBackOnce,
                        format!("{connection} {order}: nobody wrote down that it left"),
                    )));
                }
                gone += refund.amount;
                arrived += refund.done().map_or(0, |_| refund.amount);
            }
        }
        let taken = truth
            .told
            .taken_back
            .get(&(connection.clone(), order.clone()));
        let known: i64 = booked
            .iter()
            .filter(|(provider, of, _)| provider == peer.provider() && of == order)
            .map(|(.., amount)| amount)
            .sum();
        let wrong = if gone > *asked {
            Some(format!("{gone} went back of {asked}"))
        } else if done + known > arrived + taken.copied().unwrap_or(0) {
            Some(format!("{done} is booked as paid back, {arrived} was"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            return Ok(Some((
                Invariant::MoneyBackOnce,
                format!("{connection} {order}: {wrong}"),
            )));
        }
    }
    for (provider, order) in &truth.told.taken_back_heard {
        let seen = booked
            .iter()
            .any(|(by, of, _)| by == provider && of == order)
            // The word on a refund that we asked for.
            || ours.iter().any(|((_, of), (asked, _))| of == order && *asked > 0);
        if !seen {
            return Ok(Some((
                Invariant::TakenBackSeen,
                format!("{provider} {order}"),
            )));
        }
    }
    Ok(None)
}

async fn placed(db: &Db) -> Result<Option<Found>, SimulateError> {
    if let Some(finding) = payments::check::run(db).await?.first() {
        let detail = format!("{} {}", finding.code, finding.subject);
        return Ok(Some((Invariant::BooksAgree, detail)));
    }
    let sums = payments::check::totals(db).await?;
    let placed = sums.settled + sums.credits + sums.suspense;
    Ok((placed != sums.money_in).then(|| {
        (
            Invariant::MoneyConserved,
            format!("in {}, placed {placed}", sums.money_in),
        )
    }))
}

async fn journal(db: &Db, chain: &ChainKeys) -> Result<Option<Found>, SimulateError> {
    let reader = db.snapshot(1).await?;
    let (report, reader) = ledger::check::verify(reader, Some(chain), Extent::Full).await?;
    drop(reader);
    if let Some(finding) = report.findings.first() {
        let detail = format!("{} {:?}", finding.code, finding.seq);
        return Ok(Some((Invariant::JournalSound, detail)));
    }
    let uneven = store::sides(db)
        .await?
        .into_iter()
        .find(|(_, debit, credit)| debit != credit);
    Ok(uneven.map(|(school, debit, credit)| {
        (
            Invariant::JournalSound,
            format!("{school}: {debit} against {credit}"),
        )
    }))
}

async fn documented(db: &Db) -> Result<Option<Found>, SimulateError> {
    if let Some(finding) = invoices::check::run(db).await?.first() {
        let invariant = match finding.code {
            "number_gap" => Invariant::NumbersGapless,
            _ => Invariant::OneInvoice,
        };
        return Ok(Some((
            invariant,
            format!("{} {}", finding.code, finding.subject),
        )));
    }
    Ok(None)
}

async fn exchanged(db: &Db, told: &Told, peers: &Peers) -> Result<Option<Found>, SimulateError> {
    if let Some((wrong,)) = store::misadjusted(db).await?.into_iter().next() {
        return Ok(Some((Invariant::AdjustedOnce, wrong)));
    }
    let rows = store::invoices(db).await?;
    let mut documented: BTreeSet<(&SchoolId, &PaymentId, &String)> = BTreeSet::new();
    for row in rows.iter().filter(|row| row.related_id.is_none()) {
        if !documented.insert((&row.school_id, &row.payment_id, &row.cause)) {
            let detail = format!("a payment has two: {}-{}", row.symbol, row.number);
            return Ok(Some((Invariant::OneInvoice, detail)));
        }
    }
    for pair in rows.windows(2) {
        let [one, next] = pair else { continue };
        let same = (&one.school_id, &one.form, &one.symbol);
        if same == (&next.school_id, &next.form, &next.symbol)
            && (next.number != one.number + 1 || next.issue_day < one.issue_day)
        {
            let detail = format!(
                "{}: {} of {} before {} of {}",
                one.symbol,
                one.number,
                one.issue_day.iso(),
                next.number,
                next.issue_day.iso()
            );
            return Ok(Some((Invariant::NumbersGapless, detail)));
        }
    }
    authority(&rows, told, peers)
}

/// The authority's books against ours.
fn authority(
    rows: &[store::InvoiceRow],
    told: &Told,
    peers: &Peers,
) -> Result<Option<Found>, SimulateError> {
    let mut known = BTreeMap::new();
    let sellers: BTreeSet<&String> = rows.iter().map(|row| &row.tax_code).collect();
    for seller in sellers {
        for taken in peers.tax.accepted_of(seller) {
            let key = (
                taken.tax_code.clone(),
                taken.form.clone(),
                taken.symbol.clone(),
                i64::from(taken.number),
            );
            known.insert(key, taken);
        }
    }
    let mut refused_at_will = 0;
    for row in rows {
        let key = (
            row.tax_code.clone(),
            row.form.clone(),
            row.symbol.clone(),
            row.number,
        );
        let taken = known.remove(&key);
        let shown = format!("{}-{}", row.symbol, row.number);
        let wrong = match (row.state, &taken) {
            (InvoiceState::Coded, None) => Some("is coded here, unknown there"),
            (InvoiceState::Coded, Some(taken))
                if row.authority_code.as_deref() != Some(taken.code.as_str()) =>
            {
                Some("has another code there")
            }
            (_, Some(taken)) if taken.total != row.total => Some("has another total there"),
            (InvoiceState::Refused, Some(_)) => Some("is refused here, accepted there"),
            (InvoiceState::Numbered, Some(_)) => Some("is accepted before it was signed"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Ok(Some((
                Invariant::AuthorityAgrees,
                format!("{shown} {wrong}"),
            )));
        }
        if row.state == InvoiceState::Refused {
            let why = row.refusal.as_deref().unwrap_or_default();
            if why.contains(reason::LEVER) {
                refused_at_will += 1;
            } else if !(told.clock_was_ahead && why.contains(reason::DATE)) {
                return Ok(Some((
                    Invariant::AuthorityAgrees,
                    format!("{shown} refused: {why}"),
                )));
            }
        }
    }
    if refused_at_will > told.refusals {
        return Err(trouble("refusals")(refused_at_will));
    }
    Ok(known.into_values().next().map(|taken| {
        let detail = format!("{}-{} is known there only", taken.symbol, taken.number);
        (Invariant::AuthorityAgrees, detail)
    }))
}
