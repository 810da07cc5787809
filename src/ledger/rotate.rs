//! Changes the key that seals new entries.

use super::chain::ChainKeys;
use super::store;
use crate::ids::SchoolId;
use crate::store::{Db, StoreError, Tx};

/// Heads that are locked at the same time.
const HEADS_PER_BATCH: usize = 500;

/// Gives every school the next key: of the next generation, or of the present master key where it
/// was sealed under a former one. Entries of before keep their key. Answers how many schools changed.
///
/// # Errors
/// [`StoreError`] of the engine; a contradiction when a head is forged or its key is not at hand.
pub async fn rotate(db: &Db, keys: &ChainKeys) -> Result<u64, StoreError> {
    let mut changed = 0;
    for batch in store::keyed_schools(db).await?.chunks(HEADS_PER_BATCH) {
        let (batch, keys): (Vec<SchoolId>, _) = (batch.to_vec(), keys.clone());
        changed += db
            .write("ledger.rotate", async move |tx: &mut Tx| {
                let mut heads = store::take_heads(tx, &batch).await?;
                for head in heads.values_mut() {
                    head.rekey(&keys)
                        .map_err(|error| StoreError::Contradiction(error.to_string()))?;
                }
                store::put_heads(tx, heads.values()).await?;
                Ok::<_, StoreError>(heads.len() as u64)
            })
            .await?;
    }
    Ok(changed)
}
