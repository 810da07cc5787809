//! Who may sign in, and who is signed in.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use sha2::{Digest, Sha256};

use crate::App;
use crate::ids::{UnitId, UserId};
use crate::store::{StoreError, Tx};

const SESSION_SECONDS: i64 = 12 * 60 * 60;

crate::stored_as_text!(Role {
    Accountant = "ACCOUNTANT",
    Office = "OFFICE",
});

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Accountant,
    Office,
}

/// A person who is signed in.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Staff {
    pub user_id: UserId,
    pub role: Role,
    pub unit_id: UnitId,
    pub display_name: String,
}

/// Checks a password and opens a session; its token, or nothing when name or password is wrong.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn login(app: &App, login: &str, password: &str) -> Result<Option<String>, StoreError> {
    let found: Option<(UserId, String)> = app
        .db
        .sql("SELECT user_id, password_hash FROM user_account WHERE login = $1")
        .bind(login.to_owned())
        .optional()
        .await?;
    let Some((user_id, hash)) = found else {
        return Ok(None);
    };
    let password = password.to_owned();
    let fits = tokio::task::spawn_blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
    })
    .await
    .unwrap_or(false);
    if !fits {
        return Ok(None);
    }
    let token = app.ids.token();
    let (digest, now) = (digest(&token), app.clock.now());
    app.db
        .write("people.login", async move |tx: &mut Tx| {
            tx.sql(
                "INSERT INTO login_session (token_digest, user_id, created_at, expires_at)
                 VALUES ($1, $2, $3, $4)",
            )
            .bind(digest.clone())
            .bind(user_id.clone())
            .bind(now)
            .bind(now.plus_seconds(SESSION_SECONDS))
            .run()
            .await
        })
        .await?;
    Ok(Some(token))
}

/// Whose session this token opens.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn who(app: &App, token: &str) -> Result<Option<Staff>, StoreError> {
    app.db
        .sql(
            "SELECT u.user_id, u.role, u.unit_id, u.display_name
               FROM login_session s
               JOIN user_account u ON u.user_id = s.user_id
              WHERE s.token_digest = $1 AND s.expires_at > $2",
        )
        .bind(digest(token))
        .bind(app.clock.now())
        .optional()
        .await
}

/// Closes a session.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn logout(app: &App, token: &str) -> Result<(), StoreError> {
    let digest = digest(token);
    app.db
        .write("people.logout", async move |tx: &mut Tx| {
            tx.sql("DELETE FROM login_session WHERE token_digest = $1")
                .bind(digest.clone())
                .run()
                .await
        })
        .await?;
    Ok(())
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
