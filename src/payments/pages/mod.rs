//! The accountant's pages: what came in, what it settled, what is open. Everything is read under the
//! school of the session; an identifier of another school is simply not found.

mod bill_detail;
mod bills;
mod connections;
mod document_store;
mod handover;
mod messages;
mod overview;
pub mod problems;
mod receipts;
mod review;
mod round_form;
mod rounds;
mod scan;
pub mod store;
mod suspense;
mod suspense_item;

pub use bill_detail::BillDetailPage;
pub use bills::BillsPage;
pub use connections::ConnectionsPage;
pub use handover::HandoverPage;
pub use messages::{MessagePage, MessagesPage};
pub use overview::OverviewPage;
pub use receipts::{ReceiptPage, ReceiptsPage};
pub use review::{ReviewItemPage, ReviewPage};
pub use rounds::{RoundPage, RoundsPage};
pub use scan::ScanPage;
pub use suspense::SuspensePage;
pub use suspense_item::SuspenseItemPage;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};

use crate::fees::memo;
use crate::fees::pages::xml_file;
use crate::ids::InvoiceId;
use crate::schools::text::fold;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::session::Accountant;

/// Everything under `/ke-toan`.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/ke-toan", get(overview::show))
        .route("/ke-toan/receipts", get(receipts::list))
        .route("/ke-toan/receipts/{payment_id}", get(receipts::show))
        .route("/ke-toan/receipts/{payment_id}/undo", post(receipts::undo))
        .route(
            "/ke-toan/receipts/{payment_id}/settle",
            post(receipts::note_settlement),
        )
        .route("/ke-toan/bills", get(bills::list))
        .route("/ke-toan/bills/{bill_id}", get(bill_detail::show))
        .route(
            "/ke-toan/bills/{bill_id}/cash",
            post(bill_detail::take_cash),
        )
        .route(
            "/ke-toan/bills/{bill_id}/credit",
            post(bill_detail::take_credit),
        )
        .route("/ke-toan/suspense", get(suspense::list))
        .route("/ke-toan/suspense/{payment_id}", get(suspense_item::show))
        .route(
            "/ke-toan/suspense/{payment_id}/assign",
            post(suspense_item::assign),
        )
        .route("/ke-toan/review", get(review::list))
        .route(
            "/ke-toan/review/{review_id}",
            get(review::show).post(review::close),
        )
        .route("/ke-toan/connections", get(connections::list))
        .route("/ke-toan/messages", get(messages::list))
        .route("/ke-toan/messages/{message_id}", get(messages::show))
        .route(
            "/ke-toan/messages/{message_id}/replay",
            post(messages::again),
        )
        .route("/ke-toan/rounds", get(rounds::list).post(rounds::create))
        .route("/ke-toan/rounds/{round_id}", get(rounds::show))
        .route("/ke-toan/rounds/{round_id}/publish", post(rounds::publish))
        .route("/ke-toan/invoices/{file}", get(download_invoice))
}

async fn download_invoice(
    State(web): State<Web>,
    accountant: Accountant,
    Path(file): Path<String>,
) -> Result<Response, PageError> {
    let invoice = InvoiceId::new(file.strip_suffix(".xml").ok_or(PageError::NotFound)?);
    let found = document_store::invoice_file(&web.app.db, &accountant.school_id, &invoice).await?;
    xml_file(&found.ok_or(PageError::NotFound)?)
}

/// What an accountant types into the search field: a bill code, or part of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Search {
    name: String,
    code: String,
}

impl Search {
    fn read(typed: &str) -> Self {
        match memo::read(typed).codes.as_slice() {
            [code, ..] => Self {
                code: code.as_str().to_owned(),
                ..Self::default()
            },
            [] => Self {
                // As `pupil.search_name` is stored; the wildcards of LIKE are not letters and fall away.
                name: fold(typed),
                ..Self::default()
            },
        }
    }
}

/// Earlier and later pages of a list.
#[derive(Clone, Debug, Default)]
pub struct Pager {
    /// Query up to the page number.
    pub base: String,
    pub page: i64,
    pub has_next: bool,
}

impl Pager {
    /// Cuts the surplus row off, which says whether there is a next page.
    pub(crate) fn of<T>(rows: &mut Vec<T>, base: String, page: i64) -> Self {
        let shown = usize::try_from(store::PAGE_ROWS).unwrap_or(usize::MAX);
        let has_next = rows.len() > shown;
        rows.truncate(shown);
        Self {
            base,
            page,
            has_next,
        }
    }

    /// Address of the page before.
    pub fn before(&self) -> Option<String> {
        (self.page > 0).then(|| format!("{}page={}", self.base, self.page - 1))
    }

    /// Address of the page after.
    pub fn after(&self) -> Option<String> {
        self.has_next
            .then(|| format!("{}page={}", self.base, self.page + 1))
    }
}

/// A page number of an address, from 0; not so deep that the database counts for ever.
pub(crate) fn page_number(asked: Option<i64>) -> i64 {
    const PAGES_MAX: i64 = 2_000;
    asked.unwrap_or(0).clamp(0, PAGES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::language::Language;
    use crate::web::layout::Shell;

    #[test]
    fn a_search_is_a_code_or_a_name_without_marks() {
        assert_eq!(Search::read("hpz 37mt fckq pg").code, "HPZ37MTFCKQPG");
        assert_eq!(Search::read("  Đặng  THỊ %_ ánh ").name, "dang thi anh");
    }

    #[test]
    fn every_stored_word_has_a_text() {
        let shell = Shell::sample(Language::Vietnamese, "/", None);
        for (kind, words) in [
            ("bill", "OPEN PARTIAL PAID NOTHING_DUE CANCELLED"),
            ("channel", "BANK_TRANSFER GATEWAY WALLET CASH"),
            ("target", "BILL_LINE CREDIT SUSPENSE"),
            ("invoice", "NUMBERED SIGNED SENT CODED REFUSED"),
            ("round", "DRAFT PUBLISHED"),
            ("suspense-state", "OPEN RESOLVED"),
            ("payment-state", "CLAIMED CONFIRMED SETTLED REVERSED"),
            ("standing", "PART_REVERSED REVERSED"),
            (
                "evidence",
                "CHECKOUT RETURN_PAGE PENDING_NOTICE PENDING_QUERY PROVIDER_NOTICE PROVIDER_QUERY \
                 BANK_CREDIT CASH_TAKEN SETTLEMENT_LINE ACCOUNTANT",
            ),
            (
                "entry",
                "PAYMENT_RECEIVED PAYMENT_TAKEN_BACK PAYMENT_SETTLED SUSPENSE_ASSIGNED CREDIT_USED \
                 REFUND_REQUESTED REFUND_PAID REFUND_CANCELLED",
            ),
            ("review-kind", "NOTICE_CONFLICT REVERSAL"),
            (
                "review-why",
                "OTHER_MEANING ORIGINAL_UNKNOWN SEVERAL_ORIGINALS AMOUNT_UNKNOWN MORE_THAN_HELD \
                 CREDIT_USED",
            ),
            ("archive-kind", "INVOICE RECEIPT"),
            ("document", "ORIGINAL ADJUSTING REPLACING RECEIPT"),
            ("review-state", "OPEN CLOSED"),
            (
                "review-verdict",
                "FIRST_HOLDS SECOND_HOLDS TAKEN_BACK DISMISSED",
            ),
            (
                "notice-status",
                "PAID FAILED PENDING AUTHORIZED REVIEW REVERSED REFUNDED EXPIRED IGNORED UNKNOWN",
            ),
            ("refund-state", "REQUESTED SENT DONE FAILED UNKNOWN"),
            ("refund-source", "CREDIT SUSPENSE BILL_LINE"),
            ("refund-way", "CASH BANK_TRANSFER PROVIDER"),
            ("refund-charge", "STAYS FALLS"),
            ("refund-document", "NONE WAITING DONE FAILED"),
            ("refund-step", "SEND PAID FAIL LOSE_SIGHT"),
            (
                "suspense",
                "NO_REFERENCE UNKNOWN_REFERENCE SEVERAL_BILLS OTHER_SCHOOL AMOUNT_DIFFERS",
            ),
            (
                "outcome",
                "accepted repeated unknown_order amount_differs not_authentic unusable temporary \
                 store connection unknown changed not_whole secret_gone refused no_notice",
            ),
        ] {
            for stored in words.split(' ') {
                let text = shell.word(kind, stored);
                assert!(!text.starts_with(&format!("{kind}-")), "{kind} {stored}");
            }
        }
    }
}
