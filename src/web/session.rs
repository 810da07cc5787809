//! Staff sessions: the cookie, and extractors that let in the right people.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use sha2::{Digest, Sha256};

use super::Web;
use super::errors::PageError;
use super::language::cookie;
use super::layout::{Shell, StaffBar};
use super::store;
use crate::App;
use crate::ids::{SchoolId, UnitId, UserId};
use crate::people::{self, Role};

/// Lives as long as a session in the database.
const SESSION_SECONDS: i64 = 12 * 60 * 60;

fn cookie_name(app: &App) -> &'static str {
    // Browsers accept the prefix only with Secure, which plain http on loopback cannot have.
    if app.public_url.starts_with("https://") {
        "__Host-hocphi"
    } else {
        "hocphi"
    }
}

/// The header that signs a browser in, or out with `None`.
pub fn set_cookie(app: &App, token: Option<&str>) -> HeaderValue {
    let name = cookie_name(app);
    let secure = if app.public_url.starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    let (value, age) = token.map_or(("", 0), |token| (token, SESSION_SECONDS));
    HeaderValue::from_str(&format!(
        "{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
    ))
    .expect("tokens are plain letters and digits")
}

/// The token of this browser's session.
pub fn token(app: &App, headers: &HeaderMap) -> Option<String> {
    cookie(headers, cookie_name(app)).filter(|token| !token.is_empty())
}

/// The hidden token of a session's forms, which another site cannot know. Derived, so that nothing
/// has to be stored; one-way, so that a page does not give away the session.
pub fn form_token(session: &str) -> String {
    hex::encode(Sha256::digest(format!("form:{session}").as_bytes()))
}

/// A signed-in accountant, bound to one school.
#[derive(Clone, Debug)]
pub struct Accountant {
    pub user_id: UserId,
    pub school_id: SchoolId,
    pub shell: Shell,
}

/// A signed-in officer, bound to the units under one unit.
#[derive(Clone, Debug)]
pub struct Officer {
    pub unit_id: UnitId,
    pub shell: Shell,
}

/// Why somebody is not let in.
#[derive(Debug)]
pub enum NotAdmitted {
    SignIn(String),
    Error(PageError),
}

impl<E: Into<PageError>> From<E> for NotAdmitted {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl IntoResponse for NotAdmitted {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(address) => Redirect::to(&address).into_response(),
            Self::Error(error) => error.into_response(),
        }
    }
}

/// The home page of a role.
pub const fn home(role: Role) -> &'static str {
    match role {
        Role::Accountant => "/ke-toan",
        Role::Office => "/quan-ly",
    }
}

async fn admit(
    app: &App,
    parts: &Parts,
    role: Role,
) -> Result<(people::Staff, Shell), NotAdmitted> {
    let mut shell = Shell::of_request(&parts.uri, &parts.extensions);
    let sign_in = || NotAdmitted::SignIn(format!("/dang-nhap?next={}", parts.uri.path()));
    let token = token(app, &parts.headers).ok_or_else(sign_in)?;
    let staff = people::who(app, &token).await?.ok_or_else(sign_in)?;
    if staff.role != role {
        return Err(PageError::Forbidden.into());
    }
    let unit_name = store::unit_name(&app.db, &staff.unit_id).await?;
    shell.staff = Some(StaffBar {
        display_name: staff.display_name.clone(),
        unit_name: unit_name.unwrap_or_default(),
        is_accountant: role == Role::Accountant,
        form_token: form_token(&token),
    });
    Ok((staff, shell))
}

impl<S> FromRequestParts<S> for Accountant
where
    S: Send + Sync,
    Web: FromRef<S>,
{
    type Rejection = NotAdmitted;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotAdmitted> {
        let web = Web::from_ref(state);
        let (staff, shell) = admit(&web.app, parts, Role::Accountant).await?;
        Ok(Self {
            school_id: SchoolId::new(staff.unit_id.as_str()),
            user_id: staff.user_id,
            shell,
        })
    }
}

impl<S> FromRequestParts<S> for Officer
where
    S: Send + Sync,
    Web: FromRef<S>,
{
    type Rejection = NotAdmitted;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotAdmitted> {
        let web = Web::from_ref(state);
        let (staff, shell) = admit(&web.app, parts, Role::Office).await?;
        Ok(Self {
            unit_id: staff.unit_id,
            shell,
        })
    }
}

impl Shell {
    /// Whether a form of this session came back with its token.
    ///
    /// # Errors
    /// [`PageError::ForeignForm`] when not.
    pub fn check_form(&self, token: &str) -> Result<(), PageError> {
        match &self.staff {
            Some(staff) if staff.form_token == token => Ok(()),
            _ => Err(PageError::ForeignForm),
        }
    }
}
