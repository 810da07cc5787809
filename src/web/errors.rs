//! Failures a person sees: a sentence and a way on, never a bare status.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use super::layout::Shell;
use super::requests::RequestId;
use crate::App;
use crate::store::StoreError;

/// Seconds after which a peer may try again.
const RETRY_AFTER_SECONDS: &str = "60";
/// Seconds after which a database that was away may be back.
const UNAVAILABLE_SECONDS: &str = "5";

/// Why a page could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    #[error("no such page")]
    NotFound,
    #[error("not allowed for this person")]
    Forbidden,
    #[error("a form from another site, or an old one")]
    ForeignForm,
    #[error("too many attempts from one peer")]
    TooMany,
    #[error("the request cannot be read")]
    BadRequest,
    #[error("the body is larger than this route takes")]
    TooLarge,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("template: {0}")]
    Template(#[from] askama::Error),
    #[error("{0}")]
    Internal(String),
}

impl PageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Store(error) if error.trouble().is_some() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Template(_) | Self::Internal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Stable, for logs.
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            _ => "page_failed",
        }
    }
}

impl IntoResponse for PageError {
    /// A bare status; [`show_errors`] knows the reader's language and writes the page.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if response.status().is_server_error() {
            // Where errors of pages are handled, hence logged.
            tracing::error!(error = %self, code = self.code(), "page failed");
        }
        if matches!(self, Self::ForeignForm) {
            response.extensions_mut().insert(ForeignForm);
        }
        response
    }
}

#[derive(Clone, Copy)]
struct ForeignForm;

/// Gives answers without a page of their own (ours, and those of the framework) the error page.
pub async fn show_errors(State(app): State<App>, request: Request, next: Next) -> Response {
    let shell = Shell::of_request(request.uri(), request.extensions());
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let has_page = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    if !is_error || has_page {
        return response;
    }
    let kind = match status {
        StatusCode::FORBIDDEN if response.extensions().get::<ForeignForm>().is_some() => {
            ErrorKind::ForeignForm
        }
        StatusCode::FORBIDDEN => ErrorKind::Forbidden,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::TooMany,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
        StatusCode::SERVICE_UNAVAILABLE => ErrorKind::Unavailable,
        status if status.is_client_error() => ErrorKind::BadRequest,
        _ => ErrorKind::Internal,
    };
    let page = ErrorPage {
        shell,
        kind,
        request_id: id.map_or_else(String::new, |id| id.to_string()),
        at: app.clock.now().shown(),
    };
    let Ok(html) = page.render() else {
        return response;
    };
    let mut shown = (status, Html(html)).into_response();
    let wait = match status {
        StatusCode::TOO_MANY_REQUESTS => Some(RETRY_AFTER_SECONDS),
        StatusCode::SERVICE_UNAVAILABLE => Some(UNAVAILABLE_SECONDS),
        _ => None,
    };
    if let Some(seconds) = wait {
        shown
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    shown
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    NotFound,
    Forbidden,
    ForeignForm,
    TooMany,
    TooLarge,
    BadRequest,
    Unavailable,
    Internal,
}

/// A sentence, a way on, and what support needs to find the request.
#[derive(Debug, Template)]
#[template(path = "web/pages/error.html")]
pub struct ErrorPage {
    pub shell: Shell,
    pub kind: ErrorKind,
    pub request_id: String,
    pub at: String,
}

impl ErrorPage {
    fn heading(&self) -> String {
        let language = self.shell.language;
        match self.kind {
            ErrorKind::NotFound => language.t("error-not-found"),
            ErrorKind::Forbidden => language.t("error-forbidden"),
            ErrorKind::ForeignForm => language.t("error-form"),
            ErrorKind::TooMany => language.t("error-too-many"),
            ErrorKind::TooLarge => language.t("error-too-large"),
            ErrorKind::BadRequest => language.t("error-bad-request"),
            ErrorKind::Unavailable => language.t("error-unavailable"),
            ErrorKind::Internal => language.t("error-internal"),
        }
    }

    fn advice(&self) -> String {
        let language = self.shell.language;
        match self.kind {
            ErrorKind::NotFound => language.t("error-not-found-advice"),
            ErrorKind::Forbidden => language.t("error-forbidden-advice"),
            ErrorKind::ForeignForm => language.t("error-form-advice"),
            ErrorKind::TooMany => language.t("error-too-many-advice"),
            ErrorKind::TooLarge => language.t("error-too-large-advice"),
            ErrorKind::BadRequest => language.t("error-bad-request-advice"),
            ErrorKind::Unavailable => language.t("error-unavailable-advice"),
            ErrorKind::Internal => language.t("error-internal-advice"),
        }
    }

    /// One page of each kind.
    pub fn samples(shell: &Shell) -> Vec<Self> {
        [
            ErrorKind::NotFound,
            ErrorKind::Forbidden,
            ErrorKind::ForeignForm,
            ErrorKind::TooMany,
            ErrorKind::TooLarge,
            ErrorKind::BadRequest,
            ErrorKind::Unavailable,
            ErrorKind::Internal,
        ]
        .into_iter()
        .map(|kind| Self {
            shell: shell.clone(),
            kind,
            request_id: "01kb3x7q2e9c4h5m8n".to_owned(),
            at: "09:15:00 23/11/2026".to_owned(),
        })
        .collect()
    }
}
