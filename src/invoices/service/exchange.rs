//! The exchange with the tax authority, through one of several carriers.
//!
//! Three outcomes, never two: taken, refused, unknown. Before anything leaves, the message is written
//! down with its carrier, and that it may have arrived; it is the lock of the invoice. Whoever finds it
//! asks that carrier first, and repeats under the same id only what never arrived. Only a message that
//! certainly did not arrive may go to another carrier, under a new id and after the old one was made
//! void, so that no collection is brought twice.
//!
//! An outage is no failure: it is waited for, and the deadline watch shows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use hocphi_adapters::contract::{Call, Fault, Retry};
use hocphi_adapters::tax::{Carrier, Known, read_replies, read_submitted};

use super::{InvoiceError, kinds};
use crate::App;
use crate::clock::Instant;
use crate::http_out::HttpOut;
use crate::ids::{InvoiceId, SchoolId};
use crate::invoices::archive::{self, Kept};
use crate::invoices::conversation::{Standing, standing};
use crate::invoices::exchange_store::{self as store, ExchangeRow, Live};
use crate::invoices::messages::{
    Answer, MessageError, Parties, Reason, Reply, Request, check_coded, envelope, explain,
    message_id, read_answers,
};
use crate::invoices::signature::Certificate;
use crate::invoices::store::InvoiceState;
use crate::jobs::{self, NewJob};
use crate::store::{StoreError, Tx};

/// What came back over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends a call that somebody else built: the outgoing client, or a test.
pub trait Outside: Send + Sync {
    fn send(&self, call: &Call) -> impl Future<Output = Result<HttpAnswer, Fault>> + Send;
}

/// A contract with a carrier, by the name that messages remember.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub carrier: Carrier,
    pub parties: Parties,
}

/// The carriers in the order of preference, and how the authority's answers are believed.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub first: Line,
    pub others: Vec<Line>,
    /// Certificates of the tax authority or their issuers. Without any, only the signature is
    /// checked, not who made it.
    pub authorities: Arc<[Certificate]>,
}

impl Exchange {
    /// The carrier of a message. Messages of before there were several have no name: the first one's.
    pub(in crate::invoices) fn line(&self, name: &str) -> Option<&Line> {
        if name.is_empty() {
            return Some(&self.first);
        }
        self.lines().find(|line| line.name == name)
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// How far an invoice came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing left for this step.
    Done,
    /// The authority has not answered yet; ask again after so many milliseconds.
    NotYet { millis: i64 },
    /// The carrier is out of reach or gave no usable answer; to be asked again after so many
    /// milliseconds, however long it takes.
    Outage { problem: String, millis: i64 },
    /// A person must look.
    Stuck(String),
}

/// Sends one signed invoice.
///
/// # Errors
/// [`InvoiceError`] of the store.
pub async fn send(
    app: &App,
    exchange: &Exchange,
    outside: &impl Outside,
    school: &SchoolId,
    invoice: &InvoiceId,
) -> Result<Progress, InvoiceError> {
    let row = load(app, school, invoice).await?;
    let (InvoiceState::Signed, Some(xml)) = (row.state, row.xml.as_deref()) else {
        return Ok(Progress::Done);
    };
    let mut live = match row.live() {
        Some(live) => {
            let Some(line) = exchange.line(&live.carrier) else {
                return outage(app, &row, no_such_carrier(&live.carrier)).await;
            };
            if live.uncertain {
                // An earlier attempt may have arrived.
                match ask(line, outside, &live.message_id).await {
                    Ok(Some(_)) => return sent(app, &row).await,
                    Ok(None) => {}
                    Err(Trouble::Passing(problem)) => return outage(app, &row, problem).await,
                    Err(Trouble::Lasting(problem)) => return Ok(Progress::Stuck(problem)),
                }
            }
            if !set_uncertain(app, &row, &live.message_id, true).await? {
                return Ok(lost_race());
            }
            live
        }
        None => match begin(app, &row, &exchange.first).await? {
            Some(live) => live,
            None => return Ok(lost_race()),
        },
    };
    let mut tried = BTreeSet::new();
    loop {
        let Some(line) = exchange.line(&live.carrier) else {
            return outage(app, &row, no_such_carrier(&live.carrier)).await;
        };
        tried.insert(line.name.clone());
        let fault = match submit(line, outside, &row, &live.message_id, xml).await {
            Ok(Submitted::Taken) => return sent(app, &row).await,
            Ok(Submitted::Refused(reasons)) => return refuse(app, &row, &reasons).await,
            Err(fault) => fault,
        };
        match fault.retry {
            Retry::Never => return Ok(Progress::Stuck(fault.message)),
            Retry::AskFirst => return outage(app, &row, fault.message).await,
            Retry::Safe => {}
        }
        // It certainly did not arrive there.
        set_uncertain(app, &row, &live.message_id, false).await?;
        let next = exchange.lines().find(|line| !tried.contains(&line.name));
        let Some(next) = next else {
            return outage(app, &row, fault.message).await;
        };
        tracing::warn!(
            invoice.id = %row.invoice_id, from = line.name, to = next.name,
            problem = fault.message, "an invoice goes to another carrier"
        );
        live = match change_carrier(app, &row, &live, next, &fault.message).await? {
            Some(live) => live,
            None => return Ok(lost_race()),
        };
    }
}

enum Submitted {
    Taken,
    Refused(Vec<Reason>),
}

async fn submit(
    line: &Line,
    outside: &impl Outside,
    row: &ExchangeRow,
    message: &str,
    xml: &str,
) -> Result<Submitted, Fault> {
    let body = envelope(
        &line.parties,
        Request::of_symbol(&row.symbol),
        &row.format,
        message,
        &row.tax_code,
        &[xml.as_bytes()],
    );
    let answer = outside.send(&line.carrier.submit(body)).await?;
    let receipt = read_submitted(answer.status, &answer.body)?;
    // It was taken by HTTP; what cannot be read here is learnt from the replies.
    let answers = read_answers(receipt).unwrap_or_default();
    let replies: Vec<Reply> = answers.into_iter().map(|answer| answer.reply).collect();
    Ok(match standing(Request::of_symbol(&row.symbol), &replies) {
        Standing::Refused { by: "999", reasons } => Submitted::Refused(reasons),
        _ => Submitted::Taken,
    })
}

/// Fetches the authority's answer to one sent invoice.
///
/// # Errors
/// [`InvoiceError`] of the store.
pub async fn collect(
    app: &App,
    exchange: &Exchange,
    outside: &impl Outside,
    school: &SchoolId,
    invoice: &InvoiceId,
) -> Result<Progress, InvoiceError> {
    let row = load(app, school, invoice).await?;
    let (InvoiceState::Sent, Some(live)) = (row.state, row.live()) else {
        return Ok(Progress::Done);
    };
    let Some(line) = exchange.line(&live.carrier) else {
        return outage(app, &row, no_such_carrier(&live.carrier)).await;
    };
    let replies = match ask(line, outside, &live.message_id).await {
        Ok(Some(replies)) => replies,
        Ok(None) => return send_again(app, &row).await,
        Err(Trouble::Passing(problem)) => return outage(app, &row, problem).await,
        Err(Trouble::Lasting(problem)) => return Ok(Progress::Stuck(problem)),
    };
    let request = Request::of_symbol(&row.symbol);
    match standing(request, &replies) {
        Standing::Refused { reasons, .. } => {
            // What another carrier was given before may have arrived after all: then this is the
            // refusal of a copy.
            match elsewhere(app, exchange, outside, &row, request).await? {
                Elsewhere::Nothing => refuse(app, &row, &reasons).await,
                Elsewhere::Unknown(problem) => outage(app, &row, problem).await,
                Elsewhere::Stands(found) => conclude(app, exchange, &row, found).await,
            }
        }
        found => conclude(app, exchange, &row, found).await,
    }
}

async fn conclude(
    app: &App,
    exchange: &Exchange,
    row: &ExchangeRow,
    found: Standing,
) -> Result<Progress, InvoiceError> {
    match found {
        Standing::Coded { invoices } => {
            let sent = row.xml.as_deref().unwrap_or_default();
            let mut problem = None;
            for received in invoices {
                match check_coded(sent.as_bytes(), received.as_bytes(), &exchange.authorities) {
                    Ok(coded) => return accept(app, row, Some((received, coded.code))).await,
                    Err(error) => problem = Some(error.to_string()),
                }
            }
            Ok(Progress::Stuck(
                problem.unwrap_or_else(|| "reply 202 holds no invoice".into()),
            ))
        }
        Standing::Taken => accept(app, row, None).await,
        Standing::Refused { reasons, .. } => refuse(app, row, &reasons).await,
        Standing::Waiting { .. } | Standing::Registered { .. } | Standing::Judged(_) => {
            Ok(Progress::NotYet {
                millis: pause(row.sent_at, app.clock.now()),
            })
        }
    }
}

enum Elsewhere {
    Nothing,
    Stands(Standing),
    /// Not to be found out now.
    Unknown(String),
}

/// Asks the carriers of void messages whether the authority took the invoice from them.
async fn elsewhere(
    app: &App,
    exchange: &Exchange,
    outside: &impl Outside,
    row: &ExchangeRow,
    request: Request,
) -> Result<Elsewhere, InvoiceError> {
    for (message, carrier) in store::void_messages(&app.db, &row.school_id, &row.invoice_id).await?
    {
        let Some(line) = exchange.line(&carrier) else {
            return Ok(Elsewhere::Unknown(no_such_carrier(&carrier)));
        };
        match ask(line, outside, &message).await {
            Ok(Some(replies)) => {
                let found = standing(request, &replies);
                if matches!(found, Standing::Coded { .. } | Standing::Taken) {
                    return Ok(Elsewhere::Stands(found));
                }
            }
            Ok(None) => {}
            Err(Trouble::Passing(problem) | Trouble::Lasting(problem)) => {
                return Ok(Elsewhere::Unknown(problem));
            }
        }
    }
    Ok(Elsewhere::Nothing)
}

/// Asks at growing distances: an answer normally comes within the second, sometimes after hours.
pub(in crate::invoices) fn pause(since: Option<Instant>, now: Instant) -> i64 {
    const SHORTEST_MILLIS: i64 = 200;
    const LONGEST_MILLIS: i64 = 60_000;
    let waited = since.map_or(0, |since| (now.micros() - since.micros()) / 1_000);
    (waited / 2).clamp(SHORTEST_MILLIS, LONGEST_MILLIS)
}

/// A carrier that does not answer is asked again soon, later less often, and never given up.
pub(in crate::invoices) fn outage_pause(since: Option<Instant>, now: Instant) -> i64 {
    const SHORTEST_MILLIS: i64 = 500;
    const LONGEST_MILLIS: i64 = 300_000;
    let lasted = since.map_or(0, |since| (now.micros() - since.micros()) / 1_000);
    (lasted / 2).clamp(SHORTEST_MILLIS, LONGEST_MILLIS)
}

fn no_such_carrier(name: &str) -> String {
    format!("the carrier {name:?} that has the message is not configured")
}

fn lost_race() -> Progress {
    Progress::Outage {
        problem: "another node is sending it".into(),
        millis: 1_000,
    }
}

async fn load(
    app: &App,
    school: &SchoolId,
    invoice: &InvoiceId,
) -> Result<ExchangeRow, InvoiceError> {
    store::for_exchange(&app.db, &[(school.clone(), invoice.clone())])
        .await?
        .pop()
        .ok_or_else(|| InvoiceError::UnknownInvoice(invoice.to_string()))
}

/// Why a carrier could not be asked.
pub(in crate::invoices) enum Trouble {
    Passing(String),
    Lasting(String),
}

/// All replies to a message, or `None` when the carrier never got it.
pub(in crate::invoices) async fn ask(
    line: &Line,
    outside: &impl Outside,
    message: &str,
) -> Result<Option<Vec<Reply>>, Trouble> {
    Ok(ask_whole(line, outside, message)
        .await?
        .map(|answers| answers.into_iter().map(|answer| answer.reply).collect()))
}

async fn ask_whole(
    line: &Line,
    outside: &impl Outside,
    message: &str,
) -> Result<Option<Vec<Answer>>, Trouble> {
    let answer = outside
        .send(&line.carrier.replies(message))
        .await
        // A question changes nothing on the other side, however it failed.
        .map_err(|fault| Trouble::Passing(fault.message))?;
    match read_replies(answer.status, &answer.body) {
        Ok(Known::Unknown) => Ok(None),
        Ok(Known::Replies(body)) => match read_answers(body) {
            Ok(mut answers) => {
                answers.retain(|answer| answer.answers.is_empty() || answer.answers == message);
                Ok(Some(answers))
            }
            Err(MessageError::Lookup { code, .. }) if code == "1" => Ok(None),
            Err(error) => Err(Trouble::Passing(error.to_string())),
        },
        Err(fault) => Err(match fault.retry {
            Retry::Never => Trouble::Lasting(fault.message),
            Retry::Safe | Retry::AskFirst => Trouble::Passing(fault.message),
        }),
    }
}

/// Notes what stands in the way, for the deadline watch.
async fn outage(app: &App, row: &ExchangeRow, problem: String) -> Result<Progress, InvoiceError> {
    let now = app.clock.now();
    if row.problem.as_deref() != Some(problem.as_str()) {
        let (school, invoice, text) = (
            row.school_id.clone(),
            row.invoice_id.clone(),
            problem.clone(),
        );
        app.db
            .write("invoices.outage", async move |tx: &mut Tx| {
                store::note_problem(tx, &school, &invoice, &text, now).await
            })
            .await?;
    }
    Ok(Progress::Outage {
        problem,
        millis: outage_pause(row.tried_at, now),
    })
}

/// Writes down a first message, as one that may have arrived; `None` when somebody else did.
async fn begin(app: &App, row: &ExchangeRow, line: &Line) -> Result<Option<Live>, InvoiceError> {
    let live = Live {
        message_id: message_id(&line.parties, app.ids.bytes()),
        carrier: line.name.clone(),
        uncertain: true,
    };
    let (school, invoice, new, now) = (
        row.school_id.clone(),
        row.invoice_id.clone(),
        live.clone(),
        app.clock.now(),
    );
    let begun = app
        .db
        .write("invoices.begin_message", async move |tx: &mut Tx| {
            store::begin_message(tx, &school, &invoice, &new, now).await
        })
        .await?;
    Ok(begun.then_some(live))
}

async fn set_uncertain(
    app: &App,
    row: &ExchangeRow,
    message: &str,
    uncertain: bool,
) -> Result<bool, InvoiceError> {
    let (school, message) = (row.school_id.clone(), message.to_owned());
    let at = uncertain.then(|| app.clock.now());
    Ok(app
        .db
        .write("invoices.message_uncertain", async move |tx: &mut Tx| {
            store::set_uncertain(tx, &school, &message, at).await
        })
        .await?)
}

/// Makes the live message void and begins another one with the next carrier, in one transaction.
async fn change_carrier(
    app: &App,
    row: &ExchangeRow,
    live: &Live,
    line: &Line,
    why: &str,
) -> Result<Option<Live>, InvoiceError> {
    let next = Live {
        message_id: message_id(&line.parties, app.ids.bytes()),
        carrier: line.name.clone(),
        uncertain: true,
    };
    let (school, invoice, now) = (
        row.school_id.clone(),
        row.invoice_id.clone(),
        app.clock.now(),
    );
    let (old, new, why) = (live.message_id.clone(), next.clone(), why.to_owned());
    let changed = app
        .db
        .write("invoices.change_carrier", async move |tx: &mut Tx| {
            if !store::void_message(tx, &school, &invoice, &old, &why).await? {
                return Ok(false);
            }
            store::begin_message(tx, &school, &invoice, &new, now).await
        })
        .await?;
    Ok(changed.then_some(next))
}

async fn sent(app: &App, row: &ExchangeRow) -> Result<Progress, InvoiceError> {
    let now = app.clock.now();
    let (school, invoice, ids) = (
        row.school_id.clone(),
        row.invoice_id.clone(),
        app.ids.clone(),
    );
    app.db
        .write("invoices.sent", async move |tx: &mut Tx| {
            if store::set_sent(tx, &school, &invoice, now).await? {
                enqueue(tx, &ids, kinds::COLLECT, &school, &invoice, now).await?;
            }
            Ok::<_, InvoiceError>(())
        })
        .await?;
    app.wake.now();
    Ok(Progress::Done)
}

async fn send_again(app: &App, row: &ExchangeRow) -> Result<Progress, InvoiceError> {
    let now = app.clock.now();
    let (school, invoice, ids) = (
        row.school_id.clone(),
        row.invoice_id.clone(),
        app.ids.clone(),
    );
    app.db
        .write("invoices.unsent", async move |tx: &mut Tx| {
            if store::set_unsent(tx, &school, &invoice).await? {
                enqueue(tx, &ids, kinds::SEND, &school, &invoice, now).await?;
            }
            Ok::<_, InvoiceError>(())
        })
        .await?;
    app.wake.now();
    Ok(Progress::Done)
}

async fn enqueue(
    tx: &mut Tx,
    ids: &crate::ids::Ids,
    kind: &'static str,
    school: &SchoolId,
    invoice: &InvoiceId,
    now: Instant,
) -> Result<(), InvoiceError> {
    let job = NewJob {
        school_id: school.clone(),
        kind,
        subject: invoice.to_string(),
        run_at: now,
    };
    Ok(jobs::enqueue(tx, ids, &[job], now).await?)
}

async fn accept(
    app: &App,
    row: &ExchangeRow,
    coded: Option<(String, String)>,
) -> Result<Progress, InvoiceError> {
    let now = app.clock.now();
    let (school, invoice) = (row.school_id.clone(), row.invoice_id.clone());
    let seal = Arc::clone(&app.seal);
    app.db
        .write("invoices.coded", async move |tx: &mut Tx| {
            let changed = store::set_coded(tx, &school, &invoice, coded.clone(), now).await?;
            if let (true, Some((file, _))) = (changed, &coded) {
                let kept = Kept {
                    school_id: &school,
                    subject_id: invoice.as_str(),
                    file,
                };
                archive::keep(tx, &seal, archive::Kind::Invoice, &[kept], now).await?;
            }
            Ok::<_, StoreError>(changed)
        })
        .await?;
    Ok(Progress::Done)
}

async fn refuse(
    app: &App,
    row: &ExchangeRow,
    reasons: &[Reason],
) -> Result<Progress, InvoiceError> {
    let (school, invoice, text) = (
        row.school_id.clone(),
        row.invoice_id.clone(),
        explain(reasons),
    );
    tracing::warn!(invoice.id = %invoice, school.id = %school, refusal = text, "the tax authority refused an invoice");
    app.db
        .write("invoices.refused", async move |tx: &mut Tx| {
            store::set_refused(tx, &school, &invoice, &text).await
        })
        .await?;
    Ok(Progress::Done)
}

impl Outside for HttpOut {
    async fn send(&self, call: &Call) -> Result<HttpAnswer, Fault> {
        let reply = Self::send(self, call).await?;
        Ok(HttpAnswer {
            status: reply.status,
            body: reply.body,
        })
    }
}
