//! Signed documents for people: the public look-up by code, and the accountant's archive. Both show
//! what the archive holds, after it was proven to be what was signed.

mod archive;
mod bundle;
mod lookup;

pub use archive::ArchivePage;
pub use lookup::{DocumentPage, LookupPage};

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::archive::Archived;
use super::rendition::{Paper, RenditionOptions, pdf};
use crate::web::Web;
use crate::web::errors::PageError;

/// `/hoa-don` for everybody with a code, `/ke-toan/archive` for accountants.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/hoa-don", get(lookup::find))
        .route("/hoa-don/{code}", get(lookup::show))
        .route("/hoa-don/{code}/{file}", get(lookup::download))
        .route("/ke-toan/archive", get(archive::list))
        .route("/ke-toan/archive.zip", get(bundle::download))
        .route("/ke-toan/archive/{file}", get(archive::download))
}

/// Where look-up codes are typed in.
pub(super) fn lookup_address(web: &Web) -> String {
    format!("{}/hoa-don", web.app.public_url)
}

/// Which paper a PDF is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PaperName {
    #[default]
    A4,
    A5,
}

#[derive(Debug, Default, Deserialize)]
struct PaperQuery {
    #[serde(default)]
    paper: PaperName,
}

/// What of a document is asked for, by the ending of a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Xml,
    Pdf,
}

impl Asked {
    fn of(file: &str) -> Option<(&str, Self)> {
        if let Some(stem) = file.strip_suffix(".xml") {
            return Some((stem, Self::Xml));
        }
        file.strip_suffix(".pdf").map(|stem| (stem, Self::Pdf))
    }
}

/// A document as a download, once it was proven.
async fn answer(
    web: &Web,
    row: Archived,
    asked: Asked,
    paper: PaperName,
) -> Result<Response, PageError> {
    prove(web, &row)?;
    let name = row.name();
    let (kind, end, bytes) = match asked {
        Asked::Xml => (
            "application/xml; charset=utf-8",
            "xml",
            row.file.into_bytes(),
        ),
        Asked::Pdf => {
            let address = lookup_address(web);
            let made = tokio::task::spawn_blocking(move || {
                let options = RenditionOptions {
                    paper: match paper {
                        PaperName::A4 => Paper::A4,
                        PaperName::A5 => Paper::A5,
                    },
                    lookup_address: Some(&address),
                    attach_xml: true,
                };
                pdf(row.file.as_bytes(), &options)
            })
            .await
            .map_err(|error| PageError::Internal(error.to_string()))?
            .map_err(|error| PageError::Internal(error.to_string()))?;
            ("application/pdf", "pdf", made)
        }
    };
    let disposition = format!("attachment; filename=\"{name}.{end}\"");
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).map_err(|_| PageError::NotFound)?,
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// A changed row is shown to nobody.
fn prove(web: &Web, row: &Archived) -> Result<(), PageError> {
    row.prove(&web.app.seal).map_err(|problem| {
        PageError::Internal(format!(
            "archived {} {}: {problem}",
            row.kind, row.subject_id
        ))
    })
}
