//! Makes declarations, sends them and follows them to their end. The rules of the exchange are those of
//! invoices; a declaration keeps its carrier, since a second copy would be a second declaration.

use std::sync::Arc;

use super::document::{
    CertificateChange, Declarant, Declaration, DeclaredCertificate, ErrorNotice, People,
    Registration, WrongInvoice,
};
use super::store::{self, End, Kind, New, Row, State};
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{DeclarationId, Ids, InvoiceId, SchoolId};
use crate::invoices::conversation::{Standing, standing};
use crate::invoices::document::Format;
use crate::invoices::key_store::{self, Registered};
use crate::invoices::messages::{
    InvoiceVerdict, Reason, Reply, Request, envelope, explain, message_id, read_answers,
};
use crate::invoices::service::{
    Content, Exchange, InvoiceError, KeyRing, Outside, Profile, Profiles, Progress, Task, Trouble,
    ask, outage_pause, pause, sign_all,
};
use crate::invoices::xml::Unsigned;
use crate::jobs::{self, NewJob};
use crate::schools::{self, parameters};
use crate::store::{StoreError, Tx};
use hocphi_adapters::contract::Retry;
use hocphi_adapters::tax::read_submitted;

/// The job that sends a declaration; the subject is the declaration.
pub const SEND: &str = "tax.send";
/// The job that fetches the answer.
pub const COLLECT: &str = "tax.collect";
/// Dated parameters of the tax office that manages a school.
pub const OFFICE_NAME: &str = "tax_office_name";
pub const OFFICE_CODE: &str = "tax_office_code";
/// Where declarations are dated, DDanh.
pub const PLACE: &str = "tax_place";

/// Why no declaration was made.
#[derive(Debug, thiserror::Error)]
pub enum DeclarationError {
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    #[error("no such invoice")]
    NoInvoice,
    /// Only what the authority has taken can be wrong there.
    #[error("the authority has not taken this invoice")]
    NotAccepted,
    #[error("nothing is declared")]
    Nothing,
    #[error("the school has no signing key that could be registered")]
    NoKey,
}

impl From<StoreError> for DeclarationError {
    fn from(error: StoreError) -> Self {
        Self::Invoice(error.into())
    }
}

/// Invoices that are wrong in something that needs no correction: a name, an address, a text
/// (TT 91/2026 art. 10.1 a).
#[derive(Clone, Debug)]
pub struct NewNotice {
    /// What is wrong in each, and how it should be.
    pub invoices: Vec<(InvoiceId, String)>,
    /// Number and day of the authority's notice 302 that is answered.
    pub answers: Option<(String, Day)>,
    /// Token of the form: sent twice, made once.
    pub request: String,
    pub by: String,
}

/// Makes and signs a notice; it is sent by its job.
///
/// # Errors
/// [`DeclarationError`]; nothing was written.
pub async fn notify(
    app: &App,
    keys: &KeyRing,
    school: &SchoolId,
    new: NewNotice,
) -> Result<DeclarationId, DeclarationError> {
    let now = app.clock.now();
    let (profile, declarant) = declarant(app, school, now.day()).await?;
    let wanted: Vec<InvoiceId> = new.invoices.iter().map(|(id, _)| id.clone()).collect();
    let found = store::named(&app.db, school, &wanted).await?;
    let mut wrong = Vec::with_capacity(new.invoices.len());
    for (invoice, why) in &new.invoices {
        let named = found
            .iter()
            .find(|named| named.invoice_id == *invoice)
            .ok_or(DeclarationError::NoInvoice)?;
        if named.state != "CODED" {
            return Err(DeclarationError::NotAccepted);
        }
        wrong.push(WrongInvoice {
            form: named.form.clone(),
            symbol: named.symbol.clone(),
            number: named.number,
            day: named.issue_day,
            code: named.authority_code.clone(),
            why: why.clone(),
        });
    }
    if wrong.is_empty() {
        return Err(DeclarationError::Nothing);
    }
    let id = DeclarationId::new(app.ids.next(now));
    let notice = Declaration::ErrorNotice(ErrorNotice {
        id: format!("TB-{id}"),
        format: profile.format,
        declarant,
        answers: new.answers.clone(),
        invoices: wrong,
    });
    let signed = sign(app, keys, school, notice, now).await?;
    let row = New {
        school_id: school.clone(),
        declaration_id: id,
        kind: Kind::ErrorNotice,
        request: new.request,
        format: signed.format.as_str(),
        document: signed.document,
        xml: signed.xml,
        invoices: new.invoices,
        made_by: new.by,
        made_at: now,
    };
    Ok(write(app, row).await?)
}

/// A registration that somebody asks for.
#[derive(Clone, Debug)]
pub struct NewRegistration {
    pub is_change: bool,
    pub people: People,
    /// Serials of certificates that are not to be used any more.
    pub stopped: Vec<String>,
    /// Tax code of the transmission provider.
    pub carrier: Option<String>,
    pub request: String,
    pub by: String,
}

/// Makes and signs a registration with the school's keys; it is sent by its job.
///
/// # Errors
/// [`DeclarationError`]; nothing was written.
pub async fn register(
    app: &App,
    keys: &KeyRing,
    school: &SchoolId,
    new: NewRegistration,
) -> Result<DeclarationId, DeclarationError> {
    let now = app.clock.now();
    let (profile, declarant) = declarant(app, school, now.day()).await?;
    let registered = key_store::registered(&app.db, std::slice::from_ref(school)).await?;
    let mut certificates = Vec::new();
    for key in key_store::keys_of(&app.db, school).await? {
        let listed = registered
            .iter()
            .any(|row| row.serial == key.serial && row.holds_on(now.day()));
        let change = if new.stopped.contains(&key.serial) {
            CertificateChange::Stop
        } else if listed {
            CertificateChange::Extend
        } else {
            CertificateChange::Add
        };
        certificates.push(DeclaredCertificate {
            issuer: issuer_of(&key.certificate),
            serial: key.serial,
            valid_from: key.valid_from,
            valid_to: key.valid_to,
            change,
        });
    }
    if certificates.is_empty() {
        return Err(DeclarationError::NoKey);
    }
    let id = DeclarationId::new(app.ids.next(now));
    let registration = Declaration::Registration(Registration {
        id: format!("TK-{id}"),
        format: profile.format,
        declarant,
        is_change: new.is_change,
        people: new.people,
        coded: profile.symbol.starts_with('C'),
        form: profile.form,
        certificates,
        solution_provider: profile.solution_provider.clone(),
        carrier: new.carrier,
    });
    let signed = sign(app, keys, school, registration, now).await?;
    let row = New {
        school_id: school.clone(),
        declaration_id: id,
        kind: Kind::Registration,
        request: new.request,
        format: signed.format.as_str(),
        document: signed.document,
        xml: signed.xml,
        invoices: Vec::new(),
        made_by: new.by,
        made_at: now,
    };
    Ok(write(app, row).await?)
}

/// The issuer's name, as far as the certificate says it.
fn issuer_of(pem: &str) -> String {
    use crate::invoices::signature::{Certificate, pem_blocks};
    pem_blocks(pem)
        .first()
        .and_then(|block| Certificate::from_der(&block.der).ok())
        .map_or_else(|| "?".to_owned(), |certificate| certificate.issuer)
}

async fn declarant(
    app: &App,
    school: &SchoolId,
    day: Day,
) -> Result<(Profile, Declarant), InvoiceError> {
    let profile = Profiles::default().get(app, school, day).await?.clone();
    let known = schools::school(&app.db, school)
        .await?
        .ok_or_else(|| InvoiceError::UnknownSchool(school.to_string()))?;
    let dated = parameters::load_for(&app.db, &known).await?;
    let declarant = Declarant {
        name: profile.seller.name.clone(),
        tax_code: profile.seller.tax_code.clone(),
        office_name: dated.text(OFFICE_NAME, day)?.to_owned(),
        office_code: dated.text(OFFICE_CODE, day)?.to_owned(),
        place: dated.text(PLACE, day)?.to_owned(),
        day,
    };
    Ok((profile, declarant))
}

impl Content for Declaration {
    fn signer(&self) -> &str {
        &self.declarant().tax_code
    }
}

struct Signed {
    format: Format,
    document: String,
    xml: String,
}

/// Signed by the seller itself, also where somebody else issues its invoices.
async fn sign(
    app: &App,
    keys: &KeyRing,
    school: &SchoolId,
    declaration: Declaration,
    now: Instant,
) -> Result<Signed, InvoiceError> {
    let signers = keys
        .of_schools(app, std::slice::from_ref(school), now)
        .await?;
    // A certificate may declare itself before it is registered.
    let key = Arc::clone(signers.unregistered(school, declaration.signer())?);
    let format = declaration.format();
    // The content holds plain values only; it always serialises.
    let document = serde_json::to_string(&declaration).unwrap_or_default();
    let task = Task {
        subject: (),
        document: declaration,
        key,
    };
    let write = |of: &Declaration| -> Result<Unsigned, InvoiceError> { Ok(of.write()?) };
    let ((), xml) = sign_all(&app.http, vec![task], write, now)
        .await?
        .pop()
        .ok_or(InvoiceError::Interrupted)?;
    Ok(Signed {
        format,
        document,
        xml: xml?,
    })
}

async fn write(app: &App, new: New) -> Result<DeclarationId, StoreError> {
    let ids = app.ids.clone();
    let made = app
        .db
        .write("tax.declare", async move |tx: &mut Tx| {
            let known = store::by_request(tx, &new.school_id, new.kind, &new.request).await?;
            if let Some(known) = known {
                return Ok::<_, StoreError>(known);
            }
            store::insert(tx, &new).await?;
            enqueue(
                tx,
                &ids,
                SEND,
                &new.school_id,
                &new.declaration_id,
                new.made_at,
            )
            .await?;
            Ok(new.declaration_id.clone())
        })
        .await?;
    app.wake.now();
    Ok(made)
}

async fn enqueue(
    tx: &mut Tx,
    ids: &Ids,
    kind: &'static str,
    school: &SchoolId,
    declaration: &DeclarationId,
    now: Instant,
) -> Result<(), StoreError> {
    let job = NewJob {
        school_id: school.clone(),
        kind,
        subject: declaration.to_string(),
        run_at: now,
    };
    jobs::enqueue(tx, ids, &[job], now).await
}

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
