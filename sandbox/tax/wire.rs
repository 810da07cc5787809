//! The HTTP side of the transmission provider.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Tax;
use super::xml::escape;

const XML: &str = "application/xml; charset=utf-8";

/// The address of one carrier.
#[derive(Clone)]
pub(super) struct Door {
    pub tax: Arc<Tax>,
    pub carrier: usize,
}

pub(super) async fn receive(
    State(Door { tax, carrier }): State<Door>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !tax.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if tax.levers(carrier).busy {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let is_xml = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/xml"));
    if !is_xml {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let Ok(text) = std::str::from_utf8(&body) else {
        return (StatusCode::BAD_REQUEST, "not UTF-8").into_response();
    };
    let response = match tax.take(carrier, text) {
        Ok(reply) => xml(StatusCode::OK, reply),
        Err(reason) => xml(StatusCode::BAD_REQUEST, result("", "1", &reason.text, "")),
    };
    tax.spoil(carrier, response).await
}

pub(super) async fn replies(
    State(Door { tax, carrier }): State<Door>,
    Path(message_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !tax.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if tax.levers(carrier).busy {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let response = match tax.found(carrier, &message_id) {
        Some(found) => xml(
            StatusCode::OK,
            result(&message_id, "0", "Thành công", &found.concat()),
        ),
        None => xml(
            StatusCode::NOT_FOUND,
            result(&message_id, "1", "Không tìm thấy thông điệp", ""),
        ),
    };
    tax.spoil(carrier, response).await
}

impl Tax {
    fn knows(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
            .is_some_and(|token| verify_slices_are_equal(token, self.token.as_bytes()).is_ok())
    }

    /// Pulls the levers on an answer that is already decided.
    async fn spoil(&self, carrier: usize, response: Response) -> Response {
        let levers = self.levers(carrier);
        if self.world.chance.percent(levers.stall_percent) {
            tokio::time::sleep(levers.stall_for).await;
        }
        if self.world.chance.percent(levers.lose_percent) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return StatusCode::GATEWAY_TIMEOUT.into_response();
        }
        response
    }
}

fn xml(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, XML)], body).into_response()
}

fn result(message_id: &str, code: &str, text: &str, data: &str) -> String {
    format!(
        "<KetQuaTraCuu><MaGD>{}</MaGD><MaKetQua>{code}</MaKetQua><MoTaKetQua>{}</MoTaKetQua>\
         <DuLieu>{data}</DuLieu></KetQuaTraCuu>",
        escape(message_id),
        escape(text)
    )
}
