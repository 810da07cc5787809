//! The tax authority behind its transmission provider (T-VAN).
//!
//! `POST /messages` takes one `TDiep` and answers its technical acknowledgement (999) at once;
//! `GET /messages/{MTDiep}/replies` gives all replies so far, where the code (202) or the verdict
//! (204) appears after the configured time. A message sent again gets the answers it got before.
//! [`Levers`] make answers late, lost, repeated or negative.
//!
//! To add a rule for invoices see [`check`]; codes of reasons are listed in [`reason`].

mod answer;
mod arithmetic;
mod check;
mod declare;
mod envelope;
pub mod reason;
mod registry;
mod seller;
mod signature;
#[cfg(test)]
mod tests;
mod wire;
mod xml;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use sha2::{Digest, Sha256};

use crate::Elapsed;
use crate::pki::Pki;
use crate::world::World;

use answer::{Refusal, Verdict};
use envelope::Envelope;
use reason::Reason;
use registry::Registry;

pub use registry::AcceptedInvoice;
pub use wire::WireAnswer;

/// Packages above this size are refused by providers.
const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Somebody registered to issue invoices.
#[derive(Clone, Debug)]
pub struct Taxpayer {
    pub tax_code: String,
    pub name: String,
    /// Kinds of invoice (`KHMSHDon`) his VAT method allows: 1 for deduction, 2 for direct.
    pub form: String,
}

/// Misbehaviour, changed while running. The default behaves.
#[derive(Clone, Debug, Default)]
pub struct Levers {
    /// Of a hundred HTTP answers so many are lost after the work was done (504).
    pub lose_percent: u8,
    /// Of a hundred HTTP answers so many come only after `stall_for`.
    pub stall_percent: u8,
    pub stall_for: Duration,
    /// Business replies stand in the list so many times more.
    pub repeat_replies: usize,
    /// Of a hundred invoices so many are refused for no fault of theirs.
    pub refuse_percent: u8,
    /// The next so many invoices and declarations are refused for no fault of theirs.
    pub refuse_next: usize,
    /// Every call is turned away with 503 before anything is done.
    pub busy: bool,
}

/// Transmission providers in front of the one authority.
const CARRIERS: usize = 2;

struct Received {
    digest: [u8; 32],
    acknowledgement: String,
    replies: Vec<String>,
    /// On the clock of [`Elapsed`].
    ready_at: Duration,
}

pub struct Tax {
    world: Arc<World>,
    elapsed: Elapsed,
    pki: Arc<Pki>,
    token: String,
    answer_after: Duration,
    /// Of each carrier.
    levers: Mutex<[Levers; CARRIERS]>,
    taxpayers: Mutex<BTreeMap<String, Taxpayer>>,
    books: Mutex<Books>,
    lost: AtomicU64,
}

#[derive(Default)]
struct Books {
    /// By carrier and message: carriers know nothing of each other's.
    messages: BTreeMap<(usize, String), Received>,
    registry: Registry,
    notices: u32,
    refusals: Vec<String>,
    repeats: u64,
}

/// The addresses of one carrier.
pub(crate) fn routes(tax: Arc<Tax>, carrier: usize) -> Router {
    let door = wire::Door { tax, carrier };
    Router::new()
        .route("/messages", post(wire::receive))
        .route("/messages/{message_id}/replies", get(wire::replies))
        .layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
        .with_state(door)
}

impl Tax {
    pub(crate) fn new(
        world: Arc<World>,
        elapsed: Elapsed,
        pki: Arc<Pki>,
        token: String,
        answer_after: Duration,
    ) -> Self {
        Self {
            world,
            elapsed,
            pki,
            token,
            answer_after,
            levers: Mutex::default(),
            taxpayers: Mutex::default(),
            books: Mutex::default(),
            lost: AtomicU64::new(0),
        }
    }

    /// Adds or replaces a taxpayer.
    pub fn register(&self, taxpayer: Taxpayer) {
        self.taxpayers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(taxpayer.tax_code.clone(), taxpayer);
    }

    /// Sets all levers of the first carrier at once.
    pub fn set_levers(&self, levers: Levers) {
        self.set_levers_of(0, levers);
    }

    /// Sets all levers of a carrier, 0 or 1, at once. Whether invoices are refused, the levers of the
    /// first one say.
    pub fn set_levers_of(&self, carrier: usize, levers: Levers) {
        if let Some(place) = self.lock_levers().get_mut(carrier) {
            *place = levers;
        }
    }

    fn levers(&self, carrier: usize) -> Levers {
        self.lock_levers().get(carrier).cloned().unwrap_or_default()
    }

    fn lock_levers(&self) -> MutexGuard<'_, [Levers; CARRIERS]> {
        self.levers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The invoice the authority has taken under this number.
    pub fn accepted(
        &self,
        tax_code: &str,
        form: &str,
        symbol: &str,
        number: u32,
    ) -> Option<AcceptedInvoice> {
        self.books()
            .registry
            .find(tax_code, form, symbol, number)
            .cloned()
    }

    /// All invoices taken.
    pub fn accepted_all(&self) -> Vec<AcceptedInvoice> {
        self.books().registry.all()
    }

    /// Invoices refused so far, with the reasons.
    pub fn refusals(&self) -> Vec<String> {
        self.books().refusals.clone()
    }

    /// How many answers were lost on purpose.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// How many messages came again, with the same number and content.
    pub fn repeats(&self) -> u64 {
        self.books().repeats
    }

    /// All invoices taken of a seller, by form, symbol and number.
    pub fn accepted_of(&self, tax_code: &str) -> Vec<AcceptedInvoice> {
        self.books().registry.of(tax_code)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taxpayer(&self, tax_code: &str) -> Option<Taxpayer> {
        self.taxpayers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tax_code)
            .cloned()
    }

    /// Takes a message and gives its 999; `Err` when not even its number can be read.
    fn take(&self, carrier: usize, text: &str) -> Result<String, Reason> {
        let envelope = Envelope::header(text)?;
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let mut books = self.books();
        let key = (carrier, envelope.message_id.clone());
        if let Some(known) = books.messages.get(&key) {
            if known.digest == digest {
                let acknowledgement = known.acknowledgement.clone();
                books.repeats += 1;
                return Ok(acknowledgement);
            }
            let reason = Reason::new(reason::MESSAGE_TWICE, "Trùng mã thông điệp, khác nội dung");
            return Ok(self.acknowledge(&envelope, Some(&reason)));
        }
        let (acknowledgement, replies) = match envelope::check(text, &envelope) {
            Err(reason) => (self.acknowledge(&envelope, Some(&reason)), Vec::new()),
            Ok(()) => {
                let replies = self.judge(text, &envelope, &mut books);
                (self.acknowledge(&envelope, None), replies)
            }
        };
        let received = Received {
            digest,
            acknowledgement: acknowledgement.clone(),
            replies,
            ready_at: (self.elapsed)() + self.answer_after,
        };
        books.messages.insert(key, received);
        Ok(acknowledgement)
    }

    fn acknowledge(&self, envelope: &Envelope, reason: Option<&Reason>) -> String {
        answer::acknowledgement(envelope, reason, self.world.now(), &self.world.chance)
    }

    /// One reply an invoice in the order of the message, or one for the whole uncoded package.
    fn judge(&self, text: &str, envelope: &Envelope, books: &mut Books) -> Vec<String> {
        let now = self.world.now();
        let documents = envelope::document_of(&envelope.kind)
            .and_then(|name| envelope::documents(text, name).ok())
            .unwrap_or_default();
        if matches!(
            envelope.kind.as_str(),
            envelope::REGISTRATION | envelope::NOTICE
        ) {
            return self.declared(&documents, envelope, books, now);
        }
        let invoices = documents;
        let verdicts = invoices
            .iter()
            .map(|source| self.decide(source, envelope, books, now))
            .collect();
        let mut replies = Vec::new();
        for reply in answer::replies(verdicts, envelope) {
            books.notices += 1;
            let desk = answer::Desk {
                envelope,
                taxpayer: self
                    .taxpayer(&envelope.tax_code)
                    .map(|taxpayer| taxpayer.name),
                pki: &self.pki,
                notice_number: books.notices,
                now,
                chance: &self.world.chance,
            };
            match desk.business(&reply) {
                Ok(reply) => replies.push(reply),
                Err(error) => tracing::error!(%error, "the sandbox could not sign its reply"),
            }
        }
        replies
    }

    fn declared(
        &self,
        documents: &[String],
        envelope: &Envelope,
        books: &Books,
        now: i64,
    ) -> Vec<String> {
        let mut replies = Vec::new();
        for source in documents {
            let office = declare::Office {
                envelope,
                taxpayer: self.taxpayer(&envelope.tax_code),
                pki: &self.pki,
                now,
                chance: &self.world.chance,
                at_will: self.refuses_at_will(),
            };
            let written = if envelope.kind == envelope::NOTICE {
                office
                    .notice(source, &books.registry)
                    .map(|reply| vec![reply])
            } else {
                office.registration(source)
            };
            match written {
                Ok(written) => replies.extend(written),
                Err(error) => tracing::error!(%error, "the sandbox could not sign its reply"),
            }
        }
        replies
    }

    /// Checks one invoice and enters it; a coded one comes back with code and signature.
    fn decide(&self, source: &str, envelope: &Envelope, books: &mut Books, now: i64) -> Verdict {
        let (invoice, mut reasons) = check::invoice(source, envelope, now);
        reasons.extend(seller::check(source, &invoice, &self.pki, |tax_code| {
            self.taxpayer(tax_code)
        }));
        reasons.extend(books.registry.conflicts(&invoice));
        if self.refuses_at_will() {
            reasons.push(Reason::new(
                reason::LEVER,
                "Từ chối theo cài đặt thử nghiệm",
            ));
        }
        if !reasons.is_empty() {
            let texts: Vec<_> = reasons.iter().map(|reason| reason.text.as_str()).collect();
            books.refusals.push(format!(
                "{} {}{}-{}: {}",
                invoice.tax_code,
                invoice.form,
                invoice.symbol,
                invoice.number,
                texts.join("; ")
            ));
            return Verdict::Refused(Refusal { invoice, reasons });
        }
        let message_id = envelope.message_id.clone();
        if envelope.kind == envelope::UNCODED {
            books
                .registry
                .enter(invoice, String::new(), message_id, now);
            return Verdict::Valid;
        }
        let code = format!("00{}", self.world.chance.hex32());
        match answer::coded_invoice(source, &code, &self.pki, now) {
            Ok(coded) => {
                books.registry.enter(invoice, code, message_id, now);
                Verdict::Coded(coded)
            }
            Err(reason) => Verdict::Refused(Refusal {
                invoice,
                reasons: vec![reason],
            }),
        }
    }

    fn refuses_at_will(&self) -> bool {
        let mut levers = self.lock_levers();
        if levers[0].refuse_next > 0 {
            levers[0].refuse_next -= 1;
            return true;
        }
        self.world.chance.percent(levers[0].refuse_percent)
    }

    /// The replies a query finds now; `None` for an unknown message.
    fn found(&self, carrier: usize, message_id: &str) -> Option<Vec<String>> {
        let repeats = self.levers(carrier).repeat_replies;
        let books = self.books();
        let received = books.messages.get(&(carrier, message_id.to_owned()))?;
        let mut replies = vec![received.acknowledgement.clone()];
        if (self.elapsed)() >= received.ready_at {
            for _ in 0..=repeats {
                replies.extend(received.replies.iter().cloned());
            }
        }
        Some(replies)
    }
}
