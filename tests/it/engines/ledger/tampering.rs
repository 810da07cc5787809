//! Every kind of tampering is found, by its name.

use std::collections::BTreeSet;
use std::sync::Arc;

use hocphi::ledger::check::{self, Extent};
use hocphi::ledger::{self, ChainKeys};
use hocphi::sealing::SealingKey;

use super::{change, checked, codes, drop_guards, findings, pay, payments};
use crate::engines::fresh_databases;
use crate::support::{Books, NOW, chain_keys};

/// Each on entries of its own, so that what one leaves behind does not hide the next. A code must be
/// found that was not found on this place before.
const JOURNAL: [(&str, &[&str]); 13] = [
    (
        "digest_differs",
        // A changed amount that still balances.
        &[
            "UPDATE journal_entry SET amount = amount * 2, lines = replace(lines, '100', '200')
            WHERE seq = 2",
        ],
    ),
    (
        "amount_differs",
        &["UPDATE journal_entry SET amount = amount + 1 WHERE seq = 3"],
    ),
    (
        "unbalanced",
        &["UPDATE journal_entry SET lines = replace(lines, ',100,0,', ',101,0,') WHERE seq = 4"],
    ),
    (
        "lines_unreadable",
        &["UPDATE journal_entry SET lines = '[]' WHERE seq = 5"],
    ),
    ("entry_missing", &["DELETE FROM journal_entry WHERE seq = 6"]),
    (
        "digest_differs",
        // A swapped order.
        &[
            "UPDATE journal_entry SET seq = 1007 WHERE seq = 7",
            "UPDATE journal_entry SET seq = 7 WHERE seq = 8",
            "UPDATE journal_entry SET seq = 8 WHERE seq = 1007",
        ],
    ),
    (
        "chain_broken",
        // Another link, as an entry of another history would have.
        &[
            "UPDATE journal_entry SET seal = (SELECT substr(e.seal, 1, length(e.seal) - 130) || ' '
                    || substr(o.seal, length(o.seal) - 128, 64) || ' '
                    || substr(e.seal, length(e.seal) - 63)
                 FROM journal_entry e, journal_entry o WHERE e.seq = 15 AND o.seq = 16)
              WHERE seq = 15",
        ],
    ),
    (
        "unkeyed_after_key",
        &["UPDATE journal_entry SET seal = 'sha256/1' || substr(seal, length(seal) - 129)
            WHERE seq = 11"],
    ),
    (
        "key_unknown",
        &["UPDATE journal_entry SET seal = 'hmac/2/1-00000000' || substr(seal, length(seal) - 129)
            WHERE seq = 12"],
    ),
    (
        "entry_unreadable",
        &["UPDATE journal_entry SET seal = 'nothing' WHERE seq = 13"],
    ),
    (
        "head_differs",
        // A forged tail: the newest entry is gone.
        &["DELETE FROM journal_entry WHERE seq = 20"],
    ),
    (
        "head_forged",
        // … and the head says so.
        &["UPDATE ledger_head SET last_seq = 19 WHERE school_id = 'a'"],
    ),
    (
        "balance_differs",
        &["INSERT INTO account_balance (school_id, account, debit, credit) VALUES ('a', '999', 1, 0)"],
    ),
];

/// Stored projections, each found by its own comparison.
const PROJECTIONS: [(&str, &[&str]); 20] = [
    (
        "allocation_differs",
        &["UPDATE allocation SET amount = amount - 1
            WHERE payment_id = (SELECT payment_id FROM payment WHERE transaction_id = 'B1')"],
    ),
    (
        "bill_paid_differs",
        &["UPDATE fee_bill SET amount_paid = amount_paid - 1 WHERE bill_id = 'B2'"],
    ),
    (
        "line_paid_differs",
        &["UPDATE bill_line SET amount_paid = amount_paid - 1 WHERE bill_id = 'B3'"],
    ),
    (
        "bill_state_differs",
        &["UPDATE fee_bill SET state = 'OPEN' WHERE bill_id = 'B4'"],
    ),
    (
        "credit_differs",
        &["UPDATE pupil_credit SET amount = amount + 1"],
    ),
    (
        "suspense_differs",
        &["UPDATE suspense_item SET amount = amount + 1"],
    ),
    (
        "money_lost",
        &["UPDATE pupil_credit SET amount = amount + 50"],
    ),
    (
        "journal_differs",
        &[
            "UPDATE payment SET amount = amount + 1, to_bills = to_bills + 1
            WHERE transaction_id = 'B5'",
        ],
    ),
    (
        "notice_without_payment",
        &["UPDATE provider_notice SET payment_id = 'nobody'
            WHERE notice_key LIKE '%B6%'"],
    ),
    (
        "attempt_differs",
        &[
            "INSERT INTO payment_attempt (school_id, attempt_id, connection_id, order_ref, bill_id,
                                        amount, state, created_at, expires_at)
           SELECT 'a', 'x', 'c', 'x', 'B7', 1, 'PAID', received_at, received_at
             FROM payment WHERE transaction_id = 'B7'",
        ],
    ),
    (
        "round_differs",
        &["UPDATE billing_round SET published_at = created_at WHERE round_id = 'r1'"],
    ),
    (
        "bill_without_lines",
        &["DELETE FROM bill_line WHERE bill_id = 'B8'"],
    ),
    (
        "line_without_invoice",
        &["DELETE FROM job
            WHERE subject = (SELECT payment_id FROM payment WHERE transaction_id = 'B9')"],
    ),
    (
        "job_without_subject",
        &["UPDATE job SET subject = 'nobody'
            WHERE subject = (SELECT payment_id FROM payment WHERE transaction_id = 'B10')"],
    ),
    (
        "number_gap",
        &[
            "INSERT INTO invoice_series (school_id, form, symbol, last_number, last_day)
           SELECT 'a', '1', 'C26TAA', 2, booked_day FROM journal_entry WHERE seq = 1",
        ],
    ),
    (
        "invoice_state_differs",
        &[
            "INSERT INTO invoice (school_id, invoice_id, form, symbol, number, format, payment_id,
                                state, issue_day, total, vat, lookup_code, document)
           SELECT 'a', 'i', '1', 'C26TAA', 1, '2.1.0', payment_id, 'NUMBERED', paid_day, 100, 0,
                  'l', '{}'
             FROM payment WHERE transaction_id = 'B11'",
            "UPDATE invoice SET state = 'CODED'",
        ],
    ),
    (
        "invoiced_without_money",
        &[
            "INSERT INTO invoice_line (school_id, payment_id, seq, invoice_id, amount)
           SELECT 'a', payment_id, 1, 'i', 99 FROM payment WHERE transaction_id = 'B11'",
        ],
    ),
    ("job_missing", &["UPDATE invoice SET state = 'SIGNED'"]),
    (
        "correction_missing",
        &[
            "INSERT INTO money_move (school_id, move_id, kind, request, amount, reason, made_by, made_at)
           SELECT 'a', 'taken', 'TAKEN_BACK', 'x', 10, 'x', 'x', received_at
             FROM payment WHERE transaction_id = 'B11'",
            "INSERT INTO money_move_part (school_id, move_id, part_no, payment_id, from_seq, amount)
           SELECT 'a', 'taken', 1, payment_id, 1, 10 FROM payment WHERE transaction_id = 'B11'",
        ],
    ),
    (
        "correction_differs",
        &["UPDATE invoice SET kind = 'ADJUSTING', related_id = 'i', root_id = 'i'"],
    ),
];

async fn each_is_found(books: &Books, cases: &[(&str, &[&'static str])]) {
    for (code, statements) in cases {
        let known: BTreeSet<_> = findings(books, Extent::Full)
            .await
            .iter()
            .map(|finding| (finding.code, finding.entry, finding.detail.clone()))
            .collect();
        for statement in *statements {
            assert!(
                change(&books.db, statement).await.unwrap() > 0,
                "{statement}"
            );
        }
        let found = findings(books, Extent::Full).await;
        assert!(
            found.iter().any(|finding| finding.code == *code
                && !known.contains(&(finding.code, finding.entry, finding.detail.clone()))),
            "{code}: {found:#?}"
        );
    }
}

#[tokio::test]
async fn every_change_of_the_journal_is_found() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 20).await;
        assert_eq!(findings(&books, Extent::Full).await, []);
        drop_guards(&books.db).await;
        let found = findings(&books, Extent::Full).await;
        assert!(codes(&found).iter().all(|code| *code == "guard_missing") && !found.is_empty());
        each_is_found(&books, &JOURNAL).await;
    }
}

#[tokio::test]
async fn every_wrong_projection_is_found() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 12).await;
        books
            .bill("a", "C1", "p2", 50, &[("TUITION", 2, 100)])
            .await;
        books.post(books.credit("a", "C1", 130, &["C1"])).await;
        books.post(books.credit("a", "C2", 70, &[])).await;
        assert_eq!(findings(&books, Extent::Full).await, []);
        each_is_found(&books, &PROJECTIONS).await;
    }
}

#[tokio::test]
async fn who_has_no_key_can_neither_forge_nor_append() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 3).await;
        // Another installation's key proves nothing, and says which key is wanted.
        let other = ChainKeys::of(Arc::new(SealingKey::from_bytes([9; 32])));
        let report = check::run(&books.db, &other).await.unwrap();
        assert!(!report.findings.is_empty());
        assert!(
            report
                .findings
                .iter()
                .all(|finding| finding.code == "key_unknown")
        );
        // A forged head takes no further entry: that would make it genuine.
        change(
            &books.db,
            "UPDATE ledger_head SET keyed_from = 0 WHERE school_id = 'a'",
        )
        .await
        .unwrap();
        books
            .bill("a", "N1", "p1", 60, &[("TUITION", 2, 100)])
            .await;
        let receipt = books
            .desk
            .hand_in(books.credit("a", "N1", 100, &["N1"]))
            .await;
        assert_eq!(receipt.unwrap(), None, "it must come again");
        assert_eq!(books.count("SELECT COUNT(*) FROM journal_entry").await, 3);
        let found = findings(&books, Extent::Full).await;
        assert!(codes(&found).contains(&"head_forged"), "{found:?}");
    }
}

#[tokio::test]
async fn an_incremental_check_goes_on_from_what_was_proven() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 6).await;
        let report = checked(&books, Extent::Full).await;
        check::keep(&books.db, &chain_keys(), &report.verified, NOW)
            .await
            .unwrap();
        pay(&books, 7..=10).await;
        let report = checked(&books, Extent::Incremental).await;
        assert_eq!(report.findings, []);
        assert_eq!((report.below_checkpoints, report.entries), (6, 4));

        drop_guards(&books.db).await;
        let guards = findings(&books, Extent::Full).await.len();
        // Above the checkpoint: found at once.
        for statement in [
            "UPDATE journal_entry SET source_id = 'x' WHERE seq = 8",
            "DELETE FROM journal_entry WHERE seq = 9",
        ] {
            change(&books.db, statement).await.unwrap();
        }
        let found = codes(&findings(&books, Extent::Incremental).await);
        assert!(found.contains(&"digest_differs") && found.contains(&"entry_missing"));
        // Wrong balances are found although most entries are not read.
        change(&books.db, "UPDATE account_balance SET debit = debit + 1")
            .await
            .unwrap();
        let found = codes(&findings(&books, Extent::Incremental).await);
        assert!(found.contains(&"balance_differs"));
        // Below the checkpoint a full check is needed; that is what is promised.
        change(
            &books.db,
            "UPDATE journal_entry SET source_id = 'y' WHERE seq = 2",
        )
        .await
        .unwrap();
        let at_two = |findings: &[super::Finding]| findings.iter().any(|f| f.entry == Some(2));
        assert!(!at_two(&findings(&books, Extent::Incremental).await));
        assert!(at_two(&findings(&books, Extent::Full).await));
        // Chains with findings get no checkpoint.
        let report = checked(&books, Extent::Full).await;
        assert!(report.findings.len() > guards && report.verified.is_empty());
    }
}

#[tokio::test]
async fn a_forged_checkpoint_is_not_believed_and_a_cut_chain_is_found_below_it() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 6).await;
        let report = checked(&books, Extent::Full).await;
        check::keep(&books.db, &chain_keys(), &report.verified, NOW)
            .await
            .unwrap();
        drop_guards(&books.db).await;
        for statement in [
            "DELETE FROM journal_entry WHERE seq > 4",
            "UPDATE ledger_head SET last_seq = 4, last_digest = (
                    SELECT substr(seal, length(seal) - 63) FROM journal_entry WHERE seq = 4)
              WHERE school_id = 'a'",
        ] {
            change(&books.db, statement).await.unwrap();
        }
        let found = codes(&findings(&books, Extent::Incremental).await);
        assert!(found.contains(&"head_behind_checkpoint") && found.contains(&"head_forged"));
        change(&books.db, "UPDATE ledger_checkpoint SET seq = 4")
            .await
            .unwrap();
        let found = codes(&findings(&books, Extent::Incremental).await);
        assert!(found.contains(&"checkpoint_forged"), "{found:?}");
    }
}

#[tokio::test]
async fn keys_change_and_entries_of_before_stay_proven() {
    for (db, _keep) in fresh_databases().await {
        let books = payments(db, 2).await;
        assert_eq!(ledger::rotate(&books.db, &chain_keys()).await.unwrap(), 1);
        // Nodes derive the next key by its name, without a restart.
        pay(&books, 3..=4).await;
        assert_eq!(findings(&books, Extent::Full).await, []);
        let keys = "SELECT COUNT(DISTINCT substr(seal, 1, 18)) FROM journal_entry";
        assert_eq!(books.count(keys).await, 2);
        // To another master key.
        let current = Arc::new(SealingKey::from_bytes([2; 32]));
        let moved = ChainKeys::with_former(current, vec![SealingKey::from_bytes([1; 32])]);
        assert_eq!(ledger::rotate(&books.db, &moved).await.unwrap(), 1);
        assert_eq!(check::run(&books.db, &moved).await.unwrap().findings, []);
        // A node that still has the former one posts nothing.
        books
            .bill("a", "N1", "p1", 60, &[("TUITION", 2, 100)])
            .await;
        let receipt = books
            .desk
            .hand_in(books.credit("a", "N1", 100, &["N1"]))
            .await;
        assert_eq!(receipt.unwrap(), None, "it must come again");
    }
}
