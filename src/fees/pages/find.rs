//! The form for a bill code.

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::BillKey;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};

/// Longer input is not a code and is not repeated.
const TYPED_CHARS_MAX: usize = 60;

/// `/`: the way in for families without a link.
#[derive(Debug, Template)]
#[template(path = "fees/pages/find.html")]
pub struct FindPage {
    pub shell: Shell,
    pub typed: String,
    pub trouble: Option<Trouble>,
}

/// Why a typed code led nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Empty,
    /// Symbols are missing, foreign, or do not fit the check symbols.
    Misread,
    /// A well-formed code of no bill here.
    Unknown,
}

impl FindPage {
    fn trouble_text(&self) -> Option<String> {
        Some(match self.trouble? {
            Trouble::Empty => self.shell.t("find-empty"),
            Trouble::Misread => self.shell.t("find-misread"),
            Trouble::Unknown => self.shell.t("find-unknown"),
        })
    }

    /// Fresh, and after each kind of trouble.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        [
            ("", None),
            ("", Some(Trouble::Empty)),
            ("HPZ 37MT FCKQ PH", Some(Trouble::Misread)),
            ("HPZ 37MT FCKQ PG", Some(Trouble::Unknown)),
        ]
        .into_iter()
        .map(|(typed, trouble)| Self {
            shell: shell.clone(),
            typed: typed.to_owned(),
            trouble,
        })
        .collect()
    }
}

pub(super) async fn show(shell: Shell) -> Result<Response, PageError> {
    page(&FindPage {
        shell,
        typed: String::new(),
        trouble: None,
    })
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    code: String,
}

/// `GET /tra-cuu?code=`: leads to the bill's address, or says what is wrong with the code.
pub(super) async fn find(
    shell: Shell,
    Query(Typed { code }): Query<Typed>,
) -> Result<Response, PageError> {
    match BillKey::parse(code.trim()) {
        Some(key) => Ok(Redirect::to(&format!("/b/{}", key.as_str())).into_response()),
        None => not_understood(shell, code),
    }
}

pub(super) fn not_understood(shell: Shell, typed: String) -> Result<Response, PageError> {
    let trouble = if typed.trim().is_empty() {
        Trouble::Empty
    } else {
        Trouble::Misread
    };
    let shown = again(shell, &typed, trouble)?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
}

pub(super) fn unknown(shell: Shell, typed: String) -> Result<Response, PageError> {
    // A dead link's token is not shown: nobody types it.
    let typed = if typed.starts_with("HPZ") {
        typed
    } else {
        String::new()
    };
    let shown = again(shell, &typed, Trouble::Unknown)?;
    Ok((StatusCode::NOT_FOUND, shown).into_response())
}

fn again(shell: Shell, typed: &str, trouble: Trouble) -> Result<Response, PageError> {
    page(&FindPage {
        shell,
        typed: typed.chars().take(TYPED_CHARS_MAX).collect(),
        trouble: Some(trouble),
    })
}
