//! The shell of the sandbox's pages: no script, one stylesheet, a policy that starts from nothing.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::peer::RawResponse;

const STYLE: &str = include_str!("page.css");

pub(crate) fn routes() -> Router {
    Router::new()
        .route(
            "/sandbox.css",
            get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }),
        )
        .route(
            "/",
            get(|| async {
                show(
                    StatusCode::OK,
                    "Môi trường thử nghiệm",
                    "<p>VNPAY, ngân hàng và cơ quan thuế mô phỏng. Không có tiền thật.</p>\
                     <p><a href=\"/bank/\">Mở ngân hàng thử nghiệm</a></p>",
                    None,
                )
            }),
        )
}

/// Escapes text for HTML content and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// `683.100 ₫`
pub(crate) fn dong(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut out = String::new();
    if amount < 0 {
        out.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('.');
        }
        out.push(digit);
    }
    out + "\u{a0}₫"
}

/// One page. `leaves_to` is where a form's answer redirects to: browsers apply `form-action` to that
/// redirect as well, so its origin must be allowed beside our own.
pub(crate) fn show(
    status: StatusCode,
    title: &str,
    body: &str,
    leaves_to: Option<&str>,
) -> Response {
    let leaves_to: Vec<&str> = leaves_to.into_iter().collect();
    render(status.as_u16(), title, body, &leaves_to).into_response()
}

/// The same as bytes, for peers that do no I/O.
pub(crate) fn render(status: u16, title: &str, body: &str, leaves_to: &[&str]) -> RawResponse {
    let document = format!(
        "<!doctype html>\n<html lang=\"vi\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><link rel=\"stylesheet\" href=\"/sandbox.css\"></head>\
         <body><p class=\"notice\">Môi trường thử nghiệm – không có tiền thật</p>\
         <main><h1>{title}</h1>{body}</main></body></html>",
        title = escape(title),
    );
    let away: String = leaves_to
        .iter()
        .filter_map(|address| origin(address))
        .map(|origin| format!(" {origin}"))
        .collect();
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self'{away}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let mut response = RawResponse::new(status, "text/html; charset=utf-8", document);
    for (name, value) in [
        ("content-security-policy", policy.as_str()),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        response.headers.push((name.to_owned(), value.to_owned()));
    }
    response
}

/// Scheme, host and port of an http address.
fn origin(address: &str) -> Option<String> {
    let url = reqwest::Url::parse(address).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dong_are_grouped_by_thousands() {
        assert_eq!(dong(683_100), "683.100\u{a0}₫");
        assert_eq!(dong(5), "5\u{a0}₫");
        assert_eq!(dong(1_000_000), "1.000.000\u{a0}₫");
    }
}
