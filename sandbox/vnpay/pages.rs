//! The payment page: choose a bank and an outcome.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawForm, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{PayOrder, PayResult, RequestError, Vnpay, join};
use crate::page::{dong, escape, show};
use crate::{forms, moment};

/// The browser goes back no later than this, whether the merchant has answered the IPN or not.
const BROWSER_WAIT: Duration = Duration::from_secs(3);

/// Test banks offered, with the code VNPAY reports.
const BANKS: [(&str, &str); 4] = [
    ("NCB", "Ngân hàng NCB"),
    ("VIETCOMBANK", "Vietcombank"),
    ("BIDV", "BIDV"),
    ("AGRIBANK", "Agribank"),
];

pub(super) async fn choose(State(vnpay): State<Arc<Vnpay>>, RawQuery(query): RawQuery) -> Response {
    match vnpay.accept(query.as_deref().unwrap_or("")) {
        Err(error) => refuse(&error),
        Ok((merchant, order)) => {
            let banks: String = BANKS
                .iter()
                .enumerate()
                .map(|(index, (code, name))| {
                    let checked = if index == 0 { " checked" } else { "" };
                    format!(
                        "<label><input type=\"radio\" name=\"bank\" value=\"{code}\"{checked}> {name}</label>"
                    )
                })
                .collect();
            let body = format!(
                "<dl><dt>Đơn vị</dt><dd>{merchant}</dd><dt>Số tiền</dt><dd><strong>{amount}</strong></dd>\
                 <dt>Nội dung</dt><dd>{info}</dd><dt>Mã đơn hàng</dt><dd>{reference}</dd>\
                 <dt>Hết hạn</dt><dd>{expires}</dd></dl>\
                 <form method=\"post\" action=\"/vnpay/paymentv2/confirm\">\
                 <input type=\"hidden\" name=\"tmn\" value=\"{tmn}\">\
                 <input type=\"hidden\" name=\"ref\" value=\"{reference}\">\
                 <fieldset><legend>Chọn ngân hàng</legend>{banks}</fieldset>\
                 <button class=\"main\" name=\"result\" value=\"paid\">Thanh toán thành công</button>\
                 <button name=\"result\" value=\"cancelled\">Huỷ giao dịch</button>\
                 <button name=\"result\" value=\"no-funds\">Không đủ tiền</button></form>",
                merchant = escape(&merchant.name),
                amount = dong(order.amount),
                info = escape(&order.info),
                reference = escape(&order.order_ref),
                expires = moment::shown(order.expires_at),
                tmn = escape(&order.tmn_code),
            );
            show(
                StatusCode::OK,
                "Cổng thanh toán VNPAY (mô phỏng)",
                &body,
                Some(&order.return_url),
            )
        }
    }
}

pub(super) async fn confirm(State(vnpay): State<Arc<Vnpay>>, RawForm(form): RawForm) -> Response {
    let text = String::from_utf8_lossy(&form);
    let pairs = forms::pairs(&text).unwrap_or_default();
    let field = |name| forms::value(&pairs, name).unwrap_or_default().to_owned();
    let Some(result) = PayResult::from_word(&field("result")) else {
        return refuse(&RequestError::Malformed("result"));
    };
    let bank = field("bank");
    let bank = BANKS
        .iter()
        .find(|(code, _)| *code == bank)
        .map_or("NCB", |(code, _)| code);
    match vnpay
        .finish(&field("tmn"), &field("ref"), bank, result)
        .await
    {
        Err(error) => refuse(&error),
        Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
    }
}

impl Vnpay {
    /// Closes the order, reports it to the merchant, and gives the browser's way back.
    async fn finish(
        self: &Arc<Self>,
        tmn_code: &str,
        order_ref: &str,
        bank: &str,
        result: PayResult,
    ) -> Result<String, RequestError> {
        let merchant = self
            .merchant(tmn_code)
            .ok_or(RequestError::UnknownTerminal)?;
        let order = self.take(tmn_code, order_ref)?;
        let (notice, query) = self.report(
            &merchant,
            order_ref,
            &order.info,
            result,
            order.amount,
            bank,
        );
        let (first_done, first_answer) = tokio::sync::oneshot::channel();
        let vnpay = self.clone();
        tokio::spawn(async move {
            let first = vnpay.world.deliver(&notice).await;
            let again = !first.acknowledged;
            // The browser may have stopped waiting; the repeats below do not depend on it.
            first_done.send(()).ok();
            if again {
                vnpay.repeat_ipn(&notice).await;
            }
        });
        // Whatever came of the first call, the browser is sent back.
        tokio::time::timeout(BROWSER_WAIT, first_answer).await.ok();
        Ok(join(&order.return_url, &query))
    }

    fn take(&self, tmn_code: &str, order_ref: &str) -> Result<PayOrder, RequestError> {
        let mut orders = self.orders();
        let open = orders
            .get_mut(&(tmn_code.to_owned(), order_ref.to_owned()))
            .ok_or(RequestError::Malformed("vnp_TxnRef"))?;
        if open.used {
            return Err(RequestError::AlreadyPaid);
        }
        if open.order.expires_at <= self.world.now() {
            return Err(RequestError::Expired);
        }
        open.used = true;
        Ok(open.order.clone())
    }
}

fn refuse(error: &RequestError) -> Response {
    let body = format!(
        "<p>{}</p><p>Mã lỗi: {}</p><p>Hãy quay lại trang hóa đơn và thử lại.</p>",
        escape(&error.to_string()),
        error.code()
    );
    show(StatusCode::BAD_REQUEST, "Không thể thanh toán", &body, None)
}
