//! Why money was not moved, in the words of the reader.

use axum::http::StatusCode;

use super::store;
use crate::payments::moves::rules::Obstacle;
use crate::payments::moves::{MoveError, Refusal};
use crate::store::Db;
use crate::web::errors::PageError;
use crate::web::language::Language;

/// Symbols of the token that makes a repeated form one action, see
/// [`Ids::token`](crate::ids::Ids::token).
const ONCE_SYMBOLS: usize = 32;

/// What a page says about a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    pub text: String,
}

impl Problem {
    /// A mistake in what was typed.
    pub fn typed(text: String) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            text,
        }
    }

    /// Somebody or something was first.
    pub fn conflict(text: String) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            text,
        }
    }

    /// The refusal in words; what is no refusal is an error of ours.
    ///
    /// # Errors
    /// [`PageError`] for everything but refusals a person can do something about.
    pub async fn of(error: MoveError, language: Language, db: &Db) -> Result<Self, PageError> {
        let refusal = match error {
            MoveError::Refused(refusal) => refusal,
            MoveError::Store(error) => return Err(error.into()),
            other => return Err(PageError::Internal(other.to_string())),
        };
        Ok(match refusal {
            Refusal::NoPayment => return Err(PageError::NotFound),
            Refusal::Obstacle(Obstacle::MoreThanHeld { held }) => {
                Self::typed(language.t1("move-more-than-held", "held", held))
            }
            Refusal::Obstacle(Obstacle::CreditUsed { used }) => {
                Self::conflict(language.t1("move-credit-used", "used", used))
            }
            Refusal::NoBill(code) => Self::typed(language.t1("move-no-bill", "code", code)),
            Refusal::NoPupil(code) => Self::typed(language.t1("move-no-pupil", "code", code)),
            Refusal::Resolved { by, at } => {
                let by = match by {
                    Some(user) => store::person(db, &user).await?.unwrap_or(user),
                    None => String::new(),
                };
                let at = at.map(|at| at.shown()).unwrap_or_default();
                Self::conflict(language.t2("move-resolved", ("by", &by), ("at", &at)))
            }
            Refusal::NothingOpen => Self::typed(language.t("move-nothing-open")),
            Refusal::NoCredit => Self::typed(language.t("move-no-credit")),
            Refusal::FormUsed => Self::conflict(language.t("move-form-used")),
            Refusal::SettledBefore => Self::conflict(language.t("move-settled-before")),
            Refusal::SettlesAnother { expected, given } => Self::typed(language.t2(
                "move-settles-another",
                ("expected", &expected),
                ("given", &given),
            )),
            Refusal::SecondUnusable => Self::typed(language.t("review-second-unusable")),
            Refusal::NoAccount(key) => Self::typed(language.t1("move-no-account", "key", key)),
        })
    }
}

/// Whether a form carries a token of ours.
///
/// # Errors
/// [`PageError::BadRequest`] when not.
pub fn check_once(once: &str) -> Result<(), PageError> {
    let ours = once.len() == ONCE_SYMBOLS && once.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if ours {
        Ok(())
    } else {
        Err(PageError::BadRequest)
    }
}
