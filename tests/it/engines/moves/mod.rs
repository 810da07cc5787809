//! Money that moves after it was posted stays counted once, whoever moves it and however often.

mod staff;
mod told;

use hocphi::App;
use hocphi::ids::{PaymentId, SchoolId};
use hocphi::payments::books::Arrival;
use hocphi::payments::moves::service::Asked;
use hocphi_adapters::contract::Status;

use super::app_on;
use crate::support::{Books, NOW};

pub(super) fn school() -> SchoolId {
    SchoolId::new("a")
}

/// The application on the same books, at the same time.
pub(super) fn app_of(books: &Books) -> App {
    let app = app_on(books.db.clone());
    app.clock.set(NOW);
    app
}

pub(super) fn asked(request: &str) -> Asked {
    Asked {
        request: request.to_owned(),
        by: "kt".to_owned(),
        reason: "kiểm thử".to_owned(),
    }
}

fn back(books: &Books, status: Status, transaction: &str, amount: i64) -> Arrival {
    let mut arrival = books.credit("a", transaction, amount, &[]);
    arrival.notice.status = status;
    arrival
}

pub(super) async fn payment_of(books: &Books, transaction: &'static str) -> PaymentId {
    let (payment,): (PaymentId,) = books
        .db
        .sql("SELECT payment_id FROM payment WHERE transaction_id = $1")
        .bind(transaction)
        .one()
        .await
        .unwrap();
    payment
}

async fn standing(books: &Books, payment: &PaymentId) -> (String, String, i64) {
    books
        .db
        .sql("SELECT state, standing, taken_back FROM payment WHERE payment_id = $1")
        .bind(payment.clone())
        .one()
        .await
        .unwrap()
}

async fn jobs(books: &Books) -> Vec<String> {
    let found: Vec<(String,)> = books
        .db
        .sql("SELECT kind FROM job ORDER BY kind, subject")
        .all()
        .await
        .unwrap();
    found.into_iter().map(|(kind,)| kind).collect()
}
