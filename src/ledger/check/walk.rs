//! Walks a chain that does not add up, in order, to name the places.

use super::super::chain::{DigestBytes, EntrySeal};
use super::super::head::Head;
use super::{Finding, store};
use crate::store::{StoreError, Tx};

const ENTRIES_PER_PAGE: i64 = 10_000;

/// Finds what is wrong with the chain of `head` after entry `from`.
pub async fn walk(
    tx: &mut Tx,
    head: &Head,
    from: i64,
    from_digest: Option<DigestBytes>,
    findings: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let mut find = |seq, code, detail: String| {
        findings.push(Finding {
            school_id: head.school_id.clone(),
            seq,
            code,
            detail,
        });
    };
    let mut last = from;
    let mut digest = from_digest;
    loop {
        let page = store::seals_after(tx, &head.school_id, last, ENTRIES_PER_PAGE).await?;
        let Some((end, _)) = page.last() else { break };
        let end = *end;
        for (seq, seal) in page {
            if seq != last + 1 {
                find(
                    Some(seq),
                    "entry_missing",
                    format!("thiếu bút toán {} đến {}", last + 1, seq - 1),
                );
            }
            let seal = EntrySeal::read(&seal);
            if let (Some(seal), Some(expected)) = (&seal, digest)
                && seal.previous != expected
                && seq == last + 1
            {
                find(
                    Some(seq),
                    "chain_broken",
                    "không nối với bút toán trước".into(),
                );
            }
            digest = seal.map(|seal| seal.digest);
            last = seq;
        }
        last = last.max(end);
    }
    if last != head.last_seq || digest.map(hex::encode).as_deref() != Some(&head.last_digest) {
        find(
            None,
            "head_differs",
            format!(
                "đầu chuỗi ghi bút toán {}, nhật ký kết thúc ở {last}",
                head.last_seq
            ),
        );
    }
    Ok(())
}
