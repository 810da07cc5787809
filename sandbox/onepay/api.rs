//! The pay request, `queryDR` and `refund`.

use super::OnePay;
use crate::forms;
use crate::peer::{Order, OrderState, Peer as _, RawRequest, RawResponse, Refund, Served};

const QUERY_PATH: &str = "/msp/api/v1/vpc/invoices/queries";
const REFUND_PATH: &str = "/msp/api/v1/vpc/refunds";
const REFERENCE_CHARS_MAX: usize = 40;
const INFO_CHARS_MAX: usize = 34;

type Pairs = Vec<(String, String)>;

fn hundredths(text: &str) -> Option<i64> {
    let amount: i64 = text.parse().ok()?;
    (amount > 0 && amount % 100 == 0).then_some(amount / 100)
}

/// Checks a pay request and opens its order; the error names the field.
pub(super) fn accept(
    onepay: &OnePay,
    request: &RawRequest,
    now: i64,
) -> Result<String, &'static str> {
    let pairs = request.query_pairs().ok_or("query")?;
    let text = |name: &'static str| forms::value(&pairs, name).unwrap_or("");
    if text("vpc_Merchant") != onepay.merchant {
        return Err("vpc_Merchant");
    }
    if text("vpc_AccessCode") != onepay.access_code {
        return Err("vpc_AccessCode");
    }
    if !text("vpc_SecureHash").eq_ignore_ascii_case(&onepay.sign(&pairs)) {
        return Err("vpc_SecureHash");
    }
    for (name, value) in [("vpc_Version", "2"), ("vpc_Command", "pay")] {
        if text(name) != value {
            return Err(name);
        }
    }
    // The old international gateway knows đồng alone and leaves the field out.
    if !matches!(text("vpc_Currency"), "VND" | "") {
        return Err("vpc_Currency");
    }
    for name in [
        "vpc_ReturnURL",
        "vpc_OrderInfo",
        "vpc_TicketNo",
        "vpc_Locale",
    ] {
        if text(name).is_empty() {
            return Err(name);
        }
    }
    let reference = text("vpc_MerchTxnRef");
    if reference.is_empty() || reference.len() > REFERENCE_CHARS_MAX {
        return Err("vpc_MerchTxnRef");
    }
    if text("vpc_OrderInfo").len() > INFO_CHARS_MAX || !text("vpc_OrderInfo").is_ascii() {
        return Err("vpc_OrderInfo");
    }
    let amount = hundredths(text("vpc_Amount")).ok_or("vpc_Amount")?;
    let mut order = Order::new(reference, amount, reference, now);
    order.info = text("vpc_OrderInfo").to_owned();
    order.return_url = text("vpc_ReturnURL").to_owned();
    order.notify_url = Some(text("vpc_CallbackURL").to_owned()).filter(|url| !url.is_empty());
    if onepay.book().open(order) {
        Ok(reference.to_owned())
    } else {
        Err("vpc_MerchTxnRef")
    }
}

pub(super) fn serve(onepay: &OnePay, request: &RawRequest, now: i64) -> Option<Served> {
    if !matches!(request.path.as_str(), QUERY_PATH | REFUND_PATH) {
        return None;
    }
    let form = request.form().unwrap_or_default();
    let text = |name: &str| forms::value(&form, name).unwrap_or("").to_owned();
    // Integrations send user and password with questions alone.
    let knows_user = text("vpc_User") == onepay.user && text("vpc_Password") == onepay.password;
    let admitted = text("vpc_Merchant") == onepay.merchant
        && text("vpc_AccessCode") == onepay.access_code
        && (knows_user || request.path == REFUND_PATH)
        && text("vpc_SecureHash").eq_ignore_ascii_case(&onepay.sign(&form));
    let mut reply: Pairs = if !admitted {
        said("vpc_TxnResponseCode", "7", "Access denied")
    } else if request.path == QUERY_PATH {
        query(onepay, &text("vpc_MerchTxnRef"))
    } else {
        refund(onepay, &form, now)
    };
    reply.push(("vpc_Merchant".to_owned(), onepay.merchant.clone()));
    reply.push(("vpc_Command".to_owned(), text("vpc_Command")));
    let signature = onepay.sign(&reply);
    reply.push(("vpc_SecureHash".to_owned(), signature));
    let body = forms::join(
        reply
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    Some(Served::answer(RawResponse::text(200, &body)))
}

fn said(name: &str, code: &str, message: &str) -> Pairs {
    vec![
        (name.to_owned(), code.to_owned()),
        ("vpc_Message".to_owned(), message.to_owned()),
    ]
}

/// An order, or a refund by its own reference.
fn query(onepay: &OnePay, reference: &str) -> Pairs {
    if let Some(refund) = onepay.book().ask_refund(reference) {
        let mut reply = said("vpc_DRExists", "Y", "Refund");
        reply.extend(refund_facts(&refund));
        return reply;
    }
    let Some(order) = onepay.book().order(reference) else {
        return said("vpc_DRExists", "N", "No such transaction");
    };
    let (code, message) = match order.state {
        OrderState::Open => ("100", "In progress"),
        OrderState::Paid => ("0", "Approved"),
        OrderState::Cancelled => ("99", "Canceled"),
        OrderState::Failed => ("21", "Insufficient fund"),
        OrderState::Expired => ("253", "Timeout"),
    };
    let mut reply = said("vpc_DRExists", "Y", message);
    reply.extend(
        [
            ("vpc_TxnResponseCode", code.to_owned()),
            ("vpc_MerchTxnRef", order.reference.clone()),
            ("vpc_OrderInfo", order.info.clone()),
            ("vpc_Amount", format!("{}00", order.amount)),
            ("vpc_CurrencyCode", "VND".to_owned()),
            ("vpc_TransactionNo", order.paid_number().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    reply
}

fn refund(onepay: &OnePay, form: &[(String, String)], now: i64) -> Pairs {
    let text = |name: &str| forms::value(form, name).unwrap_or("");
    let id = text("vpc_MerchTxnRef");
    let amount = hundredths(text("vpc_Amount")).unwrap_or(0);
    let order = onepay.book().order(text("vpc_OrgMerchTxnRef"));
    let Some(order) = order.filter(|order| order.state == OrderState::Paid) else {
        return said("vpc_TxnResponseCode", "1", "No such transaction");
    };
    let known = onepay.book().refunds().contains_key(id);
    if id.is_empty() || known || onepay.book().order(id).is_some() {
        return said("vpc_TxnResponseCode", "2", "Duplicate reference");
    }
    if amount == 0 || amount > order.amount - order.refunded(onepay.book()) {
        return said("vpc_TxnResponseCode", "5", "Invalid amount");
    }
    let refund = onepay.book().refund(id, &order.reference, amount, now);
    refund_facts(&refund)
}

fn refund_facts(refund: &Refund) -> Pairs {
    let code = match refund.done() {
        None => "300",
        Some(true) => "0",
        Some(false) => "99",
    };
    [
        ("vpc_TxnResponseCode", code.to_owned()),
        ("vpc_MerchTxnRef", refund.id.clone()),
        ("vpc_OrgMerchTxnRef", refund.order.clone()),
        ("vpc_Amount", format!("{}00", refund.amount)),
        ("vpc_TransactionNo", refund.number.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
