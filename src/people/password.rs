//! Passwords as argon2id in PHC form. Hashing is slow on purpose: it runs where blocking is allowed.

use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use super::PeopleError;

/// Fewest characters of a new password.
pub const PASSWORD_CHARS_MIN: usize = 10;
const SALT_BYTES: usize = 16;

/// What hashing a password costs. Verification uses what the stored hash says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingCost {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Default for HashingCost {
    /// OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane.
    fn default() -> Self {
        Self {
            memory_kib: Params::DEFAULT_M_COST,
            passes: Params::DEFAULT_T_COST,
        }
    }
}

impl HashingCost {
    /// Fast and weak: for tests and simulations.
    pub const WEAK: Self = Self {
        memory_kib: 64,
        passes: 1,
    };
}

pub(super) async fn hash(
    password: String,
    salt: [u8; SALT_BYTES],
    cost: HashingCost,
) -> Result<String, PeopleError> {
    blocking(move || hash_now(&password, salt, cost)).await
}

/// Whether the password belongs to the hash. Without a hash the same work is done and the answer
/// is no.
pub(super) async fn verify(password: String, hash: Option<String>) -> Result<bool, PeopleError> {
    blocking(move || {
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => nobody()?.to_owned(),
        };
        let parsed = PasswordHash::new(&hash).map_err(failed)?;
        let matches = Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok();
        Ok(matches && known)
    })
    .await
}

/// The hash of a password nobody has, at the usual cost.
fn nobody() -> Result<&'static str, PeopleError> {
    static NOBODY: OnceLock<String> = OnceLock::new();
    if let Some(hash) = NOBODY.get() {
        return Ok(hash);
    }
    let hash = hash_now("nobody", [7; SALT_BYTES], HashingCost::default())?;
    Ok(NOBODY.get_or_init(|| hash))
}

fn hash_now(
    password: &str,
    salt: [u8; SALT_BYTES],
    cost: HashingCost,
) -> Result<String, PeopleError> {
    let params =
        Params::new(cost.memory_kib, cost.passes, Params::DEFAULT_P_COST, None).map_err(failed)?;
    let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(failed)?;
    Ok(hash.to_string())
}

fn failed(error: impl std::fmt::Display) -> PeopleError {
    PeopleError::Hash(error.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PeopleError> + Send + 'static,
) -> Result<T, PeopleError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(failed(error)))
}
