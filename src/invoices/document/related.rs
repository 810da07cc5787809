//! The invoice that another one adjusts or replaces (einvoice §1.7, §2.5, §2.12).

use serde::{Deserialize, Serialize};

use super::Numbering;
use crate::clock::Day;
use crate::stored_as_text;

/// What a new invoice does to an old one, TCHDon. Whichever came first binds all later ones of the
/// same original (TT 91/2026 art. 10.6 a).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Correction {
    /// The whole content, right this time.
    Replacing,
    /// Only the difference: increases positive, decreases negative.
    Adjusting,
}
stored_as_text!(Correction { Replacing = "1", Adjusting = "2" });

impl Correction {
    const fn verb(self) -> &'static str {
        match self {
            Self::Replacing => "Thay thế",
            Self::Adjusting => "Điều chỉnh",
        }
    }
}

/// Why, LDDCTThe; written since 2.1.1 (einvoice §2.12). Those that a school can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CorrectionReason {
    /// A price decided later by an authority.
    Authority,
    GoodsReturned,
    /// A prepaid service cancelled, ended or partly cancelled.
    ServiceCancelled,
    WronglyMade,
}
stored_as_text!(CorrectionReason {
    Authority = "02",
    GoodsReturned = "05",
    ServiceCancelled = "08",
    WronglyMade = "13",
});

/// Rules under which the old invoice was made, LHDCLQuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Regime {
    /// E-invoices since 2022.
    Electronic,
    /// Authenticated by the authority before that.
    Authenticated,
    /// E-invoices before 2022.
    Earlier,
    Printed,
}
stored_as_text!(Regime {
    Electronic = "1",
    Authenticated = "2",
    Earlier = "3",
    Printed = "4",
});

/// TTHDLQuan: which invoice, what happens to it, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    pub correction: Correction,
    pub reason: CorrectionReason,
    pub regime: Regime,
    /// KHMSHDCLQuan: `1` today, up to 11 characters before 2022.
    pub form: String,
    pub symbol: String,
    pub number: String,
    pub issue_day: Day,
}

impl Related {
    /// A reference to an invoice of ours.
    pub fn to(original: &Numbering, correction: Correction, reason: CorrectionReason) -> Self {
        Self {
            correction,
            reason,
            regime: Regime::Electronic,
            form: original.form.to_string(),
            symbol: original.symbol.clone(),
            number: original.number.to_string(),
            issue_day: original.issue_day,
        }
    }

    /// The obligatory line of TT 91/2026 art. 10, for GChu and for every rendition.
    pub fn sentence(&self) -> String {
        let day = self.issue_day.date();
        format!(
            "{} cho hóa đơn Mẫu số {} ký hiệu {} số {} ngày {:02} tháng {:02} năm {}",
            self.correction.verb(),
            self.form,
            self.symbol,
            self.number,
            day.day(),
            u8::from(day.month()),
            day.year()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_obligatory_line_names_the_old_invoice() {
        let related = Related {
            correction: Correction::Adjusting,
            reason: CorrectionReason::ServiceCancelled,
            regime: Regime::Electronic,
            form: "1".into(),
            symbol: "C26TAA".into(),
            number: "128".into(),
            issue_day: Day::new(2026, 9, 5).unwrap(),
        };
        assert_eq!(
            related.sentence(),
            "Điều chỉnh cho hóa đơn Mẫu số 1 ký hiệu C26TAA số 128 ngày 05 tháng 09 năm 2026"
        );
    }
}
