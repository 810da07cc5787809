//! Providers that report payments without pause, and repeat what was not acknowledged until it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hocphi::clock::Clock;
use hocphi_sandbox::{Notice, PayResult, Transfer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use crate::cli::demo::stage::{BillLink, Stage};

/// Providers that report at the same time.
const SENDERS: u64 = 16;
/// Milliseconds between two payments of a sender: invoices must be able to keep up.
const PAUSE_MILLIS: std::ops::Range<u64> = 20..180;
/// Before a notice that was not acknowledged is sent again.
const REPEAT_AFTER: Duration = Duration::from_millis(60);
/// One payment in so many goes by VNPAY, the others come by bank.
const VNPAY_SHARE: u32 = 12;
/// One acknowledged notice in so many is sent again all the same.
const REPEAT_SHARE: u32 = 10;
/// Beyond what a gateway takes to give up on its database.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);

/// What a provider knows about a payment that was acknowledged.
pub type Acknowledged = BTreeMap<(String, String), i64>;

/// What was heard so far.
#[derive(Debug, Default)]
pub struct Heard {
    acknowledged: Mutex<Acknowledged>,
    /// Answers that were no acknowledgement, by HTTP status.
    pub refused: Mutex<BTreeMap<u16, u64>>,
    /// 503 without `Retry-After`.
    pub impolite: AtomicU64,
    /// Requests without any answer.
    pub silent: AtomicU64,
    /// Acknowledged notices that were sent once more.
    pub repeated: AtomicU64,
    /// Notices that are on the way or were not acknowledged yet.
    pub open: AtomicU64,
}

impl Heard {
    pub fn acknowledged(&self) -> Acknowledged {
        self.lock().clone()
    }

    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Acknowledged> {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers of a status.
    pub fn refusals(&self, status: u16) -> u64 {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&status).copied().unwrap_or(0)
    }
}

/// The running load.
pub struct Load {
    shared: Arc<Shared>,
    senders: JoinSet<Result<()>>,
}

struct Shared {
    stage: Arc<Stage>,
    client: reqwest::Client,
    /// Of the nodes; each request goes to a drawn one.
    ports: Vec<u16>,
    heard: Arc<Heard>,
    record: Mutex<File>,
    next_bill: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Starts to report payments of the stage's bills to these ports. Every acknowledgement is
    /// written to `record` as it comes.
    pub fn start(stage: Arc<Stage>, ports: Vec<u16>, record: &Path, seed: u64) -> Result<Self> {
        let shared = Arc::new(Shared {
            stage,
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .timeout(ANSWER_TIMEOUT)
                .build()?,
            ports,
            heard: Arc::default(),
            record: Mutex::new(File::create(record)?),
            next_bill: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            let shared = shared.clone();
            let chance = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(sender));
            senders.spawn(async move { shared.send(chance).await });
        }
        Ok(Self { shared, senders })
    }

    pub fn heard(&self) -> &Arc<Heard> {
        &self.shared.heard
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.shared.client
    }

    /// Waits until so many payments more have been acknowledged.
    pub async fn more(&self, payments: usize, at_most: Duration) -> Result<()> {
        let wanted = self.shared.heard.count() + payments;
        self.until(at_most, "payments are not acknowledged", || {
            self.shared.heard.count() >= wanted
        })
        .await
    }

    /// Waits until `reached` says so.
    pub async fn until(
        &self,
        at_most: Duration,
        otherwise: &str,
        mut reached: impl FnMut() -> bool,
    ) -> Result<()> {
        let begun = std::time::Instant::now();
        while !reached() {
            if begun.elapsed() > at_most {
                let refused = self.shared.heard.refused.lock();
                bail!(
                    "{otherwise} after {at_most:?}; answers so far: {:?}",
                    refused.unwrap_or_else(PoisonError::into_inner)
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// No new payments; waits until every notice on the way has been acknowledged.
    pub async fn finish(mut self, at_most: Duration) -> Result<Arc<Heard>> {
        self.shared.stop.store(true, Ordering::SeqCst);
        let ended = tokio::time::timeout(at_most, async {
            while let Some(sender) = self.senders.join_next().await {
                sender??;
            }
            anyhow::Ok(())
        });
        ended
            .await
            .with_context(|| format!("notices are still not acknowledged after {at_most:?}"))??;
        Ok(self.shared.heard.clone())
    }
}

impl Shared {
    async fn send(&self, mut chance: StdRng) -> Result<()> {
        while !self.stop.load(Ordering::SeqCst) {
            let Some(notice) = self.draw(&mut chance).await? else {
                tokio::time::sleep(REPEAT_AFTER).await;
                continue;
            };
            self.heard.open.fetch_add(1, Ordering::SeqCst);
            // A stopped load still repeats: money that moved is reported until somebody takes it.
            while !self.report(&notice, &mut chance).await? {
                tokio::time::sleep(REPEAT_AFTER).await;
            }
            self.note(&notice)?;
            self.heard.open.fetch_sub(1, Ordering::SeqCst);
            if chance.random_ratio(1, REPEAT_SHARE) {
                self.report(&notice, &mut chance).await?;
                self.heard.repeated.fetch_add(1, Ordering::SeqCst);
            }
            tokio::time::sleep(Duration::from_millis(chance.random_range(PAUSE_MILLIS))).await;
        }
        Ok(())
    }

    /// A new payment; `None` when the gateway could not begin one just now.
    async fn draw(&self, chance: &mut StdRng) -> Result<Option<Notice>> {
        let stage = &self.stage;
        if chance.random_ratio(1, VNPAY_SHARE) {
            let place = self.next_bill.fetch_add(1, Ordering::SeqCst);
            if let Some(bill) = stage.bills.get(place) {
                return self.through_vnpay(bill, chance).await;
            }
        }
        let bill = &stage.bills[chance.random_range(0..stage.bills.len())];
        let transfer = Transfer {
            account: bill.account.clone(),
            amount: chance.random_range(1_000..60_000),
            memo: bill.code.clone(),
            rendering: None,
            outgoing: false,
        };
        Ok(Some(stage.sandbox.bank().notice(&transfer)?))
    }

    /// Presses the pay button of a bill.
    async fn through_vnpay(&self, bill: &BillLink, chance: &mut StdRng) -> Result<Option<Notice>> {
        let base = format!("http://127.0.0.1:{}", self.port(chance));
        let page = self
            .client
            .get(format!("{base}/b/{}", bill.token))
            .send()
            .await;
        let Ok(page) = page else { return Ok(None) };
        let Ok(page) = page.text().await else {
            return Ok(None);
        };
        let action = page
            .split("action=\"")
            .filter_map(|rest| rest.split('"').next())
            .find(|action| action.contains("/pay/") && action.ends_with("vnpay"));
        // Paid already, or an error page.
        let Some(action) = action else {
            return Ok(None);
        };
        let pressed = self
            .client
            .post(format!("{base}{action}"))
            .header("Origin", &base)
            .header("Sec-Fetch-Site", "same-origin")
            .send()
            .await;
        let Ok(pressed) = pressed else {
            return Ok(None);
        };
        let location = pressed.headers().get("location");
        let Some(location) = location
            .and_then(|value| value.to_str().ok())
            .filter(|location| location.contains("vpcpay"))
        else {
            return Ok(None);
        };
        let vnpay = self.stage.sandbox.vnpay();
        // An order stamped by a clock that is wrong is refused; nobody paid anything.
        let Ok(order) = vnpay.open(location).await else {
            return Ok(None);
        };
        Ok(Some(vnpay.notice(&order, PayResult::Paid, order.amount)?))
    }

    /// Sends a notice once; answers whether it was acknowledged in the provider's own words.
    async fn report(&self, notice: &Notice, chance: &mut StdRng) -> Result<bool> {
        // Stamped anew each time, as providers do: receivers refuse old stamps.
        let now = Clock::system().now().unix();
        let mut request = notice.stamped(now).request(&self.client).build()?;
        let port = self.port(chance);
        if request.url_mut().set_port(Some(port)).is_err() {
            bail!("a notice goes to an address without a port");
        }
        let Ok(answer) = self.client.execute(request).await else {
            self.heard.silent.fetch_add(1, Ordering::SeqCst);
            return Ok(false);
        };
        let status = answer.status().as_u16();
        let polite = answer.headers().contains_key("retry-after");
        let Ok(body) = answer.text().await else {
            self.heard.silent.fetch_add(1, Ordering::SeqCst);
            return Ok(false);
        };
        if acknowledges(status, &body) {
            return Ok(true);
        }
        if status == 503 && !polite {
            self.heard.impolite.fetch_add(1, Ordering::SeqCst);
        }
        let mut refused = self
            .heard
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *refused.entry(status).or_default() += 1;
        Ok(false)
    }

    fn note(&self, notice: &Notice) -> Result<()> {
        let provider = notice.provider().to_owned();
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(
            record,
            "{provider},{},{}",
            notice.transaction_id, notice.amount
        )?;
        let key = (provider, notice.transaction_id.clone());
        self.heard.lock().insert(key, notice.amount);
        Ok(())
    }

    fn port(&self, chance: &mut StdRng) -> u16 {
        self.ports[chance.random_range(0..self.ports.len())]
    }
}

/// VNPAY stops at RspCode 00 and 02, a SePay feed at a 2xx that says `"success": true`.
fn acknowledges(status: u16, body: &str) -> bool {
    let Ok(reply) = serde_json::from_str::<serde_json::Value>(body) else {
        return false;
    };
    match reply["RspCode"].as_str() {
        Some(code) => status == 200 && (code == "00" || code == "02"),
        None => (200..300).contains(&status) && reply["success"] == true,
    }
}
