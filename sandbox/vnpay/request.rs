//! The pay request a browser brings, and what VNPAY refuses in it.

use std::collections::BTreeSet;

use super::{Merchant, sign};
use crate::{forms, moment};

/// Clocks of merchants may run ahead by so much.
const CLOCK_AHEAD_SECONDS: i64 = 300;
const ORDER_REF_CHARS_MAX: usize = 100;
const ORDER_INFO_CHARS_MAX: usize = 255;
/// 12 digits of hundredths of a đồng.
const AMOUNT_DIGITS_MAX: usize = 12;

/// What the merchant asks the payer to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayOrder {
    pub tmn_code: String,
    pub order_ref: String,
    /// Whole đồng.
    pub amount: i64,
    pub info: String,
    pub return_url: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
}

/// Why VNPAY shows an error page, in the payer's language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("Yêu cầu thanh toán sai định dạng: {0}")]
    Malformed(&'static str),
    #[error("Mã website (vnp_TmnCode) không tồn tại")]
    UnknownTerminal,
    #[error("Sai chữ ký")]
    WrongSignature,
    #[error("Giao dịch đã quá thời gian chờ thanh toán")]
    Expired,
    #[error("Giao dịch đã được thực hiện trước đó")]
    AlreadyPaid,
}

impl RequestError {
    /// VNPAY's number of the error page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "03",
            Self::UnknownTerminal => "72",
            Self::WrongSignature => "70",
            Self::Expired => "15",
            Self::AlreadyPaid => "71",
        }
    }
}

pub(super) fn tmn_code(query: &str) -> Result<String, RequestError> {
    let pairs = forms::pairs(query).ok_or(RequestError::Malformed("query"))?;
    Ok(forms::value(&pairs, "vnp_TmnCode")
        .ok_or(RequestError::Malformed("vnp_TmnCode"))?
        .to_owned())
}

pub(super) fn read(query: &str, merchant: &Merchant, now: i64) -> Result<PayOrder, RequestError> {
    if !sign::is_signed(query, &merchant.hash_secret) {
        return Err(RequestError::WrongSignature);
    }
    let pairs = forms::pairs(query).ok_or(RequestError::Malformed("query"))?;
    let mut names = BTreeSet::new();
    if !pairs.iter().all(|(name, _)| names.insert(name.as_str())) {
        return Err(RequestError::Malformed("trùng tham số"));
    }
    let field = |name: &'static str| {
        forms::value(&pairs, name)
            .filter(|text| !text.is_empty())
            .ok_or(RequestError::Malformed(name))
    };
    let fixed = |name: &'static str, values: &[&str]| {
        let value = field(name)?;
        if values.contains(&value) {
            Ok(())
        } else {
            Err(RequestError::Malformed(name))
        }
    };
    fixed("vnp_Version", &["2.1.0"])?;
    fixed("vnp_Command", &["pay"])?;
    fixed("vnp_CurrCode", &["VND"])?;
    fixed("vnp_Locale", &["vn", "en"])?;
    field("vnp_IpAddr")?;
    field("vnp_OrderType")?;
    let order_ref = field("vnp_TxnRef")?;
    if order_ref.len() > ORDER_REF_CHARS_MAX || !order_ref.is_ascii() {
        return Err(RequestError::Malformed("vnp_TxnRef"));
    }
    let info = field("vnp_OrderInfo")?;
    if info.len() > ORDER_INFO_CHARS_MAX || !info.is_ascii() {
        return Err(RequestError::Malformed("vnp_OrderInfo"));
    }
    let return_url = field("vnp_ReturnUrl")?;
    if !(return_url.starts_with("http://") || return_url.starts_with("https://")) {
        return Err(RequestError::Malformed("vnp_ReturnUrl"));
    }
    let created = time_field(field("vnp_CreateDate")?, "vnp_CreateDate")?;
    let expires_at = time_field(field("vnp_ExpireDate")?, "vnp_ExpireDate")?;
    if created > now + CLOCK_AHEAD_SECONDS || expires_at <= created {
        return Err(RequestError::Malformed("vnp_CreateDate"));
    }
    if expires_at <= now {
        return Err(RequestError::Expired);
    }
    Ok(PayOrder {
        tmn_code: merchant.tmn_code.clone(),
        order_ref: order_ref.to_owned(),
        amount: amount(field("vnp_Amount")?)?,
        info: info.to_owned(),
        return_url: return_url.to_owned(),
        created_at: created,
        expires_at,
    })
}

fn time_field(text: &str, name: &'static str) -> Result<i64, RequestError> {
    moment::read_compact(text).ok_or(RequestError::Malformed(name))
}

fn amount(text: &str) -> Result<i64, RequestError> {
    let wrong = RequestError::Malformed("vnp_Amount");
    if text.len() > AMOUNT_DIGITS_MAX || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong);
    }
    let hundredths: i64 = text.parse().map_err(|_| wrong.clone())?;
    if hundredths == 0 || hundredths % 100 != 0 {
        return Err(wrong);
    }
    Ok(hundredths / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_538_645;

    fn merchant() -> Merchant {
        Merchant {
            tmn_code: "SANDBX01".to_owned(),
            hash_secret: "secret".to_owned(),
            ipn_url: "http://127.0.0.1/ipn".to_owned(),
            name: "Trường Hoa Sen".to_owned(),
        }
    }

    fn query(change: (&str, &str)) -> String {
        let (created, expires) = (moment::compact(NOW), moment::compact(NOW + 900));
        let fields = [
            ("vnp_Amount", "68310000"),
            ("vnp_Command", "pay"),
            ("vnp_CreateDate", &created),
            ("vnp_CurrCode", "VND"),
            ("vnp_ExpireDate", &expires),
            ("vnp_IpAddr", "127.0.0.1"),
            ("vnp_Locale", "vn"),
            ("vnp_OrderInfo", "Hoc phi HPZ37MTFCKQPG"),
            ("vnp_OrderType", "other"),
            ("vnp_ReturnUrl", "http://127.0.0.1:8080/return/vnpay/c1"),
            ("vnp_TmnCode", "SANDBX01"),
            ("vnp_TxnRef", "A1"),
            ("vnp_Version", "2.1.0"),
        ]
        .map(|(name, value)| {
            (
                name,
                if name == change.0 {
                    change.1.to_owned()
                } else {
                    value.to_owned()
                },
            )
        });
        sign::signed_query(&fields, "secret")
    }

    #[test]
    fn a_signed_request_is_read_and_a_wrong_one_says_what_is_wrong() {
        let order = read(&query(("", "")), &merchant(), NOW).unwrap();
        assert_eq!((order.amount, order.order_ref.as_str()), (683_100, "A1"));
        let error = |change| read(&query(change), &merchant(), NOW).unwrap_err();
        assert_eq!(
            error(("vnp_Amount", "68310050")),
            RequestError::Malformed("vnp_Amount")
        );
        assert_eq!(
            error(("vnp_CurrCode", "USD")),
            RequestError::Malformed("vnp_CurrCode")
        );
        assert_eq!(
            error(("vnp_OrderInfo", "Học phí")),
            RequestError::Malformed("vnp_OrderInfo")
        );
        let late = read(&query(("", "")), &merchant(), NOW + 900).unwrap_err();
        assert_eq!(late, RequestError::Expired);
        let tampered = query(("", "")).replace("68310000", "100");
        assert_eq!(
            read(&tampered, &merchant(), NOW).unwrap_err(),
            RequestError::WrongSignature
        );
    }
}
