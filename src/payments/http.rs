//! Where providers report to and browsers come back to.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use hocphi_adapters::contract::{Ack, Flow, Inbound, Naming, Notice, Notices, Outcome, Received};

use super::books::{Arrival, Target};
use super::connections::Connection;
use super::evidence_store::{self, EvidenceKind};
use super::{service, store};
use crate::App;
use crate::fees::{bill_code::BillCode, memo};
use crate::ids::{ConnectionId, PaymentId};
use crate::store::Tx;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::problem::ProblemDetails;

/// No provider's notice comes near this.
const NOTICE_BODY_BYTES_MAX: usize = 256 * 1024;
const RETRY_AFTER_SECONDS: &str = "5";

/// What providers call. They carry their own authentication and no cookies, so none of the pages'
/// layers touches them.
pub fn provider_routes(app: App) -> Router {
    Router::new()
        .route("/notices/{provider}/{connection_id}", any(notice))
        .layer(DefaultBodyLimit::max(NOTICE_BODY_BYTES_MAX))
        .with_state(app)
}

/// What payers' browsers call on their way to a provider and back.
pub fn payer_routes() -> Router<Web> {
    Router::new()
        .route("/b/{key}/pay/{connection_id}", post(pay))
        .route("/return/{provider}/{connection_id}", get(came_back))
}

async fn notice(
    State(app): State<App>,
    Path((provider, connection_id)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let connection = match find(&app, &provider, &connection_id).await {
        Ok(connection) => connection,
        Err(unusable) => return unusable.into_response(),
    };
    let inbound = inbound(&app, &method, &uri, &headers, body);
    let adapter = &connection.adapter;
    let flow = adapter.route(&inbound);
    let received = Received {
        flow,
        inbound: &inbound,
        credentials: &connection.credentials,
        our_reference: None,
    };
    match adapter.read_notice(flow, &inbound, &connection.credentials) {
        Ok(notices) => {
            let outcome = take_in(&app, &connection, &inbound, notices).await;
            answer(adapter.acknowledge(outcome, &received), outcome)
        }
        Err(rejection) => {
            tracing::warn!(
                provider, connection.id = %connection_id, reason = rejection.reason.code(),
                detail = rejection.detail, "notice refused"
            );
            let outcome = rejection.outcome();
            answer(adapter.acknowledge(outcome, &received), outcome)
        }
    }
}

/// Why a connection cannot be used for a request.
enum Unusable {
    Unknown,
    Broken,
}

async fn find(app: &App, provider: &str, connection_id: &str) -> Result<Arc<Connection>, Unusable> {
    let id = ConnectionId::new(connection_id);
    match app.connections.get(&app.db, &id, app.clock.now()).await {
        Ok(Some(connection)) if connection.provider == provider => Ok(connection),
        Ok(_) => Err(Unusable::Unknown),
        Err(error) => {
            tracing::error!(connection.id = connection_id, %error, "connection cannot be used");
            Err(Unusable::Broken)
        }
    }
}

impl IntoResponse for Unusable {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown => ProblemDetails::new(
                StatusCode::NOT_FOUND,
                "unknown_connection",
                "Không có kết nối này, hoặc kết nối đã tắt",
            )
            .into_response(),
            Self::Broken => {
                let mut response = ProblemDetails::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "temporarily_unavailable",
                    "Tạm thời chưa nhận được, hãy gửi lại",
                )
                .into_response();
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
                response
            }
        }
    }
}

fn inbound(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Inbound {
    Inbound {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body: body.to_vec(),
        received_at_unix: app.clock.now().unix(),
    }
}

/// Hands every notice of a message to the desk; answers the worst outcome.
async fn take_in(
    app: &App,
    connection: &Connection,
    inbound: &Inbound,
    notices: Notices,
) -> Outcome {
    let raw = if inbound.body.is_empty() {
        inbound.query.clone()
    } else {
        // Text on both engines: a NUL would be refused by PostgreSQL.
        String::from_utf8_lossy(&inbound.body).replace('\0', "\u{fffd}")
    };
    let mut worst = Outcome::Repeated;
    for rejection in &notices.unreadable {
        tracing::error!(
            connection.id = %connection.connection_id, detail = rejection.detail,
            "an item of a batch cannot be read"
        );
    }
    for notice in notices.read {
        let arrival = arrival(app, connection, notice.into_inner(), raw.clone());
        let outcome = match app.desk.hand_in(arrival).await {
            Ok(Some(receipt)) => receipt.outcome,
            Ok(None) | Err(super::DeskFull) => Outcome::Temporary,
        };
        if weight(outcome) > weight(worst) {
            worst = outcome;
        }
    }
    worst
}

fn arrival(app: &App, connection: &Connection, notice: Notice, raw: String) -> Arrival {
    let capability = &connection.adapter.profile().capability;
    let now = app.clock.now();
    Arrival {
        school_id: connection.school_id.clone(),
        connection_id: connection.connection_id.clone(),
        provider: connection.provider.clone(),
        channel: connection.channel,
        settlement: capability.settlement,
        target: target(capability.naming, &notice),
        notice,
        raw,
        received_at: now,
        payment_id: PaymentId::new(app.ids.next(now)),
    }
}

/// An intermediary names our order; a bank host the bill; a bank credit carries the payer's words.
fn target(naming: Naming, notice: &Notice) -> Target {
    let code = notice.bill_ref.as_ref().or(notice.order_ref.as_ref());
    match (naming, code) {
        (Naming::Order, _) => Target::Order(notice.order_ref.clone().unwrap_or_default()),
        (Naming::Code | Naming::Memo, Some(code)) if BillCode::parse(code).is_ok() => {
            Target::Codes {
                codes: vec![code.clone()],
                suggestions: Vec::new(),
            }
        }
        (Naming::Code | Naming::Memo, _) => {
            let found = memo::read(notice.memo.as_deref().unwrap_or_default());
            let text = |codes: Vec<BillCode>| {
                codes
                    .into_iter()
                    .map(|code| code.as_str().to_owned())
                    .collect()
            };
            Target::Codes {
                codes: text(found.codes),
                suggestions: text(found.suggestions),
            }
        }
    }
}

const fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Repeated => 0,
        Outcome::Accepted => 1,
        Outcome::Unusable => 2,
        Outcome::AmountDiffers => 3,
        Outcome::UnknownOrder => 4,
        Outcome::NotAuthentic => 5,
        Outcome::Temporary => 6,
    }
}

fn answer(ack: Ack, outcome: Outcome) -> Response {
    let status = StatusCode::from_u16(ack.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(ack.body));
    *response.status_mut() = status;
    if let Some(content_type) = ack.content_type
        && let Ok(value) = content_type.parse()
    {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    if outcome == Outcome::Temporary {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    response
}

/// The browser's return never changes money state; it only leads back to the bill.
async fn came_back(
    State(app): State<App>,
    Path((provider, connection_id)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Redirect, PageError> {
    let connection = match find(&app, &provider, &connection_id).await {
        Ok(connection) => connection,
        Err(Unusable::Unknown) => return Err(PageError::NotFound),
        Err(Unusable::Broken) => return Err(PageError::Internal("connection unusable".into())),
    };
    let inbound = inbound(&app, &method, &uri, &headers, Bytes::new());
    let order_ref = connection
        .adapter
        .read_notice(Flow::Return, &inbound, &connection.credentials)
        .ok()
        .and_then(|notices| notices.read.into_iter().next())
        .and_then(|notice| notice.into_inner().order_ref)
        .ok_or(PageError::BadRequest)?;
    let token = store::token_of_order(&app.db, &connection.school_id, &order_ref)
        .await?
        .ok_or(PageError::NotFound)?;
    let (school, now) = (connection.school_id.clone(), app.clock.now());
    app.db
        .write("payments.returned", async move |tx: &mut Tx| {
            evidence_store::note_claim(tx, &school, &order_ref, EvidenceKind::ReturnPage, now).await
        })
        .await?;
    Ok(Redirect::to(&format!("/b/{token}?from=return")))
}

async fn pay(
    State(app): State<App>,
    Path((key, connection_id)): Path<(String, String)>,
    request: Request,
) -> Result<Redirect, PageError> {
    let payer_ip = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or_else(|| "127.0.0.1".to_owned(), |info| info.0.ip().to_string());
    let id = ConnectionId::new(connection_id);
    match service::start_checkout(&app, &key, &id, &payer_ip).await {
        Ok(started) => Ok(Redirect::to(&started.redirect)),
        Err(service::PayError::NoBill | service::PayError::NoConnection) => {
            Err(PageError::NotFound)
        }
        // Somebody paid meanwhile: the bill says so.
        Err(service::PayError::NothingDue) => Ok(Redirect::to(&format!("/b/{key}"))),
        Err(service::PayError::Store(error)) => Err(error.into()),
        Err(error) => Err(PageError::Internal(format!("checkout: {error}"))),
    }
}
