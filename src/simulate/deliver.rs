//! Notices on their way to the gateway.

use hocphi_sandbox::Notice;
use hocphi_sandbox::peer::{Outcome, Reading};

use super::broken::Broken;
use super::fault::Fault;
use super::node::QUEUE_MAX;
use super::world::{Event, HOUR, MILLI, MINUTE, SECOND, World};
use super::{SimulateError, trouble};

/// What a notice is in truth, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Genuine,
    /// By this kind of forgery.
    Forged(Fault),
    /// Properly signed, but the provider said another amount before.
    Contradiction,
}

/// One call of a provider.
#[derive(Clone)]
pub struct Delivery {
    pub notice: Notice,
    pub meaning: Meaning,
    /// Which call of the provider's schedule it is.
    pub call: usize,
    /// Copies on the way are not part of the schedule.
    pub copy: bool,
    /// Place in the order of sending.
    pub sent: u64,
}

impl World<'_> {
    /// A provider has something to say, and says it by its schedule until somebody listens.
    pub(super) fn announce(&mut self, notice: Notice) {
        if notice.money_in {
            self.told.moved.insert(movement(&notice), notice.amount);
        }
        if notice.money_in || is_reversal(&notice) {
            self.reported.push(notice.clone());
        }
        self.forge(&notice);
        if self.strikes(Fault::QueueFull) {
            self.burst(&notice);
        }
        self.dispatch(notice, Meaning::Genuine, 0);
    }

    /// What nobody acknowledged is reported once more, as whoever compares accounts would.
    pub(super) fn report_again(&mut self) {
        for notice in std::mem::take(&mut self.reported) {
            // A gateway that is asked need not tell again, as long as it was asked in time.
            let asked = notice.money_in && notice.schedule().waits.is_empty();
            if asked && !self.told.clock_was_wrong {
                continue;
            }
            if !self.is_heard(&notice) {
                let notice = notice.stamped(self.seconds());
                self.send_after(MINUTE, notice, Meaning::Genuine, 0, false);
            }
        }
    }

    /// Somebody who saw the notice sends false ones.
    fn forge(&mut self, notice: &Notice) {
        let wait = self.chance.between(0, HOUR);
        if self.strikes(Fault::ForgedSignature) {
            let forged = notice.with_wrong_signature();
            self.send_after(
                wait,
                forged,
                Meaning::Forged(Fault::ForgedSignature),
                0,
                true,
            );
        }
        if self.strikes(Fault::ForgedAmount) {
            let amount = notice.amount + 1_000_000;
            let forged = if self.broken == Some(Broken::SignatureNotChecked) {
                // A gateway that does not look takes it as if it were signed.
                notice.contradicted(amount, self.seconds())
            } else {
                notice.with_changed_amount(amount)
            };
            self.send_after(wait, forged, Meaning::Forged(Fault::ForgedAmount), 0, true);
        }
    }

    /// More copies at one moment than may wait at a desk.
    fn burst(&mut self, notice: &Notice) {
        let wait = self.chance.between(0, 10 * SECOND);
        for _ in 0..QUEUE_MAX + 3 {
            self.send_after(wait, notice.clone(), Meaning::Genuine, 0, true);
        }
    }

    fn dispatch(&mut self, notice: Notice, meaning: Meaning, call: usize) {
        if self.strikes(Fault::Duplicate) {
            let wait = self.chance.between(0, 2 * HOUR);
            self.count(Fault::Duplicate);
            self.send_after(wait, notice.clone(), meaning, call, true);
        }
        let wait = if self.strikes(Fault::Delay) {
            self.count(Fault::Delay);
            self.chance.between(10 * MINUTE, 20 * HOUR)
        } else {
            self.chance.between(20 * MILLI, 3 * SECOND)
        };
        self.send_after(wait, notice, meaning, call, false);
    }

    fn send_after(&mut self, wait: i64, notice: Notice, meaning: Meaning, call: usize, copy: bool) {
        self.sent += 1;
        let delivery = Delivery {
            notice,
            meaning,
            call,
            copy,
            sent: self.sent,
        };
        self.schedule(wait, Event::Deliver(Box::new(delivery)));
    }

    /// Everything that arrives at this moment, at one process.
    pub(super) async fn deliver(
        &mut self,
        mut together: Vec<Delivery>,
    ) -> Result<(), SimulateError> {
        let node = self.balance();
        let mut arriving = Vec::new();
        for mut delivery in together.drain(..) {
            if delivery.call > 0 && !delivery.copy {
                // Every call of a schedule is stamped when it is made.
                delivery.notice = delivery.notice.stamped(self.seconds());
            }
            if delivery.sent < self.newest_arrived {
                self.count(Fault::Reorder);
            }
            self.newest_arrived = self.newest_arrived.max(delivery.sent);
            if !self.is_up(node) {
                self.count(Fault::GatewayDown);
                self.note(|| format!("{} finds node {node} down", shown(&delivery)));
                self.unheard(delivery);
            } else if self.strikes(Fault::DropRequest) {
                self.count(Fault::DropRequest);
                self.note(|| format!("{} is lost", shown(&delivery)));
                self.unheard(delivery);
            } else {
                arriving.push(delivery);
            }
        }
        if arriving.is_empty() {
            return Ok(());
        }
        if self.broken == Some(Broken::AckBeforeCommit) {
            for delivery in &arriving {
                self.heard(delivery);
            }
        }
        let answers = self.hand_over(node, &arriving).await?;
        let lived = self.after_work(node);
        if lived {
            self.late_jobs(node).await?;
        }
        for (delivery, (status, body)) in arriving.into_iter().zip(answers) {
            self.note(|| {
                let said = if lived {
                    format!("{status} {body}")
                } else {
                    "no answer, the process died".into()
                };
                format!("{} at node {node}: {said}", shown(&delivery))
            });
            if !lived {
                self.unheard(delivery);
            } else {
                self.take_answer(delivery, status, &body);
            }
        }
        Ok(())
    }

    async fn hand_over(
        &mut self,
        node: usize,
        arriving: &[Delivery],
    ) -> Result<Vec<(u16, String)>, SimulateError> {
        let process = self.process(node)?;
        let notices: Vec<&Notice> = arriving.iter().map(|delivery| &delivery.notice).collect();
        let armed = self.arm();
        self.power.begin(node, armed);
        process.expect(&notices).await?;
        let mut waiting: Vec<_> = notices
            .iter()
            .map(|notice| (Box::pin(process.answer(notice)), None))
            .collect();
        std::future::poll_fn(|context| {
            let mut all = true;
            for (future, answer) in &mut waiting {
                if answer.is_none() {
                    match future.as_mut().poll(context) {
                        std::task::Poll::Ready(ready) => *answer = Some(ready),
                        std::task::Poll::Pending => all = false,
                    }
                }
            }
            if all {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        waiting
            .into_iter()
            .map(|(_, answer)| answer.unwrap_or_else(|| Err(trouble("answer")("none"))))
            .collect()
    }

    fn take_answer(&mut self, delivery: Delivery, status: u16, body: &str) {
        if status == 503 {
            self.count(Fault::QueueFull);
        }
        let full_taken = status == 503 && self.broken == Some(Broken::FullQueueAcknowledged);
        let reading = delivery.notice.reading(status, body.as_bytes());
        let acknowledged = reading == Reading::Done || full_taken;
        match delivery.meaning {
            Meaning::Forged(kind) => {
                self.count(kind);
                if acknowledged {
                    self.told.forged.push(shown(&delivery));
                }
                return;
            }
            Meaning::Contradiction => {
                if acknowledged {
                    *self
                        .told
                        .contradicted
                        .entry(movement(&delivery.notice))
                        .or_default() += 1;
                    self.count(Fault::Contradiction);
                }
                return;
            }
            Meaning::Genuine => {}
        }
        if acknowledged && !self.strikes(Fault::DropAnswer) {
            self.heard(&delivery);
        } else {
            if acknowledged {
                self.count(Fault::DropAnswer);
            } else if reading == Reading::Stopped {
                self.count(Fault::GaveUp);
                return;
            }
            self.unheard(delivery);
        }
    }

    /// The provider knows now that it is booked.
    fn heard(&mut self, delivery: &Delivery) {
        let notice = &delivery.notice;
        if delivery.meaning == Meaning::Genuine && is_reversal(notice) {
            self.told.taken_back_heard.insert(order_of(notice));
        }
        if delivery.meaning != Meaning::Genuine || !notice.money_in {
            return;
        }
        let first = self.told.acknowledged.insert(movement(notice));
        if first {
            self.may_take_back(notice);
        }
        if first && self.strikes(Fault::Contradiction) {
            let wait = self.chance.between(SECOND, HOUR);
            self.told
                .otherwise
                .entry(movement(notice))
                .or_default()
                .insert(notice.amount + 500);
            let other = notice.contradicted(notice.amount + 500, self.seconds() + wait / SECOND);
            self.send_after(wait, other, Meaning::Contradiction, 0, true);
        }
    }

    /// Whether its sender knows that this is in the books.
    fn is_heard(&self, notice: &Notice) -> bool {
        if is_reversal(notice) {
            self.told.taken_back_heard.contains(&order_of(notice))
        } else {
            self.told.acknowledged.contains(&movement(notice))
        }
    }

    /// The provider heard nothing good: it calls again when its schedule says so.
    fn unheard(&mut self, delivery: Delivery) {
        if delivery.copy || delivery.meaning != Meaning::Genuine || self.is_heard(&delivery.notice)
        {
            return;
        }
        match delivery.notice.schedule().waits.get(delivery.call) {
            Some(wait) => {
                self.count(Fault::Retry);
                let wait = i64::from(*wait) * SECOND;
                self.sent += 1;
                let next = Delivery {
                    call: delivery.call + 1,
                    sent: self.sent,
                    ..delivery
                };
                self.schedule(wait, Event::Deliver(Box::new(next)));
            }
            None => {
                self.count(Fault::GaveUp);
                self.note(|| format!("{} gives up", shown(&delivery)));
            }
        }
    }
}

fn movement(notice: &Notice) -> (String, String) {
    (notice.provider().to_owned(), notice.transaction_id.clone())
}

/// Provider and order, by which money that went back is known.
fn order_of(notice: &Notice) -> (String, String) {
    (notice.provider().to_owned(), notice.reference.clone())
}

fn is_reversal(notice: &Notice) -> bool {
    notice.event().outcome == Outcome::Reversed
}

fn shown(delivery: &Delivery) -> String {
    let kind = match (delivery.meaning, delivery.copy) {
        (Meaning::Genuine, false) => "notice",
        (Meaning::Genuine, true) => "copy",
        (Meaning::Forged(_), _) => "forgery",
        (Meaning::Contradiction, _) => "contradiction",
    };
    format!(
        "{kind} {} {} {} (call {})",
        delivery.notice.provider(),
        delivery.notice.transaction_id,
        delivery.notice.amount,
        delivery.call + 1
    )
}
