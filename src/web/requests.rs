//! A name for every request, and one line about it in the log.

use std::fmt;
use std::time::Instant as Stopwatch;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request in answers and in the log. Drawn here; what the peer sends is not believed.
#[derive(Clone, Debug)]
pub struct RequestId(String);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names and logs a request. The pattern of the route is logged, never the path: it holds bill
/// codes and access tokens.
pub async fn name_and_trace(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = app.ids.next(app.clock.now());
    request.extensions_mut().insert(RequestId(id.clone()));
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("http", request.id = %id, method = %request.method(), %route);
    let started = Stopwatch::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let duration_ms = started.elapsed().as_millis();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, duration_ms, "answered"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
