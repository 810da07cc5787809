//! What asking found, posted through the same desk as a notice.

use hocphi_adapters::contract::{Notice, Observation, Outcome, Reception, Status, Verified};

use super::call::told;
use super::rules::Seen;
use super::store::FlowRow;
use crate::App;
use crate::payments::connections::Connection;
use crate::payments::messages::masked_text;
use crate::payments::receive;

/// Posts what a question about a payment found, through the same desk as a notice.
pub(super) async fn posted(
    app: &App,
    connection: &Connection,
    row: &FlowRow,
    observation: &Verified<Observation>,
    raw: &str,
) -> (Seen, Option<String>) {
    let problem = told(observation);
    match observation.reception {
        Reception::NotFound => return (Seen::NotFound, problem),
        Reception::Later | Reception::Unclear => return (Seen::NoAnswer, problem),
        // The question was refused, which says nothing about the payment.
        Reception::Refused if observation.status == Status::Unknown => {
            return (Seen::NoAnswer, problem);
        }
        Reception::Refused | Reception::Taken | Reception::Repeated => {}
    }
    let seen = match observation.status {
        Status::Pending | Status::Authorized | Status::Unknown | Status::Ignored => {
            if observation.transfers.is_empty() {
                return (Seen::Pending, problem);
            }
            Seen::Pending
        }
        Status::Paid
            if observation.transaction_id.is_some() || !observation.transfers.is_empty() =>
        {
            Seen::Done
        }
        Status::Failed => Seen::Failed,
        Status::Expired => Seen::Expired,
        Status::Paid | Status::Review | Status::Reversed | Status::Refunded => Seen::Held,
    };
    if observation
        .order_ref
        .as_ref()
        .is_some_and(|told| *told != row.order_ref)
    {
        return (
            Seen::NoAnswer,
            Some("the reply is about another order".into()),
        );
    }
    for notice in notices(row, observation) {
        let spare = receive::numbers(&notice);
        let spare: Vec<&str> = spare.iter().map(String::as_str).collect();
        let raw = masked_text(&app.seal, connection, raw, &spare);
        let posted = receive::hand_in(app, connection, notice, raw).await;
        tracing::info!(
            flow.id = %row.flow_id, status = observation.status.code(),
            outcome = posted.outcome.code(), "a payment was found by asking"
        );
        match posted.outcome {
            Outcome::Accepted | Outcome::Repeated => {}
            // What is in the books already is known by its number when the question is repeated.
            Outcome::Temporary => {
                return (Seen::NoAnswer, Some("the books could not take it".into()));
            }
            // The money is parked: a person says whose it is.
            Outcome::AmountDiffers
            | Outcome::UnknownOrder
            | Outcome::Unusable
            | Outcome::NotAuthentic => return (Seen::Held, problem),
        }
    }
    (seen, problem)
}

/// The notices a reply stands for: one a movement where it lists them, else one of the order.
fn notices(row: &FlowRow, observation: &Observation) -> Vec<Notice> {
    let notice = Notice {
        transaction_id: observation.transaction_id.clone(),
        order_ref: Some(row.order_ref.clone()),
        // What is charged is what was asked for, where the provider does not repeat it.
        amount: observation.amount.unwrap_or(row.amount),
        currency: observation.currency.clone().unwrap_or_else(|| "VND".into()),
        status: observation.status,
        remark: None,
        bill_ref: None,
        occurred_at_unix: None,
        memo: None,
        account: None,
        bank_reference: None,
        merchant: None,
    };
    if observation.transfers.is_empty() {
        return vec![notice];
    }
    let moved = observation.transfers.iter().map(|transfer| Notice {
        transaction_id: Some(transfer.transaction_id.clone()),
        amount: transfer.amount,
        currency: transfer.currency.clone(),
        status: Status::Paid,
        occurred_at_unix: transfer.occurred_at_unix,
        memo: transfer.memo.clone(),
        ..notice.clone()
    });
    moved.collect()
}
