//! Sends declarations and follows them to their end. The rules of the exchange are those of invoices; a
//! declaration keeps its carrier, since a second copy would be a second declaration.

use super::{COLLECT, SEND, enqueue};
use crate::App;
use crate::ids::{DeclarationId, SchoolId};
use crate::invoices::conversation::{Standing, standing};
use crate::invoices::declarations::document::{CertificateChange, Declaration};
use crate::invoices::declarations::store::{self, End, Kind, Row, State};
use crate::invoices::key_store::{self, Registered};
use crate::invoices::messages::{
    InvoiceVerdict, Reason, Reply, Request, envelope, explain, message_id, read_answers,
};
use crate::invoices::service::{
    Exchange, InvoiceError, Outside, Progress, Trouble, ask, outage_pause, pause,
};
use crate::store::{StoreError, Tx};
use hocphi_adapters::contract::Retry;
use hocphi_adapters::tax::read_submitted;

const fn request_of(kind: Kind) -> Request {
    match kind {
        Kind::Registration => Request::Register,
        Kind::ErrorNotice => Request::Notice,
    }
}

async fn load(
    app: &App,
    school: &SchoolId,
    declaration: &DeclarationId,
) -> Result<Row, InvoiceError> {
    store::find(&app.db, school, declaration)
        .await?
        .ok_or_else(|| InvoiceError::Stored {
            what: "declaration",
            value: declaration.to_string(),
        })
}

/// Sends a signed declaration: asks first when an earlier attempt may have arrived.
///
/// # Errors
/// [`InvoiceError`] of the store.
pub async fn send(
    app: &App,
    exchange: &Exchange,
    outside: &impl Outside,
    school: &SchoolId,
    declaration: &DeclarationId,
) -> Result<Progress, InvoiceError> {
    let row = load(app, school, declaration).await?;
    if row.state != State::Signed {
        return Ok(Progress::Done);
    }
    let message = match (&row.message_id, &row.carrier) {
        (Some(fixed), carrier) => {
            let name = carrier.as_deref().unwrap_or_default();
            let Some(line) = exchange.line(name) else {
                return outage(app, &row, format!("the carrier {name:?} is not configured")).await;
            };
            match ask(line, outside, fixed).await {
                Ok(Some(_)) => return sent(app, &row).await,
                Ok(None) => fixed.clone(),
                Err(Trouble::Passing(problem)) => return outage(app, &row, problem).await,
                Err(Trouble::Lasting(problem)) => return Ok(Progress::Stuck(problem)),
            }
        }
        (None, _) => {
            let line = &exchange.first;
            let fresh = message_id(&line.parties, app.ids.bytes());
            if !fix_message(app, &row, &fresh, &line.name).await? {
                return outage(app, &row, "another node is sending it".into()).await;
            }
            fresh
        }
    };
    let name = row.carrier.as_deref().unwrap_or(&exchange.first.name);
    let Some(line) = exchange.line(name) else {
        return outage(app, &row, format!("the carrier {name:?} is not configured")).await;
    };
    let request = request_of(row.kind);
    let body = envelope(
        &line.parties,
        request,
        &row.format,
        &message,
        &row.tax_code,
        &[row.xml.as_bytes()],
    );
    let answered = match outside.send(&line.carrier.submit(body)).await {
        Ok(answer) => read_submitted(answer.status, &answer.body).map(<[u8]>::to_vec),
        Err(fault) => Err(fault),
    };
    match answered {
        Ok(receipt) => {
            let answers = read_answers(&receipt).unwrap_or_default();
            let replies: Vec<Reply> = answers.into_iter().map(|answer| answer.reply).collect();
            match standing(request, &replies) {
                Standing::Refused { by: "999", reasons } => {
                    refuse(app, &row, "999", &reasons).await
                }
                _ => sent(app, &row).await,
            }
        }
        Err(fault) if fault.retry == Retry::Never => Ok(Progress::Stuck(fault.message)),
        Err(fault) => outage(app, &row, fault.message).await,
    }
}

/// Fetches the authority's answer to a sent declaration.
///
/// # Errors
/// [`InvoiceError`] of the store.
pub async fn collect(
    app: &App,
    exchange: &Exchange,
    outside: &impl Outside,
    school: &SchoolId,
    declaration: &DeclarationId,
) -> Result<Progress, InvoiceError> {
    let row = load(app, school, declaration).await?;
    let (State::Sent | State::Admitted, Some(message)) = (row.state, &row.message_id) else {
        return Ok(Progress::Done);
    };
    let name = row.carrier.as_deref().unwrap_or_default();
    let Some(line) = exchange.line(name) else {
        return outage(app, &row, format!("the carrier {name:?} is not configured")).await;
    };
    let replies = match ask(line, outside, message).await {
        Ok(Some(replies)) => replies,
        Ok(None) => return send_again(app, &row).await,
        Err(Trouble::Passing(problem)) => return outage(app, &row, problem).await,
        Err(Trouble::Lasting(problem)) => return Ok(Progress::Stuck(problem)),
    };
    match standing(request_of(row.kind), &replies) {
        Standing::Registered { .. } => accept_registration(app, &row).await,
        Standing::Judged(verdicts) => judge(app, &row, &verdicts).await,
        Standing::Refused { by, reasons } => refuse(app, &row, by, &reasons).await,
        Standing::Waiting { admitted, .. } => {
            if admitted && row.state == State::Sent {
                let (school, id) = (row.school_id.clone(), row.declaration_id.clone());
                app.db
                    .write("tax.admitted", async move |tx: &mut Tx| {
                        store::set_admitted(tx, &school, &id).await
                    })
                    .await?;
            }
            Ok(Progress::NotYet {
                millis: pause(row.sent_at, app.clock.now()),
            })
        }
        Standing::Coded { .. } | Standing::Taken => Ok(Progress::NotYet {
            millis: pause(row.sent_at, app.clock.now()),
        }),
    }
}

/// The certificates of an accepted registration are those that may sign.
async fn accept_registration(app: &App, row: &Row) -> Result<Progress, InvoiceError> {
    let Ok(Declaration::Registration(registration)) = serde_json::from_str(&row.document) else {
        return Err(InvoiceError::Stored {
            what: "declaration",
            value: row.declaration_id.to_string(),
        });
    };
    let today = app.clock.today();
    let source = format!("103 {}", row.message_id.as_deref().unwrap_or_default());
    let certificates: Vec<Registered> = registration
        .certificates
        .into_iter()
        .map(|certificate| Registered {
            school_id: row.school_id.clone(),
            serial: certificate.serial,
            valid_from: certificate.valid_from.day(),
            valid_to: match certificate.change {
                CertificateChange::Stop => Some(today),
                CertificateChange::Add | CertificateChange::Extend => {
                    Some(certificate.valid_to.day().plus_days(1))
                }
            },
            source: source.clone(),
        })
        .collect();
    let end = End {
        state: State::Accepted,
        refusal: None,
        verdicts: Vec::new(),
    };
    conclude(app, row, end, certificates).await
}

async fn judge(
    app: &App,
    row: &Row,
    verdicts: &[InvoiceVerdict],
) -> Result<Progress, InvoiceError> {
    let refused: Vec<String> = verdicts
        .iter()
        .filter(|verdict| !verdict.accepted)
        .map(|verdict| {
            format!(
                "{}{}-{}: {}",
                verdict.form,
                verdict.symbol,
                verdict.number,
                explain(&verdict.reasons)
            )
        })
        .collect();
    let end = End {
        state: if refused.is_empty() {
            State::Accepted
        } else {
            State::Refused
        },
        refusal: (!refused.is_empty()).then(|| refused.join("\n")),
        verdicts: verdicts
            .iter()
            .filter_map(|verdict| {
                let number = verdict.number.trim().parse().ok()?;
                let word = if verdict.accepted {
                    "ACCEPTED"
                } else {
                    "REFUSED"
                };
                Some((
                    verdict.symbol.clone(),
                    number,
                    word,
                    explain(&verdict.reasons),
                ))
            })
            .collect(),
    };
    conclude(app, row, end, Vec::new()).await
}

async fn refuse(
    app: &App,
    row: &Row,
    by: &str,
    reasons: &[Reason],
) -> Result<Progress, InvoiceError> {
    tracing::warn!(
        school.id = %row.school_id, declaration.id = %row.declaration_id, by,
        "the tax authority refused a declaration"
    );
    let end = End {
        state: State::Refused,
        refusal: Some(format!("{by}: {}", explain(reasons))),
        verdicts: Vec::new(),
    };
    conclude(app, row, end, Vec::new()).await
}

async fn conclude(
    app: &App,
    row: &Row,
    end: End,
    certificates: Vec<Registered>,
) -> Result<Progress, InvoiceError> {
    let now = app.clock.now();
    let (school, id) = (row.school_id.clone(), row.declaration_id.clone());
    app.db
        .write("tax.conclude", async move |tx: &mut Tx| {
            if store::conclude(tx, &school, &id, &end, now).await? {
                for certificate in &certificates {
                    key_store::register(tx, certificate).await?;
                }
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    Ok(Progress::Done)
}

async fn fix_message(
    app: &App,
    row: &Row,
    message: &str,
    carrier: &str,
) -> Result<bool, InvoiceError> {
    let (school, id) = (row.school_id.clone(), row.declaration_id.clone());
    let (message, carrier) = (message.to_owned(), carrier.to_owned());
    Ok(app
        .db
        .write("tax.fix_message", async move |tx: &mut Tx| {
            store::fix_message(tx, &school, &id, &message, &carrier).await
        })
        .await?)
}

async fn sent(app: &App, row: &Row) -> Result<Progress, InvoiceError> {
    let now = app.clock.now();
    let (school, id, ids) = (
        row.school_id.clone(),
        row.declaration_id.clone(),
        app.ids.clone(),
    );
    app.db
        .write("tax.sent", async move |tx: &mut Tx| {
            if store::set_sent(tx, &school, &id, now).await? {
                enqueue(tx, &ids, COLLECT, &school, &id, now).await?;
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    app.wake.now();
    Ok(Progress::Done)
}

async fn send_again(app: &App, row: &Row) -> Result<Progress, InvoiceError> {
    let now = app.clock.now();
    let (school, id, ids) = (
        row.school_id.clone(),
        row.declaration_id.clone(),
        app.ids.clone(),
    );
    app.db
        .write("tax.unsent", async move |tx: &mut Tx| {
            if store::set_unsent(tx, &school, &id).await? {
                enqueue(tx, &ids, SEND, &school, &id, now).await?;
            }
            Ok::<_, StoreError>(())
        })
        .await?;
    app.wake.now();
    Ok(Progress::Done)
}

async fn outage(app: &App, row: &Row, problem: String) -> Result<Progress, InvoiceError> {
    let now = app.clock.now();
    if row.problem.as_deref() != Some(problem.as_str()) {
        let (school, id, text) = (
            row.school_id.clone(),
            row.declaration_id.clone(),
            problem.clone(),
        );
        app.db
            .write("tax.outage", async move |tx: &mut Tx| {
                store::note_problem(tx, &school, &id, &text, now).await
            })
            .await?;
    }
    Ok(Progress::Outage {
        problem,
        millis: outage_pause(row.tried_at, now),
    })
}
