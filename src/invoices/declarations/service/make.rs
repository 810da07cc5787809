//! What a school declares: written, signed with its own key, and handed to the job that sends it.

use std::sync::Arc;

use super::{SEND, enqueue};
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::{DeclarationId, InvoiceId, SchoolId};
use crate::invoices::declarations::document::{
    CertificateChange, Declarant, Declaration, DeclaredCertificate, ErrorNotice, People,
    Registration, WrongInvoice,
};
use crate::invoices::declarations::store::{self, Kind, New};
use crate::invoices::document::Format;
use crate::invoices::key_store;
use crate::invoices::service::{Content, InvoiceError, KeyRing, Profile, Profiles, Task, sign_all};
use crate::invoices::xml::Unsigned;
use crate::schools::{self, parameters};
use crate::store::{StoreError, Tx};

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
