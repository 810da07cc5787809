//! Bank credits over HTTP: verified, posted (inbox, payment, allocations, bill, journal, job), durable,
//! acknowledged. The load generator is part of the same machine.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use hocphi::clock::Clock;
use hocphi::http_out::HttpOut;
use hocphi::ids::Ids;
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, Durability};
use hocphi::{App, Parts};
use hocphi_adapters::Registry;
use hocphi_sandbox::{Config, Pki, Rendering, Sandbox, Transfer};

use super::books::{self, Payable};
use super::cluster::free_port;
use super::figures::Figure;
use super::gateway::Gateway;
use super::load::{Load, Message, Pace, fire};

/// Payments before anything is measured: charts, connections and statements are known then.
const WARM_UP: usize = 3_000;
/// Ballast is made in steps, so that memory stays small.
const BALLAST_STEP: usize = 100_000;

/// How much is measured.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// Providers that call at the same time.
    #[arg(long, default_value_t = 512)]
    pub connections: usize,
    /// Payments of a round.
    #[arg(long, default_value_t = 10_000)]
    pub payments: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Lines of a bill; two are tuition and insurance.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=books::LINES_MAX as i64))]
    pub lines: u8,
    /// Seconds at half the highest rate.
    #[arg(long, default_value_t = 5)]
    pub half_seconds: u64,
    /// Bills stored at first.
    #[arg(long, default_value_t = 50_000)]
    pub few: usize,
    /// Bills stored later; the rate must hold. 0 leaves this part out.
    #[arg(long, default_value_t = 5_000_000)]
    pub many: usize,
}

pub struct Measured {
    /// Payments a second with few bills stored, and with many.
    pub few: u64,
    pub many: Option<u64>,
    pub half_rate: u64,
    pub half_p50: Duration,
    pub half_p99: Duration,
    pub cold_start: Duration,
    pub resident_kib: u64,
}

impl Measured {
    /// `percent` of the baseline is asked for.
    pub fn figures(self, engine: &str, baseline: u64, percent: u64) -> Vec<Figure> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut figures = vec![
            Figure::new(
                format!("{engine}: thông báo ghi bền và hạch toán"),
                self.few,
                "/s",
            )
            .beside("pgbench tpcb-like", baseline)
            .at_least_percent(percent),
            Figure::new(
                format!("{engine}: độ trễ p50 ở {}/s", self.half_rate),
                micros(self.half_p50),
                "µs",
            ),
            Figure::new(
                format!("{engine}: độ trễ p99 ở {}/s", self.half_rate),
                micros(self.half_p99),
                "µs",
            )
            .at_most(50_000),
        ];
        if let Some(many) = self.many {
            figures.push(
                Figure::new(format!("{engine}: khi lưu nhiều phiếu thu"), many, "/s")
                    .beside("khi lưu ít phiếu thu", self.few)
                    .at_least_percent(85),
            );
        }
        figures.push(Figure::new(
            format!("{engine}: khởi động lạnh đến câu trả lời đầu"),
            micros(self.cold_start),
            "µs",
        ));
        figures.push(
            Figure::new(
                format!("{engine}: bộ nhớ thường trú khi tải"),
                self.resident_kib,
                "KiB",
            )
            .at_most(200 * 1024),
        );
        figures
    }
}

/// A database with books in it, and the peers that call about it.
struct Bench {
    app: App,
    sandbox: Sandbox,
    client: reqwest::Client,
    listen: SocketAddr,
    url: String,
    folder: std::path::PathBuf,
    bills: usize,
    lines: usize,
    payable: Vec<Payable>,
}

pub async fn measure(url: &str, folder: &Path, size: Size) -> Result<Measured> {
    let mut bench = Bench::lay(url, folder, usize::from(size.lines)).await?;
    let measured_size = size.payments * size.rounds + WARM_UP;
    bench.add(size.few.max(measured_size), true).await?;
    bench.settle().await?;
    let gateway = bench.gateway().await?;
    let cold_start = gateway.cold_start;
    let few = bench.rounds(size).await?;
    let half_rate = (few / 2).max(1);
    let seconds = usize::try_from(half_rate * size.half_seconds)?;
    if bench.payable.len() < seconds {
        bench.add(seconds - bench.payable.len(), true).await?;
    }
    let half = bench
        .pay(seconds, size.connections, Pace::PerSecond(half_rate))
        .await?;
    let mut resident_kib = gateway.resident_kib()?;
    drop(gateway);
    let mut many = None;
    if size.many > bench.bills {
        let ballast = size.many.saturating_sub(bench.bills + measured_size);
        for start in (0..ballast).step_by(BALLAST_STEP) {
            bench.add(BALLAST_STEP.min(ballast - start), false).await?;
        }
        bench.add(measured_size, true).await?;
        bench.settle().await?;
        let gateway = bench.gateway().await?;
        many = Some(bench.rounds(size).await?);
        resident_kib = resident_kib.max(gateway.resident_kib()?);
    }
    bench.app.db.close().await;
    Ok(Measured {
        few,
        many,
        half_rate,
        half_p50: half.percentile(50),
        half_p99: half.percentile(99),
        cold_start,
        resident_kib,
    })
}

impl Bench {
    async fn lay(url: &str, folder: &Path, lines: usize) -> Result<Self> {
        let clock = Clock::system();
        let ids = Ids::from_system();
        let listen: SocketAddr = ([127, 0, 0, 1], free_port()?).into();
        let now = clock.clone();
        let pki = Arc::new(Pki::new(clock.now().unix())?);
        let mut config = Config::new(Arc::new(move || now.now().unix()), 1, pki);
        config.tax_token = ids.token();
        config.tax_answer_after = Duration::from_secs(1);
        let sandbox = Sandbox::start(config).await?;
        let app = App::assemble(Parts {
            // Lays the books and reads; the gateway opens the database for itself, and durably.
            db: Db::open_with(url, Durability::Off).await?,
            clock,
            seal: SealingKey::read_or_create(&folder.join("master.key"), &ids)?,
            ids,
            http: HttpOut::new()?,
            registry: Registry::builtin(),
            trust: hocphi::payments::trust::Trust::default(),
            public_url: format!("http://{listen}"),
            sandbox_bank_url: None,
        });
        books::lay(&app, sandbox.bank()).await?;
        Ok(Self {
            app,
            sandbox,
            client: reqwest::Client::builder().no_proxy().build()?,
            listen,
            url: url.to_owned(),
            folder: folder.to_owned(),
            bills: 0,
            lines,
            payable: Vec::new(),
        })
    }

    async fn add(&mut self, count: usize, payable: bool) -> Result<()> {
        let added = books::add_payable(&self.app, self.bills, count, self.lines).await?;
        self.bills += count;
        if payable {
            self.payable.extend(added);
        }
        Ok(())
    }

    /// What an engine puts off until later is done before it is measured.
    async fn settle(&self) -> Result<()> {
        self.app
            .db
            .sql_by_engine("PRAGMA wal_checkpoint(TRUNCATE)", "CHECKPOINT")
            .run()
            .await?;
        Ok(())
    }

    async fn gateway(&self) -> Result<Gateway> {
        Gateway::start(
            &self.url,
            &self.folder.join("master.key"),
            self.listen,
            &self.client,
        )
        .await
    }

    /// The median of several rounds at full speed.
    async fn rounds(&mut self, size: Size) -> Result<u64> {
        self.pay(WARM_UP, size.connections, Pace::AsFastAsAnswered)
            .await?;
        let mut rates = Vec::new();
        for _ in 0..size.rounds.max(1) {
            let load = self
                .pay(size.payments, size.connections, Pace::AsFastAsAnswered)
                .await?;
            rates.push(load.per_second());
        }
        rates.sort_unstable();
        Ok(rates[rates.len() / 2])
    }

    /// Pays so many bills, and makes sure that each payment is in the books.
    async fn pay(&mut self, count: usize, connections: usize, pace: Pace) -> Result<Load> {
        ensure!(self.payable.len() >= count, "too few bills to pay");
        let amount = books::amount(self.lines);
        let messages = self
            .payable
            .drain(..count)
            .map(|bill| {
                let notice = self.sandbox.bank().notice(&Transfer {
                    account: bill.account,
                    amount,
                    memo: bill.code,
                    rendering: Some(Rendering::Plain),
                    outgoing: false,
                })?;
                Message::new(&notice.request(&self.client).build()?)
            })
            .collect::<Result<Vec<_>>>()?;
        let before = self.posted().await?;
        let load = fire(self.listen, messages, connections, pace).await?;
        let posted = self.posted().await? - before;
        ensure!(
            posted == i64::try_from(count)?,
            "{posted} of {count} acknowledged payments settled their bills"
        );
        Ok(load)
    }

    async fn posted(&self) -> Result<i64> {
        let (count,): (i64,) = self
            .app
            .db
            .sql("SELECT COUNT(*) FROM payment WHERE to_bills = amount")
            .one()
            .await?;
        Ok(count)
    }
}
