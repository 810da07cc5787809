//! Derives everything the ledger claims again from the journal.

use std::collections::BTreeMap;

use super::rules::{EntryText, Head};
use super::store;
use crate::ids::SchoolId;
use crate::store::{Db, StoreError};

const ENTRIES_PER_PAGE: i64 = 5_000;

/// What the checker saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub schools: u64,
    pub entries: u64,
    pub lines: u64,
    pub findings: Vec<Finding>,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub school_id: SchoolId,
    /// The entry at fault, where one can be named.
    pub seq: Option<i64>,
    /// Stable code.
    pub code: &'static str,
    /// For people, in Vietnamese.
    pub detail: String,
}

/// Verifies every school's chain and balances. Reads page by page; safe beside writers for schools
/// that do not change meanwhile, so run it on a quiet database or a replica for a final word.
///
/// # Errors
/// [`StoreError`] when the database cannot be read; wrong books are findings, not errors.
pub async fn run(db: &Db) -> Result<Report, StoreError> {
    let mut report = Report::default();
    for school_id in store::headless(db).await? {
        report.findings.push(Finding {
            school_id,
            seq: None,
            code: "head_missing",
            detail: "có số dư nhưng không có đầu chuỗi bút toán".into(),
        });
    }
    for head in store::heads(db).await? {
        check_school(db, &head, &mut report).await?;
        report.schools += 1;
    }
    Ok(report)
}

async fn check_school(db: &Db, claimed: &Head, report: &mut Report) -> Result<(), StoreError> {
    let school = &claimed.school_id;
    let mut head = Head::genesis(school.clone());
    let mut derived: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    let mut find = |seq, code, detail: String| {
        report.findings.push(Finding {
            school_id: school.clone(),
            seq,
            code,
            detail,
        });
    };
    loop {
        let entries = store::entries_after(db, school, head.last_seq, ENTRIES_PER_PAGE).await?;
        let Some(last) = entries.last() else { break };
        let lines = store::lines_between(db, school, head.last_seq + 1, last.seq).await?;
        report.lines += u64::try_from(lines.len()).unwrap_or(0);
        let mut lines = lines.into_iter().peekable();
        for entry in entries {
            report.entries += 1;
            let mut own = Vec::new();
            while let Some(line) = lines.next_if(|line| line.seq <= entry.seq) {
                if line.seq < entry.seq {
                    find(
                        Some(line.seq),
                        "line_without_entry",
                        "dòng không có bút toán".into(),
                    );
                    continue;
                }
                let balance = derived.entry(line.account.clone()).or_default();
                balance.0 += i128::from(line.debit);
                balance.1 += i128::from(line.credit);
                own.push((line.account, line.debit, line.credit, line.object));
            }
            if entry.seq != head.last_seq + 1 {
                find(
                    Some(entry.seq),
                    "entry_missing",
                    format!("thiếu bút toán {} đến {}", head.last_seq + 1, entry.seq - 1),
                );
                head.last_seq = entry.seq - 1;
            }
            if entry.prev_digest != head.last_digest {
                find(
                    Some(entry.seq),
                    "chain_broken",
                    "không nối với bút toán trước".into(),
                );
                head.last_digest.clone_from(&entry.prev_digest);
            }
            let digest = head.digest_of_next(&EntryText {
                kind: &entry.kind,
                source_id: &entry.source_id,
                booked_day: entry.booked_day,
                posted_at: entry.posted_at,
                reverses: entry.reverses,
                lines: &own,
            });
            if digest != entry.digest {
                find(
                    Some(entry.seq),
                    "digest_differs",
                    "nội dung bút toán đã bị thay đổi".into(),
                );
            }
            let debit: i128 = own.iter().map(|line| i128::from(line.1)).sum();
            let credit: i128 = own.iter().map(|line| i128::from(line.2)).sum();
            if debit != credit || own.is_empty() {
                find(
                    Some(entry.seq),
                    "unbalanced",
                    format!("Nợ {debit} khác Có {credit}"),
                );
            }
            head.last_seq = entry.seq;
            head.last_digest = entry.digest;
        }
    }
    if head != *claimed {
        find(
            None,
            "head_differs",
            format!(
                "đầu chuỗi ghi bút toán {}, nhật ký kết thúc ở {}",
                claimed.last_seq, head.last_seq
            ),
        );
    }
    let stored: BTreeMap<String, (i128, i128)> = store::balances(db, school)
        .await?
        .into_iter()
        .map(|(account, debit, credit)| {
            (account, (i128::from(debit.get()), i128::from(credit.get())))
        })
        .collect();
    for account in derived.keys().chain(stored.keys()) {
        if derived.get(account) != stored.get(account) {
            find(
                None,
                "balance_differs",
                format!("số dư tài khoản {account} không khớp nhật ký"),
            );
        }
    }
    Ok(())
}
