//! Which accounts a school books payments to: dated parameters `account.<ROLE>` of its regime.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::books::Chart;
use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::schools::parameters::{self, ParameterError, Parameters};
use crate::store::{Db, StoreError};

/// A changed chart is seen after this time at the latest.
const KEPT_SECONDS: i64 = 60;

#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error("no school {0}")]
    NoSchool(SchoolId),
}

/// Charts of accounts read lately.
#[derive(Clone, Debug, Default)]
pub struct Charts(Arc<RwLock<HashMap<(SchoolId, Day), Kept>>>);

#[derive(Clone, Debug)]
struct Kept {
    read_at: Instant,
    chart: Chart,
}

impl Charts {
    /// The charts of these schools on a day. A school whose chart is incomplete is left out and
    /// logged, so that its payments wait without holding up those of others.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn of(
        &self,
        db: &Db,
        schools: &BTreeSet<SchoolId>,
        now: Instant,
    ) -> Result<HashMap<SchoolId, Chart>, StoreError> {
        let day = now.day();
        let mut found = HashMap::new();
        for school in schools {
            let kept = self.kept(school, day, now);
            let chart = match kept {
                Some(chart) => chart,
                None => match read(db, school, day).await {
                    Ok(chart) => {
                        self.keep(school, day, now, chart.clone());
                        chart
                    }
                    Err(ChartError::Store(error)) => return Err(error),
                    Err(error) => {
                        tracing::error!(school.id = %school, %error, "chart of accounts is incomplete");
                        continue;
                    }
                },
            };
            found.insert(school.clone(), chart);
        }
        Ok(found)
    }

    fn kept(&self, school: &SchoolId, day: Day, now: Instant) -> Option<Chart> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&(school.clone(), day))
            .filter(|kept| kept.read_at.plus_seconds(KEPT_SECONDS) > now)
            .map(|kept| kept.chart.clone())
    }

    fn keep(&self, school: &SchoolId, day: Day, read_at: Instant, chart: Chart) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, kept_day), _| *kept_day == day);
        known.insert((school.clone(), day), Kept { read_at, chart });
    }
}

async fn read(db: &Db, school: &SchoolId, day: Day) -> Result<Chart, ChartError> {
    Ok(chart_of(&load(db, school).await?, day)?)
}

async fn load(db: &Db, school: &SchoolId) -> Result<Parameters, ChartError> {
    parameters::load(db, school)
        .await?
        .ok_or_else(|| ChartError::NoSchool(school.clone()))
}

/// The chart of a school, and the accounts of what may follow a receipt. Taking money in needs none
/// of the latter, so a school may do without them until it pays something back.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub chart: Chart,
    /// `account.REFUND_PAYABLE`: owed back to families, not yet paid out.
    pub refund_payable: Option<String>,
    /// `account.PROVIDER_FEE`: what intermediaries keep for themselves.
    pub provider_fee: Option<String>,
    /// `credit_on_publish`: `ASK` leaves credit to the accountant, anything else uses it at once.
    pub uses_credit_unasked: bool,
}

impl Accounts {
    /// Reads the parameters of a school on a day.
    ///
    /// # Errors
    /// [`ChartError`] when there is no such school or its chart lacks an account that receipts need.
    pub async fn read(db: &Db, school: &SchoolId, day: Day) -> Result<Self, ChartError> {
        let parameters = load(db, school).await?;
        let account = |key| parameters.at(key, day).map(|found| found.value.to_owned());
        Ok(Self {
            chart: chart_of(&parameters, day)?,
            refund_payable: account("account.REFUND_PAYABLE"),
            provider_fee: account("account.PROVIDER_FEE"),
            uses_credit_unasked: account("credit_on_publish").as_deref() != Some("ASK"),
        })
    }
}

fn chart_of(parameters: &Parameters, day: Day) -> Result<Chart, ParameterError> {
    let account = |role: &str| {
        parameters
            .text(&format!("account.{role}"), day)
            .map(str::to_owned)
    };
    Ok(Chart {
        cash: account("CASH")?,
        bank: account("BANK")?,
        in_transit: account("IN_TRANSIT")?,
        revenue: account("REVENUE")?,
        on_behalf: account("ON_BEHALF")?,
        credit_held: account("CREDIT_HELD")?,
        suspense: account("SUSPENSE")?,
    })
}
