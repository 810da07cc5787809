//! Deliberately broken variants: proof that the simulation can fail.
//!
//! The program itself is not touched. A variant changes what surrounds it: a constraint is missing
//! in the run's database, a trigger undoes what a statement promised, a handler is wrapped, the
//! gateway answers too early.

use clap::ValueEnum;

/// One thing done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Broken {
    /// A notice is acknowledged when it is received.
    AckBeforeCommit,
    /// A full queue is acknowledged as well.
    FullQueueAcknowledged,
    /// Signatures are not looked at.
    SignatureNotChecked,
    /// The inbox does not find a transaction again, and no unique key of payments holds it off.
    NoUniqueKey,
    /// A repeated transaction is not compared with what it said first.
    NoFingerprint,
    /// One đồng of every allocation is lost.
    AllocationLosesDong,
    /// One đồng of every movement is lost.
    MoveLosesDong,
    /// A form that got no answer is sent with another token.
    FormSentAnew,
    /// Follow-up jobs are written after the commit, in a transaction of their own.
    JobsOutsideTransaction,
    /// A job is deleted before it is done.
    JobDoneBeforeWork,
    /// A claim hides its job for ever, also when its process dies.
    LeaseForever,
    /// An invoice number is taken in a transaction before that of its invoice.
    NumberOutsideTransaction,
    /// Issuing an invoice again takes another number.
    IssueNotIdempotent,
    /// Invoices are dated by their payment alone, whatever the series says.
    DatesMayFall,
    /// Every attempt to send has an id of its own and asks nothing first.
    MessageIdChanges,
    /// No answer is taken for a refusal.
    TimeoutIsRefusal,
    /// A refund without an answer is asked for anew, under another name, and not asked about.
    RefundSentAnew,
    /// A refund without an answer is taken for refused.
    RefundTimeoutIsRefusal,
    /// Gateways are not asked what became of a payment.
    NothingAsked,
    /// That a refund is about to leave is not written down.
    RefundNotNoted,
    /// An invoice whose money went back is adjusted by every run of the job.
    AdjustedAnew,
}

impl Broken {
    pub const ALL: [Self; 21] = [
        Self::AckBeforeCommit,
        Self::FullQueueAcknowledged,
        Self::SignatureNotChecked,
        Self::NoUniqueKey,
        Self::NoFingerprint,
        Self::AllocationLosesDong,
        Self::MoveLosesDong,
        Self::FormSentAnew,
        Self::JobsOutsideTransaction,
        Self::JobDoneBeforeWork,
        Self::LeaseForever,
        Self::NumberOutsideTransaction,
        Self::IssueNotIdempotent,
        Self::DatesMayFall,
        Self::MessageIdChanges,
        Self::TimeoutIsRefusal,
        Self::RefundSentAnew,
        Self::RefundTimeoutIsRefusal,
        Self::NothingAsked,
        Self::RefundNotNoted,
        Self::AdjustedAnew,
    ];

    /// As on the command line.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// A table and the piece of its definition that this variant lacks.
    pub(super) const fn missing(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::NoUniqueKey => Some(("payment", "UNIQUE (school_id, provider, transaction_id),")),
            _ => None,
        }
    }

    /// Statements that are run on the database of the variant.
    pub(super) const fn schema(self) -> &'static str {
        match self {
            Self::NoUniqueKey => {
                "CREATE TRIGGER broken AFTER INSERT ON provider_notice BEGIN
                    UPDATE provider_notice SET notice_key = notice_key || '#' || rowid
                     WHERE rowid = NEW.rowid;
                 END"
            }
            Self::NoFingerprint => {
                "CREATE TRIGGER broken AFTER UPDATE OF conflicts ON provider_notice
                   WHEN NEW.conflicts <> OLD.conflicts BEGIN
                    UPDATE provider_notice SET conflicts = OLD.conflicts WHERE rowid = NEW.rowid;
                 END"
            }
            Self::AllocationLosesDong => {
                "CREATE TRIGGER broken AFTER INSERT ON allocation
                   WHEN NEW.target = 'BILL_LINE' AND NEW.amount > 1 BEGIN
                    UPDATE allocation SET amount = amount - 1
                     WHERE school_id = NEW.school_id AND payment_id = NEW.payment_id
                       AND seq = NEW.seq;
                 END"
            }
            Self::MoveLosesDong => {
                "CREATE TRIGGER broken AFTER INSERT ON allocation
                   WHEN NEW.move_id IS NOT NULL AND NEW.amount > 1 BEGIN
                    UPDATE allocation SET amount = amount - 1
                     WHERE school_id = NEW.school_id AND payment_id = NEW.payment_id
                       AND seq = NEW.seq;
                 END"
            }
            Self::JobsOutsideTransaction => {
                "CREATE TABLE late_job (job_id TEXT, school_id TEXT, subject TEXT, run_at INTEGER);
                 CREATE TRIGGER broken AFTER INSERT ON job
                   WHEN NEW.kind = 'invoice.issue' AND NEW.last_error IS NULL BEGIN
                    INSERT INTO late_job VALUES (NEW.job_id, NEW.school_id, NEW.subject, NEW.run_at);
                    DELETE FROM job WHERE job_id = NEW.job_id;
                 END"
            }
            Self::IssueNotIdempotent => "DROP INDEX invoice_of_payment",
            Self::LeaseForever => {
                "CREATE TRIGGER broken AFTER UPDATE OF leased_until ON job
                   WHEN NEW.leased_until IS NOT NULL BEGIN
                    UPDATE job SET run_at = 9000000000000000 WHERE job_id = NEW.job_id;
                 END"
            }
            Self::DatesMayFall => {
                "CREATE TRIGGER broken AFTER UPDATE OF last_day ON invoice_series BEGIN
                    UPDATE invoice_series SET last_day = '2000-01-01' WHERE rowid = NEW.rowid;
                 END"
            }
            Self::RefundSentAnew => {
                "CREATE TRIGGER broken AFTER UPDATE OF state ON provider_flow
                   WHEN NEW.kind = 'REFUND' AND NEW.state = 'UNKNOWN' BEGIN
                    UPDATE provider_flow
                       SET state = 'PLANNED', flow_id = flow_id || 'x',
                           request = json_set(request, '$.refund.refund_ref',
                               json_extract(request, '$.refund.refund_ref') || 'x')
                     WHERE rowid = NEW.rowid;
                 END"
            }
            Self::RefundTimeoutIsRefusal => {
                "CREATE TRIGGER broken AFTER UPDATE OF state ON provider_flow
                   WHEN NEW.kind = 'REFUND' AND NEW.state = 'UNKNOWN' BEGIN
                    UPDATE provider_flow SET state = 'FAILED', next_at = NULL
                     WHERE rowid = NEW.rowid;
                 END"
            }
            Self::NothingAsked => {
                "CREATE TRIGGER broken AFTER UPDATE OF state ON provider_flow
                   WHEN NEW.kind = 'PAYMENT' AND NEW.next_at IS NOT NULL BEGIN
                    UPDATE provider_flow SET next_at = NULL WHERE rowid = NEW.rowid;
                 END"
            }
            Self::RefundNotNoted => {
                "CREATE TRIGGER broken AFTER UPDATE OF state ON provider_flow
                   WHEN NEW.kind = 'REFUND' AND NEW.state = 'SENT' BEGIN
                    UPDATE provider_flow SET state = 'PLANNED' WHERE rowid = NEW.rowid;
                 END"
            }
            _ => "",
        }
    }
}
