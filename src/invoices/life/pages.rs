//! `/ke-toan/corrections`: wrong invoices, what was done about them, and what is about to be late.

mod correct;
mod form;
mod list;

use axum::Router;
use axum::routing::get;

pub use correct::CorrectPage;
pub use form::{CorrectForm, Deed, LineForm};
pub use list::{CorrectionsPage, DeadlinesPage};

use crate::clock::Instant;
use crate::invoices::service::InvoiceError;
use crate::web::Web;
use crate::web::errors::PageError;

/// Everything under `/ke-toan/corrections`, and the deadline watch.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/ke-toan/corrections", get(list::list))
        .route(
            "/ke-toan/corrections/new",
            get(correct::ask).post(correct::send),
        )
        .route("/ke-toan/deadlines", get(list::deadlines))
}

fn sample_time() -> Instant {
    Instant::parse_local_iso("2026-11-23T09:15:04").expect("a moment")
}

fn internal(error: InvoiceError) -> PageError {
    match error {
        InvoiceError::Store(error) => error.into(),
        other => PageError::Internal(other.to_string()),
    }
}
