//! Secrets at rest: AES-256-GCM under the installation's master key.

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ids::Ids;

const KEY_BYTES: usize = 32;
const FORM: &str = "v1:";

/// The master key could not be had, or a sealed value does not open with it.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("master key file {path}: {problem}")]
    KeyFile { path: String, problem: String },
    /// Wrong master key, wrong place, or somebody changed the stored text.
    #[error("sealed value does not open for {context:?}")]
    DoesNotOpen { context: String },
}

/// The master key of an installation. Never printed.
pub struct SealingKey {
    seal: LessSafeKey,
    /// Of its own, so that no digest says anything about the key that seals.
    digest: hmac::Key,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(***)")
    }
}

impl SealingKey {
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("32 bytes make an AES-256 key");
        let master = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let digest = hmac::sign(&master, b"hocphi keyed digest 1");
        Self {
            seal: LessSafeKey::new(key),
            digest: hmac::Key::new(hmac::HMAC_SHA256, digest.as_ref()),
        }
    }

    /// A digest that nobody makes or guesses a preimage for without the master key; 64 hex digits.
    /// `context` separates uses.
    pub fn digest(&self, context: &str, parts: &[&[u8]]) -> String {
        let mut running = hmac::Context::with_key(&self.digest);
        for part in [context.as_bytes()].iter().chain(parts) {
            // With its length, so that moving a byte between parts changes the digest.
            running.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            running.update(part);
        }
        hex::encode(running.sign().as_ref())
    }

    /// Reads the key (64 hex digits) from a file.
    ///
    /// # Errors
    /// [`SealError::KeyFile`] when the file cannot be read or is not a key.
    pub fn read(file: &Path) -> Result<Self, SealError> {
        let problem = |problem: String| SealError::KeyFile {
            path: file.display().to_string(),
            problem,
        };
        let text = std::fs::read_to_string(file).map_err(|error| problem(error.to_string()))?;
        let bytes = hex::decode(text.trim()).map_err(|_| problem("not 64 hex digits".into()))?;
        let bytes = <[u8; KEY_BYTES]>::try_from(bytes.as_slice())
            .map_err(|_| problem("not 64 hex digits".into()))?;
        Ok(Self::from_bytes(bytes))
    }

    /// Reads the key, or makes a new one readable by its owner alone.
    ///
    /// # Errors
    /// [`SealError::KeyFile`] when the file can be neither read nor written.
    pub fn read_or_create(file: &Path, ids: &Ids) -> Result<Self, SealError> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let created = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file);
        match created {
            Ok(mut key_file) => {
                let written = key_file
                    .write_all(hex::encode(ids.bytes::<KEY_BYTES>()).as_bytes())
                    .and_then(|()| key_file.sync_all());
                written.map_err(|error| SealError::KeyFile {
                    path: file.display().to_string(),
                    problem: error.to_string(),
                })?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(SealError::KeyFile {
                    path: file.display().to_string(),
                    problem: error.to_string(),
                });
            }
        }
        Self::read(file)
    }

    /// Seals `secret` for one place; it opens only with the same `context`.
    pub fn seal(&self, ids: &Ids, context: &str, secret: &[u8]) -> String {
        let nonce = ids.bytes::<NONCE_LEN>();
        let mut sealed = secret.to_vec();
        self.seal
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut sealed,
            )
            .expect("a secret is far below the limit of GCM");
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        format!("{FORM}{}", STANDARD.encode(bytes))
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`] for another key, another context or a changed text.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>, SealError> {
        let refused = || SealError::DoesNotOpen {
            context: context.to_owned(),
        };
        let bytes = sealed
            .strip_prefix(FORM)
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or_else(refused)?;
        let (nonce, body) = bytes.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut body = body.to_vec();
        let plain = self
            .seal
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut body)
            .map_err(|_| refused())?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_follows_the_key_the_context_and_where_parts_end() {
        let key = SealingKey::from_bytes([7; 32]);
        let digest = key.digest("message", &[b"ab", b"c"]);
        assert_eq!(digest.len(), 64);
        assert_eq!(digest, key.digest("message", &[b"ab", b"c"]));
        assert_ne!(digest, key.digest("message", &[b"a", b"bc"]));
        assert_ne!(digest, key.digest("other", &[b"ab", b"c"]));
        let other = SealingKey::from_bytes([8; 32]);
        assert_ne!(digest, other.digest("message", &[b"ab", b"c"]));
    }

    #[test]
    fn a_secret_opens_only_in_its_place_and_unchanged() {
        let key = SealingKey::from_bytes([7; 32]);
        let sealed = key.seal(&Ids::seeded(1), "connection/c1", "khóa bí mật".as_bytes());
        assert!(!sealed.contains("mật"));
        assert_eq!(
            key.open("connection/c1", &sealed).unwrap(),
            "khóa bí mật".as_bytes()
        );
        assert!(key.open("connection/c2", &sealed).is_err());
        let changed = sealed.replace(
            &sealed[10..11],
            if &sealed[10..11] == "A" { "B" } else { "A" },
        );
        assert!(key.open("connection/c1", &changed).is_err());
        assert!(
            SealingKey::from_bytes([8; 32])
                .open("connection/c1", &sealed)
                .is_err()
        );
    }
}
