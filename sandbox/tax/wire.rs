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
    tax.spoil(carrier, xml(tax.submit(carrier, &body))).await
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
    tax.spoil(carrier, xml(tax.look_up(carrier, &message_id)))
        .await
}

/// Status and text of an answer.
pub type WireAnswer = (u16, String);

impl Tax {
    /// What `POST /messages` answers, before any lever.
    pub fn submit(&self, carrier: usize, body: &[u8]) -> WireAnswer {
        let Ok(text) = std::str::from_utf8(body) else {
            return (400, result("", "1", "not UTF-8", ""));
        };
        match self.take(carrier, text) {
            Ok(reply) => (200, reply),
            Err(reason) => (400, result("", "1", &reason.text, "")),
        }
    }

    /// What `GET /messages/{MTDiep}/replies` answers, before any lever.
    pub fn look_up(&self, carrier: usize, message_id: &str) -> WireAnswer {
        match self.found(carrier, message_id) {
            Some(found) => (200, result(message_id, "0", "Thành công", &found.concat())),
            None => (
                404,
                result(message_id, "1", "Không tìm thấy thông điệp", ""),
            ),
        }
    }

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

fn xml((status, body): WireAnswer) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
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
