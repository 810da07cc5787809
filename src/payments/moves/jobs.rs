//! Uses credit for the bills of a round that was just published.

use super::service::{Asked, MoveError, use_credit};
use super::store;
use crate::App;
use crate::fees::service::USE_CREDIT;
use crate::ids::SchoolId;
use crate::jobs::{Handler, Job, Outcome};
use crate::payments::chart::Accounts;
use crate::store::Tx;

/// Handles [`USE_CREDIT`]; the subject is the round.
#[derive(Clone, Debug)]
pub struct CreditHandler {
    pub app: App,
}

impl Handler for CreditHandler {
    fn kind(&self) -> &'static str {
        USE_CREDIT
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(
                match use_for_round(&self.app, &job.school_id, &job.subject).await {
                    Ok(()) => Outcome::Done,
                    Err(error) => Outcome::Failed(error.to_string()),
                },
            );
        }
        outcomes
    }
}

/// Uses what credit there is for the bills of a round, unless the school wants to be asked.
///
/// # Errors
/// [`MoveError`] of the first bill that failed for a reason of ours; the others keep what they got.
pub async fn use_for_round(app: &App, school: &SchoolId, round: &str) -> Result<(), MoveError> {
    let accounts = Accounts::read(&app.db, school, app.clock.today()).await?;
    if !accounts.uses_credit_unasked {
        return Ok(());
    }
    let (of, named) = (school.clone(), round.to_owned());
    let bills = app
        .db
        .write("payments.bills_with_credit", async move |tx: &mut Tx| {
            store::bills_with_credit(tx, &of, &named).await
        })
        .await?;
    for bill in bills {
        let asked = Asked {
            request: format!("round:{round}:{bill}"),
            by: "hocphi".to_owned(),
            reason: "round published".to_owned(),
        };
        match use_credit(app, school, &bill, None, asked).await {
            // Used up or paid in the meantime.
            Ok(_) | Err(MoveError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
