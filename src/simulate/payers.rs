//! What parents do: transfers, checkouts, cash at the counter.

use hocphi_sandbox::{PayOrder, PayResult, Transfer};

use super::fault::Fault;
use super::gateways::AtCounter;
use super::world::{Ended, Event, HOUR, MINUTE, SECOND, Task, Working, World};
use super::{SimulateError, store, trouble};
use crate::money::Vnd;
use crate::payments::service::{PayError, Started, record_cash, start_checkout};

/// Attempts at something that got no answer before a person leaves it.
const PATIENCE: u32 = 4;

/// Somebody's plan to pay through a gateway.
#[derive(Clone, Debug)]
pub struct Checkout {
    pub bill: usize,
    /// Another bill of the school, which did not exist when this was planned.
    pub instead: Option<String>,
    /// VNPAY, or the place of another one of the bill's school.
    pub gateway: Option<usize>,
    pub tries: u32,
}

/// Somebody's plan to pay.
#[derive(Clone, Debug)]
pub enum Intent {
    /// Places of the bills, amount, and whether the memo names them.
    Transfer {
        bills: Vec<usize>,
        amount: i64,
        named: bool,
    },
    Checkout(Checkout),
    /// The payer is on VNPAY's page.
    Decide {
        order: PayOrder,
    },
    /// The payer is on the page of a gateway that is called.
    Press(AtCounter),
    Cash {
        bill: usize,
        amount: i64,
        token: String,
        tries: u32,
    },
}

impl World<'_> {
    /// What the families of this story are about to do.
    pub(super) fn plan_payments(&mut self) {
        let families = self.chance.between(2, 6);
        for number in 0..families {
            let bill = self.chance.place(self.stage.bills.len());
            let due = self.stage.bills[bill].due;
            let intent = match self.chance.below(10) {
                0..=3 => self.transfer(bill, due),
                4..=7 => {
                    let gateway = match self.chance.below(3) {
                        0 => None,
                        which => {
                            let which = usize::try_from(which - 1).unwrap_or(0);
                            Some(2 * self.stage.bills[bill].school + which)
                        }
                    };
                    Intent::Checkout(Checkout {
                        bill,
                        instead: None,
                        gateway,
                        tries: 0,
                    })
                }
                _ => Intent::Cash {
                    bill,
                    amount: if self.chance.percent(70) {
                        due
                    } else {
                        due / 3 + 1
                    },
                    token: format!("form-{}-{number}", self.seed),
                    tries: 0,
                },
            };
            let wait = self.chance.between(0, 30 * HOUR);
            self.schedule(wait, Event::Pay(intent));
        }
    }

    fn transfer(&mut self, bill: usize, due: i64) -> Intent {
        let mut bills = vec![bill];
        let mut amount = due;
        let mut named = true;
        if self.strikes(Fault::WrongAmount) {
            self.count(Fault::WrongAmount);
            amount = match self.chance.below(3) {
                0 => (due / 2).max(1),
                1 => due + 1,
                _ => due * 2 + 7,
            };
        } else if self.strikes(Fault::UnknownReference) {
            self.count(Fault::UnknownReference);
            named = false;
        } else if self.chance.percent(10) {
            // Something for the next month.
            amount = due + due / 2;
        } else if self.chance.percent(15) {
            let other = self.chance.place(self.stage.bills.len());
            if other != bill && self.stage.bills[other].school == self.stage.bills[bill].school {
                amount += self.stage.bills[other].due;
                bills.push(other);
            }
        }
        Intent::Transfer {
            bills,
            amount,
            named,
        }
    }

    pub(super) async fn pay(&mut self, intent: Intent) -> Result<(), SimulateError> {
        match intent {
            Intent::Transfer {
                bills,
                amount,
                named,
            } => self.send_transfer(&bills, amount, named),
            Intent::Checkout(checkout) => self.check_out(checkout).await,
            Intent::Decide { order } => self.decide(&order),
            Intent::Press(at) => {
                self.press(&at);
                Ok(())
            }
            Intent::Cash {
                bill,
                amount,
                token,
                tries,
            } => self.pay_cash(bill, amount, token, tries).await,
        }
    }

    fn send_transfer(
        &mut self,
        bills: &[usize],
        amount: i64,
        named: bool,
    ) -> Result<(), SimulateError> {
        let account = self.stage.schools[self.stage.bills[bills[0]].school]
            .account
            .clone();
        let memo = if named {
            let codes: Vec<&str> = bills
                .iter()
                .map(|bill| self.stage.bills[*bill].code.as_str())
                .collect();
            codes.join(" ")
        } else {
            "nop tien hoc cho con".to_owned()
        };
        self.note(|| format!("transfer of {amount} to {account}: {memo}"));
        let notice = self
            .providers
            .peers
            .bank
            .notice(&Transfer {
                account,
                amount,
                memo,
                rendering: None,
                outgoing: false,
            })
            .map_err(trouble("transfer"))?;
        self.announce(notice);
        Ok(())
    }

    /// Where a person turns: a process that is up. Nobody there means to try later.
    fn counter(&mut self) -> Option<usize> {
        let node = self.balance();
        self.is_up(node).then_some(node)
    }

    async fn check_out(&mut self, mut checkout: Checkout) -> Result<(), SimulateError> {
        if checkout.tries == 0 && self.chance.percent(35) {
            checkout.instead = self.newer_bill(checkout.bill).await?;
        }
        let Some(node) = self.counter() else {
            self.check_out_later(checkout);
            return Ok(());
        };
        let process = self.process(node)?;
        let staged = &self.stage.bills[checkout.bill];
        let token = checkout.instead.clone().unwrap_or(staged.token.clone());
        let connection = match checkout.gateway {
            None => self.stage.schools[staged.school].vnpay.clone(),
            Some(place) => self.providers.gateways[place].connection.clone(),
        };
        let working = Working {
            node,
            task: Task::Checkout(checkout),
            batch: Box::pin(async move {
                Ended::Checkout(start_checkout(&process.app, &token, &connection, "10.0.0.1").await)
            }),
        };
        self.drive(working).await
    }

    /// A bill that was published in this story.
    async fn newer_bill(&self, bill: usize) -> Result<Option<String>, SimulateError> {
        let school = &self.stage.schools[self.stage.bills[bill].school].school_id;
        let newer: Vec<String> = store::open_bills(self.db())
            .await?
            .into_iter()
            .filter(|(of, id, ..)| {
                of == school && !self.stage.bills.iter().any(|known| known.bill_id == *id)
            })
            .map(|(.., token, _)| token)
            .collect();
        Ok((!newer.is_empty()).then(|| newer[self.chance.place(newer.len())].clone()))
    }

    /// Comes again, unless out of patience.
    pub(super) fn check_out_later(&mut self, checkout: Checkout) {
        if checkout.tries < PATIENCE {
            let wait = self.chance.between(MINUTE, 10 * MINUTE);
            let again = Checkout {
                tries: checkout.tries + 1,
                ..checkout
            };
            self.schedule(wait, Event::Pay(Intent::Checkout(again)));
        }
    }

    /// The payer hears how a checkout began.
    pub(super) fn checkout_ended(
        &mut self,
        node: usize,
        lived: bool,
        checkout: Checkout,
        started: Result<Started, PayError>,
    ) {
        let code = self.stage.bills[checkout.bill].code.clone();
        match (started, checkout.gateway) {
            _ if !lived => {
                self.note(|| format!("node {node} died in a checkout of {code}"));
                self.check_out_later(checkout);
            }
            (Ok(Started::Go(address)), None) => {
                match self.providers.peers.vnpay.arrive(&address) {
                    Ok(order) => {
                        self.note(|| format!("checkout of {code}: {} at VNPAY", order.amount));
                        let wait = self.chance.between(5 * SECOND, 10 * MINUTE);
                        self.schedule(wait, Event::Pay(Intent::Decide { order }));
                    }
                    // A process whose clock is wrong makes requests that VNPAY finds too old or too new.
                    Err(error) => self.note(|| format!("VNPAY shows an error page: {error}")),
                }
            }
            (Ok(Started::Go(address)), Some(gateway)) => {
                self.note(|| format!("checkout of {code}: {address}"));
                self.arrive_at_counter(gateway, &address, None);
            }
            (Ok(Started::Post { action, fields, .. }), Some(gateway)) => {
                self.note(|| format!("checkout of {code}: {action}"));
                self.arrive_at_counter(gateway, &action, Some(&fields));
            }
            (Ok(_), _) => {
                self.note(|| format!("checkout of {code}: the gateway is being asked"));
                self.check_out_later(checkout);
            }
            (Err(PayError::NothingDue), _) => {}
            (Err(error), _) => {
                self.note(|| format!("no checkout of {code}: {error}"));
                if matches!(error, PayError::Refused(_)) {
                    self.check_out_later(checkout);
                }
            }
        }
    }

    fn decide(&mut self, order: &PayOrder) -> Result<(), SimulateError> {
        let result = match self.chance.below(10) {
            0 => PayResult::Cancelled,
            1 => PayResult::NoFunds,
            _ => PayResult::Paid,
        };
        let amount = if result == PayResult::Paid && self.strikes(Fault::WrongAmount) {
            self.count(Fault::WrongAmount);
            order.amount + 1_000
        } else {
            order.amount
        };
        self.note(|| format!("VNPAY {}: {result:?} {amount}", order.order_ref));
        let notice = self
            .providers
            .peers
            .vnpay
            .concluded(order, result, amount)
            .map_err(trouble("notice"))?;
        self.announce(notice);
        if result != PayResult::Paid && self.chance.percent(60) {
            // The page offers to try once more: a refused order may still be paid.
            let again = Event::Pay(Intent::Decide {
                order: order.clone(),
            });
            let wait = self.chance.between(5 * SECOND, MINUTE);
            self.schedule(wait, again);
        }
        Ok(())
    }

    async fn pay_cash(
        &mut self,
        bill: usize,
        amount: i64,
        token: String,
        tries: u32,
    ) -> Result<(), SimulateError> {
        let staged = &self.stage.bills[bill];
        let school = self.stage.schools[staged.school].school_id.clone();
        let movement = ("cash".to_owned(), token.clone());
        let again = Event::Pay(Intent::Cash {
            bill,
            amount,
            token: token.clone(),
            tries: tries + 1,
        });
        let Some(node) = self.counter() else {
            if tries < PATIENCE {
                let wait = self.chance.between(MINUTE, 10 * MINUTE);
                self.schedule(wait, again);
            }
            return Ok(());
        };
        let process = self.process(node)?;
        self.told.moved.insert(movement.clone(), amount);
        let armed = self.arm();
        self.power.begin(node, armed);
        let receipt = record_cash(
            &process.app,
            &school,
            &staged.bill_id,
            Vnd::new(amount),
            &token,
            "",
        )
        .await;
        let lived = self.after_work(node);
        self.note(|| {
            let said = match &receipt {
                _ if !lived => "died".to_owned(),
                Ok(receipt) => format!("{:?}", receipt.outcome),
                Err(error) => error.to_string(),
            };
            format!("node {node}, cash {amount} for {}: {said}", staged.code)
        });
        match receipt {
            Ok(_) if lived => {
                self.told.acknowledged.insert(movement);
                self.late_jobs(node).await?;
                // A nervous clerk presses twice.
                if self.strikes(Fault::Duplicate) && tries < PATIENCE {
                    self.schedule(SECOND, again);
                }
            }
            Err(PayError::NothingDue | PayError::Amount { .. }) if lived => {}
            _ if tries < PATIENCE => {
                let wait = self.chance.between(10 * SECOND, 5 * MINUTE);
                self.schedule(wait, again);
            }
            _ => {}
        }
        Ok(())
    }
}
