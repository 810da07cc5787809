//! Signing keys of schools: sealed in the database, parsed once in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::InvoiceError;
use crate::App;
use crate::clock::Instant;
use crate::ids::SchoolId;
use crate::invoices::signature::SigningKey;
use crate::invoices::store::{self, KeyRow};
use crate::schools;
use crate::store::Tx;

/// Parsed keys, by school and key. Cheap to clone; share one per process.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(Arc<Mutex<Parsed>>);

type Parsed = HashMap<(SchoolId, String), Arc<SigningKey>>;

impl KeyRing {
    /// The youngest valid key of each school that has one.
    ///
    /// # Errors
    /// [`InvoiceError`] when a stored key does not open or parse.
    pub async fn of_schools(
        &self,
        app: &App,
        schools: &[SchoolId],
        at: Instant,
    ) -> Result<HashMap<SchoolId, Arc<SigningKey>>, InvoiceError> {
        let mut found = HashMap::new();
        for row in store::keys(&app.db, schools, at).await? {
            if let Entry::Vacant(free) = found.entry(row.school_id.clone()) {
                free.insert(self.parsed(app, &row)?);
            }
        }
        Ok(found)
    }

    fn parsed(&self, app: &App, row: &KeyRow) -> Result<Arc<SigningKey>, InvoiceError> {
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
        let plain = app
            .seal
            .open(&context(&row.school_id, &row.key_id), &row.sealed_key)?;
        let key = Arc::new(SigningKey::from_parts(&plain, &row.certificate)?);
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
/// Answers whether it is new.
///
/// # Errors
/// [`InvoiceError::KeyOfAnother`] when the certificate names another tax code.
pub async fn install_key(
    app: &App,
    school: &SchoolId,
    key: &SigningKey,
) -> Result<bool, InvoiceError> {
    let known = schools::school(&app.db, school)
        .await?
        .ok_or_else(|| InvoiceError::UnknownSchool(school.to_string()))?;
    let certificate = key.certificate();
    if certificate.tax_code.as_deref() != Some(known.tax_code.as_str()) {
        return Err(InvoiceError::KeyOfAnother {
            school: known.code,
            expected: known.tax_code,
            found: certificate.tax_code.clone(),
        });
    }
    let key_id = certificate.serial.to_lowercase();
    let row = KeyRow {
        sealed_key: app
            .seal
            .seal(&app.ids, &context(school, &key_id), &key.to_pkcs8()?),
        school_id: school.clone(),
        key_id,
        certificate: key.certificate_pem(),
        serial: certificate.serial.clone(),
        valid_from: certificate.valid_from,
        valid_to: certificate.valid_to,
    };
    app.db
        .write("invoices.install_key", async move |tx: &mut Tx| {
            Ok(store::insert_key(tx, &row).await?)
        })
        .await
}
