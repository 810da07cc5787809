//! Signs many documents: on all cores with keys that are here or on a token, and with one call per
//! service and batch where a key is in a provider's HSM.

use std::collections::HashMap;
use std::sync::Arc;

use super::InvoiceError;
use crate::clock::Instant;
use crate::http_out::HttpOut;
use crate::invoices::document::Document;
use crate::invoices::receipt::Receipt;
use crate::invoices::signature::{Prepared, RawError, RemoteKey, SignError, SigningKey};
use crate::invoices::xml::Unsigned;

/// Digests in one call to a service.
const CALL_DIGESTS_MAX: usize = 100;

/// Content that one tax code signs.
pub(in crate::invoices) trait Content: Send + Sync + 'static {
    fn signer(&self) -> &str;
}

impl Content for Document {
    fn signer(&self) -> &str {
        self.signer()
    }
}

impl Content for Receipt {
    fn signer(&self) -> &str {
        &self.seller.tax_code
    }
}

/// One document to sign, with the key that was chosen for it.
pub(in crate::invoices) struct Task<S, D> {
    pub subject: S,
    pub document: D,
    pub key: Arc<SigningKey>,
}

pub(in crate::invoices) type Results<S> = Vec<(S, Result<String, InvoiceError>)>;

/// Signs all; one result each, in no order.
///
/// # Errors
/// [`InvoiceError::Interrupted`] when the process is ending.
pub(in crate::invoices) async fn sign_all<S, D, W>(
    http: &HttpOut,
    tasks: Vec<Task<S, D>>,
    write: W,
    now: Instant,
) -> Result<Results<S>, InvoiceError>
where
    S: Send + 'static,
    D: Content,
    W: Fn(&D) -> Result<Unsigned, InvoiceError> + Copy + Send + 'static,
{
    let (elsewhere, here): (Vec<_>, Vec<_>) = tasks
        .into_iter()
        .partition(|task| task.key.service().is_some());
    let mut results = sign_here(here, write, now).await?;
    let mut by_key: HashMap<String, Vec<Task<S, D>>> = HashMap::new();
    for task in elsewhere {
        let serial = task.key.certificate().serial.clone();
        by_key.entry(serial).or_default().push(task);
    }
    for tasks in by_key.into_values() {
        sign_elsewhere(http, tasks, write, now, &mut results).await;
    }
    Ok(results)
}

async fn sign_here<S, D, W>(
    tasks: Vec<Task<S, D>>,
    write: W,
    now: Instant,
) -> Result<Results<S>, InvoiceError>
where
    S: Send + 'static,
    D: Content,
    W: Fn(&D) -> Result<Unsigned, InvoiceError> + Copy + Send + 'static,
{
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = tasks.len().div_ceil(threads).max(1);
    let mut running = Vec::new();
    let mut tasks = tasks.into_iter();
    loop {
        let part: Vec<_> = tasks.by_ref().take(share).collect();
        if part.is_empty() {
            break;
        }
        running.push(tokio::task::spawn_blocking(move || {
            part.into_iter()
                .map(|task| {
                    let file = write(&task.document).and_then(|unsigned| {
                        Ok(task.key.sign(unsigned, task.document.signer(), now)?)
                    });
                    (task.subject, file.and_then(as_text))
                })
                .collect::<Vec<_>>()
        }));
    }
    let mut results = Vec::new();
    for part in running {
        results.extend(part.await.map_err(|_| InvoiceError::Interrupted)?);
    }
    Ok(results)
}

async fn sign_elsewhere<S, D: Content>(
    http: &HttpOut,
    tasks: Vec<Task<S, D>>,
    write: impl Fn(&D) -> Result<Unsigned, InvoiceError>,
    now: Instant,
    results: &mut Results<S>,
) {
    let mut prepared = Vec::with_capacity(tasks.len());
    for task in tasks {
        let fits = task
            .key
            .certificate()
            .check(task.document.signer(), now)
            .map_err(|problem| InvoiceError::Sign(problem.into()));
        match fits.and_then(|()| write(&task.document)) {
            Ok(unsigned) => prepared.push((task.subject, task.key, Prepared::new(unsigned, now))),
            Err(error) => results.push((task.subject, Err(error))),
        }
    }
    while !prepared.is_empty() {
        let rest = prepared.split_off(prepared.len().min(CALL_DIGESTS_MAX));
        let part = std::mem::replace(&mut prepared, rest);
        let asked = ask(http, &part).await;
        match asked {
            Ok(signatures) => {
                for ((subject, key, document), signature) in part.into_iter().zip(signatures) {
                    let file = key.complete(document, &signature);
                    let file = file.map_err(InvoiceError::from).and_then(as_text);
                    results.push((subject, file));
                }
            }
            Err(error) => {
                for (subject, ..) in part {
                    let error = SignError::Key(error.clone());
                    results.push((subject, Err(InvoiceError::Sign(error))));
                }
            }
        }
    }
}

/// Nothing is lost by asking twice: a signature that was made and not received signs nothing.
async fn ask<S>(
    http: &HttpOut,
    part: &[(S, Arc<SigningKey>, Prepared)],
) -> Result<Vec<Vec<u8>>, RawError> {
    let service = part
        .first()
        .and_then(|(_, key, _)| key.service())
        .ok_or(RawError::Elsewhere)?;
    let call = service.call(part.iter().map(|(.., document)| document.to_sign()));
    let reply = http
        .send(&call)
        .await
        .map_err(|fault| RawError::Service(fault.message))?;
    RemoteKey::read(reply.status, &reply.body, part.len())
}

fn as_text(file: Vec<u8>) -> Result<String, InvoiceError> {
    // Everything that was written is text.
    String::from_utf8(file).map_err(|_| InvoiceError::Interrupted)
}
