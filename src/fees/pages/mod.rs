//! What a family sees: the form for a bill code, the bill, its status, its documents.
//!
//! A bill opens by its access token, or by its code; the code is printed, read aloud and typed into
//! memos, so with the code alone the child stays masked.

mod bank_transfer;
mod banks;
mod bill;
mod find;
mod status;
pub mod store;

pub use bank_transfer::qr_svg;
pub use banks::name as bank_name;
pub use bill::{BillPage, LineView, sample_bill, sample_lines};
pub use find::FindPage;
pub use status::{Status, StatusFragment};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{Extensions, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::bill_code::BillCode;
use super::memo;
use crate::ids::{BillId, SchoolId};
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};

/// Symbols of an access token, see [`Ids::token`](crate::ids::Ids::token).
const TOKEN_SYMBOLS: usize = 32;

/// `/`, `/tra-cuu`, `/b/{key}` and what hangs under it.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/", get(find::show))
        .route("/tra-cuu", get(find::find))
        .route("/b/{key}", get(show))
        .route("/b/{key}/status", get(show_status))
        .route("/b/{key}/invoice/{file}", get(download_document))
}

/// What stands in the address of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillKey {
    /// Opens everything.
    Token(String),
    /// Shows what is owed, not who.
    Code(BillCode),
}

impl BillKey {
    /// Reads what a link carries or a person typed: spaces, dots, hyphens, lower case and a missing
    /// `HPZ` do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let is_token = text.len() == TOKEN_SYMBOLS
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        if is_token {
            return Some(Self::Token(text.to_owned()));
        }
        let direct = memo::read(text).codes;
        let codes = if direct.is_empty() {
            memo::read(&format!("HPZ{text}")).codes
        } else {
            direct
        };
        match codes.as_slice() {
            [code] => Some(Self::Code(*code)),
            _ => None,
        }
    }

    /// The spelling in addresses.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Token(token) => token,
            Self::Code(code) => code.as_str(),
        }
    }

    /// Whether the child may be named.
    pub const fn shows_child(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// The bill, after the peer's guesses were counted.
    ///
    /// # Errors
    /// [`PageError::TooMany`] when the peer guessed too often; [`PageError::NotFound`] when there is no such bill.
    async fn resolve(
        &self,
        web: &Web,
        extensions: &Extensions,
    ) -> Result<(SchoolId, BillId), PageError> {
        let found = match self {
            Self::Token(token) => store::by_token(&web.app.db, token).await?,
            Self::Code(code) => {
                if !web.limits.bill_code.admits(extensions) {
                    return Err(PageError::TooMany);
                }
                store::by_code(&web.app.db, code.as_str()).await?
            }
        };
        found.ok_or(PageError::NotFound)
    }
}

#[derive(Debug, Default, Deserialize)]
struct BillQuery {
    #[serde(default)]
    from: String,
}

async fn show(
    State(web): State<Web>,
    shell: Shell,
    extensions: Extensions,
    Path(text): Path<String>,
    Query(query): Query<BillQuery>,
) -> Result<Response, PageError> {
    let Some(key) = BillKey::parse(&text) else {
        return find::not_understood(shell, text);
    };
    if key.as_str() != text {
        return Ok(Redirect::to(&format!("/b/{}", key.as_str())).into_response());
    }
    let found = match key.resolve(&web, &extensions).await {
        Err(PageError::NotFound) => return find::unknown(shell, key.as_str().to_owned()),
        other => other?,
    };
    page(&BillPage::load(&web, shell, key, found, query.from == "return").await?)
}

async fn show_status(
    State(web): State<Web>,
    shell: Shell,
    extensions: Extensions,
    Path(text): Path<String>,
    Query(query): Query<BillQuery>,
) -> Result<Response, PageError> {
    let key = BillKey::parse(&text).ok_or(PageError::NotFound)?;
    let (school, bill_id) = match &key {
        BillKey::Token(_) => key.resolve(&web, &extensions).await?,
        BillKey::Code(code) => {
            if !web.limits.bill_code_status.admits(&extensions) {
                return Err(PageError::TooMany);
            }
            store::by_code(&web.app.db, code.as_str())
                .await?
                .ok_or(PageError::NotFound)?
        }
    };
    let bill = store::bill(&web.app.db, &school, &bill_id)
        .await?
        .ok_or(PageError::NotFound)?;
    page(&StatusFragment::load(&web, &shell, &key, &bill, query.from == "return").await?)
}

async fn download_document(
    State(web): State<Web>,
    extensions: Extensions,
    Path((text, file)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let key = BillKey::parse(&text).ok_or(PageError::NotFound)?;
    // The file names the buyer: a code, which may lie around, does not open it.
    let lookup_code = file.strip_suffix(".xml").ok_or(PageError::NotFound)?;
    if !key.shows_child() {
        return Err(PageError::Forbidden);
    }
    let (school, bill) = key.resolve(&web, &extensions).await?;
    let found = store::document_file(&web.app.db, &school, &bill, lookup_code)
        .await?
        .ok_or(PageError::NotFound)?;
    xml_file(&found)
}

/// A signed document as a download, byte for byte as stored.
///
/// # Errors
/// [`PageError::NotFound`] when it is not signed yet.
pub fn xml_file(document: &store::DocumentFile) -> Result<Response, PageError> {
    let xml = document.xml.clone().ok_or(PageError::NotFound)?;
    let name = format!(
        "attachment; filename=\"{}-{}.xml\"",
        document.symbol, document.number
    );
    let mut response = xml.into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/xml; charset=utf-8"),
    );
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_str(&name).map_err(|_| PageError::NotFound)?,
    );
    headers.insert(
        "cache-control",
        HeaderValue::from_static("private, no-store"),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_code_is_understood_and_a_wrong_symbol_is_not() {
        let code = BillKey::Code(BillCode::parse("HPZ37MTFCKQPG").unwrap());
        for typed in [
            "HPZ37MTFCKQPG",
            " hpz 37mt fckq pg ",
            "37MT.FCKQ-PG",
            "hpz-37mtfckqpg",
        ] {
            assert_eq!(BillKey::parse(typed), Some(code.clone()), "{typed}");
        }
        assert_eq!(BillKey::parse("HPZ37MTFCKQPH"), None);
        assert_eq!(BillKey::parse(""), None);
        let token = "0123456789abcdefghjkmnpqrstvwxyz";
        assert_eq!(
            BillKey::parse(token),
            Some(BillKey::Token(token.to_owned()))
        );
    }
}
