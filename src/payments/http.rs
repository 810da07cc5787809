//! Where providers report to and browsers come back to.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use hocphi_adapters::contract::{Ack, Flow, Inbound, InquiryAnswer, Outcome, Reason, Received};
use serde::Deserialize;

use super::connections::Connection;
use super::evidence_store::{self, EvidenceKind};
use super::inquiry::{self, Found};
use super::messages::Seen;
use super::messages::store::Verdict;
use super::pages::{HandoverPage, ScanPage};
use super::service::Started;
use super::{receive, service, store};
use crate::App;
use crate::ids::{ConnectionId, PaymentId};
use crate::store::Tx;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::layout::{Shell, page};
use crate::web::problem::ProblemDetails;

/// No provider's notice comes near this.
const NOTICE_BODY_BYTES_MAX: usize = 256 * 1024;
const RETRY_AFTER_SECONDS: &str = "5";

/// What providers call. They carry their own authentication and no cookies, so none of the pages'
/// layers touches them.
pub fn provider_routes(app: App) -> Router {
    Router::new()
        .route("/notices/{provider}/{connection_id}", any(notice))
        .route("/notices/{provider}/{connection_id}/{*below}", any(notice))
        .layer(DefaultBodyLimit::max(NOTICE_BODY_BYTES_MAX))
        .with_state(app)
}

/// What payers' browsers call on their way to a provider and back.
pub fn payer_routes() -> Router<Web> {
    Router::new()
        .route("/b/{key}/pay/{connection_id}", post(pay).get(scan))
        .route("/return/{provider}/{connection_id}", get(came_back))
}

/// Whatever a provider calls: a report of payments, a bank's question for open bills, a request for
/// a token of ours.
async fn notice(
    State(app): State<App>,
    Path(address): Path<Address>,
    caller: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let connection = match find(&app, &address.provider, &address.connection_id).await {
        Ok(connection) => connection,
        Err(unusable) => return unusable.into_response(),
    };
    let (body, unread) = match body {
        Ok(body) => (body, None),
        Err(rejection) => (Bytes::new(), Some(rejection)),
    };
    let inbound = inbound(&app, &method, &uri, &headers, body);
    let flow = connection.adapter.route(&inbound);
    let mut seen = Seen::refused(&connection, flow, caller.to_string(), inbound);
    if let Some(rejection) = unread {
        seen.refuse(
            Some(Reason::Malformed),
            &rejection.body_text(),
            Outcome::Unusable,
        );
        app.keeper.keep(seen);
        return rejection.into_response();
    }
    let ack = if caller.may_call(&connection) {
        match flow {
            Flow::Token => token(&app, &mut seen),
            Flow::BillInquiry => open_bills(&app, &mut seen).await,
            _ => report(&app, &mut seen).await,
        }
    } else {
        seen.refuse(
            None,
            "the caller is not among the connection's networks",
            Outcome::NotAuthentic,
        );
        acknowledge(&seen, None)
    };
    if seen.verdict == Verdict::Refused {
        tracing::warn!(
            provider = address.provider,
            connection.id = address.connection_id,
            flow = flow.code(),
            reason = seen.reason.map(Reason::code),
            detail = seen.detail,
            "message refused"
        );
    }
    let outcome = seen.outcome;
    app.keeper.keep(seen);
    answer(ack, outcome)
}

/// Where a provider calls; some call several addresses below the one that was registered.
#[derive(Debug, Deserialize)]
struct Address {
    provider: String,
    connection_id: String,
}

async fn report(app: &App, seen: &mut Seen) -> Ack {
    let connection = Arc::clone(&seen.connection);
    let notices = match receive::read(&connection, seen.flow, &seen.inbound, app.clock.now()) {
        Ok(notices) => notices,
        Err(rejection) => {
            seen.refuse(
                Some(rejection.reason),
                &rejection.detail,
                rejection.outcome(),
            );
            return acknowledge(seen, None);
        }
    };
    seen.verdict = Verdict::Authentic;
    seen.notices = notices.read.len() + notices.unreadable.len();
    seen.spare = notices
        .read
        .iter()
        .flat_map(|notice| receive::numbers(notice))
        .collect();
    if let Some(unreadable) = notices.unreadable.first() {
        tracing::error!(
            connection.id = %connection.connection_id, detail = unreadable.detail,
            count = notices.unreadable.len(), "items of a message cannot be read"
        );
        seen.reason = Some(unreadable.reason);
        seen.detail = Some(unreadable.detail.clone());
    }
    let raw = receive::raw_text(&seen.inbound);
    let posted = receive::post(app, &connection, &raw, notices.read).await;
    seen.outcome = receive::worst(&posted);
    let ours = posted.iter().find_map(|item| item.payment_id.as_ref());
    acknowledge(seen, ours.map(PaymentId::as_str))
}

fn token(app: &App, seen: &mut Seen) -> Ack {
    let connection = Arc::clone(&seen.connection);
    let issued = receive::with_valid(&connection, app.clock.now(), |credentials| {
        connection
            .adapter
            .issue_token(&seen.inbound, credentials, app.ids.bytes())
    });
    match issued {
        Ok(issued) => {
            (seen.verdict, seen.outcome) = (Verdict::Authentic, Outcome::Accepted);
            issued.ack
        }
        Err(rejection) => {
            seen.refuse(
                Some(rejection.reason),
                &rejection.detail,
                rejection.outcome(),
            );
            acknowledge(seen, None)
        }
    }
}

async fn open_bills(app: &App, seen: &mut Seen) -> Ack {
    let connection = Arc::clone(&seen.connection);
    let read = receive::with_valid(&connection, app.clock.now(), |credentials| {
        connection.adapter.read_inquiry(&seen.inbound, credentials)
    });
    let found = match read {
        Ok(inquiry) => {
            (seen.verdict, seen.outcome) = (Verdict::Authentic, Outcome::Accepted);
            inquiry::debtor(app, &connection.school_id, &inquiry).await
        }
        Err(rejection) => {
            seen.refuse(
                Some(rejection.reason),
                &rejection.detail,
                rejection.outcome(),
            );
            let refused = InquiryAnswer::Refused(seen.outcome);
            return connection
                .adapter
                .answer_inquiry(refused, &received(seen, None));
        }
    };
    let found = found.unwrap_or_else(|error| {
        tracing::error!(%error, connection.id = %connection.connection_id, "open bills cannot be read");
        seen.outcome = Outcome::Temporary;
        Found::Trouble
    });
    if matches!(found, Found::Nobody) {
        seen.outcome = Outcome::UnknownOrder;
    }
    let answer = match &found {
        Found::Debtor(debtor) => InquiryAnswer::Bills(debtor),
        Found::NothingDue => InquiryAnswer::NothingDue,
        Found::Nobody => InquiryAnswer::UnknownCustomer,
        Found::Trouble => InquiryAnswer::Refused(Outcome::Temporary),
    };
    connection
        .adapter
        .answer_inquiry(answer, &received(seen, None))
}

fn received<'a>(seen: &'a Seen, our_reference: Option<&'a str>) -> Received<'a> {
    Received {
        flow: seen.flow,
        inbound: &seen.inbound,
        credentials: &seen.connection.credentials,
        our_reference,
    }
}

fn acknowledge(seen: &Seen, our_reference: Option<&str>) -> Ack {
    seen.connection
        .adapter
        .acknowledge(seen.outcome, &received(seen, our_reference))
}

/// Who calls, as the socket says it; forwarding headers are not believed.
#[derive(Clone, Copy, Debug)]
struct Caller(Option<IpAddr>);

impl Caller {
    fn may_call(self, connection: &Connection) -> bool {
        connection.sources.is_empty()
            || self.0.is_some_and(|address| {
                connection
                    .sources
                    .iter()
                    .any(|network| network.holds(address))
            })
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("-"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(info.map(|info| info.0.ip())))
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
    let order_ref = receive::read(&connection, Flow::Return, &inbound, app.clock.now())
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
    caller: Caller,
    shell: Shell,
) -> Result<Response, PageError> {
    let payer_ip = caller
        .0
        .map_or_else(|| "127.0.0.1".to_owned(), |address| address.to_string());
    let id = ConnectionId::new(connection_id);
    let bill = format!("/b/{key}");
    match service::start_checkout(&app, &key, &id, &payer_ip).await {
        Ok(Started::Go(address)) => Ok(Redirect::to(&address).into_response()),
        Ok(Started::Post {
            provider,
            action,
            fields,
        }) => page(&HandoverPage {
            shell,
            provider,
            action,
            fields,
            key,
        }),
        Ok(Started::Scan) => Ok(Redirect::to(&format!("{bill}/pay/{id}")).into_response()),
        Ok(Started::Waiting) => Ok(Redirect::to(&format!("{bill}?from=return")).into_response()),
        Err(service::PayError::NoBill | service::PayError::NoConnection) => {
            Err(PageError::NotFound)
        }
        // Somebody paid meanwhile: the bill says so.
        Err(service::PayError::NothingDue) => Ok(Redirect::to(&bill).into_response()),
        // The attempt has failed, and the bill offers the other ways.
        Err(service::PayError::Refused(problem)) => {
            tracing::warn!(connection.id = %id, problem, "a provider took no order");
            Ok(Redirect::to(&format!("{bill}?from=return")).into_response())
        }
        Err(error) => Err(PageError::Internal(format!("checkout: {error}"))),
    }
}

/// The code of a payment that is under way; the bill when there is none any more.
async fn scan(
    State(app): State<App>,
    Path((key, connection_id)): Path<(String, String)>,
    shell: Shell,
) -> Result<Response, PageError> {
    let bill = Redirect::to(&format!("/b/{key}?from=return"));
    let id = ConnectionId::new(connection_id);
    let connection = app
        .connections
        .get(&app.db, &id, app.clock.now())
        .await
        .map_err(|error| PageError::Internal(format!("connection: {error}")))?
        .ok_or(PageError::NotFound)?;
    let open = service::open_code(&app, &key, &id).await?;
    let shown = open.and_then(|open| {
        let name = connection.display_name.clone();
        ScanPage::new(shell, name, open.amount, open.text, key)
    });
    match shown {
        Some(shown) => page(&shown),
        None => Ok(bill.into_response()),
    }
}
