//! Who may sign in: accountants of schools and staff of education offices.
//!
//! Passwords are kept as argon2id, sessions as SHA-256 of a secret only the browser has. What a
//! person may see follows from the unit of the account and the tree *as it stands that day*.

mod password;
mod store;

use sha2::{Digest, Sha256};

use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{SchoolId, UnitId, UserId};
use crate::schools::tree;
use crate::store::{Db, StoreError, Tx};
use crate::stored_as_text;

pub use password::{HashingCost, PASSWORD_CHARS_MIN};

/// A session ends this long after it began, used or not.
pub const SESSION_HOURS: i64 = 12;
const LOGIN_CHARS_MAX: usize = 100;
/// Longer passwords only make hashing slow.
const PASSWORD_BYTES_MAX: usize = 512;

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Works for one school.
    Accountant,
    /// Sees the schools its office manages.
    Office,
}

stored_as_text!(Role {
    Accountant = "ACCOUNTANT",
    Office = "OFFICE",
});

/// A person who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Staff {
    pub user_id: UserId,
    pub role: Role,
    pub unit_id: UnitId,
    pub display_name: String,
}

impl Staff {
    /// The school of an accountant.
    pub fn own_school(&self) -> Option<SchoolId> {
        match self.role {
            Role::Accountant => Some(SchoolId::new(self.unit_id.as_str())),
            Role::Office => None,
        }
    }

    /// Whether the person may see this school on `day`: an accountant the own school alone, an
    /// office the schools under it in the tree of that day.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn may_see_school(
        &self,
        db: &Db,
        school: &SchoolId,
        day: Day,
    ) -> Result<bool, StoreError> {
        match self.role {
            Role::Accountant => Ok(self.unit_id.as_str() == school.as_str()),
            Role::Office => {
                tree::is_under(db, &UnitId::new(school.as_str()), &self.unit_id, day).await
            }
        }
    }

    /// Whether the person may change things of this school: its accountant alone.
    pub fn may_change_school(&self, school: &SchoolId) -> bool {
        self.role == Role::Accountant && self.unit_id.as_str() == school.as_str()
    }
}

/// A session that just began. The token goes to the browser and is kept nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    pub token: String,
    pub staff: Staff,
    pub expires_at: Instant,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("token", &"***")
            .field("staff", &self.staff)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// Why an account was not made or nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// Unknown login or wrong password: which of them is not told.
    #[error("Tên đăng nhập hoặc mật khẩu không đúng")]
    WrongLogin,
    #[error("Tên đăng nhập “{login}” đã có người dùng")]
    LoginTaken { login: String },
    #[error("Tên đăng nhập gồm chữ, số và . _ - @, dài 3 đến {LOGIN_CHARS_MAX} ký tự")]
    LoginForm,
    #[error("Mật khẩu cần ít nhất {PASSWORD_CHARS_MIN} ký tự và không quá dài")]
    PasswordForm,
    #[error("Không có đơn vị {unit}, hoặc đơn vị không hợp với vai trò")]
    Unit { unit: UnitId },
    #[error("password hash: {0}")]
    Hash(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an account; an accountant belongs to a school, an office account to any other unit.
///
/// # Errors
/// [`PeopleError`]; a taken login is one of them.
pub async fn create_user(
    app: &App,
    login: &str,
    password: &str,
    display_name: &str,
    role: Role,
    unit: &UnitId,
) -> Result<UserId, PeopleError> {
    create_user_at(
        app,
        HashingCost::default(),
        login,
        password,
        display_name,
        role,
        unit,
    )
    .await
}

/// As [`create_user`], with a chosen cost of hashing: tests make many accounts.
///
/// # Errors
/// As [`create_user`].
pub async fn create_user_at(
    app: &App,
    cost: HashingCost,
    login: &str,
    password: &str,
    display_name: &str,
    role: Role,
    unit: &UnitId,
) -> Result<UserId, PeopleError> {
    let login = canonical_login(login).ok_or(PeopleError::LoginForm)?;
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(PeopleError::PasswordForm);
    }
    let hash = password::hash(password.to_owned(), app.ids.bytes(), cost).await?;
    let account = store::NewAccount {
        user_id: UserId::new(app.ids.next(app.clock.now())),
        login,
        password_hash: hash,
        display_name: crate::schools::text::clean(display_name),
        role,
        unit_id: unit.clone(),
    };
    app.db
        .write("people.create_user", async move |tx: &mut Tx| {
            let is_school = store::unit_is_school(tx, &account.unit_id).await?;
            if is_school != Some(account.role == Role::Accountant) {
                return Err(PeopleError::Unit {
                    unit: account.unit_id.clone(),
                });
            }
            if !store::add_account(tx, &account).await? {
                return Err(PeopleError::LoginTaken {
                    login: account.login.clone(),
                });
            }
            Ok(account.user_id.clone())
        })
        .await
}

/// Signs in. An unknown login takes as long as a wrong password.
///
/// # Errors
/// [`PeopleError::WrongLogin`], or a failure of the database.
pub async fn login(app: &App, login: &str, password: &str) -> Result<Session, PeopleError> {
    let account = match canonical_login(login) {
        Some(login) => store::account(&app.db, login).await?,
        None => None,
    };
    // Also hashed when it cannot be right, so that time does not tell what exists.
    let fits = password.len() <= PASSWORD_BYTES_MAX;
    let given = if fits { password } else { "" };
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let matches = password::verify(given.to_owned(), hash).await? && fits;
    let Some(account) = account.filter(|_| matches) else {
        return Err(PeopleError::WrongLogin);
    };
    let now = app.clock.now();
    let token = app.ids.token();
    let expires_at = now.plus_seconds(SESSION_HOURS * 3_600);
    let (token_digest, user_id) = (digest(&token), account.staff.user_id.clone());
    app.db
        .write("people.login", async move |tx: &mut Tx| {
            store::forget_expired(tx, now).await?;
            store::add_session(tx, &token_digest, &user_id, now, expires_at).await
        })
        .await?;
    Ok(Session {
        token,
        staff: account.staff,
        expires_at,
    })
}

/// Who holds this token now.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn who(app: &App, token: &str) -> Result<Option<Staff>, StoreError> {
    store::staff_of_session(&app.db, digest(token), app.clock.now()).await
}

/// Ends the session; a token that is none is no error.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn logout(app: &App, token: &str) -> Result<(), StoreError> {
    let token_digest = digest(token);
    app.db
        .write("people.logout", async move |tx: &mut Tx| {
            store::forget_session(tx, &token_digest).await
        })
        .await
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Logins are compared without case.
fn canonical_login(login: &str) -> Option<String> {
    let login = login.trim().to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    ((3..=LOGIN_CHARS_MAX).contains(&login.len()) && login.chars().all(allowed)).then_some(login)
}
