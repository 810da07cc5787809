//! `DLHDon` in the order of the tables of einvoice §2.4–2.11. Optional elements without a value are
//! left out rather than written empty.

use std::ops::Range;

use super::Writer;
use super::fields::{self, ContentError};
use crate::invoices::document::{
    Buyer, CONSUMER, Correction, Document, Form, Format, Line, LineKind, Related, Seller, Trustee,
};
use crate::invoices::tax_code;
use crate::invoices::words::in_words;
use crate::money::Vnd;

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
    /// What closes the file.
    pub(in crate::invoices) root: &'static str,
    /// Whose signature it is, below DSCKS: `NBan` of invoices, `NNT` of declarations.
    pub(in crate::invoices) slot: &'static str,
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
    check_signs(document)?;
    let id = data_id(document);
    let mut writer = Writer::with_capacity(6_000 + 320 * document.lines.len());
    let w = &mut writer;
    w.open("HDon");
    let start = w.position();
    w.open_with("DLHDon", &[("Id", &id)]);
    general(w, document)?;
    w.open("NDHDon");
    fields::seller(w, &document.seller)?;
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
    Ok(Unsigned {
        writer,
        data,
        id,
        root: "HDon",
        slot: "NBan",
    })
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
    if let Some(trustee) = &document.trustee {
        entrusted(w, trustee)?;
    }
    if let Some(related) = &document.related {
        corrected(w, numbering.format, related, &document.seller)?;
    }
    fields::extra(w, &document.bills, &document.lookup_code)?;
    w.close("TTChung");
    Ok(())
}

fn entrusted(w: &mut Writer, trustee: &Trustee) -> Result<(), ContentError> {
    fields::tax_code(w, "MSTDVNUNLHDon", &trustee.tax_code)?;
    fields::text(w, "TDVNUNLHDon", &trustee.name, 400)?;
    fields::text(w, "DCDVNUNLHDon", &trustee.address, 400)
}

/// The order is that of 2.1.1, whose own elements 2.1.0 leaves out.
fn corrected(
    w: &mut Writer,
    format: Format,
    related: &Related,
    seller: &Seller,
) -> Result<(), ContentError> {
    w.open("TTHDLQuan");
    w.leaf("TCHDon", related.correction.as_str());
    if format == Format::V2_1_1 {
        fields::tax_code(w, "MSTCLQuan", &seller.tax_code)?;
    }
    w.leaf("LHDCLQuan", related.regime.as_str());
    fields::optional(w, "KHMSHDCLQuan", Some(&related.form), 11)?;
    fields::text(w, "KHHDCLQuan", &related.symbol, 8)?;
    fields::text(w, "SHDCLQuan", &related.number, 8)?;
    w.leaf("NLHDCLQuan", &related.issue_day.iso());
    if format == Format::V2_1_1 {
        w.leaf("LDDCTThe", related.reason.as_str());
    }
    fields::text(w, "GChu", &related.sentence(), 255)?;
    w.close("TTHDLQuan");
    Ok(())
}

fn buyer(w: &mut Writer, document: &Document) -> Result<(), ContentError> {
    let buyer = &document.buyer;
    let given = |value: &Option<String>| {
        value
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    check_identity(buyer)?;
    let organisation = given(&buyer.organisation);
    let tax_code = given(&buyer.tax_code);
    let budget_code = given(&buyer.budget_code);
    if tax_code.is_some() || budget_code.is_some() {
        for (element, there) in [
            ("NMua/Ten", organisation.is_some()),
            ("NMua/DChi", given(&buyer.address).is_some()),
        ] {
            if !there {
                return Err(ContentError::Missing { element });
            }
        }
    }
    let person = match given(&buyer.name) {
        None if organisation.is_none() => Some(CONSUMER.to_owned()),
        other => other,
    };
    w.open("NMua");
    fields::optional(w, "Ten", organisation.as_deref(), 400)?;
    if let Some(code) = &tax_code {
        fields::tax_code(w, "MST", code)?;
    }
    fields::optional(w, "MDVQHNSach", budget_code.as_deref(), 7)?;
    fields::optional(w, "DChi", buyer.address.as_deref(), 400)?;
    fields::optional(w, "MKHang", buyer.customer_code.as_deref(), 50)?;
    fields::optional(w, "SDThoai", buyer.phone.as_deref(), 20)?;
    fields::optional(w, "CCCDan", buyer.personal_id.as_deref(), 12)?;
    fields::optional(w, "SHChieu", buyer.passport.as_deref(), 20)?;
    fields::optional(w, "DCTDTu", buyer.email.as_deref(), 50)?;
    fields::optional(w, "HVTNMHang", person.as_deref(), 100)?;
    w.close("NMua");
    Ok(())
}

/// Numbers of persons are not repeated in errors, which end in logs.
fn check_identity(buyer: &Buyer) -> Result<(), ContentError> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let bad = |element| ContentError::BadForm {
        element,
        value: "***".into(),
    };
    if let Some(personal) = buyer.personal_id.as_deref()
        && !(personal.len() == 12 && digits(personal))
    {
        return Err(bad("CCCDan"));
    }
    if let Some(code) = buyer.tax_code.as_deref()
        && !code.is_empty()
        && tax_code::check(code).is_err()
    {
        return Err(bad("NMua/MST"));
    }
    Ok(())
}

fn write_line(
    w: &mut Writer,
    form: Form,
    line_number: usize,
    line: &Line,
) -> Result<(), ContentError> {
    w.open("HHDVu");
    w.plain("TChat", line.kind.as_str());
    fields::short_number(w, "STT", line_number, 4)?;
    fields::text(w, "THHDVu", &line.name, 500)?;
    fields::optional(w, "DVTinh", line.unit.as_deref(), 50)?;
    if let Some(priced) = line.priced {
        fields::number(w, "SLuong", priced.quantity)?;
        fields::number(w, "DGia", priced.price)?;
    }
    if let Some(discount) = line.discount {
        fields::amount(w, "STCKhau", discount);
    }
    if line.kind != LineKind::Note {
        fields::amount(w, "ThTien", line.net);
        if form == Form::Vat {
            w.plain("TSuat", line.rate.as_str());
        }
    }
    w.close("HHDVu");
    Ok(())
}

/// Amounts below zero stand on adjusting invoices alone (einvoice §2.12).
fn check_signs(document: &Document) -> Result<(), ContentError> {
    let adjusting = document
        .related
        .as_ref()
        .is_some_and(|related| related.correction == Correction::Adjusting);
    let negative = document.lines.iter().any(|line| line.net < Vnd::ZERO);
    if !adjusting && (negative || document.total < Vnd::ZERO) {
        return Err(ContentError::Negative);
    }
    Ok(())
}

fn totals(w: &mut Writer, document: &Document) -> Result<(), ContentError> {
    w.open("TToan");
    if document.numbering.form == Form::Vat {
        // An adjustment of words alone has no rate.
        if !document.rates.is_empty() {
            w.open("THTTLTSuat");
            for total in &document.rates {
                w.open("LTSuat");
                w.leaf("TSuat", total.rate.as_str());
                fields::amount(w, "ThTien", total.net);
                fields::amount(w, "TThue", total.vat);
                w.close("LTSuat");
            }
            w.close("THTTLTSuat");
        }
        fields::amount(w, "TgTCThue", document.net);
        fields::amount(w, "TgTThue", document.vat);
    }
    fields::amount(w, "TgTTTBSo", document.total);
    fields::text(w, "TgTTTBChu", &in_words(document.total), 255)?;
    w.close("TToan");
    Ok(())
}
