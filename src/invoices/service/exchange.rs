//! The exchange with the tax authority, through a carrier.
//!
//! Three outcomes, never two: taken, refused, unknown. The message id is stored before the first
//! attempt; a later attempt finds it there, asks the carrier first, and repeats under the same id only
//! what never arrived.

use std::sync::Arc;

use hocphi_adapters::contract::{Call, Fault, Retry};
use hocphi_adapters::tax::{Carrier, Known, read_replies, read_submitted};

use super::{InvoiceError, kinds};
use crate::App;
use crate::clock::Instant;
use crate::http_out::HttpOut;
use crate::ids::{InvoiceId, SchoolId};
use crate::invoices::archive::{self, Kept};
use crate::invoices::messages::{
    Answer, MessageError, Parties, Reason, Reply, Request, check_coded, envelope, explain,
    message_id, read_answers,
};
use crate::invoices::signature::Certificate;
use crate::invoices::store::{self, ExchangeRow, InvoiceState};
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

/// A carrier and how we speak with it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub carrier: Carrier,
    pub parties: Parties,
    /// Certificates of the tax authority or their issuers. Without any, only the signature is
    /// checked, not who made it.
    pub authorities: Arc<[Certificate]>,
}

/// How far an invoice came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing left for this step.
    Done,
    /// The authority has not answered yet; ask again after so many milliseconds.
    NotYet { millis: i64 },
    /// A transport failure; the step may simply be repeated, it asks before it sends.
    Again(String),
    /// A person must look.
    Stuck(String),
}

/// Code of "message already received" (einvoice §4.5).
const DUPLICATE_MESSAGE: &str = "1002";
/// LTBao "the whole package is valid".
const PACKAGE_VALID: &str = "2";

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
    let message = match &row.message_id {
        Some(fixed) => {
            // An earlier attempt may have arrived.
            match ask(exchange, outside, fixed).await {
                Ok(Some(_)) => return sent(app, &row).await,
                Ok(None) => fixed.clone(),
                Err(progress) => return Ok(progress),
            }
        }
        None => {
            let fresh = message_id(&exchange.parties, app.ids.bytes());
            if !fix_message_id(app, &row, &fresh).await? {
                return Ok(Progress::Again("another node is sending it".into()));
            }
            fresh
        }
    };
    let body = envelope(
        &exchange.parties,
        Request::of_symbol(&row.symbol),
        &row.format,
        &message,
        &row.tax_code,
        &[xml.as_bytes()],
    );
    let answer = match outside.send(&exchange.carrier.submit(body)).await {
        Ok(answer) => answer,
        Err(fault) => return Ok(after(fault)),
    };
    let receipt = match read_submitted(answer.status, &answer.body) {
        Ok(receipt) => receipt,
        Err(fault) => return Ok(after(fault)),
    };
    match read_answers(receipt) {
        Ok(answers) => match refused_receipt(&answers) {
            Some(reasons) => refuse(app, &row, &reasons).await,
            None => sent(app, &row).await,
        },
        // It was taken by HTTP; what it says is learnt from the replies.
        Err(_) => sent(app, &row).await,
    }
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
    let (InvoiceState::Sent, Some(xml), Some(message)) =
        (row.state, row.xml.as_deref(), row.message_id.as_deref())
    else {
        return Ok(Progress::Done);
    };
    let answers = match ask(exchange, outside, message).await {
        Ok(Some(answers)) => answers,
        Ok(None) => return send_again(app, &row).await,
        Err(progress) => return Ok(progress),
    };
    if let Some(reasons) = refused_receipt(&answers) {
        return refuse(app, &row, &reasons).await;
    }
    for answer in &answers {
        match &answer.reply {
            Reply::Coded { invoices } => {
                let mut problem = None;
                for received in invoices {
                    match check_coded(xml.as_bytes(), received.as_bytes(), &exchange.authorities) {
                        Ok(coded) => {
                            let coded = Some((received.clone(), coded.code));
                            return accept(app, &row, coded).await;
                        }
                        Err(error) => problem = Some(error.to_string()),
                    }
                }
                return Ok(Progress::Stuck(
                    problem.unwrap_or_else(|| "reply 202 holds no invoice".into()),
                ));
            }
            Reply::Checked { result, .. }
                if result == PACKAGE_VALID
                    && Request::of_symbol(&row.symbol) == Request::Deliver =>
            {
                return accept(app, &row, None).await;
            }
            Reply::Checked { reasons, .. } => return refuse(app, &row, reasons).await,
            Reply::Received { .. } | Reply::Other { .. } => {}
        }
    }
    Ok(Progress::NotYet {
        millis: pause(row.sent_at, app.clock.now()),
    })
}

/// Asks at growing distances: an answer normally comes within the second, sometimes after hours.
fn pause(sent_at: Option<Instant>, now: Instant) -> i64 {
    const SHORTEST_MILLIS: i64 = 200;
    const LONGEST_MILLIS: i64 = 60_000;
    let waited = sent_at.map_or(0, |sent| (now.micros() - sent.micros()) / 1_000);
    (waited / 2).clamp(SHORTEST_MILLIS, LONGEST_MILLIS)
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

/// All replies to a message, or `None` when the carrier never got it.
async fn ask(
    exchange: &Exchange,
    outside: &impl Outside,
    message: &str,
) -> Result<Option<Vec<Answer>>, Progress> {
    let answer = outside
        .send(&exchange.carrier.replies(message))
        .await
        // A question changes nothing on the other side, however it failed.
        .map_err(|fault| Progress::Again(fault.message))?;
    match read_replies(answer.status, &answer.body) {
        Ok(Known::Unknown) => Ok(None),
        Ok(Known::Replies(body)) => match read_answers(body) {
            Ok(mut answers) => {
                answers.retain(|answer| answer.answers.is_empty() || answer.answers == message);
                Ok(Some(answers))
            }
            Err(MessageError::Lookup { code, .. }) if code == "1" => Ok(None),
            Err(error) => Err(Progress::Again(error.to_string())),
        },
        Err(fault) => Err(after(fault)),
    }
}

fn after(fault: Fault) -> Progress {
    match fault.retry {
        Retry::Never => Progress::Stuck(fault.message),
        Retry::Safe | Retry::AskFirst => Progress::Again(fault.message),
    }
}

/// The reasons of a technical receipt that did not take the message.
fn refused_receipt(answers: &[Answer]) -> Option<Vec<Reason>> {
    answers.iter().find_map(|answer| match &answer.reply {
        Reply::Received {
            accepted: false,
            reasons,
        } if !reasons
            .iter()
            .any(|reason| reason.code == DUPLICATE_MESSAGE) =>
        {
            Some(reasons.clone())
        }
        _ => None,
    })
}

async fn fix_message_id(app: &App, row: &ExchangeRow, message: &str) -> Result<bool, InvoiceError> {
    let (school, invoice, message) = (
        row.school_id.clone(),
        row.invoice_id.clone(),
        message.to_owned(),
    );
    app.db
        .write("invoices.fix_message", async move |tx: &mut Tx| {
            Ok(store::fix_message_id(tx, &school, &invoice, &message).await?)
        })
        .await
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
