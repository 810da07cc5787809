//! Parents pay, providers report, and much goes wrong on the way. Everything through HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use hocphi_sandbox::{Answer, Notice, PayResult, Sandbox, Transfer};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::stage::{BillLink, Stage};

/// Payers that act at the same time.
const PAYERS_AT_ONCE: usize = 16;

/// What a payer does. Each is one movement of money or an attempt at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    BankExact,
    Vnpay,
    VnpayCancelledThenBank,
    BankInTwoParts,
    BankTooMuch,
    BankWithoutCode,
    BankDamagedCode,
    BankTwice,
    BankTwoChildren,
    VnpayOtherAmount,
    VnpayUnknownOrder,
    BankOutgoing,
}

impl Act {
    const WEIGHTS: [(Self, u32); 12] = [
        (Self::BankExact, 44),
        (Self::Vnpay, 30),
        (Self::VnpayCancelledThenBank, 4),
        (Self::BankInTwoParts, 4),
        (Self::BankTooMuch, 3),
        (Self::BankWithoutCode, 3),
        (Self::BankDamagedCode, 2),
        (Self::BankTwice, 2),
        (Self::BankTwoChildren, 3),
        (Self::VnpayOtherAmount, 2),
        (Self::VnpayUnknownOrder, 1),
        (Self::BankOutgoing, 2),
    ];

    /// In the summary.
    pub const fn label(self) -> &'static str {
        match self {
            Self::BankExact => "chuyển khoản đúng",
            Self::Vnpay => "VNPAY thành công",
            Self::VnpayCancelledThenBank => "VNPAY hủy rồi chuyển khoản",
            Self::BankInTwoParts => "chuyển khoản hai lần góp đủ",
            Self::BankTooMuch => "chuyển khoản thừa",
            Self::BankWithoutCode => "không ghi mã",
            Self::BankDamagedCode => "ghi sai mã",
            Self::BankTwice => "nộp trùng",
            Self::BankTwoChildren => "một lần cho hai con",
            Self::VnpayOtherAmount => "VNPAY báo sai số tiền",
            Self::VnpayUnknownOrder => "VNPAY báo đơn lạ",
            Self::BankOutgoing => "báo tiền ra",
        }
    }

    /// Payments that come in through it.
    const fn movements(self) -> usize {
        match self {
            Self::BankInTwoParts | Self::BankTwice => 2,
            Self::BankOutgoing => 0,
            _ => 1,
        }
    }

    const fn bills(self) -> usize {
        match self {
            Self::BankTwoChildren => 2,
            Self::BankWithoutCode | Self::VnpayUnknownOrder | Self::BankOutgoing => 0,
            _ => 1,
        }
    }
}

/// How often each fault was injected.
#[derive(Debug, Default)]
pub struct Faults {
    pub answers: AtomicU64,
    pub repeated: AtomicU64,
    pub reordered: AtomicU64,
    pub forged: AtomicU64,
}

/// What the story did.
#[derive(Debug, Default)]
pub struct Told {
    pub acts: BTreeMap<Act, u64>,
    pub faults: Faults,
    /// Notices whose answer was looked at.
    pub answers: u64,
    /// Forged notices that were not refused, and genuine ones that were: must be empty.
    pub wrong_answers: Vec<String>,
}

/// Plays `payments` movements over the unpaid bills of the stage.
pub async fn play(stage: Arc<Stage>, payments: usize, seed: u64) -> Result<Told> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bills = stage.bills.clone();
    bills.shuffle(&mut rng);
    let mut told = Told::default();
    let faults = Arc::new(Faults::default());
    let mut scenes: Vec<(Act, Vec<BillLink>, u64)> = Vec::with_capacity(payments);
    let mut movements = 0;
    while movements < payments {
        let mut act = draw(&mut rng);
        if movements + act.movements() > payments {
            act = Act::BankExact;
        }
        let cast = take_cast(&mut bills, act);
        // Out of unpaid bills: what is left are movements that need none.
        let act = if cast.len() < act.bills() {
            Act::BankWithoutCode
        } else {
            act
        };
        movements += act.movements();
        *told.acts.entry(act).or_default() += 1;
        scenes.push((act, cast, rng.random()));
    }
    let mut running: JoinSet<Result<Vec<String>>> = JoinSet::new();
    for (act, cast, seed) in scenes {
        while running.len() >= PAYERS_AT_ONCE {
            note(&mut told, running.join_next().await)?;
        }
        let scene = Scene {
            stage: stage.clone(),
            faults: faults.clone(),
            rng: StdRng::seed_from_u64(seed),
            wrong: Vec::new(),
        };
        running.spawn(async move {
            scene
                .play(act, cast)
                .await
                .with_context(|| format!("{act:?}"))
        });
    }
    while let Some(done) = running.join_next().await {
        note(&mut told, Some(done))?;
    }
    told.faults = Arc::try_unwrap(faults).unwrap_or_default();
    told.answers = told.faults.answers.load(Ordering::Relaxed);
    Ok(told)
}

fn note(
    told: &mut Told,
    done: Option<Result<Result<Vec<String>>, tokio::task::JoinError>>,
) -> Result<()> {
    if let Some(done) = done {
        told.wrong_answers.extend(done??);
    }
    Ok(())
}

fn draw(rng: &mut StdRng) -> Act {
    let total: u32 = Act::WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut ticket = rng.random_range(0..total);
    for (act, weight) in Act::WEIGHTS {
        if ticket < weight {
            return act;
        }
        ticket -= weight;
    }
    Act::BankExact
}

/// Two children of one transfer go to one school: a code of another school is nobody's here.
fn take_cast(bills: &mut Vec<BillLink>, act: Act) -> Vec<BillLink> {
    let mut cast: Vec<BillLink> = Vec::new();
    while cast.len() < act.bills() {
        let place = match cast.first() {
            None => bills.len().checked_sub(1),
            Some(first) => bills.iter().rposition(|bill| bill.account == first.account),
        };
        match place {
            Some(place) => cast.push(bills.remove(place)),
            None => break,
        }
    }
    cast
}

struct Scene {
    stage: Arc<Stage>,
    faults: Arc<Faults>,
    rng: StdRng,
    wrong: Vec<String>,
}

impl Scene {
    fn sandbox(&self) -> &Sandbox {
        &self.stage.sandbox
    }

    async fn play(mut self, act: Act, cast: Vec<BillLink>) -> Result<Vec<String>> {
        match (act, cast.as_slice()) {
            (Act::BankExact, [bill]) => {
                let transfer = self.scan(bill).await?;
                self.credit(vec![transfer]).await?;
            }
            (Act::BankInTwoParts, [bill]) => {
                let whole = self.scan(bill).await?;
                let first = self.rng.random_range(1..whole.amount.max(2));
                let mut parts = vec![with_amount(&whole, first)];
                if whole.amount > first {
                    parts.push(with_amount(&whole, whole.amount - first));
                }
                self.credit(parts).await?;
            }
            (Act::BankTooMuch, [bill]) => {
                let whole = self.scan(bill).await?;
                let extra = self.rng.random_range(1..500_000);
                self.credit(vec![with_amount(&whole, whole.amount + extra)])
                    .await?;
            }
            (Act::BankDamagedCode, [bill]) => {
                let mut transfer = self.scan(bill).await?;
                transfer.memo = damage(&transfer.memo);
                self.credit(vec![transfer]).await?;
            }
            (Act::BankTwice, [bill]) => {
                let transfer = self.scan(bill).await?;
                self.credit(vec![transfer.clone(), transfer]).await?;
            }
            (Act::BankTwoChildren, [first, second]) => {
                let one = self.scan(first).await?;
                let two = self.scan(second).await?;
                let mut both = with_amount(&one, one.amount + two.amount);
                both.memo = format!("{} va {}", one.memo, two.memo);
                self.credit(vec![both]).await?;
            }
            (Act::Vnpay, [bill]) => self.vnpay(bill).await?,
            (Act::VnpayCancelledThenBank, [bill]) => {
                let order = self
                    .sandbox()
                    .vnpay()
                    .open(&self.checkout(bill).await?)
                    .await?;
                self.sandbox()
                    .vnpay()
                    .press(&order, PayResult::Cancelled)
                    .await?;
                let transfer = self.scan(bill).await?;
                self.credit(vec![transfer]).await?;
            }
            (Act::VnpayOtherAmount, [bill]) => {
                let order = self
                    .sandbox()
                    .vnpay()
                    .open(&self.checkout(bill).await?)
                    .await?;
                let other = order.amount + 1_000;
                let notice = self
                    .sandbox()
                    .vnpay()
                    .notice(&order, PayResult::Paid, other)?;
                self.expect(&notice, r#""RspCode":"04""#).await;
            }
            (Act::VnpayUnknownOrder, _) => {
                let tmn_code = self.pick_terminal();
                let notice = self.sandbox().vnpay().notice_for(
                    &tmn_code,
                    "KHONGCO-1",
                    "Don la",
                    PayResult::Paid,
                    250_000,
                )?;
                self.expect(&notice, r#""RspCode":"01""#).await;
            }
            (Act::BankOutgoing, _) => {
                let transfer = Transfer {
                    outgoing: true,
                    ..self.unnamed("chi tien an ban tru")
                };
                self.credit(vec![transfer]).await?;
            }
            (_, _) => {
                let transfer = self.unnamed("nop tien hoc cho chau");
                self.credit(vec![transfer]).await?;
            }
        }
        Ok(self.wrong)
    }

    /// Opens the bill page as a phone would and reads the VietQR on it.
    async fn scan(&self, bill: &BillLink) -> Result<Transfer> {
        let page = self.stage.page(&format!("/b/{}", bill.token)).await?;
        let payload = between(&page, "data-vietqr=\"", "\"")
            .with_context(|| format!("no VietQR on the page of {}", bill.code))?;
        Ok(self.sandbox().bank().scan(&payload.replace("&#32;", " "))?)
    }

    /// Presses the VNPAY button of the bill page; answers where the browser is sent.
    async fn checkout(&self, bill: &BillLink) -> Result<String> {
        let page = self.stage.page(&format!("/b/{}", bill.token)).await?;
        let action = page
            .split("action=\"")
            .filter_map(|rest| rest.split('"').next())
            .find(|action| action.contains("/pay/"))
            .context("no payment button on the bill page")?
            .to_owned();
        let response = self
            .stage
            .client
            .post(format!("{}{action}", self.stage.base_url))
            .header("Origin", &*self.stage.base_url)
            .header("Sec-Fetch-Site", "same-origin")
            .send()
            .await?;
        let status = response.status();
        match response
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok())
        {
            Some(location) if status.is_redirection() => Ok(location.to_owned()),
            _ => bail!("checkout answered {status}"),
        }
    }

    async fn vnpay(&mut self, bill: &BillLink) -> Result<()> {
        let order = self
            .sandbox()
            .vnpay()
            .open(&self.checkout(bill).await?)
            .await?;
        if self.rng.random_bool(0.5) {
            // The whole way of a browser: the page, the button, the report, the return.
            let finished = self
                .sandbox()
                .vnpay()
                .press(&order, PayResult::Paid)
                .await?;
            let back = self.stage.client.get(&finished.return_to).send().await?;
            ensure!(
                back.status().is_redirection(),
                "return answered {}",
                back.status()
            );
            return Ok(());
        }
        let notice = self
            .sandbox()
            .vnpay()
            .notice(&order, PayResult::Paid, order.amount)?;
        self.deliver(vec![notice]).await;
        Ok(())
    }

    async fn credit(&mut self, transfers: Vec<Transfer>) -> Result<()> {
        let notices = transfers
            .iter()
            .map(|transfer| self.sandbox().bank().notice(transfer))
            .collect::<Result<Vec<_>, _>>()?;
        self.deliver(notices).await;
        Ok(())
    }

    /// Delivers genuine notices, with forged copies before them, in any order, some many times at once.
    async fn deliver(&mut self, mut notices: Vec<Notice>) {
        for notice in &notices {
            if self.rng.random_bool(0.1) {
                let forged = if self.rng.random_bool(0.5) {
                    notice.with_wrong_signature()
                } else {
                    notice.with_changed_amount(notice.amount + 100_000)
                };
                self.faults.forged.fetch_add(1, Ordering::Relaxed);
                let answer = self.sandbox().deliver(&forged).await;
                self.faults.answers.fetch_add(1, Ordering::Relaxed);
                if answer.acknowledged {
                    self.wrong
                        .push(format!("forged {} was acknowledged", notice.transaction_id));
                }
            }
        }
        if notices.len() > 1 && self.rng.random_bool(0.5) {
            notices.reverse();
            self.faults.reordered.fetch_add(1, Ordering::Relaxed);
        }
        for notice in notices {
            let times = if self.rng.random_bool(0.25) {
                self.rng.random_range(2..=5)
            } else {
                1
            };
            self.faults
                .repeated
                .fetch_add(times as u64 - 1, Ordering::Relaxed);
            let answers = self.sandbox().deliver_together(&notice, times).await;
            self.faults
                .answers
                .fetch_add(times as u64, Ordering::Relaxed);
            if !answers.iter().all(|answer| answer.acknowledged) {
                self.refused(&notice, &answers);
            }
        }
    }

    fn refused(&mut self, notice: &Notice, answers: &[Answer]) {
        let seen: Vec<_> = answers
            .iter()
            .map(|answer| (answer.status, answer.body.clone()))
            .collect();
        self.wrong.push(format!(
            "genuine {} was answered {seen:?}",
            notice.transaction_id
        ));
    }

    /// A notice that must be answered in certain words, also when it is repeated.
    async fn expect(&mut self, notice: &Notice, words: &str) {
        for _ in 0..2 {
            let answer = self.sandbox().deliver(notice).await;
            self.faults.answers.fetch_add(1, Ordering::Relaxed);
            if !answer.body.replace(' ', "").contains(words) {
                self.wrong
                    .push(format!("expected {words}, got {}", answer.body));
            }
        }
    }

    fn unnamed(&mut self, memo: &str) -> Transfer {
        let place = self.rng.random_range(0..self.stage.accounts.len());
        Transfer {
            account: self.stage.accounts[place].clone(),
            amount: self.rng.random_range(1..40) * 50_000,
            memo: memo.to_owned(),
            rendering: None,
            outgoing: false,
        }
    }

    fn pick_terminal(&mut self) -> String {
        let place = self.rng.random_range(0..self.stage.terminals.len());
        self.stage.terminals[place].clone()
    }
}

fn with_amount(transfer: &Transfer, amount: i64) -> Transfer {
    Transfer {
        amount,
        ..transfer.clone()
    }
}

/// Changes one symbol of the code, as a payer who types it by hand does.
fn damage(memo: &str) -> String {
    let mut text: Vec<char> = memo.chars().collect();
    if let Some(symbol) = text.get_mut(7) {
        *symbol = if *symbol == '7' { '9' } else { '7' };
    }
    text.into_iter().collect()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let from = text.find(start)? + start.len();
    let rest = &text[from..];
    Some(&rest[..rest.find(end)?])
}
