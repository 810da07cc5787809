//! Electronic payment receipts (*phiếu thu điện tử*): for collected money that takes no invoice, above
//! all what a school collects on behalf of others (einvoice §1.5).
//!
//! The law prescribes no format for them. Ours follows the invoice in names, canonical form and
//! signature, so that the same verifiers read it; it says that it is no invoice.

use serde::{Deserialize, Serialize};

use super::document::{BillReference, PaymentMethod, Seller};
use super::words::in_words;
use super::xml::{ContentError, Unsigned, Writer, fields};
use crate::clock::Day;
use crate::money::{MoneyError, Vnd};

/// Form of the numbering in `invoice_series`.
pub const FORM: &str = "PT";
/// Version of our format.
pub const FORMAT: &str = "1.0";
/// THDon of the receipt.
pub const TITLE: &str = "Phiếu thu điện tử";
/// Stands on every receipt.
pub const NOT_AN_INVOICE: &str = "Phiếu thu này không phải là hóa đơn";
const NUMBER_MAX: i64 = 99_999_999;

/// The symbol of a school's receipts of a year: `PT26`.
pub fn symbol(day: Day) -> String {
    format!("{FORM}{:02}", day.year().rem_euclid(100))
}

/// Who paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    pub name: Option<String>,
    pub address: Option<String>,
    /// The pupil's code.
    pub customer_code: Option<String>,
}

/// One collected item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLine {
    pub name: String,
    pub amount: Vnd,
    /// Collected for somebody else.
    pub on_behalf: bool,
}

/// The whole content. Stored as JSON in `payment_receipt.document`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub symbol: String,
    /// 1 to 99,999,999, without a gap.
    pub number: i64,
    pub issue_day: Day,
    pub payment_method: PaymentMethod,
    pub seller: Seller,
    pub payer: Payer,
    pub bills: Vec<BillReference>,
    pub lookup_code: String,
    pub lines: Vec<ReceiptLine>,
    pub total: Vnd,
}

impl Receipt {
    /// The sum of the lines.
    ///
    /// # Errors
    /// [`MoneyError`] when it leaves its range.
    pub fn sum(lines: &[ReceiptLine]) -> Result<Vnd, MoneyError> {
        lines
            .iter()
            .try_fold(Vnd::ZERO, |sum, line| sum.checked_add(line.amount))
            .ok_or(MoneyError::OutOfRange)
    }
}

/// Writes a receipt up to the end of its data.
///
/// # Errors
/// [`ContentError`] names the element that does not fit.
pub fn write_receipt(receipt: &Receipt) -> Result<Unsigned, ContentError> {
    if !(1..=NUMBER_MAX).contains(&receipt.number) {
        return Err(ContentError::BadForm {
            element: "SHDon",
            value: receipt.number.to_string(),
        });
    }
    let id = format!("{}-{}", receipt.symbol, receipt.number);
    let mut writer = Writer::with_capacity(5_000 + 200 * receipt.lines.len());
    let w = &mut writer;
    w.open("PhieuThu");
    let start = w.position();
    w.open_with("DLPhieuThu", &[("Id", &id)]);
    w.open("TTChung");
    w.leaf("PBan", FORMAT);
    w.leaf("THDon", TITLE);
    fields::text(w, "KHHDon", &receipt.symbol, 6)?;
    w.leaf("SHDon", &receipt.number.to_string());
    w.leaf("NLap", &receipt.issue_day.iso());
    w.leaf("DVTTe", "VND");
    w.leaf("HTTToan", receipt.payment_method.as_str());
    w.leaf("GChu", NOT_AN_INVOICE);
    fields::extra(w, &receipt.bills, &receipt.lookup_code)?;
    w.close("TTChung");
    w.open("NDPThu");
    fields::seller(w, &receipt.seller)?;
    payer(w, &receipt.payer)?;
    w.open("DSKThu");
    for (place, line) in receipt.lines.iter().enumerate() {
        w.open("KThu");
        fields::short_number(w, "STT", place + 1, 4)?;
        fields::text(w, "TKThu", &line.name, 500)?;
        fields::amount(w, "STien", line.amount);
        w.leaf("ThuHo", if line.on_behalf { "1" } else { "0" });
        w.close("KThu");
    }
    w.close("DSKThu");
    w.open("TToan");
    fields::amount(w, "TgTTTBSo", receipt.total);
    fields::text(w, "TgTTTBChu", &in_words(receipt.total), 255)?;
    w.close("TToan");
    w.close("NDPThu");
    w.close("DLPhieuThu");
    let data = start..w.position();
    Ok(Unsigned {
        writer,
        data,
        id,
        root: "PhieuThu",
        slot: "NBan",
    })
}

fn payer(w: &mut Writer, payer: &Payer) -> Result<(), ContentError> {
    w.open("NNop");
    fields::optional(w, "DChi", payer.address.as_deref(), 400)?;
    fields::optional(w, "MKHang", payer.customer_code.as_deref(), 50)?;
    fields::optional(w, "HVTNNop", payer.name.as_deref(), 100)?;
    w.close("NNop");
    Ok(())
}
