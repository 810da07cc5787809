//! What parents do: transfers, checkouts, cash at the counter.

use hocphi_sandbox::{PayOrder, PayResult, Transfer};

use super::fault::Fault;
use super::world::{Event, HOUR, MINUTE, SECOND, World};
use super::{SimulateError, trouble};
use crate::money::Vnd;
use crate::payments::service::{PayError, Started, record_cash, start_checkout};

/// Attempts at something that got no answer before a person leaves it.
const PATIENCE: u32 = 4;

/// Somebody's plan to pay.
#[derive(Clone, Debug)]
pub enum Intent {
    /// Places of the bills, amount, and whether the memo names them.
    Transfer {
        bills: Vec<usize>,
        amount: i64,
        named: bool,
    },
    Checkout {
        bill: usize,
        tries: u32,
    },
    /// The payer is on VNPAY's page.
    Decide {
        order: PayOrder,
    },
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
        let families = self.chance.between(2, 5);
        for number in 0..families {
            let bill = self.chance.place(self.stage.bills.len());
            let due = self.stage.bills[bill].due;
            let intent = match self.chance.below(10) {
                0..=4 => self.transfer(bill, due),
                5..=7 => Intent::Checkout { bill, tries: 0 },
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
            Intent::Checkout { bill, tries } => self.check_out(bill, tries).await,
            Intent::Decide { order } => self.decide(&order),
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

    async fn check_out(&mut self, bill: usize, tries: u32) -> Result<(), SimulateError> {
        let later = Event::Pay(Intent::Checkout {
            bill,
            tries: tries + 1,
        });
        let Some(node) = self.counter() else {
            if tries < PATIENCE {
                let wait = self.chance.between(MINUTE, 10 * MINUTE);
                self.schedule(wait, later);
            }
            return Ok(());
        };
        let process = self.process(node)?;
        let staged = &self.stage.bills[bill];
        let connection = &self.stage.schools[staged.school].vnpay;
        let armed = self.arm();
        self.power.begin(node, armed);
        let started = start_checkout(&process.app, &staged.token, connection, "10.0.0.1").await;
        let lived = self.after_work(node);
        match started {
            _ if !lived => {
                self.note(|| format!("node {node} died in a checkout of {}", staged.code));
                if tries < PATIENCE {
                    let wait = self.chance.between(MINUTE, 10 * MINUTE);
                    self.schedule(wait, later);
                }
            }
            Ok(Started::Go(address)) => match self.peers.vnpay.arrive(&address) {
                Ok(order) => {
                    self.note(|| format!("checkout of {}: {} at VNPAY", staged.code, order.amount));
                    let wait = self.chance.between(5 * SECOND, 10 * MINUTE);
                    self.schedule(wait, Event::Pay(Intent::Decide { order }));
                }
                // A process whose clock is wrong makes requests that VNPAY finds too old or too new.
                Err(error) => self.note(|| format!("VNPAY shows an error page: {error}")),
            },
            Ok(other) => return Err(trouble("checkout")(format!("{other:?}"))),
            Err(PayError::NothingDue) => {}
            Err(error) => self.note(|| format!("no checkout of {}: {error}", staged.code)),
        }
        Ok(())
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
            .peers
            .vnpay
            .notice(order, result, amount)
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
