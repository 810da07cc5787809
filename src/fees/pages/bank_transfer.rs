//! How a family transfers by bank: account, memo and the QR code that carries both.

use std::fmt::Write;

use fast_qr::qr::QRBuilder;
use fast_qr::{ECL, QRCode};

use super::store::Bill;
use crate::fees::vietqr::{Service, Transfer, encode};
use crate::money::Vnd;

/// White modules around the code, which readers need (ISO/IEC 18004).
const QUIET_ZONE_MODULES: usize = 4;

/// Everything for one transfer.
#[derive(Clone, Debug)]
pub struct BankTransfer {
    pub bank_name: String,
    pub account: String,
    pub account_name: String,
    pub amount: Vnd,
    pub memo: String,
    /// The VietQR text.
    pub payload: String,
    /// The code as SVG without style or script.
    pub svg: String,
}

/// The transfer of what is still owed, or nothing when the school's account cannot be written as
/// VietQR: a wrong code is worse than none.
pub fn of_bill(bill: &Bill) -> Option<BankTransfer> {
    let amount = bill.amount_due - bill.amount_paid;
    let memo = bill.bill_code.clone();
    let payload = encode(&Transfer {
        bin: &bill.bank_bin,
        account: &bill.bank_account,
        service: Service::ToAccount,
        amount: Some(amount),
        purpose: Some(&memo),
        bill: None,
        initiation: None,
    })
    .ok()?;
    let svg = qr_svg(&payload)?;
    Some(BankTransfer {
        bank_name: super::bank_name(&bill.bank_bin)
            .unwrap_or(&bill.bank_bin)
            .to_owned(),
        account: bill.bank_account.clone(),
        account_name: bill.bank_account_name.clone(),
        amount,
        memo,
        payload,
        svg,
    })
}

/// A text as a code to be scanned, SVG without style or script; nothing when it is too long.
pub fn qr_svg(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    Some(svg(&code))
}

/// One path of unit squares, dark runs of a row joined; black on white in every colour scheme,
/// because many readers fail on inverted codes.
fn svg(code: &QRCode) -> String {
    let side = code.size + 2 * QUIET_ZONE_MODULES;
    let mut path = String::new();
    for y in 0..code.size {
        let mut x = 0;
        while x < code.size {
            let start = x;
            while x < code.size && code[y][x].value() {
                x += 1;
            }
            if x > start {
                let (left, top, run) = (
                    start + QUIET_ZONE_MODULES,
                    y + QUIET_ZONE_MODULES,
                    x - start,
                );
                let _ = write!(path, "M{left} {top}h{run}v1h-{run}z");
            }
            x += 1;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
         aria-label=\"VietQR\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    )
}
