//! What browsers may do with our pages, and what other sites may not do with our users.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::errors::PageError;

/// The content policy, from nothing. `payment_origins` may receive our forms, because browsers check
/// the whole chain of redirects of a form against `form-action`.
pub fn content_policy(payment_origins: &[String]) -> String {
    let mut targets = String::from("'self'");
    for origin in payment_origins {
        targets.push(' ');
        targets.push_str(origin);
    }
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
    )
}

const FIXED: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // The address of a bill is its key: it must not leave with a link. Not `no-referrer`, which
    // would turn the Origin of our own forms into `null`.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=()",
    ),
];

/// Adds the policy and its companions to every answer.
pub async fn add_headers(
    State(policy): State<Arc<HeaderValue>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::clone(&policy));
    for (name, value) in FIXED {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

/// Refuses requests that change something and come from another site.
pub async fn refuse_foreign_forms(request: Request, next: Next) -> Response {
    if is_safe(request.method()) || is_own(request.headers()) {
        next.run(request).await
    } else {
        PageError::ForeignForm.into_response()
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_own(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    // Browsers without fetch metadata, and pages on plain http.
    let (Some(origin), Some(host)) = (text(headers, &ORIGIN), text(headers, &HOST)) else {
        return false;
    };
    origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for &(name, value) in pairs {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        is_own(&headers)
    }

    #[test]
    fn only_our_own_pages_may_change_something() {
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("sec-fetch-site", "none")]));
        assert!(!own(&[("sec-fetch-site", "same-site")]));
        assert!(!own(&[("sec-fetch-site", "cross-site")]));
        assert!(own(&[
            ("origin", "http://127.0.0.1:8080"),
            ("host", "127.0.0.1:8080")
        ]));
        assert!(!own(&[
            ("origin", "https://other.vn"),
            ("host", "hocphi.vn")
        ]));
        assert!(!own(&[("origin", "null"), ("host", "hocphi.vn")]));
        assert!(!own(&[("host", "hocphi.vn")]));
        // A claim of the browser about itself is not outvoted by a fitting Origin.
        assert!(!own(&[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://hocphi.vn"),
            ("host", "hocphi.vn")
        ]));
    }
}
