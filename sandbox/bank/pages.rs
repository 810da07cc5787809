//! The payer's bank app: read a QR, look at it, change it, confirm.

use std::sync::Arc;

use axum::extract::{RawForm, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{Bank, Transfer, bank_name};
use crate::forms;
use crate::page::{dong, escape, show};

const TITLE: &str = "Ngân hàng thử nghiệm";
const MEMO_CHARS_MAX: usize = 150;
/// One transfer of the instant payment system.
const AMOUNT_MAX: i64 = 499_999_999;

pub(super) async fn home() -> Response {
    let body = "<form method=\"get\" action=\"/bank/pay\"><label for=\"qr\">Nội dung mã VietQR</label>\
                <textarea id=\"qr\" name=\"qr\" rows=\"5\" required spellcheck=\"false\"></textarea>\
                <button class=\"main\">Tiếp tục</button></form>";
    show(StatusCode::OK, TITLE, body, None)
}

pub(super) async fn review(State(bank): State<Arc<Bank>>, RawQuery(query): RawQuery) -> Response {
    let pairs = forms::pairs(query.as_deref().unwrap_or("")).unwrap_or_default();
    let transfer = match bank.scan(forms::value(&pairs, "qr").unwrap_or("")) {
        Ok(transfer) => transfer,
        Err(error) => return refuse(&error.to_string()),
    };
    let account = match bank.account(&transfer.account) {
        Ok(account) => account,
        Err(error) => return refuse(&error.to_string()),
    };
    let body = format!(
        "<dl><dt>Người nhận</dt><dd>{holder}</dd><dt>Ngân hàng</dt><dd>{name}</dd>\
         <dt>Số tài khoản</dt><dd>{number}</dd></dl>\
         <form method=\"post\" action=\"/bank/pay\">\
         <input type=\"hidden\" name=\"account\" value=\"{number}\">\
         <label for=\"amount\">Số tiền (đồng)</label>\
         <input id=\"amount\" name=\"amount\" type=\"number\" min=\"1\" max=\"{AMOUNT_MAX}\" step=\"1\" inputmode=\"numeric\" value=\"{amount}\" required>\
         <label for=\"memo\">Nội dung</label>\
         <input id=\"memo\" name=\"memo\" type=\"text\" maxlength=\"{MEMO_CHARS_MAX}\" value=\"{memo}\">\
         <button class=\"main\">Xác nhận chuyển khoản</button></form>",
        holder = escape(&account.holder),
        name = bank_name(&account.bin),
        number = escape(&account.number),
        amount = transfer.amount,
        memo = escape(&transfer.memo),
    );
    show(StatusCode::OK, TITLE, &body, None)
}

pub(super) async fn confirm(State(bank): State<Arc<Bank>>, RawForm(form): RawForm) -> Response {
    let text = String::from_utf8_lossy(&form);
    let pairs = forms::pairs(&text).unwrap_or_default();
    let field = |name| forms::value(&pairs, name).unwrap_or_default();
    let amount = match field("amount").parse::<i64>() {
        Ok(amount) if (1..=AMOUNT_MAX).contains(&amount) => amount,
        _ => return refuse("Số tiền phải là số đồng nguyên, lớn hơn 0."),
    };
    let transfer = Transfer {
        account: field("account").to_owned(),
        amount,
        memo: field("memo").chars().take(MEMO_CHARS_MAX).collect(),
        rendering: None,
        outgoing: false,
    };
    let notice = match bank.notice(&transfer) {
        Ok(notice) => notice,
        Err(error) => return refuse(&error.to_string()),
    };
    let body = format!(
        "<p role=\"status\">Đã chuyển <strong>{}</strong>.</p>\
         <dl><dt>Mã giao dịch</dt><dd>{}</dd><dt>Bên nhận thấy nội dung</dt><dd>{}</dd></dl>\
         <p>Bạn có thể quay lại trang hóa đơn của trường.</p>\
         <p><a href=\"/bank/\">Chuyển khoản khác</a></p>",
        dong(amount),
        escape(&notice.transaction_id),
        escape(&notice.reference),
    );
    let feed = bank.clone();
    tokio::spawn(async move { feed.send(&notice).await });
    show(StatusCode::OK, "Chuyển khoản thành công", &body, None)
}

fn refuse(reason: &str) -> Response {
    let body = format!(
        "<p>{}</p><p><a href=\"/bank/\">Nhập lại mã VietQR</a></p>",
        escape(reason)
    );
    show(
        StatusCode::BAD_REQUEST,
        "Không chuyển được tiền",
        &body,
        None,
    )
}
