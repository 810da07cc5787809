//! Style sheet, script and icon, carried inside the program.

use axum::extract::{Path, RawQuery};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::errors::PageError;

#[derive(RustEmbed)]
#[folder = "src/web/static"]
struct Assets;

/// The address of a file, with its version so that browsers may keep it for ever.
pub fn address(name: &str) -> String {
    match Assets::get(name) {
        Some(file) => format!("/static/{name}?v={}", version(&file.metadata.sha256_hash())),
        None => format!("/static/{name}"),
    }
}

fn version(digest: &[u8; 32]) -> String {
    hex::encode(&digest[..8])
}

/// `GET /static/{name}`.
pub async fn serve(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let file = Assets::get(&name).ok_or(PageError::NotFound)?;
    let version = version(&file.metadata.sha256_hash());
    let tag = format!("\"{version}\"");
    let keep = if query.as_deref() == Some(&format!("v={version}")) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|asked| asked.as_bytes() == tag.as_bytes());
    let common = [(ETAG, tag), (CACHE_CONTROL, keep.to_owned())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let kind = match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    Ok((common, [(CONTENT_TYPE, kind)], file.data).into_response())
}
