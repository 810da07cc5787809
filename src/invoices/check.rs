//! Derives what invoices claim again from payments and the parameters of the day.

use std::collections::HashMap;

use super::check_store as store;
use super::rules::{DocumentRule, Policy, wants_invoice};
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::schools::parameters::{self, Parameters};
use crate::store::{Db, StoreError};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub school_id: SchoolId,
    /// Stable code.
    pub code: &'static str,
    /// The row at fault.
    pub subject: String,
}

/// Gaps and repeats of numbers, totals that differ from their lines, states that are not borne out,
/// invoices that no job carries on, settled money that wants an
/// invoice and has none, money invoiced that never came in. A payment whose job still waits is not
/// a finding.
///
/// # Errors
/// [`StoreError`] when the database cannot be read; wrong books are findings, not errors.
pub async fn run(db: &Db) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let mut find = |code, rows: Vec<(SchoolId, String)>| {
        findings.extend(rows.into_iter().map(|(school_id, subject)| Finding {
            school_id,
            code,
            subject,
        }));
    };
    find("number_gap", store::broken_series(db).await?);
    find("invoice_total_differs", store::differing_totals(db).await?);
    find("invoiced_without_money", store::unfounded_lines(db).await?);
    find("invoice_state_differs", store::unproven_states(db).await?);
    find("job_missing", store::stranded(db).await?);
    find("job_without_subject", store::unfounded_jobs(db).await?);
    find("correction_missing", store::uncorrected(db).await?);
    find("correction_differs", store::broken_chains(db).await?);
    let mut known: HashMap<SchoolId, Option<Parameters>> = HashMap::new();
    for line in store::undocumented(db).await? {
        if !known.contains_key(&line.school_id) {
            let loaded = parameters::load(db, &line.school_id).await?;
            known.insert(line.school_id.clone(), loaded);
        }
        let parameters = known.get(&line.school_id).and_then(Option::as_ref);
        if wanted(parameters, line.paid_day, line.document_rule) {
            find(
                "line_without_invoice",
                vec![(line.school_id, format!("{}/{}", line.payment_id, line.seq))],
            );
        }
    }
    Ok(findings)
}

fn wanted(parameters: Option<&Parameters>, day: Day, rule: DocumentRule) -> bool {
    let policy = parameters
        .and_then(|all| all.at("invoice_policy", day))
        .and_then(|value| Policy::parse(value.value));
    // Without a policy it cannot be decided, which is itself worth a finding.
    policy.is_none_or(|policy| wants_invoice(policy, rule))
}
