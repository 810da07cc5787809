//! `DLHDon` in the order of the tables of einvoice §2.4–2.11. Optional elements without a value are
//! left out rather than written empty.

use std::ops::Range;

use super::Writer;
use super::fields::{self, ContentError};
use crate::invoices::document::{CONSUMER, Document, Form, Line};
use crate::invoices::words::in_words;

/// Largest invoice we make; carriers refuse packages above 2 MB.
const INVOICE_BYTES_MAX: usize = 2_000_000;
const NUMBER_MAX: i64 = 99_999_999;

/// An invoice up to the end of `DLHDon`.
#[derive(Debug)]
pub struct Unsigned {
    /// `<HDon><DLHDon Id="…">…</DLHDon>`; the signature and `</HDon>` follow.
    pub(in crate::invoices) writer: Writer,
    /// The bytes of `DLHDon`.
    pub(in crate::invoices) data: Range<usize>,
    /// The Id of `DLHDon`.
    pub(in crate::invoices) id: String,
}

impl Unsigned {
    /// What the seller signs: the canonical bytes of `DLHDon`.
    pub fn data(&self) -> &[u8] {
        &self.writer.bytes()[self.data.clone()]
    }
}

/// The Id of `DLHDon`: a legal NCName, unique among a seller's invoices.
pub fn data_id(document: &Document) -> String {
    let numbering = &document.numbering;
    format!(
        "HD-{}{}-{}",
        numbering.form, numbering.symbol, numbering.number
    )
}

/// Writes the content of an invoice.
///
/// # Errors
/// [`ContentError`] names the element that the format does not take.
pub fn write_invoice(document: &Document) -> Result<Unsigned, ContentError> {
    let id = data_id(document);
    let mut writer = Writer::with_capacity(6_000 + 320 * document.lines.len());
    let w = &mut writer;
    w.open("HDon");
    let start = w.position();
    w.open_with("DLHDon", &[("Id", &id)]);
    general(w, document)?;
    w.open("NDHDon");
    seller(w, document)?;
    buyer(w, document)?;
    w.open("DSHHDVu");
    for (place, line) in document.lines.iter().enumerate() {
        write_line(w, document.numbering.form, place + 1, line)?;
    }
    w.close("DSHHDVu");
    totals(w, document)?;
    w.close("NDHDon");
    w.close("DLHDon");
    let data = start..w.position();
    if data.len() > INVOICE_BYTES_MAX {
        return Err(ContentError::TooLarge {
            bytes: data.len(),
            limit: INVOICE_BYTES_MAX,
        });
    }
    Ok(Unsigned { writer, data, id })
}

fn general(w: &mut Writer, document: &Document) -> Result<(), ContentError> {
    let numbering = &document.numbering;
    if !(1..=NUMBER_MAX).contains(&numbering.number) {
        return Err(ContentError::BadForm {
            element: "SHDon",
            value: numbering.number.to_string(),
        });
    }
    let symbol_is_good = numbering.symbol.len() == 6
        && numbering
            .symbol
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !symbol_is_good {
        return Err(ContentError::BadForm {
            element: "KHHDon",
            value: numbering.symbol.clone(),
        });
    }
    w.open("TTChung");
    w.leaf("PBan", numbering.format.as_str());
    w.leaf("THDon", numbering.form.title());
    w.leaf("KHMSHDon", numbering.form.as_str());
    w.leaf("KHHDon", &numbering.symbol);
    w.leaf("SHDon", &numbering.number.to_string());
    w.leaf("NLap", &numbering.issue_day.iso());
    match numbering.form {
        // No finance lease, no non-tariff zone: schools have neither.
        Form::Vat => w.leaf("HDCTTChinh", "0"),
        Form::Sales => w.leaf("HDDCKPTQuan", "0"),
    }
    w.leaf("DVTTe", "VND");
    w.leaf("TGia", "1");
    w.leaf("HTTToan", document.payment_method.as_str());
    fields::tax_code(w, "MSTTCGP", &document.solution_provider)?;
    extra(w, document)?;
    w.close("TTChung");
    Ok(())
}

/// Fields outside the format's vocabulary, for people and for the look-up page.
fn extra(w: &mut Writer, document: &Document) -> Result<(), ContentError> {
    let bills = &document.bills;
    let joined = |pick: fn(&super::super::document::BillReference) -> &str| {
        let mut values: Vec<&str> = Vec::new();
        for value in bills.iter().map(pick) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values.join(", ")
    };
    w.open("TTKhac");
    for (name, value) in [
        ("Mã học sinh", joined(|bill| &bill.pupil_code)),
        ("Họ tên học sinh", joined(|bill| &bill.pupil_name)),
        ("Lớp", joined(|bill| &bill.class_name)),
        ("Mã phiếu thu", joined(|bill| &bill.bill_code)),
        ("Mã tra cứu", document.lookup_code.clone()),
    ] {
        let value = fields::clean("TTKhac/TTin/DLieu", &value, EXTRA_CHARS_MAX)?;
        if value.is_empty() {
            continue;
        }
        w.open("TTin");
        w.leaf("TTruong", name);
        w.leaf("KDLieu", "string");
        w.leaf("DLieu", &value);
        w.close("TTin");
    }
    w.close("TTKhac");
    Ok(())
}

/// The tables give no length for extra values; the longest of any other field is taken.
const EXTRA_CHARS_MAX: usize = 500;

fn seller(w: &mut Writer, document: &Document) -> Result<(), ContentError> {
    let seller = &document.seller;
    w.open("NBan");
    fields::text(w, "Ten", &seller.name, 400)?;
    fields::tax_code(w, "MST", &seller.tax_code)?;
    fields::text(w, "DChi", &seller.address, 400)?;
    fields::optional(w, "SDThoai", seller.phone.as_deref(), 20)?;
    fields::optional(w, "STKNHang", seller.bank_account.as_deref(), 30)?;
    w.close("NBan");
    Ok(())
}

fn buyer(w: &mut Writer, document: &Document) -> Result<(), ContentError> {
    let buyer = &document.buyer;
    let name = buyer.name.as_deref().map(str::trim).unwrap_or_default();
    let name = if name.is_empty() { CONSUMER } else { name };
    if let Some(personal) = buyer.personal_id.as_deref()
        && !(personal.len() == 12 && personal.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(ContentError::BadForm {
            element: "CCCDan",
            value: "***".into(),
        });
    }
    w.open("NMua");
    fields::optional(w, "DChi", buyer.address.as_deref(), 400)?;
    fields::optional(w, "MKHang", buyer.customer_code.as_deref(), 50)?;
    fields::optional(w, "SDThoai", buyer.phone.as_deref(), 20)?;
    fields::optional(w, "CCCDan", buyer.personal_id.as_deref(), 12)?;
    fields::optional(w, "DCTDTu", buyer.email.as_deref(), 50)?;
    fields::text(w, "HVTNMHang", name, 100)?;
    w.close("NMua");
    Ok(())
}

fn write_line(
    w: &mut Writer,
    form: Form,
    line_number: usize,
    line: &Line,
) -> Result<(), ContentError> {
    w.open("HHDVu");
    w.leaf("TChat", "1");
    fields::text(w, "STT", &line_number.to_string(), 4)?;
    fields::text(w, "THHDVu", &line.name, 500)?;
    fields::optional(w, "DVTinh", line.unit.as_deref(), 50)?;
    if let Some(priced) = line.priced {
        fields::number(w, "SLuong", priced.quantity)?;
        fields::number(w, "DGia", priced.price)?;
    }
    fields::amount(w, "ThTien", line.net);
    if form == Form::Vat {
        w.leaf("TSuat", line.rate.as_str());
    }
    w.close("HHDVu");
    Ok(())
}

fn totals(w: &mut Writer, document: &Document) -> Result<(), ContentError> {
    w.open("TToan");
    if document.numbering.form == Form::Vat {
        w.open("THTTLTSuat");
        for total in &document.rates {
            w.open("LTSuat");
            w.leaf("TSuat", total.rate.as_str());
            fields::amount(w, "ThTien", total.net);
            fields::amount(w, "TThue", total.vat);
            w.close("LTSuat");
        }
        w.close("THTTLTSuat");
        fields::amount(w, "TgTCThue", document.net);
        fields::amount(w, "TgTThue", document.vat);
    }
    fields::amount(w, "TgTTTBSo", document.total);
    fields::text(w, "TgTTTBChu", &in_words(document.total), 255)?;
    w.close("TToan");
    Ok(())
}
