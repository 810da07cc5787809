//! `/dang-nhap` and `/dang-xuat`.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Web;
use super::errors::PageError;
use super::layout::{Shell, page};
use super::session;
use crate::people::{self, PeopleError};

/// The form by which staff sign in.
#[derive(Debug, Template)]
#[template(path = "web/pages/sign_in.html")]
pub struct SignInPage {
    pub shell: Shell,
    pub login: String,
    pub next: String,
    pub is_refused: bool,
}

impl SignInPage {
    /// Empty, and after a wrong password.
    #[cfg(test)]
    pub fn samples(shell: &Shell) -> Vec<Self> {
        [false, true]
            .into_iter()
            .map(|is_refused| Self {
                shell: shell.clone(),
                login: if is_refused { "ketoan.thcs" } else { "" }.to_owned(),
                next: "/ke-toan".to_owned(),
                is_refused,
            })
            .collect()
    }
}

#[derive(Debug, Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /dang-nhap`.
pub async fn show(shell: Shell, Query(query): Query<Next>) -> Result<Response, PageError> {
    page(&SignInPage {
        shell,
        login: String::new(),
        next: local(&query.next).to_owned(),
        is_refused: false,
    })
}

#[derive(Deserialize)]
pub struct Credentials {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /dang-nhap`.
pub async fn sign_in(
    State(web): State<Web>,
    shell: Shell,
    extensions: Extensions,
    Form(form): Form<Credentials>,
) -> Result<Response, PageError> {
    if !web.limits.sign_in.admits(&extensions) {
        return Err(PageError::TooMany);
    }
    let begun = match people::login(&web.app, form.login.trim(), &form.password).await {
        Ok(begun) => begun,
        Err(PeopleError::WrongLogin) => {
            let refused = SignInPage {
                shell,
                login: form.login.trim().to_owned(),
                next: local(&form.next).to_owned(),
                is_refused: true,
            };
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&refused)?).into_response());
        }
        Err(PeopleError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(PageError::Internal(error.to_string())),
    };
    let target = match local(&form.next) {
        "" => session::home(begun.staff.role),
        next => next,
    };
    Ok((
        [(
            SET_COOKIE,
            session::set_cookie(&web.app, Some(&begun.token)),
        )],
        Redirect::to(target),
    )
        .into_response())
}

/// What every form of a session carries.
#[derive(Debug, Default, Deserialize)]
pub struct Signed {
    #[serde(default)]
    pub form_token: String,
}

/// `POST /dang-xuat`.
pub async fn sign_out(
    State(web): State<Web>,
    headers: HeaderMap,
    Form(form): Form<Signed>,
) -> Result<Response, PageError> {
    if let Some(token) = session::token(&web.app, &headers) {
        if session::form_token(&token) != form.form_token {
            return Err(PageError::ForeignForm);
        }
        people::logout(&web.app, &token).await?;
    }
    Ok((
        [(SET_COOKIE, session::set_cookie(&web.app, None))],
        Redirect::to("/dang-nhap"),
    )
        .into_response())
}

/// A path of ours, or nothing: `//other.example` and `/\other.example` leave the site.
fn local(next: &str) -> &str {
    let is_staff = next.starts_with("/ke-toan") || next.starts_with("/quan-ly");
    let is_plain = next
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.?=&%".contains(&byte));
    if is_staff && is_plain { next } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_our_own_pages_only() {
        assert_eq!(
            local("/ke-toan/receipts?page=2"),
            "/ke-toan/receipts?page=2"
        );
        assert_eq!(local("//evil.example/ke-toan"), "");
        assert_eq!(local("https://evil.example"), "");
        assert_eq!(local("/ke-toan\\..\\evil"), "");
    }
}
