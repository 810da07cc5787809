//! Notices on their way to the gateway, the ways they go wrong, and the record of what it answered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use reqwest::Method;

use crate::world::World;

/// Which peer speaks, and therefore what counts as an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Vnpay,
    Sepay,
}

impl Peer {
    /// The gateway's name of the provider.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vnpay => "vnpay",
            Self::Sepay => "sepay",
        }
    }
}

/// One message, ready to be sent, once or often, in any order.
#[derive(Clone, Debug)]
pub struct Notice {
    pub peer: Peer,
    /// The provider's number of the movement; `0` for a failed VNPAY payment.
    pub transaction_id: String,
    /// Whole đồng.
    pub amount: i64,
    /// Terminal code or account number of the receiver.
    pub payee: String,
    /// VNPAY's `vnp_TxnRef`, or the memo as the bank shows it.
    pub reference: String,
    /// True when money arrived at the payee.
    pub money_in: bool,
    /// False once tampered with.
    pub genuine: bool,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Notice {
    /// The same message with a signature (or key) that does not fit.
    pub fn with_wrong_signature(&self) -> Self {
        let mut forged = self.clone();
        forged.genuine = false;
        match self.peer {
            Peer::Vnpay => forged.url = flip_last_hex(&self.url),
            Peer::Sepay => forged.spoil_credentials(),
        }
        forged
    }

    /// The same message with another amount and the old signature. A feed that authenticates with a
    /// bare key signs nothing, so there the intruder is one who does not have the key.
    pub fn with_changed_amount(&self, amount: i64) -> Self {
        let mut forged = self.clone();
        forged.genuine = false;
        forged.amount = amount;
        match self.peer {
            Peer::Vnpay => {
                forged.url = self.url.replace(
                    &format!("vnp_Amount={}00&", self.amount),
                    &format!("vnp_Amount={amount}00&"),
                );
            }
            Peer::Sepay => {
                forged.body = self.body.replace(
                    &format!("\"transferAmount\":{}", self.amount),
                    &format!("\"transferAmount\":{amount}"),
                );
                if !forged
                    .headers
                    .iter()
                    .any(|(name, _)| name == "x-sepay-signature")
                {
                    forged.spoil_credentials();
                }
            }
        }
        forged
    }

    /// The request for a load generator that keeps no record of answers.
    pub fn request(&self, client: &reqwest::Client) -> reqwest::RequestBuilder {
        let request = client.request(self.method.clone(), &self.url);
        self.headers
            .iter()
            .fold(request, |request, (name, value)| {
                request.header(name, value)
            })
            .body(self.body.clone())
    }

    fn spoil_credentials(&mut self) {
        for (name, value) in &mut self.headers {
            match name.as_str() {
                "x-sepay-signature" => *value = flip_last_hex(value),
                "authorization" => value.push('x'),
                _ => {}
            }
        }
    }
}

fn flip_last_hex(text: &str) -> String {
    let mut changed = text.to_owned();
    let last = changed.pop();
    changed.push(if last == Some('0') { '1' } else { '0' });
    changed
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `None` when there was no answer at all.
    pub status: Option<u16>,
    pub body: String,
    /// In the provider's own terms: it will not send this notice again.
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
            provider: notice.peer.name(),
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
    pub async fn deliver(&self, notice: &Notice) -> Answer {
        let mut request = self.client.request(notice.method.clone(), &notice.url);
        for (name, value) in &notice.headers {
            request = request.header(name, value);
        }
        if !notice.body.is_empty() {
            request = request.body(notice.body.clone());
        }
        let answer = match request.send().await {
            Err(error) => {
                tracing::debug!(%error, "no answer to a sandbox notice");
                Answer {
                    status: None,
                    body: String::new(),
                    acknowledged: false,
                }
            }
            Ok(response) => {
                let status = response.status().as_u16();
                match response.text().await {
                    Err(_) => Answer {
                        status: Some(status),
                        body: String::new(),
                        acknowledged: false,
                    },
                    Ok(body) => {
                        let acknowledged = acknowledges(notice.peer, status, &body);
                        Answer {
                            status: Some(status),
                            body,
                            acknowledged,
                        }
                    }
                }
            }
        };
        if answer.acknowledged {
            self.record.note(notice);
        }
        answer
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

/// VNPAY stops at RspCode 00 and 02; SePay at a 2xx that says `"success": true`.
fn acknowledges(peer: Peer, status: u16, body: &str) -> bool {
    let Ok(reply) = serde_json::from_str::<serde_json::Value>(body) else {
        return false;
    };
    match peer {
        Peer::Vnpay => status == 200 && matches!(reply["RspCode"].as_str(), Some("00" | "02")),
        Peer::Sepay => (200..300).contains(&status) && reply["success"] == true,
    }
}
