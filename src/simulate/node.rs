//! A process of the installation: the real gateway, desk, runner and handlers over the run's books.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hocphi_adapters::contract::{Call, Fault, Reply, Retry};
use hocphi_sandbox::Notice;
use tokio::sync::{mpsc, oneshot, watch};
use tower::ServiceExt as _;

use super::broken::Broken;
use super::stage::{GATEWAY, Stage};
use super::{SimulateError, store, trouble};
use crate::App;
use crate::clock::Clock;
use crate::fees::service::USE_CREDIT;
use crate::http_out::{Carried, HttpOut, Transport};
use crate::ids::{ConnectionId, Ids, InvoiceId, MoveId, PaymentId};
use crate::invoices::jobs::{ExchangeHandler, IssueHandler, Step};
use crate::invoices::life::jobs::{AllocatedHandler, RefundedHandler, SignHandler};
use crate::invoices::service::{HttpAnswer, Outside, kinds};
use crate::jobs::{Handler, Job, Outcome, Runner, Wake};
use crate::payments::chart::Charts;
use crate::payments::connections::Connections;
use crate::payments::messages::Keeper;
use crate::payments::moves::jobs::CreditHandler;
use crate::payments::outbound;
use crate::payments::review::service::REFUND_CONFIRMED;
use crate::payments::{Desk, INVOICE_ALLOCATED, INVOICE_REFUNDED, Limits, Poster, http};
use crate::refunds::SEND_REFUND;
use crate::refunds::jobs::{ConfirmHandler, SendHandler};
use crate::store::{Db, StoreError, Tx};

/// Notices that may wait at a simulated desk: few, so that a burst fills it.
pub const QUEUE_MAX: usize = 4;
/// Our own acknowledgements are short.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a process does by itself; each kind has a loop of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    Issue,
    Sign,
    Send,
    Collect,
    Refunded,
    Allocated,
    Credit,
    Confirm,
    SendRefund,
    /// Steps flows on that gateways are asked about; no job.
    Flows,
}

impl Work {
    pub const ALL: [Self; 10] = [
        Self::Issue,
        Self::Sign,
        Self::Send,
        Self::Collect,
        Self::Refunded,
        Self::Allocated,
        Self::Credit,
        Self::Confirm,
        Self::SendRefund,
        Self::Flows,
    ];

    pub const fn kind(self) -> &'static str {
        match self {
            Self::Issue => kinds::ISSUE,
            Self::Sign => kinds::SIGN,
            Self::Send => kinds::SEND,
            Self::Collect => kinds::COLLECT,
            Self::Refunded => INVOICE_REFUNDED,
            Self::Allocated => INVOICE_ALLOCATED,
            Self::Credit => USE_CREDIT,
            Self::Confirm => REFUND_CONFIRMED,
            Self::SendRefund => SEND_REFUND,
            Self::Flows => "flows",
        }
    }
}

/// Whom a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Authority,
    Gateway,
}

/// A call that waits for the world to carry it.
pub struct Outgoing {
    pub side: Side,
    pub call: Call,
    pub answer: oneshot::Sender<Result<Reply, Fault>>,
}

/// Hands calls to the world and waits until it answers.
#[derive(Debug)]
pub struct Wire {
    side: Side,
    calls: mpsc::UnboundedSender<Outgoing>,
}

impl Wire {
    async fn hand_over(&self, call: &Call) -> Result<Reply, Fault> {
        let (answer, heard) = oneshot::channel();
        let gone = || Fault {
            retry: Retry::AskFirst,
            message: "connection broke".into(),
        };
        self.calls
            .send(Outgoing {
                side: self.side,
                call: call.clone(),
                answer,
            })
            .map_err(|_| gone())?;
        heard.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Outside for Wire {
    async fn send(&self, call: &Call) -> Result<HttpAnswer, Fault> {
        let reply = self.hand_over(call).await?;
        Ok(HttpAnswer {
            status: reply.status,
            body: reply.body,
        })
    }
}

impl Transport for Wire {
    /// How long a caller waits is the world's to say: it keeps the time.
    fn carry<'a>(&'a self, call: &'a Call, _deadline: std::time::Duration) -> Carried<'a> {
        Box::pin(self.hand_over(call))
    }
}

/// What every process of a run shares.
pub struct Shared<'s> {
    pub stage: &'s Stage,
    pub db: Db,
    pub ids: Ids,
    pub calls: mpsc::UnboundedSender<Outgoing>,
    pub broken: Option<Broken>,
}

/// One life of a process; memory ends with it.
pub struct Process {
    pub app: App,
    router: Router,
    runner: Runner,
    issue: Hands<IssueHandler>,
    sign: Hands<SignHandler>,
    send: Hands<ExchangeHandler<Wire>>,
    collect: Hands<ExchangeHandler<Wire>>,
    refunded: Hands<RefundedHandler>,
    allocated: Hands<AllocatedHandler>,
    credit: Hands<CreditHandler>,
    confirm: Hands<ConfirmHandler>,
    send_refund: Hands<SendHandler>,
}

impl Process {
    /// Starts with empty caches on the books as they are.
    pub fn start(shared: &Shared<'_>, clock: &Clock) -> Self {
        let stage = shared.stage;
        let wake = Wake::default();
        let poster = Poster {
            db: shared.db.clone(),
            clock: clock.clone(),
            ids: shared.ids.clone(),
            wake: wake.clone(),
            charts: Charts::default(),
            chain: stage.chain.clone(),
        };
        let limits = Limits {
            gather: std::time::Duration::ZERO,
            queue_max: QUEUE_MAX,
            // Transactions follow each other.
            lanes: Some(1),
            ..Limits::default()
        };
        let wire = |side| {
            Arc::new(Wire {
                side,
                calls: shared.calls.clone(),
            })
        };
        let app = App {
            db: shared.db.clone(),
            clock: clock.clone(),
            ids: shared.ids.clone(),
            seal: stage.seal.clone(),
            wake: wake.clone(),
            http: HttpOut::over(wire(Side::Gateway)),
            connections: Connections::new(
                stage.registry.clone(),
                stage.trust.clone(),
                stage.seal.clone(),
            ),
            chain: stage.chain.clone(),
            desk: Desk::open_with(poster, limits),
            keeper: Keeper::forgetful(),
            public_url: GATEWAY.into(),
            sandbox_bank_url: None,
        };
        let outside = wire(Side::Authority);
        let exchange = |step| ExchangeHandler {
            app: app.clone(),
            exchange: stage.exchange.clone(),
            outside: outside.clone(),
            step,
        };
        let (send, collect) = (exchange(Step::Send), exchange(Step::Collect));
        let keys = &stage.keys;
        let frame = Frame {
            app: app.clone(),
            broken: shared.broken,
        };
        let issue = IssueHandler {
            app: app.clone(),
            keys: keys.clone(),
        };
        let sign = SignHandler {
            app: app.clone(),
            keys: keys.clone(),
        };
        let refunded = RefundedHandler {
            app: app.clone(),
            keys: keys.clone(),
        };
        let allocated = AllocatedHandler {
            app: app.clone(),
            keys: keys.clone(),
        };
        Self {
            router: http::provider_routes(app.clone()),
            runner: Runner {
                db: shared.db.clone(),
                clock: clock.clone(),
                wake,
                stop: watch::channel(false).1,
            },
            issue: Hands::new(&frame, issue),
            sign: Hands::new(&frame, sign),
            send: Hands::new(&frame, send),
            collect: Hands::new(&frame, collect),
            refunded: Hands::new(&frame, refunded),
            allocated: Hands::new(&frame, allocated),
            credit: Hands::new(&frame, CreditHandler { app: app.clone() }),
            confirm: Hands::new(&frame, ConfirmHandler { app: app.clone() }),
            send_refund: Hands::new(&frame, SendHandler { app: app.clone() }),
            app,
        }
    }

    /// Does one batch of due jobs; answers how many there were.
    pub async fn work(&self, work: Work) -> Result<usize, StoreError> {
        match work {
            Work::Issue => self.issue.run_due(&self.runner).await,
            Work::Sign => self.sign.run_due(&self.runner).await,
            Work::Send => self.send.run_due(&self.runner).await,
            Work::Collect => self.collect.run_due(&self.runner).await,
            Work::Refunded => self.refunded.run_due(&self.runner).await,
            Work::Allocated => self.allocated.run_due(&self.runner).await,
            Work::Credit => self.credit.run_due(&self.runner).await,
            Work::Confirm => self.confirm.run_due(&self.runner).await,
            Work::SendRefund => self.send_refund.run_due(&self.runner).await,
            Work::Flows => self.step_flows().await,
        }
    }

    /// One flow after another, so that the order of calls is that of the flows.
    async fn step_flows(&self) -> Result<usize, StoreError> {
        let claimed = outbound::jobs::claim_due(&self.app).await?;
        let count = claimed.len();
        for row in claimed {
            // Due again when its lease runs out, as in a real process.
            if let Err(error) = outbound::service::step(&self.app, row).await {
                tracing::debug!(%error, "a flow was not stepped on");
            }
        }
        Ok(count)
    }

    /// Reads the connections of these notices into the cache, so that notices that arrive together
    /// reach the desk together.
    pub async fn expect(&self, notices: &[&Notice]) -> Result<(), SimulateError> {
        for notice in notices {
            let id = notice.address().rsplit('/').next().unwrap_or_default();
            self.app
                .connections
                .get(&self.app.db, &ConnectionId::new(id), self.app.clock.now())
                .await
                .map_err(trouble("connection"))?;
        }
        Ok(())
    }

    /// A provider's call through the gateway's own route; status and body of the answer.
    pub async fn answer(&self, notice: &Notice) -> Result<(u16, String), SimulateError> {
        let (address, message) = (notice.address(), notice.message());
        let mut uri = format!(
            "{}{}",
            address.strip_prefix(GATEWAY).unwrap_or(address),
            message.path
        );
        if !message.query.is_empty() {
            uri.push('?');
            uri.push_str(&message.query);
        }
        let mut request = Request::builder().method(message.method).uri(uri);
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Body::from(message.body.clone()))
            .map_err(trouble("request"))?;
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .map_err(trouble("request"))?;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX)
            .await
            .map_err(trouble("request"))?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

#[derive(Clone)]
struct Frame {
    app: App,
    broken: Option<Broken>,
}

/// A handler as the runner sees it: the real one, one job after another where it calls outside, so
/// that the order of calls is that of the jobs. Broken variants do their wrong here.
struct Hands<H> {
    frame: Frame,
    inner: H,
    /// Jobs a variant has reported done and not begun.
    owed: Mutex<Vec<Job>>,
}

impl<H: Handler> Hands<H> {
    fn new(frame: &Frame, inner: H) -> Self {
        Self {
            frame: frame.clone(),
            inner,
            owed: Mutex::default(),
        }
    }

    async fn run_due(&self, runner: &Runner) -> Result<usize, StoreError> {
        let count = runner.run_due(self).await?;
        let owed = std::mem::take(&mut *self.owed.lock().unwrap_or_else(PoisonError::into_inner));
        if !owed.is_empty() {
            self.each(owed).await;
        }
        Ok(count)
    }

    async fn each(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        if !matches!(self.inner.kind(), kinds::SEND | kinds::COLLECT) {
            return self.inner.run(jobs).await;
        }
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.extend(self.inner.run(vec![job]).await);
        }
        outcomes
    }

    /// The wrong that a variant does before the real handler.
    async fn spoil(&self, jobs: &[Job]) -> Result<(), StoreError> {
        let (db, kind) = (&self.frame.app.db, self.inner.kind());
        match self.frame.broken {
            Some(Broken::NumberOutsideTransaction) if kind == kinds::ISSUE => {
                for by in [1, -1] {
                    let schools: std::collections::BTreeSet<_> =
                        jobs.iter().map(|job| job.school_id.clone()).collect();
                    db.write("simulate.number", async move |tx: &mut Tx| {
                        for school in &schools {
                            store::move_numbers(tx, school, by).await?;
                        }
                        Ok::<_, StoreError>(())
                    })
                    .await?;
                }
            }
            Some(Broken::IssueNotIdempotent) if kind == kinds::ISSUE => {
                let now = self.frame.app.clock.now();
                for job in jobs {
                    let (school, payment) =
                        (job.school_id.clone(), PaymentId::new(job.subject.clone()));
                    let fresh = self.frame.app.ids.next(now);
                    db.write("simulate.again", async move |tx: &mut Tx| {
                        store::number_again(tx, &school, &payment, &fresh).await
                    })
                    .await?;
                }
            }
            Some(Broken::MessageIdChanges) if kind == kinds::SEND => {
                for job in jobs {
                    let invoice = InvoiceId::new(job.subject.clone());
                    db.write("simulate.forget", async move |tx: &mut Tx| {
                        store::forget_message(tx, &invoice).await
                    })
                    .await?;
                }
            }
            Some(Broken::AdjustedAnew) if kind == INVOICE_REFUNDED => {
                for job in jobs {
                    let (school, of) = (job.school_id.clone(), MoveId::new(job.subject.clone()));
                    db.write("simulate.unadjusted", async move |tx: &mut Tx| {
                        store::forget_adjustment(tx, &school, &of).await
                    })
                    .await?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl<H: Handler> Handler for Hands<H> {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    async fn run(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        if self.frame.broken == Some(Broken::JobDoneBeforeWork) {
            let outcomes = vec![Outcome::Done; jobs.len()];
            self.owed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(jobs);
            return outcomes;
        }
        match self.spoil(&jobs).await {
            Ok(()) => self.each(jobs).await,
            Err(error) => vec![Outcome::Failed(error.to_string()); jobs.len()],
        }
    }
}
