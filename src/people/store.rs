//! SQL of accounts and sessions.

use super::{Role, Staff};
use crate::clock::Instant;
use crate::ids::{UnitId, UserId};
use crate::store::{Db, StoreError, Tx};

#[derive(Clone)]
pub(super) struct NewAccount {
    pub user_id: UserId,
    pub login: String,
    pub password_hash: String,
    pub display_name: String,
    pub role: Role,
    pub unit_id: UnitId,
}

#[derive(sqlx::FromRow)]
pub(super) struct Account {
    pub password_hash: String,
    #[sqlx(flatten)]
    pub staff: Staff,
}

/// `None`: there is no such unit.
pub(super) async fn unit_is_school(tx: &mut Tx, unit: &UnitId) -> Result<Option<bool>, StoreError> {
    let found: Option<(String,)> = tx
        .sql("SELECT kind FROM org_unit WHERE unit_id = $1")
        .bind(unit.clone())
        .optional()
        .await?;
    Ok(found.map(|(kind,)| kind == crate::schools::UnitKind::School.as_str()))
}

/// `false`: the login is taken.
pub(super) async fn add_account(tx: &mut Tx, account: &NewAccount) -> Result<bool, StoreError> {
    let added = tx
        .sql(
            "INSERT INTO user_account (user_id, login, password_hash, display_name, role, unit_id)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (login) DO NOTHING",
        )
        .bind(account.user_id.clone())
        .bind(account.login.clone())
        .bind(account.password_hash.clone())
        .bind(account.display_name.clone())
        .bind(account.role)
        .bind(account.unit_id.clone())
        .run()
        .await?;
    Ok(added == 1)
}

pub(super) async fn account(db: &Db, login: String) -> Result<Option<Account>, StoreError> {
    db.sql(
        "SELECT password_hash, user_id, role, unit_id, display_name
           FROM user_account WHERE login = $1",
    )
    .bind(login)
    .optional()
    .await
}

pub(super) async fn add_session(
    tx: &mut Tx,
    token_digest: &str,
    user_id: &UserId,
    now: Instant,
    expires_at: Instant,
) -> Result<(), StoreError> {
    tx.sql(
        "INSERT INTO login_session (token_digest, user_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
    )
    .bind(token_digest.to_owned())
    .bind(user_id.clone())
    .bind(now)
    .bind(expires_at)
    .run()
    .await?;
    Ok(())
}

pub(super) async fn forget_expired(tx: &mut Tx, now: Instant) -> Result<(), StoreError> {
    tx.sql("DELETE FROM login_session WHERE expires_at <= $1")
        .bind(now)
        .run()
        .await?;
    Ok(())
}

pub(super) async fn forget_session(tx: &mut Tx, token_digest: &str) -> Result<(), StoreError> {
    tx.sql("DELETE FROM login_session WHERE token_digest = $1")
        .bind(token_digest.to_owned())
        .run()
        .await?;
    Ok(())
}

pub(super) async fn staff_of_session(
    db: &Db,
    token_digest: String,
    now: Instant,
) -> Result<Option<Staff>, StoreError> {
    db.sql(
        "SELECT u.user_id, u.role, u.unit_id, u.display_name
           FROM login_session s JOIN user_account u ON u.user_id = s.user_id
          WHERE s.token_digest = $1 AND s.expires_at > $2",
    )
    .bind(token_digest)
    .bind(now)
    .optional()
    .await
}
