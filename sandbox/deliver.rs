//! Notices on their way to the gateway, the ways they go wrong, and the record of what it answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;

use crate::peer::{Event, Fault, Peer, RawRequest, RawResponse, Reading, Schedule};
use crate::world::World;

/// One message, ready to be sent, once or often, in any order.
#[derive(Clone)]
pub struct Notice {
    peer: Arc<dyn Peer>,
    event: Event,
    /// The provider's number of the movement; `0` for a failed VNPAY payment.
    pub transaction_id: String,
    /// Whole đồng.
    pub amount: i64,
    /// Terminal code or account number of the receiver.
    pub payee: String,
    /// The order, or the memo as the bank shows it.
    pub reference: String,
    /// True when money arrived at the payee.
    pub money_in: bool,
    /// False once tampered with.
    pub genuine: bool,
    address: String,
    message: RawRequest,
}

impl Notice {
    /// What `peer` sends to `address` about an event.
    pub fn new(peer: Arc<dyn Peer>, address: &str, event: &Event) -> Self {
        Self {
            transaction_id: peer.transaction_id(event),
            amount: event.amount,
            payee: peer.merchant().to_owned(),
            reference: event.reference.clone(),
            money_in: event.outcome.moves_money_in(),
            genuine: true,
            address: address.to_owned(),
            message: peer.notice(event),
            event: event.clone(),
            peer,
        }
    }

    pub fn provider(&self) -> &'static str {
        self.peer.provider()
    }

    /// Where it is sent; path and query of the message follow.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What its provider makes of an answer to it.
    pub fn reading(&self, status: u16, body: &[u8]) -> Reading {
        self.peer.reading(&RawResponse {
            status,
            headers: Vec::new(),
            body: body.to_vec(),
        })
    }

    /// When its provider sends it again.
    pub fn schedule(&self) -> Schedule {
        self.peer.schedule()
    }

    /// The same movement with another amount, properly signed: the provider contradicts itself.
    pub fn contradicted(&self, amount: i64, now: i64) -> Self {
        let event = self.event.clone().of_amount(amount).sent_at(now);
        Self::new(self.peer.clone(), &self.address, &event)
    }

    pub fn event(&self) -> &Event {
        &self.event
    }

    /// As it crosses the wire.
    pub fn message(&self) -> &RawRequest {
        &self.message
    }

    /// The same message with something wrong on the wire.
    pub fn with_fault(&self, fault: &Fault) -> Self {
        let mut spoiled = self.clone();
        spoiled.genuine = !fault.must_be_refused();
        spoiled.message = fault.apply(&self.message);
        spoiled
    }

    /// The same message with a signature (or key) that does not fit.
    pub fn with_wrong_signature(&self) -> Self {
        match self.peer.proof().first() {
            Some(proof) => self.with_fault(&Fault::WrongProof(proof.clone())),
            None => self.clone(),
        }
    }

    /// The same message with another amount and the old signature. A provider that authenticates with
    /// a bare key signs nothing, so there the intruder is one who does not have the key.
    pub fn with_changed_amount(&self, amount: i64) -> Self {
        let mut forged = self.clone();
        forged.genuine = false;
        forged.amount = amount;
        forged.message = self.peer.notice(&self.event.clone().of_amount(amount));
        for proof in self.peer.proof() {
            forged.message = if self.peer.abilities().signs {
                let old = proof.read(&self.message).unwrap_or_default();
                proof.write(&forged.message, &old)
            } else {
                proof.tamper(&forged.message)
            };
        }
        forged
    }

    /// The request for a load generator that keeps no record of answers.
    pub fn request(&self, client: &reqwest::Client) -> reqwest::RequestBuilder {
        build(client, &self.address, &self.message)
    }

    /// A genuine notice as it is sent anew: providers stamp every delivery, since receivers refuse
    /// old stamps. A spoiled one is repeated as it is.
    pub fn stamped(&self, now: i64) -> Self {
        if self.genuine {
            Self::new(
                self.peer.clone(),
                &self.address,
                &self.event.clone().sent_at(now),
            )
        } else {
            self.clone()
        }
    }
}

fn build(client: &reqwest::Client, address: &str, message: &RawRequest) -> reqwest::RequestBuilder {
    let method = if message.method == "GET" {
        Method::GET
    } else {
        Method::POST
    };
    let mut url = format!("{address}{}", message.path);
    if !message.query.is_empty() {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&message.query);
    }
    let request = message
        .headers
        .iter()
        .fold(client.request(method, url), |request, (name, value)| {
            request.header(name, value)
        });
    if message.body.is_empty() {
        request
    } else {
        request.body(message.body.clone())
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `None` when there was no answer at all.
    pub status: Option<u16>,
    pub body: String,
    /// What the provider makes of it.
    pub reading: Reading,
    /// In the provider's own terms: it has been told and will not be told again.
    pub acknowledged: bool,
}

/// Money the gateway answered for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acknowledged {
    pub provider: &'static str,
    pub transaction_id: String,
    pub payee: String,
    pub amount: i64,
}

#[derive(Default)]
pub(crate) struct Record {
    acknowledged: Mutex<BTreeMap<(&'static str, String), Acknowledged>>,
    forged: Mutex<Vec<Acknowledged>>,
}

impl Record {
    fn note(&self, notice: &Notice) {
        let entry = Acknowledged {
            provider: notice.provider(),
            transaction_id: notice.transaction_id.clone(),
            payee: notice.payee.clone(),
            amount: notice.amount,
        };
        if !notice.genuine {
            self.forged
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(entry);
        } else if notice.money_in {
            self.acknowledged
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert((entry.provider, entry.transaction_id.clone()), entry);
        }
    }

    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        let held = self
            .acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        held.values().cloned().collect()
    }

    pub fn forged(&self) -> Vec<Acknowledged> {
        self.forged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl World {
    /// One request to the gateway; `None` when nothing came back in time.
    pub async fn exchange(
        &self,
        address: &str,
        message: &RawRequest,
        patience: Duration,
    ) -> Option<RawResponse> {
        let request = build(&self.client, address, message).timeout(patience);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "no answer to a sandbox notice");
                return None;
            }
        };
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        Some(RawResponse {
            status,
            headers,
            body: response.bytes().await.ok()?.to_vec(),
        })
    }

    pub async fn deliver(&self, notice: &Notice) -> Answer {
        let schedule = notice.peer.schedule();
        let patience = Duration::from_secs(schedule.timeout.into());
        let answer = match self
            .exchange(&notice.address, &notice.message, patience)
            .await
        {
            None => Answer {
                status: None,
                body: String::new(),
                reading: schedule.silence,
                acknowledged: false,
            },
            Some(response) => {
                let reading = notice.peer.reading(&response);
                Answer {
                    status: Some(response.status),
                    body: String::from_utf8_lossy(&response.body).into_owned(),
                    reading,
                    acknowledged: reading == Reading::Done,
                }
            }
        };
        if answer.acknowledged {
            self.record.note(notice);
        }
        answer
    }

    /// Delivers, and repeats by the provider's schedule until it is done.
    pub async fn send(&self, notice: &Notice) -> Vec<Answer> {
        let mut answers = vec![self.deliver(notice).await];
        if self.still_owed(notice, &answers) {
            answers.extend(self.repeat(notice).await);
        }
        answers
    }

    /// True when the schedule goes on after these answers.
    pub fn still_owed(&self, notice: &Notice, answers: &[Answer]) -> bool {
        !notice.peer.schedule().waits.is_empty()
            && answers
                .iter()
                .all(|answer| answer.reading == Reading::Again)
    }

    /// The deliveries after a first one that was not understood.
    pub async fn repeat(&self, notice: &Notice) -> Vec<Answer> {
        let mut answers = Vec::new();
        for seconds in notice.peer.schedule().waits {
            tokio::time::sleep(self.second * *seconds).await;
            let answer = self.deliver(&notice.stamped(self.now())).await;
            let again = answer.reading == Reading::Again;
            answers.push(answer);
            if !again {
                break;
            }
        }
        answers
    }

    pub async fn deliver_together(&self, notice: &Notice, times: usize) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(times);
        // Polled together on one task: `self` is borrowed, and the gateway sees true concurrency.
        let mut waiting: Vec<_> = (0..times).map(|_| Box::pin(self.deliver(notice))).collect();
        std::future::poll_fn(|context| {
            waiting.retain_mut(|delivery| match delivery.as_mut().poll(context) {
                std::task::Poll::Ready(answer) => {
                    answers.push(answer);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if waiting.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        answers
    }

    pub async fn deliver_shuffled(&self, mut notices: Vec<Notice>) -> Vec<(Notice, Answer)> {
        self.chance.shuffle(&mut notices);
        let mut answered = Vec::with_capacity(notices.len());
        for notice in notices {
            let answer = self.deliver(&notice).await;
            answered.push((notice, answer));
        }
        answered
    }
}
