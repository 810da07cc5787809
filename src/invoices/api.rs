//! `POST /api/invoices/verify`: the verifier for programs. The body is the file, the answer the report;
//! nothing is kept.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::verify::{CATALOGUE, RULES, RuleSet, Trust, verify};
use crate::clock::Clock;
use crate::web::limits::PeerLimit;
use crate::web::problem::ProblemDetails;

/// A package of a thousand invoices is larger than carriers take.
const BODY_BYTES_MAX: usize = 5 * 1024 * 1024;
/// Files that are checked at the same time; more wait, and not for long.
const CHECKS_MAX: usize = 2;
const WAIT: Duration = Duration::from_secs(5);
const BURST: u32 = 30;
const REFILL: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Desk {
    clock: Clock,
    peers: PeerLimit,
    places: Arc<Semaphore>,
}

/// The addresses of the verifier. They read no cookie and change nothing.
pub fn routes(clock: Clock) -> Router {
    let desk = Desk {
        clock,
        peers: PeerLimit::new(BURST, REFILL),
        places: Arc::new(Semaphore::new(CHECKS_MAX)),
    };
    Router::new()
        .route("/api/invoices/verify", post(check))
        .route_layer(from_fn_with_state(desk.clone(), admit))
        .route("/api/invoices/rules", get(rules))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(desk)
}

async fn admit(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    if desk.peers.admits(request.extensions()) {
        return next.run(request).await;
    }
    ProblemDetails::new(
        StatusCode::TOO_MANY_REQUESTS,
        "TOO_MANY_REQUESTS",
        "Gửi quá nhiều tệp cùng lúc, hãy chờ một phút.",
    )
    .into_response()
}

#[derive(Deserialize)]
struct Options {
    /// Which rules; without it those of the version that each document states.
    rules: Option<String>,
}

async fn check(
    State(desk): State<Desk>,
    Query(options): Query<Options>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ProblemDetails> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemDetails::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "FILE_TOO_LARGE",
            format!("Tệp lớn hơn {BODY_BYTES_MAX} byte."),
        ),
        _ => ProblemDetails::new(
            StatusCode::BAD_REQUEST,
            "BODY_UNREADABLE",
            "Không nhận được trọn vẹn nội dung tệp.",
        ),
    })?;
    let rules = match options.rules {
        None => None,
        Some(name) => Some(RuleSet::parse(&name).ok_or_else(|| {
            ProblemDetails::new(
                StatusCode::BAD_REQUEST,
                "UNKNOWN_RULES",
                format!("Không có bộ quy tắc {name}; hãy dùng 2.0.1, 2.1.0 hoặc 2.1.1."),
            )
        })?),
    };
    let busy = || {
        ProblemDetails::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "BUSY",
            "Đang kiểm tra nhiều tệp khác, hãy gửi lại sau.",
        )
    };
    let place = tokio::time::timeout(WAIT, desk.places.clone().acquire_owned())
        .await
        .map_err(|_| busy())?
        .map_err(|_| busy())?;
    let today = desk.clock.today();
    let report = tokio::task::spawn_blocking(move || {
        let _place = place;
        let trust = Trust {
            today: Some(today),
            rules,
            ..Trust::default()
        };
        verify(&body, trust)
    })
    .await
    .map_err(|error| {
        tracing::error!(%error, "the verifier failed");
        ProblemDetails::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL",
            "Bộ kiểm tra gặp sự cố với tệp này.",
        )
    })?;
    Ok(Json(report).into_response())
}

async fn rules() -> Response {
    Json(serde_json::json!({"catalogue": CATALOGUE, "rules": RULES})).into_response()
}
