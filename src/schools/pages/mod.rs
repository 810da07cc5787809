//! `/ke-toan/import`: the files of a school, with a report per row.

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::import::{self, IMPORT_BYTES_MAX, ImportFailure, ImportReport, RowProblem, RowProblems};
use super::import::{ImportKind, ProblemCode};
use super::{school_year, store};
use crate::App;
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::session::Accountant;

/// Fields of the form around the file.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Everything of schools under `/ke-toan`.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/ke-toan/import", get(show).post(take))
        .layer(DefaultBodyLimit::max(IMPORT_BYTES_MAX + FORM_BYTES_MAX))
}

/// The form, and what became of the file that was sent.
#[derive(Clone, Debug, Template)]
#[template(path = "schools/pages/import.html")]
pub struct ImportPage {
    pub shell: Shell,
    pub valid_from: Day,
    pub outcome: Option<Outcome>,
}

/// What became of a file. Nothing is half-imported.
#[derive(Clone, Debug)]
pub enum Outcome {
    Done(ImportReport),
    /// Rows are wrong; nothing was written.
    Rows(RowProblems),
    /// The file as a whole, or its day, does not fit.
    Refused(String),
}

impl ImportPage {
    /// Nothing sent yet, done, wrong rows, wrong file.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        let problem = |line, column: &str, value: &str, message: &str| RowProblem {
            line,
            column: column.to_owned(),
            value: value.to_owned(),
            code: ProblemCode::NotADay,
            message: message.to_owned(),
        };
        [
            None,
            Some(Outcome::Done(ImportReport {
                kind: ImportKind::Roster,
                file_name: "danh-sach-lop-6.xlsx".to_owned(),
                already_imported: false,
                rows: 204,
                added: 12,
                updated: 3,
                unchanged: 189,
                moved: 2,
                missing: vec!["1900012345 Nguyễn Hoàng Minh An (6A1)".to_owned()],
                notes: vec!["Cột “Ghi chú” không được đọc.".to_owned()],
            })),
            Some(Outcome::Rows(RowProblems {
                file_name: "danh-sach-lop-6.xlsx".to_owned(),
                problems: vec![
                    problem(
                        17,
                        "Ngày sinh",
                        "31/02/2015",
                        "Ngày không có trong lịch; viết dạng 23/11/2015.",
                    ),
                    problem(42, "Giới tính", "x", "Giới tính là Nam hoặc Nữ."),
                ],
                more: 3,
            })),
            Some(Outcome::Refused(
                "danh-sach.pdf: Tệp không phải XLSX hay CSV".to_owned(),
            )),
        ]
        .into_iter()
        .map(|outcome| Self {
            shell: shell.clone(),
            valid_from: Day::new(2026, 11, 23).expect("a day"),
            outcome,
        })
        .collect()
    }
}

async fn show(State(app): State<App>, accountant: Accountant) -> Result<Response, PageError> {
    page(&ImportPage {
        shell: accountant.shell,
        valid_from: app.clock.today(),
        outcome: None,
    })
}

/// What the form carries.
#[derive(Default)]
struct Sent {
    form_token: String,
    kind: String,
    valid_from: String,
    file: Option<(String, Vec<u8>)>,
}

impl Sent {
    async fn read(mut form: Multipart) -> Result<Self, PageError> {
        let mut sent = Self::default();
        while let Some(field) = form.next_field().await.map_err(|_| PageError::BadRequest)? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "file" {
                let file_name = field.file_name().unwrap_or_default().to_owned();
                let bytes = field.bytes().await.map_err(|_| PageError::TooLarge)?;
                sent.file = Some((file_name, bytes.to_vec()));
                continue;
            }
            let text = field.text().await.map_err(|_| PageError::BadRequest)?;
            match name.as_str() {
                "form_token" => sent.form_token = text,
                "kind" => sent.kind = text,
                "valid_from" => sent.valid_from = text,
                _ => {}
            }
        }
        Ok(sent)
    }
}

async fn take(
    State(app): State<App>,
    accountant: Accountant,
    form: Multipart,
) -> Result<Response, PageError> {
    let sent = Sent::read(form).await?;
    accountant.shell.check_form(&sent.form_token)?;
    let valid_from = Day::parse_iso(&sent.valid_from).ok_or(PageError::BadRequest)?;
    let (file_name, bytes) = sent.file.ok_or(PageError::BadRequest)?;
    let by = accountant.user_id.as_str();
    let code = school_code(&app, &accountant.school_id).await?;
    let result = match sent.kind.as_str() {
        "roster" => {
            let year = school_year(valid_from);
            import::roster(&app, &code, &file_name, bytes, &year, valid_from, by).await
        }
        "fees" => import::fees(&app, &code, &file_name, bytes, by).await,
        _ => return Err(PageError::BadRequest),
    };
    let (status, outcome) = match result {
        Ok(report) => (StatusCode::OK, Outcome::Done(report)),
        Err(ImportFailure::Store(error)) => return Err(error.into()),
        Err(ImportFailure::Rows(problems)) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Outcome::Rows(problems))
        }
        Err(other) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Outcome::Refused(other.to_string()),
        ),
    };
    let shown = page(&ImportPage {
        shell: accountant.shell,
        valid_from,
        outcome: Some(outcome),
    })?;
    Ok((status, shown).into_response())
}

async fn school_code(app: &App, school: &SchoolId) -> Result<String, PageError> {
    let found = store::school(&app.db, school).await?;
    Ok(found.ok_or(PageError::Forbidden)?.code)
}
