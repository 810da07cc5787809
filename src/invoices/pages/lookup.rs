//! `/hoa-don`: whoever has the code that stands on a document sees it and takes it along. Without a
//! code nothing is said, not even whether a guess was near.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Asked, PaperQuery, answer, prove};
use crate::invoices::archive::{Archived, by_lookup, lookup_digest};
use crate::invoices::rendition::{Kind, Pair, Shown};
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};

/// Longer input is not a code and is not repeated.
const CODE_CHARS_MAX: usize = 64;

/// The form for a look-up code.
#[derive(Clone, Debug, Template)]
#[template(path = "invoices/pages/lookup.html")]
pub struct LookupPage {
    pub shell: Shell,
    /// The typed code leads nowhere.
    pub is_unknown: bool,
}

impl LookupPage {
    /// Fresh, and after a code of nothing.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        [false, true]
            .map(|is_unknown| Self {
                shell: shell.clone(),
                is_unknown,
            })
            .to_vec()
    }
}

/// A document, as it is shown on paper too.
#[derive(Clone, Debug, Template)]
#[template(path = "invoices/pages/document.html")]
pub struct DocumentPage {
    pub shell: Shell,
    /// Its look-up code.
    pub code: String,
    /// Name of its files, without an ending.
    pub name: String,
    pub shown: Shown,
}

impl DocumentPage {
    /// One that waits for its code, and one that adjusts another.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        Shown::samples()
            .into_iter()
            .map(|shown| Self {
                shell: shell.clone(),
                code: "01kaxyz0000000000000000x".to_owned(),
                name: "1C26TAA-128".to_owned(),
                shown,
            })
            .collect()
    }

    fn is_invoice(&self) -> bool {
        self.shown.kind != Kind::Receipt
    }

    fn has_rates(&self) -> bool {
        self.shown.kind == Kind::Vat
    }

    /// Seller, who issues for him, buyer.
    fn parties(&self) -> Vec<&[Pair]> {
        [&self.shown.seller, &self.shown.trustee, &self.shown.buyer]
            .into_iter()
            .map(Vec::as_slice)
            .filter(|pairs| !pairs.is_empty())
            .collect()
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    code: String,
}

/// The code as it is stored: people type blanks, hyphens and capitals.
fn read_code(typed: &str) -> Option<String> {
    let code: String = typed
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '-')
        .map(|letter| letter.to_ascii_lowercase())
        .take(CODE_CHARS_MAX + 1)
        .collect();
    let is_code = !code.is_empty()
        && code.len() <= CODE_CHARS_MAX
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then_some(code)
}

pub(super) async fn find(
    shell: Shell,
    Query(Typed { code }): Query<Typed>,
) -> Result<Response, PageError> {
    if code.trim().is_empty() {
        return page(&LookupPage {
            shell,
            is_unknown: false,
        });
    }
    match read_code(&code) {
        Some(code) => Ok(Redirect::to(&format!("/hoa-don/{code}")).into_response()),
        None => unknown(shell),
    }
}

fn unknown(shell: Shell) -> Result<Response, PageError> {
    let shown = page(&LookupPage {
        shell,
        is_unknown: true,
    })?;
    Ok((StatusCode::NOT_FOUND, shown).into_response())
}

/// Counts the guess, then searches by the digest of the code: how long that takes says nothing about
/// how much of a guess is right.
async fn found(
    web: &Web,
    extensions: &Extensions,
    typed: &str,
) -> Result<Option<(String, Archived)>, PageError> {
    if !web.limits.invoice_code.admits(extensions) {
        return Err(PageError::TooMany);
    }
    let Some(code) = read_code(typed) else {
        return Ok(None);
    };
    let row = by_lookup(&web.app.db, &lookup_digest(&code)).await?;
    Ok(row.map(|row| (code, row)))
}

pub(super) async fn show(
    State(web): State<Web>,
    shell: Shell,
    extensions: Extensions,
    Path(typed): Path<String>,
) -> Result<Response, PageError> {
    let Some((code, row)) = found(&web, &extensions, &typed).await? else {
        return unknown(shell);
    };
    prove(&web, &row)?;
    let shown =
        Shown::read(row.file.as_bytes()).map_err(|error| PageError::Internal(error.to_string()))?;
    page(&DocumentPage {
        shell,
        code,
        name: row.name(),
        shown,
    })
}

pub(super) async fn download(
    State(web): State<Web>,
    extensions: Extensions,
    Path((typed, file)): Path<(String, String)>,
    Query(PaperQuery { paper }): Query<PaperQuery>,
) -> Result<Response, PageError> {
    let (_, asked) = Asked::of(&file).ok_or(PageError::NotFound)?;
    let (_, row) = found(&web, &extensions, &typed)
        .await?
        .ok_or(PageError::NotFound)?;
    answer(&web, row, asked, paper).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_code_is_read_and_anything_else_is_none() {
        assert_eq!(read_code(" 01KA xyz-9 ").as_deref(), Some("01kaxyz9"));
        for typed in ["", "   ", "01ka/..", "mã số", &"a".repeat(65)] {
            assert_eq!(read_code(typed), None, "{typed}");
        }
    }
}
