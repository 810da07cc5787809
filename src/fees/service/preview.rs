//! What a round would bill, without writing anything.

use super::{FeeError, PUPILS_PER_CHUNK};
use crate::App;
use crate::fees::pricing::{Pricer, by_pupil_and_item};
use crate::fees::rules::PriceError;
use crate::fees::store;
use crate::ids::{RoundId, SchoolId};
use crate::money::Vnd;

/// More problems of one kind than anybody reads.
const PROBLEMS_MAX: usize = 50;

/// What publishing would come to.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    pub bills: i64,
    /// Of those, bills that only show what others bear.
    pub nothing_due: i64,
    pub total_due: Vnd,
    pub items: Vec<ItemTotal>,
    /// Publishing would be refused for these.
    pub problems: Vec<PriceError>,
    /// For a person to look at; publishing goes on.
    pub warnings: Vec<String>,
}

/// One item over all pupils.
#[derive(Clone, Debug, Default)]
pub struct ItemTotal {
    pub code: String,
    pub name: String,
    pub lines: i64,
    pub gross: Vnd,
    pub state_part: Vnd,
    pub province_part: Vnd,
    pub school_part: Vnd,
    pub amount_due: Vnd,
}

/// Prices everybody as [`publish`](super::publish) would today.
///
/// # Errors
/// [`FeeError`] when the round cannot be read; what its pupils lack is in the answer.
pub async fn preview(
    app: &App,
    school: &SchoolId,
    round_id: &RoundId,
) -> Result<Preview, FeeError> {
    let source = &mut &app.db;
    let round = store::round(source, school, round_id)
        .await?
        .ok_or(FeeError::RoundUnknown)?;
    let mut pricer = Pricer::load(source, school, &round, app.clock.today()).await?;
    let mut preview = Preview {
        items: pricer
            .items()
            .map(|item| ItemTotal {
                code: item.code.clone(),
                name: item.name.clone(),
                ..ItemTotal::default()
            })
            .collect(),
        ..Preview::default()
    };
    let mut without_guardian = 0;
    let mut after = String::new();
    loop {
        let pupils =
            store::pupils(source, school, round.charge_day, &after, PUPILS_PER_CHUNK).await?;
        let Some(last) = pupils
            .last()
            .map(|pupil| pupil.pupil_id.as_str().to_owned())
        else {
            break;
        };
        let choices = by_pupil_and_item(
            store::choices(source, school, round.charge_day, &after, &last).await?,
        )?;
        for pupil in &pupils {
            let priced = match pricer.bill(pupil, &choices) {
                Ok(priced) => priced,
                Err(problem) => {
                    if preview.problems.len() < PROBLEMS_MAX && !preview.problems.contains(&problem)
                    {
                        preview.problems.push(problem);
                    }
                    continue;
                }
            };
            if priced.gross.is_zero() {
                continue;
            }
            preview.bills += 1;
            preview.nothing_due += i64::from(priced.amount_due.is_zero());
            preview.total_due += priced.amount_due;
            without_guardian += i64::from(pupil.payer_name.is_none());
            for (place, line) in priced.lines {
                let total = &mut preview.items[place];
                total.lines += 1;
                total.gross += line.gross;
                total.state_part += line.state_part;
                total.province_part += line.province_part;
                total.school_part += line.school_part;
                total.amount_due += line.amount_due;
            }
        }
        after = last;
    }
    if without_guardian > 0 {
        preview.warnings.push(format!(
            "{without_guardian} học sinh chưa có phụ huynh; phiếu ghi tên học sinh."
        ));
    }
    let without_class = store::pupils_without_class(source, school, round.charge_day).await?;
    if without_class > 0 {
        preview.warnings.push(format!(
            "{without_class} học sinh đang học chưa được xếp lớp vào ngày {} nên không có phiếu.",
            round.charge_day.shown()
        ));
    }
    for item in preview.items.iter().filter(|item| item.lines == 0) {
        preview.warnings.push(format!(
            "Khoản {} ({}) không có học sinh nào phải thu.",
            item.code, item.name
        ));
    }
    Ok(preview)
}
