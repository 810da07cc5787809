//! Signing keys of schools: sealed in the database, parsed once in memory; and which of them may sign.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::InvoiceError;
use super::draft::read_trustee;
use crate::App;
use crate::clock::{Day, Instant};
use crate::ids::SchoolId;
use crate::invoices::key_store::{self, KeyRow, Registered};
use crate::invoices::signature::{Certificate, CertificateProblem, Holder, SigningKey};
use crate::schools::{self, School, parameters};
use crate::store::Tx;

/// Parsed keys, by school and key. Cheap to clone; share one per process.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(Arc<Mutex<Parsed>>);

type Parsed = HashMap<(SchoolId, String), Arc<SigningKey>>;

/// The keys of some schools that hold at a moment, and what is registered of them.
#[derive(Debug)]
pub struct Signers {
    at: Instant,
    /// The youngest first.
    keys: HashMap<SchoolId, Vec<Arc<SigningKey>>>,
    registered: HashMap<SchoolId, Vec<Registered>>,
}

impl Signers {
    /// The youngest key of a school that may sign as `signer` (a tax code) now.
    ///
    /// # Errors
    /// [`InvoiceError::NoKey`], or what is wrong with the youngest key.
    pub fn choose(
        &self,
        school: &SchoolId,
        signer: &str,
    ) -> Result<&Arc<SigningKey>, InvoiceError> {
        self.pick(school, signer, |certificate| {
            self.check_registered(school, certificate)
        })
    }

    /// As [`choose`](Self::choose), for a declaration that registers the key itself.
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    pub fn unregistered(
        &self,
        school: &SchoolId,
        signer: &str,
    ) -> Result<&Arc<SigningKey>, InvoiceError> {
        self.pick(school, signer, |_| Ok(()))
    }

    fn pick(
        &self,
        school: &SchoolId,
        signer: &str,
        check: impl Fn(&Certificate) -> Result<(), CertificateProblem>,
    ) -> Result<&Arc<SigningKey>, InvoiceError> {
        let mut first_problem = None;
        for key in self.keys.get(school).into_iter().flatten() {
            let fits = key
                .certificate()
                .check(signer, self.at)
                .and_then(|()| check(key.certificate()));
            match fits {
                Ok(()) => return Ok(key),
                Err(problem) => {
                    first_problem.get_or_insert(problem);
                }
            }
        }
        Err(match first_problem {
            Some(problem) => InvoiceError::Sign(problem.into()),
            None => InvoiceError::NoKey(school.to_string()),
        })
    }

    /// A school that has entered no registration is not checked: the authority does that.
    fn check_registered(
        &self,
        school: &SchoolId,
        certificate: &Certificate,
    ) -> Result<(), CertificateProblem> {
        let Some(registered) = self.registered.get(school) else {
            return Ok(());
        };
        let day = self.at.day();
        let is_listed = registered
            .iter()
            .any(|row| row.serial == certificate.serial && row.holds_on(day));
        if is_listed {
            return Ok(());
        }
        Err(CertificateProblem::NotRegistered {
            serial: certificate.serial.clone(),
            day: day.iso(),
        })
    }
}

impl KeyRing {
    /// The keys of schools that hold at a moment.
    ///
    /// # Errors
    /// [`InvoiceError`] when a stored key does not open or parse. A token that does not answer is
    /// skipped with a warning: another key of the school may do.
    pub async fn of_schools(
        &self,
        app: &App,
        schools: &[SchoolId],
        at: Instant,
    ) -> Result<Signers, InvoiceError> {
        let mut keys: HashMap<SchoolId, Vec<Arc<SigningKey>>> = HashMap::new();
        for row in key_store::keys(&app.db, schools, at).await? {
            match self.parsed(app, &row).await {
                Ok(key) => keys.entry(row.school_id).or_default().push(key),
                Err(error) if row.holder == Holder::Token => {
                    tracing::warn!(school.id = %row.school_id, key.id = row.key_id, %error, "a token does not open");
                }
                Err(error) => return Err(error),
            }
        }
        let mut registered: HashMap<SchoolId, Vec<Registered>> = HashMap::new();
        for row in key_store::registered(&app.db, schools).await? {
            registered
                .entry(row.school_id.clone())
                .or_default()
                .push(row);
        }
        Ok(Signers {
            at,
            keys,
            registered,
        })
    }

    async fn parsed(&self, app: &App, row: &KeyRow) -> Result<Arc<SigningKey>, InvoiceError> {
        let name = (row.school_id.clone(), row.key_id.clone());
        // A panic elsewhere leaves the map usable.
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name)
            .cloned();
        if let Some(key) = known {
            return Ok(key);
        }
        let secret = app
            .seal
            .open(&context(&row.school_id, &row.key_id), &row.sealed_key)?;
        let (holder, certificate) = (row.holder, row.certificate.clone());
        // A token may take its time.
        let key = tokio::task::spawn_blocking(move || {
            SigningKey::from_parts(holder, &secret, &certificate)
        })
        .await
        .map_err(|_| InvoiceError::Interrupted)??;
        let key = Arc::new(key);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, Arc::clone(&key));
        Ok(key)
    }
}

fn context(school: &SchoolId, key_id: &str) -> String {
    format!("signing_key/{school}/{key_id}")
}

/// Stores a key for a school, sealed; its serial number is its name. Installing it twice is once.
/// With `issuers` its chain must lead to one of them. Answers whether it is new.
///
/// # Errors
/// [`InvoiceError::KeyOfAnother`] when the certificate names neither the school's tax code nor that
/// of its trustee; [`InvoiceError::Sign`] when its chain leads nowhere.
pub async fn install_key(
    app: &App,
    school: &SchoolId,
    key: &SigningKey,
    issuers: &[Certificate],
) -> Result<bool, InvoiceError> {
    let known = schools::school(&app.db, school)
        .await?
        .ok_or_else(|| InvoiceError::UnknownSchool(school.to_string()))?;
    let now = app.clock.now();
    let certificate = key.certificate();
    let owner = certificate.tax_code.as_deref();
    if owner != Some(known.tax_code.as_str())
        && (owner.is_none() || owner != trustee(app, &known, now.day()).await?.as_deref())
    {
        return Err(InvoiceError::KeyOfAnother {
            school: known.code,
            expected: known.tax_code,
            found: certificate.tax_code.clone(),
        });
    }
    if !issuers.is_empty() && !certificate.is_trusted(issuers, issuers, Some(now)) {
        return Err(InvoiceError::Sign(CertificateProblem::Untrusted.into()));
    }
    let key_id = certificate.serial.to_lowercase();
    let (holder, secret) = key.to_parts()?;
    let row = KeyRow {
        sealed_key: app.seal.seal(&app.ids, &context(school, &key_id), &secret),
        school_id: school.clone(),
        key_id,
        holder,
        certificate: key.certificate_pem(),
        serial: certificate.serial.clone(),
        valid_from: certificate.valid_from,
        valid_to: certificate.valid_to,
    };
    app.db
        .write("invoices.install_key", async move |tx: &mut Tx| {
            Ok(key_store::insert_key(tx, &row).await?)
        })
        .await
}

async fn trustee(app: &App, school: &School, day: Day) -> Result<Option<String>, InvoiceError> {
    let dated = parameters::load_for(&app.db, school).await?;
    Ok(read_trustee(&dated, day)?.map(|trustee| trustee.tax_code))
}

/// Enters a certificate of the seller's registration with the tax authority, or when it ended.
///
/// # Errors
/// [`InvoiceError`] of the store.
pub async fn register_certificate(app: &App, new: Registered) -> Result<(), InvoiceError> {
    app.db
        .write("invoices.register_certificate", async move |tx: &mut Tx| {
            Ok(key_store::register(tx, &new).await?)
        })
        .await
}

/// A key as people list it.
#[derive(Clone, Debug)]
pub struct ListedKey {
    pub serial: String,
    pub holder: Holder,
    pub valid_from: Instant,
    pub valid_to: Instant,
    /// Registered today; `None` when the school has entered no registration.
    pub registered: Option<bool>,
}

/// All keys of a school, the youngest first.
///
/// # Errors
/// [`InvoiceError`] of the store.
pub async fn list_keys(app: &App, school: &SchoolId) -> Result<Vec<ListedKey>, InvoiceError> {
    let today = app.clock.today();
    let registered = key_store::registered(&app.db, std::slice::from_ref(school)).await?;
    Ok(key_store::keys_of(&app.db, school)
        .await?
        .into_iter()
        .map(|row| ListedKey {
            registered: (!registered.is_empty()).then(|| {
                registered
                    .iter()
                    .any(|known| known.serial == row.serial && known.holds_on(today))
            }),
            serial: row.serial,
            holder: row.holder,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
        })
        .collect())
}
