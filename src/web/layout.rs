//! What surrounds every page: language, navigation, who is signed in.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, Uri};
use axum::response::{Html, IntoResponse, Response};

use super::errors::PageError;
use super::language::Language;
use super::static_files;

/// The frame of a page; `web/layout.html` shows it.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    pub language: Language,
    /// Path and query of this page, without `lang`; for the language links.
    pub here: String,
    pub staff: Option<StaffBar>,
}

/// Who is signed in, and where they may go.
#[derive(Clone, Debug)]
pub struct StaffBar {
    pub display_name: String,
    pub unit_name: String,
    pub is_accountant: bool,
    /// Goes into every form of this session.
    pub form_token: String,
}

impl Shell {
    pub(super) fn of_request(uri: &Uri, extensions: &Extensions) -> Self {
        let query: Vec<&str> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("lang="))
            .collect();
        let mut here = uri.path().to_owned();
        if !query.is_empty() {
            here.push('?');
            here.push_str(&query.join("&"));
        }
        Self {
            language: extensions.get().copied().unwrap_or_default(),
            here,
            staff: None,
        }
    }

    /// The text of `key` in the language of the page.
    pub fn t(&self, key: &str) -> String {
        self.language.t(key)
    }

    /// The word for a stored state, channel or reason: text `bill-nothing-due` for `NOTHING_DUE`.
    pub fn word(&self, kind: &str, stored: &str) -> String {
        let stored = stored.to_ascii_lowercase().replace('_', "-");
        self.t(&format!("{kind}-{stored}"))
    }

    /// The colour of a stored state, as a class of the style sheet.
    pub fn tone(&self, stored: &str) -> &'static str {
        match stored {
            "PAID" | "CODED" | "RESOLVED" | "NOTHING_DUE" | "PUBLISHED" | "SETTLED" | "DONE"
            | "CLOSED" | "ACCEPTED" => "good",
            "PARTIAL" | "NUMBERED" | "SIGNED" | "SENT" | "CLAIMED" | "CONFIRMED" | "REQUESTED"
            | "WAITING" | "ADMITTED" => "wait",
            "REFUSED" | "REVERSED" | "FAILED" | "LATE" | "DEAD" => "bad",
            "OPEN" | "DRAFT" | "UNKNOWN" | "TODAY" => "warn",
            _ => "plain",
        }
    }

    /// This page in another language.
    pub fn here_in(&self, tag: &str) -> String {
        let joint = if self.here.contains('?') { '&' } else { '?' };
        format!("{}{joint}lang={tag}", self.here)
    }

    /// The address of a static file.
    pub fn asset(&self, name: &str) -> String {
        static_files::address(name)
    }

    /// `page` for the current section of the navigation, else nothing.
    pub fn current(&self, section: &str) -> &'static str {
        let path = match self.here.split('?').next().unwrap_or_default() {
            // What is about to be late stands beside what went wrong.
            "/ke-toan/deadlines" => "/ke-toan/corrections",
            path => path,
        };
        let inside = path
            .strip_prefix(section)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_overview = section == "/ke-toan";
        if inside && (!is_overview || path == section) {
            "page"
        } else {
            "false"
        }
    }

    /// The token of this session's forms; empty for visitors, who have none.
    pub fn form_token(&self) -> &str {
        self.staff
            .as_ref()
            .map_or("", |staff| staff.form_token.as_str())
    }

    /// A frame for samples: a visitor, or a signed-in accountant or officer.
    pub fn sample(language: Language, here: &str, staff: Option<bool>) -> Self {
        Self {
            language,
            here: here.to_owned(),
            staff: staff.map(|is_accountant| StaffBar {
                display_name: if is_accountant {
                    "Trần Thị Hạnh"
                } else {
                    "Lê Quang Vinh"
                }
                .to_owned(),
                unit_name: if is_accountant {
                    "Trường THCS Nguyễn Du"
                } else {
                    "Sở Giáo dục và Đào tạo Thái Nguyên"
                }
                .to_owned(),
                is_accountant,
                form_token: "5f1d".to_owned(),
            }),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Shell {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of_request(&parts.uri, &parts.extensions))
    }
}

/// Renders a page. Pages of people are never kept by caches on the way.
///
/// # Errors
/// [`PageError::Template`] when the template fails.
pub fn page(template: &impl askama::Template) -> Result<Response, PageError> {
    Ok((
        [("cache-control", "private, no-store")],
        Html(template.render()?),
    )
        .into_response())
}
