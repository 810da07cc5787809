//! A bank asks what somebody owes: the open bills of a bill code or a pupil code, priced for today.
//! Reads only, but for pricing anew what the day changes.

use hocphi_adapters::contract::{Debtor, Inquiry, OpenBill};

use super::service::PayError;
use super::store::{self, OwedBill};
use crate::App;
use crate::fees;
use crate::fees::bill_code::BillCode;
use crate::ids::SchoolId;

/// What was found for a bank's question.
pub(super) enum Found {
    Debtor(Debtor),
    /// The customer is known.
    NothingDue,
    Nobody,
    /// We cannot say now; the bank may ask again.
    Trouble,
}

/// Looks up whom a bank asks about, within the connection's school.
pub(super) async fn debtor(
    app: &App,
    school: &SchoolId,
    inquiry: &Inquiry,
) -> Result<Found, PayError> {
    let typed = inquiry.customer_ref.trim();
    let code = BillCode::parse(typed).ok();
    let found = match &code {
        Some(code) => store::owed_by_code(&app.db, school, code.as_str()).await?,
        None => store::owed_by_pupil(&app.db, school, typed).await?,
    };
    if found.is_empty() {
        let known = code.is_none() && store::is_pupil(&app.db, school, typed).await?;
        return Ok(if known {
            Found::NothingDue
        } else {
            Found::Nobody
        });
    }
    for bill in &found {
        fees::service::price_for_today(app, school, &bill.bill_id).await?;
    }
    // What is owed may have changed with the day.
    let bills = match &code {
        Some(code) => store::owed_by_code(&app.db, school, code.as_str()).await?,
        None => store::owed_by_pupil(&app.db, school, typed).await?,
    };
    let open: Vec<&OwedBill> = bills.iter().filter(|bill| bill.open() > 0).collect();
    let Some(first) = open.first() else {
        return Ok(Found::NothingDue);
    };
    Ok(Found::Debtor(Debtor {
        customer_ref: typed.to_owned(),
        name: first.pupil_name.clone(),
        address: format!("{}, {}", first.class_name, first.school_name),
        bills: open
            .iter()
            .map(|bill| OpenBill {
                bill_ref: bill.bill_code.clone(),
                amount: bill.open().into(),
                period: format!("{:02}/{}", bill.due_day.month(), bill.due_day.year()),
                description: bill.title.clone(),
            })
            .collect(),
    }))
}
