//! Every message of a provider as it came in, also those that were refused, and their replay.
//!
//! [`rules`] masks and restores, [`Keeper`] writes beside the posting, never before the provider is
//! answered; [`replay`] reads a kept message again as if it came now. What the books need is in the
//! inbox (`provider_notice`), written with the money; this is for people who ask what happened.

mod keeper;
pub mod replay;
pub mod rules;
pub mod store;

pub use keeper::{Keeper, KeeperTools, Seen};

use crate::payments::connections::Connection;
use crate::sealing::SealingKey;

/// Names the use of the master key's digests that stand for masked secrets.
const SECRET_CONTEXT: &str = "inbound_message secret";

/// The digest that stands for a secret of this connection in what is kept.
fn secret_digest<'a>(seal: &'a SealingKey, connection_id: &'a str) -> impl Fn(&str) -> String + 'a {
    move |secret| {
        seal.digest(
            SECRET_CONTEXT,
            &[connection_id.as_bytes(), secret.as_bytes()],
        )
    }
}

/// A text of a message as the inbox keeps it.
pub fn masked_text(
    seal: &SealingKey,
    connection: &Connection,
    text: &str,
    spare: &[&str],
) -> String {
    let secrets = connection.secrets();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let digest = secret_digest(seal, connection.connection_id.as_str());
    rules::mask_text(text, &secrets, spare, &digest)
}
