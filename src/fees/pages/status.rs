//! Whether a bill is paid and documented: the part of the page that changes by itself.

use askama::Template;

use super::BillKey;
use super::store::{self, Bill, BillDocument};
use crate::clock::{Day, Instant};
use crate::fees::vocabulary::BillState;
use crate::money::Vnd;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::Shell;

/// An invoice that has not come by then is not waited for on the page.
const INVOICE_WAIT_SECONDS: i64 = 10 * 60;

/// Where the payment stands, as a family understands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Unpaid,
    Overdue,
    /// The payer was sent to a provider, or comes back from it; no confirmed result yet.
    Waiting,
    /// The provider said that no money moved.
    Failed,
    Partial,
    Paid,
    NothingDue,
    Cancelled,
}

/// `GET /b/{key}/status`; also part of the bill page.
#[derive(Clone, Debug, Template)]
#[template(path = "fees/pages/status.html")]
pub struct StatusFragment {
    pub shell: Shell,
    pub key: String,
    pub shows_documents: bool,
    pub status: Status,
    pub due_day: Day,
    pub paid: Vnd,
    pub rest: Vnd,
    pub settled_at: Option<Instant>,
    pub documents: Vec<BillDocument>,
    /// Nothing will change by itself any more.
    pub is_final: bool,
}

impl StatusFragment {
    /// `returned`: the browser has just come back from a provider.
    ///
    /// # Errors
    /// [`PageError::Store`] of the database.
    pub async fn load(
        web: &Web,
        shell: &Shell,
        key: &BillKey,
        bill: &Bill,
        returned: bool,
    ) -> Result<Self, PageError> {
        let (db, now) = (&web.app.db, web.app.clock.now());
        let is_open = matches!(bill.state, BillState::Open | BillState::Partial);
        let attempt = if is_open {
            store::last_attempt(db, &bill.school_id, &bill.bill_id).await?
        } else {
            None
        };
        let (is_waiting, has_failed) = match &attempt {
            Some(last) if last.state == "FAILED" => (false, returned),
            Some(last) if last.state == "WAITING" => (returned || last.expires_at > now, false),
            // Paid, but the bill does not show it yet; or back from a provider we know nothing of.
            Some(_) | None => (is_open && returned, false),
        };
        let documents = if bill.amount_paid.is_positive() {
            store::documents(db, &bill.school_id, &bill.bill_id).await?
        } else {
            Vec::new()
        };
        let status = match bill.state {
            BillState::Paid => Status::Paid,
            BillState::NothingDue => Status::NothingDue,
            BillState::Cancelled => Status::Cancelled,
            BillState::Open | BillState::Partial if is_waiting => Status::Waiting,
            BillState::Open | BillState::Partial if has_failed => Status::Failed,
            BillState::Partial => Status::Partial,
            BillState::Open if now.day() > bill.due_day => Status::Overdue,
            BillState::Open => Status::Unpaid,
        };
        // Receipts are signed in the job that signs the invoice, which then still waits for its code.
        let mut invoices = documents.iter().filter(|one| !one.is_receipt()).peekable();
        let documented = invoices.peek().is_some() && invoices.all(|one| one.state == "CODED");
        let waited_enough = bill
            .settled_at
            .is_none_or(|settled| now > settled.plus_seconds(INVOICE_WAIT_SECONDS));
        Ok(Self {
            shell: shell.clone(),
            key: key.as_str().to_owned(),
            shows_documents: key.shows_child(),
            status,
            due_day: bill.due_day,
            paid: bill.amount_paid,
            rest: bill.amount_due - bill.amount_paid,
            settled_at: bill.settled_at,
            documents,
            is_final: match status {
                Status::Paid => documented || waited_enough,
                Status::NothingDue | Status::Cancelled => true,
                Status::Unpaid
                | Status::Overdue
                | Status::Waiting
                | Status::Failed
                | Status::Partial => false,
            },
        })
    }

    /// What the script compares: another value reloads the page around the fragment.
    fn stage(&self) -> &'static str {
        match self.status {
            Status::Unpaid | Status::Overdue | Status::Waiting | Status::Failed => "open",
            Status::Partial => "partial",
            Status::Paid => "paid",
            Status::NothingDue | Status::Cancelled => "closed",
        }
    }

    fn tone(&self) -> &'static str {
        match self.status {
            Status::Paid | Status::NothingDue => "good",
            Status::Waiting => "wait",
            Status::Overdue | Status::Failed => "bad",
            Status::Unpaid | Status::Partial => "warn",
            Status::Cancelled => "plain",
        }
    }

    fn heading(&self) -> String {
        let shell = &self.shell;
        match self.status {
            Status::Unpaid | Status::Overdue => shell.t("status-unpaid"),
            Status::Waiting => shell.t("status-waiting"),
            Status::Failed => shell.t("status-failed"),
            Status::Partial => shell.t("status-partial"),
            Status::Paid => shell.t("status-paid"),
            Status::NothingDue => shell.t("status-nothing-due"),
            Status::Cancelled => shell.t("status-cancelled"),
        }
    }

    fn note(&self) -> String {
        let language = self.shell.language;
        let day = self.due_day.shown();
        match self.status {
            Status::Unpaid => language.t1("status-unpaid-note", "day", day),
            Status::Overdue => language.t1("status-overdue-note", "day", day),
            Status::Waiting => language.t("status-waiting-note"),
            Status::Failed => language.t("status-failed-note"),
            Status::Partial => language.t2(
                "status-partial-note",
                ("paid", &self.paid),
                ("rest", &self.rest),
            ),
            Status::Paid => match self.settled_at {
                Some(at) => language.t1("status-paid-note", "time", at.shown()),
                None => String::new(),
            },
            Status::NothingDue => language.t("status-nothing-due-note"),
            Status::Cancelled => language.t("status-cancelled-note"),
        }
    }

    fn awaits_invoice(&self) -> bool {
        self.status == Status::Paid && self.documents.is_empty() && !self.is_final
    }

    /// A fragment for samples.
    pub fn sample(shell: &Shell, status: Status, with_invoice: bool) -> Self {
        let at = Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment");
        let (paid, rest) = match status {
            Status::Paid => (1_273_100, 0),
            Status::Partial => (500_000, 773_100),
            _ => (0, 1_273_100),
        };
        Self {
            shell: shell.clone(),
            key: "0123456789abcdefghjkmnpqrstvwxyz".to_owned(),
            shows_documents: true,
            status,
            due_day: Day::new(2026, 11, 30).expect("a day"),
            paid: Vnd::new(paid),
            rest: Vnd::new(rest),
            settled_at: (status == Status::Paid).then_some(at),
            documents: if with_invoice {
                let document =
                    |kind: &str, symbol: &str, state: &str, lookup_code: &str| BillDocument {
                        kind: kind.to_owned(),
                        symbol: symbol.to_owned(),
                        number: 42,
                        state: state.to_owned(),
                        lookup_code: lookup_code.to_owned(),
                    };
                vec![
                    document("ORIGINAL", "1C26TAA", "CODED", "7kq2m9xw4t"),
                    document("RECEIPT", "PT26", "SIGNED", "8kq2m9xw4t"),
                ]
            } else {
                Vec::new()
            },
            is_final: with_invoice,
        }
    }
}
