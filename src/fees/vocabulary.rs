//! The words of fees, as the database and the files spell them.

crate::stored_as_text!(CollectionClass {
    Tuition = "TUITION",
    Service = "SERVICE",
    OnBehalf = "ON_BEHALF",
    Voluntary = "VOLUNTARY",
});

/// Whose money a line is (school-fees §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CollectionClass {
    Tuition,
    Service,
    OnBehalf,
    Voluntary,
}

impl CollectionClass {
    /// As people read it.
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Tuition => "Học phí",
            Self::Service => "Dịch vụ",
            Self::OnBehalf => "Thu hộ",
            Self::Voluntary => "Tự nguyện",
        }
    }
}

crate::stored_as_text!(Calculation {
    PerMonth = "PER_MONTH",
    PerDay = "PER_DAY",
    PerPiece = "PER_PIECE",
    Once = "ONCE",
    HealthInsurance = "HEALTH_INSURANCE",
});

/// How the amount of an item is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Calculation {
    PerMonth,
    PerDay,
    PerPiece,
    Once,
    /// From parameters of the day of payment; has no price of its own.
    HealthInsurance,
}

crate::stored_as_text!(DocumentRule {
    Invoice = "INVOICE",
    Receipt = "RECEIPT",
    None = "NONE",
});

/// What paper the payer gets for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentRule {
    Invoice,
    Receipt,
    None,
}

crate::stored_as_text!(OptIn {
    All = "ALL",
    Chosen = "CHOSEN",
});

/// Whether everybody is billed, or only who chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OptIn {
    All,
    Chosen,
}

crate::stored_as_text!(RoundState {
    Draft = "DRAFT",
    Published = "PUBLISHED",
});

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoundState {
    Draft,
    Published,
}

crate::stored_as_text!(BillState {
    Open = "OPEN",
    Partial = "PARTIAL",
    Paid = "PAID",
    NothingDue = "NOTHING_DUE",
    Cancelled = "CANCELLED",
});

/// Moved on by payments; `NothingDue` means the State or others bear everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BillState {
    Open,
    Partial,
    Paid,
    NothingDue,
    Cancelled,
}
