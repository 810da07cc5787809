//! The pages of parents, accountants and offices: frame, language, sessions, protection, errors.
//!
//! Pages live in the feature they show (`fees/pages`, `payments/pages`, `reports/pages`); here is what
//! surrounds them. A new page: a struct with exactly what it shows and `samples()`, a template, a
//! line in [`router`], a line in `samples.rs`, its texts in both catalogues.

pub mod errors;
pub mod language;
pub mod layout;
pub mod limits;
pub mod problem;
mod requests;
#[cfg(test)]
mod samples;
pub mod security;
pub mod session;
pub mod sign_in;
mod static_files;
mod store;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::App;
use crate::fees::pages as fees;
use crate::invoices::life::pages as corrections;
use crate::invoices::pages as invoices;
use crate::jobs::pages as jobs;
use crate::payments::http::payer_routes;
use crate::payments::pages as payments;
use crate::refunds::pages as refunds;
use crate::reports::pages as reports;
use crate::schools::pages as schools;
use errors::PageError;
use limits::PeerLimit;
use problem::ProblemDetails;

const PAGE_SECONDS_MAX: u64 = 30;

/// What pages need to know about the installation.
#[derive(Clone, Debug, Default)]
pub struct PageConfig {
    /// Where the simulated bank takes transfers; a link to it is shown only when this is set.
    pub sandbox_bank_url: Option<String>,
    /// Origins (`https://pay.example.vn`) to which a pay button may lead in the end. Browsers stop a
    /// form whose chain of redirects leaves these.
    pub payment_origins: Vec<String>,
}

/// What handlers of pages share; those that need no more take `State<App>`.
#[derive(Clone, Debug)]
pub struct Web {
    pub app: App,
    pub config: Arc<PageConfig>,
    pub limits: Limits,
}

/// Buckets against guessing, per peer.
#[derive(Clone, Debug)]
pub struct Limits {
    pub sign_in: PeerLimit,
    pub bill_code: PeerLimit,
    /// The status of an open page asks every second.
    pub bill_code_status: PeerLimit,
    /// Look-up codes of invoices.
    pub invoice_code: PeerLimit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sign_in: PeerLimit::new(10, Duration::from_secs(6)),
            bill_code: PeerLimit::new(60, Duration::from_secs(1)),
            bill_code_status: PeerLimit::new(120, Duration::from_millis(250)),
            invoice_code: PeerLimit::new(60, Duration::from_secs(1)),
        }
    }
}

impl FromRef<Web> for App {
    fn from_ref(web: &Web) -> Self {
        web.app.clone()
    }
}

/// Every page, static files, `/healthz` and `/readyz`. Serve it with
/// `into_make_service_with_connect_info::<SocketAddr>()`. Routes that providers call are merged
/// beside it, so that none of these layers touches them.
///
/// # Panics
/// When an origin of `config` cannot stand in a header.
pub fn router(app: App, config: PageConfig) -> Router {
    let policy = HeaderValue::from_str(&security::content_policy(&config.payment_origins))
        .expect("payment origins are plain ASCII");
    let web = Web {
        app: app.clone(),
        config: Arc::new(config),
        limits: Limits::default(),
    };
    Router::new()
        .merge(fees::routes())
        .merge(invoices::routes())
        .merge(payments::routes())
        .merge(payer_routes())
        .merge(jobs::routes())
        .merge(refunds::routes())
        .merge(corrections::routes())
        .merge(reports::routes())
        .merge(schools::routes())
        .route("/dang-nhap", get(sign_in::show).post(sign_in::sign_in))
        .route("/dang-xuat", post(sign_in::sign_out))
        .route(
            "/favicon.ico",
            get(async || Redirect::permanent("/static/icon.svg")),
        )
        .fallback(async || PageError::NotFound.into_response())
        .with_state(web)
        // The last layer meets the request first.
        .layer(from_fn(security::refuse_foreign_forms))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(PAGE_SECONDS_MAX),
        ))
        .layer(from_fn_with_state(app.clone(), errors::show_errors))
        .layer(from_fn(language::choose_language))
        .layer(from_fn_with_state(Arc::new(policy), security::add_headers))
        .layer(from_fn_with_state(app.clone(), requests::name_and_trace))
        .route("/static/{name}", get(static_files::serve))
        .route("/healthz", get(async || "ok"))
        .merge(Router::new().route("/readyz", get(ready)).with_state(app))
}

/// Whether this node should get requests: it lives (`/healthz`) and its database answers.
async fn ready(State(app): State<App>) -> Response {
    match store::answers(&app.db).await {
        Ok(()) => "ok".into_response(),
        Err(error) => ProblemDetails::new(
            StatusCode::SERVICE_UNAVAILABLE,
            error.code(),
            "Cơ sở dữ liệu chưa trả lời",
        )
        .into_response(),
    }
}
