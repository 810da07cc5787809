//! The faults a run may meet, and how often it met them.

/// Declares the faults with their names.
macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident = $name:literal),+ $(,)?) => {
        /// Something that goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $fault),+
        }

        impl Fault {
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$fault),+];

            /// Stable name, as printed.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$fault => $name),+
                }
            }
        }
    };
}

faults! {
    /// A provider sends one notice several times.
    Duplicate = "duplicate",
    /// A notice arrives after one that was sent later.
    Reorder = "reorder",
    /// A notice is hours late.
    Delay = "delay",
    /// A notice is lost on its way.
    DropRequest = "drop-request",
    /// The gateway's acknowledgement is lost on its way.
    DropAnswer = "drop-answer",
    /// A provider calls again by its own schedule.
    Retry = "provider-retry",
    /// A provider's schedule ends without an acknowledgement.
    GaveUp = "provider-gave-up",
    /// Nobody listens where the notice is sent.
    GatewayDown = "gateway-down",
    /// More notices at once than may wait: 503.
    QueueFull = "queue-full-503",
    /// A signature that does not fit.
    ForgedSignature = "forged-signature",
    /// A changed amount under an old signature.
    ForgedAmount = "forged-amount",
    /// A provider repeats a transaction with another amount, properly signed.
    Contradiction = "contradiction",
    /// An amount that was not asked for.
    WrongAmount = "wrong-amount",
    /// Money without a bill that is known here.
    UnknownReference = "unknown-reference",
    /// A process dies with a transaction open.
    CrashBeforeCommit = "crash-before-commit",
    /// A process dies after a commit and before it could say so.
    CrashAfterCommit = "crash-after-commit",
    /// A process dies between two things.
    CrashIdle = "crash-idle",
    /// A commit is refused by the database; the process lives on.
    CommitRefused = "commit-refused",
    /// A process's clock jumps ahead.
    ClockForward = "clock-forward",
    /// A process's clock jumps back.
    ClockBack = "clock-back",
    /// The tax authority's carrier refuses the connection.
    TaxDown = "tax-down",
    /// The carrier answers that it is busy.
    TaxBusy = "tax-busy-503",
    /// A message to the authority never arrives; the caller waits in vain.
    TaxLostRequest = "tax-lost-request",
    /// A message arrives, its answer does not.
    TaxLostAnswer = "tax-lost-answer",
    /// The carrier's gateway times out after the message arrived.
    TaxGatewayTimeout = "tax-timeout-504",
    /// A message arrives long after its caller gave up.
    TaxLateRequest = "tax-late-request",
    /// An answer takes nearly as long as a caller waits.
    TaxSlowAnswer = "tax-slow-answer",
    /// The authority refuses an invoice for no fault of it.
    TaxRefusal = "tax-refusal",
    /// Replies are listed twice.
    TaxRepeatedReplies = "tax-repeated-replies",
    /// Nobody answers where a gateway is called.
    GatewayApiDown = "gateway-api-down",
    /// A gateway answers that it is busy.
    GatewayApiBusy = "gateway-api-busy-503",
    /// A call to a gateway never arrives; the caller waits in vain.
    GatewayLostRequest = "gateway-lost-request",
    /// A call arrives and is carried out, its answer is lost.
    GatewayLostAnswer = "gateway-lost-answer",
    /// A call is carried out, what stands before the gateway answers 504.
    GatewayTimeout = "gateway-timeout-504",
    /// A call arrives after its caller gave up.
    GatewayLateRequest = "gateway-late-request",
    /// An answer takes nearly as long as a caller waits.
    GatewaySlowAnswer = "gateway-slow-answer",
    /// An answer breaks off in the middle.
    GatewayGarbled = "gateway-garbled-answer",
    /// A gateway was asked about a payment before the payment was booked.
    AskedAbout = "asked-about",
    /// A gateway paid back.
    RefundPaidOut = "refund-paid-out",
    /// A gateway takes its time with a refund.
    RefundSlow = "refund-slow",
    /// A gateway refuses to pay back.
    RefundDeclined = "refund-declined",
    /// A person found out what became of a refund that was lost sight of.
    RefundFoundOut = "refund-found-out",
    /// A gateway takes money back that it had paid.
    TakenBack = "taken-back",
    /// An invoice was adjusted, since its money went back.
    InvoiceAdjusted = "invoice-adjusted",
    /// A further invoice was made, since money came to further lines.
    InvoiceFurther = "invoice-further",
    /// A person mended an invoice that was refused.
    InvoiceMended = "invoice-mended",
    /// A person published a further round.
    RoundPublished = "round-published",
    /// A person gave parked money an owner.
    SuspenseAssigned = "suspense-assigned",
    /// A person undid a payment.
    PaymentUndone = "payment-undone",
    /// Credit settled a bill.
    CreditUsed = "credit-used",
    /// A person asked for a refund.
    RefundAsked = "refund-asked",
    /// A person said how a refund ended.
    RefundReported = "refund-reported",
    /// A person judged what a provider contradicted itself in.
    ContradictionJudged = "contradiction-judged",
    /// Credentials were replaced while notices were on their way.
    KeyRotated = "key-rotated",
    /// Two processes do one job at a time, since the first took longer than its lease.
    LeaseOverrun = "lease-overrun",
}

impl Fault {
    /// A call to the authority fails by it.
    pub const fn is_of_carrier(self) -> bool {
        matches!(
            self,
            Self::TaxDown
                | Self::TaxBusy
                | Self::TaxLostRequest
                | Self::TaxLostAnswer
                | Self::TaxGatewayTimeout
                | Self::TaxLateRequest
        )
    }
}

/// How often each fault struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; Fault::ALL.len()]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl Counts {
    pub fn add(&mut self, fault: Fault) {
        self.add_many(fault, 1);
    }

    pub fn add_many(&mut self, fault: Fault, times: u64) {
        self.0[fault as usize] += times;
    }

    pub fn absorb(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// Every fault with its count.
    pub fn each(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.into_iter().map(|fault| (fault, self.of(fault)))
    }
}
