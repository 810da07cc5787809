//! Files of offices and schools become rows: units, parameters, rosters, fees.
//!
//! Every import goes the same way: the file is read (`sheet`), every row is parsed and every row is
//! checked, then everything is written in one transaction or nothing is. Problems carry line,
//! column, value, a stable code and a Vietnamese sentence, all of them at once, so that a file is
//! corrected in one go. The same file a second time changes nothing.
//!
//! In files `đến ngày` is the last day on which something holds; in the database `valid_to` is the
//! first day on which it no longer does.

mod fees;
mod fields;
mod parameters;
mod report;
mod roster;
mod sheet;
mod store;
mod units;

use sha2::{Digest, Sha256};

use crate::App;
use crate::clock::{Day, Instant};
use crate::schools::units::School;
use crate::store::StoreError;

pub use report::{FileProblem, ImportKind, ImportReport, ProblemCode, RowProblem, RowProblems};

/// Data rows of one file.
pub const IMPORT_ROWS_MAX: usize = 50_000;
/// Size of one file.
pub const IMPORT_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailure {
    #[error("Không có trường mang mã “{code}”")]
    UnknownSchool { code: String },
    #[error("Năm học “{given}” không đúng dạng 2026-2027")]
    SchoolYear { given: String },
    #[error(
        "Ngày {} không nằm trong năm học {school_year} (01/07 đến 31/08 năm sau)", day.shown()
    )]
    DayOutsideYear { school_year: String, day: Day },
    /// The file as a whole cannot be read.
    #[error("{file_name}: {problem}")]
    File {
        file_name: String,
        problem: FileProblem,
    },
    /// Rows are wrong; nothing was written.
    #[error("{0}")]
    Rows(RowProblems),
    #[error("Không ghi được vào cơ sở dữ liệu: {0}")]
    Store(#[from] StoreError),
}

impl ImportFailure {
    /// The wrong rows as CSV for the school to correct by; `None` when the failure is another.
    pub fn to_csv(&self) -> Option<String> {
        match self {
            Self::Rows(problems) => Some(problems.to_csv()),
            _ => None,
        }
    }
}

/// Imports departments, offices and schools with their dated relations.
///
/// # Errors
/// [`ImportFailure`]; nothing is written then.
pub async fn units(
    app: &App,
    file_name: &str,
    bytes: Vec<u8>,
    by: &str,
) -> Result<ImportReport, ImportFailure> {
    let batch = Batch::new(app, ImportKind::Units, file_name, "VN", by, &bytes, "");
    let parsed = in_background(batch.file_name.clone(), move || units::parse(&bytes)).await?;
    units::write(app, batch, parsed).await
}

/// Imports dated parameters.
///
/// # Errors
/// [`ImportFailure`]; nothing is written then.
pub async fn parameters(
    app: &App,
    file_name: &str,
    bytes: Vec<u8>,
    by: &str,
) -> Result<ImportReport, ImportFailure> {
    let batch = Batch::new(app, ImportKind::Parameters, file_name, "VN", by, &bytes, "");
    let parsed = in_background(batch.file_name.clone(), move || parameters::parse(&bytes)).await?;
    parameters::write(app, batch, parsed).await
}

/// Imports the pupils of a school as they are from `valid_from` on: new pupils are added, changed
/// ones changed, a change of class closes one enrolment and opens the next. Pupils missing in the
/// file are reported and stay.
///
/// # Errors
/// [`ImportFailure`]; nothing is written then.
pub async fn roster(
    app: &App,
    school_code: &str,
    file_name: &str,
    bytes: Vec<u8>,
    school_year: &str,
    valid_from: Day,
    by: &str,
) -> Result<ImportReport, ImportFailure> {
    check_year(school_year, valid_from)?;
    let school = find_school(app, school_code).await?;
    // The same file for another year or day is another import.
    let context = format!("{school_year}/{}", valid_from.iso());
    let scope = school.school_id.as_str();
    let batch = Batch::new(
        app,
        ImportKind::Roster,
        file_name,
        scope,
        by,
        &bytes,
        &context,
    );
    let today = app.clock.today();
    let grades = school.education_level.grades();
    let parsed = in_background(batch.file_name.clone(), move || {
        roster::parse(&bytes, &grades, today)
    })
    .await?;
    let place = roster::Place {
        school_id: school.school_id,
        school_year: school_year.to_owned(),
        valid_from,
    };
    roster::write(app, batch, place, parsed).await
}

/// Imports the fee items of a school with their dated prices.
///
/// # Errors
/// [`ImportFailure`]; nothing is written then.
pub async fn fees(
    app: &App,
    school_code: &str,
    file_name: &str,
    bytes: Vec<u8>,
    by: &str,
) -> Result<ImportReport, ImportFailure> {
    let school = find_school(app, school_code).await?;
    let scope = school.school_id.as_str();
    let batch = Batch::new(app, ImportKind::Fees, file_name, scope, by, &bytes, "");
    let grades = school.education_level.grades();
    let parsed = in_background(batch.file_name.clone(), move || {
        fees::parse(&bytes, &grades)
    })
    .await?;
    fees::write(app, batch, school.school_id, parsed).await
}

/// What `import_batch` remembers of a file.
#[derive(Clone, Debug)]
struct Batch {
    scope: String,
    import_id: String,
    kind: ImportKind,
    file_name: String,
    digest: String,
    by: String,
    at: Instant,
}

impl Batch {
    fn new(
        app: &App,
        kind: ImportKind,
        file_name: &str,
        scope: &str,
        by: &str,
        bytes: &[u8],
        context: &str,
    ) -> Self {
        let at = app.clock.now();
        let mut digest = Sha256::new();
        digest.update(bytes);
        digest.update(context.as_bytes());
        Self {
            scope: scope.to_owned(),
            import_id: app.ids.next(at),
            kind,
            file_name: super::text::clean(file_name),
            digest: hex::encode(digest.finalize()),
            by: by.to_owned(),
            at,
        }
    }
}

async fn find_school(app: &App, code: &str) -> Result<School, ImportFailure> {
    super::school_by_code(&app.db, code)
        .await?
        .ok_or_else(|| ImportFailure::UnknownSchool {
            code: code.to_owned(),
        })
}

/// `2026-2027`, with a day from 1 July (registration) to 31 August of the next year.
fn check_year(school_year: &str, day: Day) -> Result<(), ImportFailure> {
    let wrong = || ImportFailure::SchoolYear {
        given: school_year.to_owned(),
    };
    let digits = |text: &str| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    let (first, second) = school_year.split_once('-').ok_or_else(wrong)?;
    if !digits(first) || !digits(second) {
        return Err(wrong());
    }
    let year: i32 = first.parse().map_err(|_| wrong())?;
    if second.parse() != Ok(year + 1) {
        return Err(wrong());
    }
    let inside = Day::new(year, 7, 1).is_some_and(|begin| begin <= day)
        && Day::new(year + 1, 8, 31).is_some_and(|end| day <= end);
    if inside {
        Ok(())
    } else {
        Err(ImportFailure::DayOutsideYear {
            school_year: school_year.to_owned(),
            day,
        })
    }
}

/// Reads the file on a thread that may block.
async fn in_background<T: Send + 'static>(
    file_name: String,
    work: impl FnOnce() -> Result<T, FileProblem> + Send + 'static,
) -> Result<T, ImportFailure> {
    let outcome = tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(FileProblem::Unreadable));
    outcome.map_err(|problem| ImportFailure::File { file_name, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_school_year_is_two_years_in_a_row_around_the_day() {
        let day = |iso| Day::parse_iso(iso).unwrap();
        assert!(check_year("2026-2027", day("2026-09-01")).is_ok());
        assert!(check_year("2026-2027", day("2027-09-01")).is_err());
        for wrong in ["2026-2028", "2026", "26-27", "2026-2027 ", "+026-2027"] {
            assert!(check_year(wrong, day("2026-09-01")).is_err(), "{wrong}");
        }
    }
}
