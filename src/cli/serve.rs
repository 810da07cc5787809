//! `hocphi serve`: the gateway.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::serve::{ListenerExt, TapIo};
use clap::Args as ClapArgs;
use hocphi::clock::Clock;
use hocphi::config::Config;
use hocphi::http_out::HttpOut;
use hocphi::ids::ConnectionId;
use hocphi::ids::Ids;
use hocphi::invoices::declarations::jobs::DeclarationHandler;
use hocphi::invoices::jobs::{ExchangeHandler, IssueHandler, Step};
use hocphi::invoices::life::jobs::{AllocatedHandler, RefundedHandler, SignHandler};
use hocphi::invoices::messages::Parties;
use hocphi::invoices::service::{Exchange, KeyRing, Line};
use hocphi::jobs::Runner;
use hocphi::payments::connections::ConnectionError;
use hocphi::payments::http::provider_routes;
use hocphi::payments::moves::jobs::CreditHandler;
use hocphi::payments::trust::Trust;
use hocphi::refunds::jobs::{ConfirmHandler, SendHandler};
use hocphi::sealing::SealingKey;
use hocphi::store::Db;
use hocphi::web::{self, PageConfig};
use hocphi::{App, Parts};
use hocphi_adapters::Registry;
use hocphi_adapters::contract::Secret;
use hocphi_adapters::tax::Carrier;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::timekeeper;

/// Which installation a command works on.
#[derive(Debug, ClapArgs)]
pub struct Place {
    /// Configuration file; without it everything has its default (embedded SQLite in hocphi-data).
    #[arg(long, env = "HOCPHI_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Replaces `database.url` of the configuration.
    #[arg(
        long,
        env = "HOCPHI_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    database_url: Option<String>,
}

impl Place {
    /// The file, with what arguments and environment replace.
    pub fn configuration(&self) -> Result<Config> {
        let mut config = match &self.config {
            Some(file) => Config::read(file)?,
            None => Config::default(),
        };
        if let Some(url) = &self.database_url {
            config.database.url.clone_from(url);
        }
        if self.config.is_none()
            && let Some(key) = key_beside(&config.database.url)
        {
            config.secrets.master_key_file = key;
        }
        Ok(config)
    }

    pub const fn names_no_config(&self) -> bool {
        self.config.is_none()
    }

    /// Opens the database and the master key, making both when they are not there.
    pub async fn open(&self) -> Result<App> {
        open(&self.configuration()?).await
    }
}

/// The master key that lies beside an embedded database.
fn key_beside(url: &str) -> Option<PathBuf> {
    let folder = Path::new(url.strip_prefix("sqlite://")?).parent()?;
    Some(folder.join("master.key")).filter(|key| key.exists())
}

/// Chạy cổng thanh toán theo tệp cấu hình.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Replaces `server.listen` of the configuration.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Leave invoices and other jobs to other nodes on the same database.
    #[arg(long)]
    no_jobs: bool,
    /// A file with seconds by which this node reads its machine's time of day wrongly.
    #[cfg(feature = "sandbox")]
    #[arg(long, hide = true, value_name = "FILE")]
    clock_shift: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<ExitCode> {
    super::runtime()?.block_on(serve(args))
}

async fn serve(args: Args) -> Result<ExitCode> {
    let mut config = args.place.configuration()?;
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    }
    let app = open(&config).await?;
    let exchange = config.tax.as_ref().map(exchange_of).transpose()?;
    let (stop, stopped) = watch::channel(false);
    #[cfg(feature = "sandbox")]
    if let Some(file) = args.clock_shift {
        shift_clock(&app.clock, &file);
        let clock = app.clock.clone();
        tokio::spawn(async move {
            loop {
                shift_clock(&clock, &file);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        });
    }
    let mut jobs =
        vec![timekeeper::start(app.db.clone(), app.clock.clone(), stopped.clone()).await?];
    if !args.no_jobs {
        jobs.extend(start_jobs(&app, exchange, stopped));
    }
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("không mở được cổng {}", config.server.listen))?;
    tracing::info!(address = %listener.local_addr()?, url = %app.public_url, "gateway is open");
    axum::serve(
        answering_at_once(listener),
        router(&app, config.server.payment_origins.clone())
            .into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(told_to_stop())
    .await?;
    stop.send_replace(true);
    for job in jobs {
        job.await?;
    }
    app.keeper.flush().await;
    app.db.close().await;
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "sandbox")]
fn shift_clock(clock: &Clock, file: &Path) {
    let seconds = std::fs::read_to_string(file).ok();
    clock.shift_system(
        seconds
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0),
    );
}

/// Sends answers as soon as they are written: waiting to fill a packet (Nagle) and the other side's
/// delayed acknowledgement would add 40 ms to every one of them.
pub fn answering_at_once(listener: TcpListener) -> TapIo<TcpListener, fn(&mut TcpStream)> {
    listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    })
}

/// Every page and every address of providers. `payment_origins` are the hosts that a pay button may
/// lead to.
pub fn router(app: &App, payment_origins: Vec<String>) -> Router {
    let config = PageConfig {
        sandbox_bank_url: app.sandbox_bank_url.as_deref().map(str::to_owned),
        payment_origins,
    };
    web::router(app.clone(), config)
        .merge(provider_routes(app.clone()))
        .merge(hocphi::invoices::api::routes(app.clock.clone()))
}

/// What runs beside the pages: jobs of invoices, credit and refunds, and the exchange of invoices where
/// a carrier is agreed.
pub fn start_jobs(
    app: &App,
    exchange: Option<Exchange>,
    stop: watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let runner = Runner {
        db: app.db.clone(),
        clock: app.clock.clone(),
        wake: app.wake.clone(),
        stop: stop.clone(),
    };
    let (ours, ring) = (app, KeyRing::default());
    let (app, keys) = (|| ours.clone(), || ring.clone());
    let mut running = vec![
        runner.spawn(IssueHandler {
            app: app(),
            keys: keys(),
        }),
        runner.spawn(SignHandler {
            app: app(),
            keys: keys(),
        }),
        runner.spawn(RefundedHandler {
            app: app(),
            keys: keys(),
        }),
        runner.spawn(AllocatedHandler {
            app: app(),
            keys: keys(),
        }),
        runner.spawn(CreditHandler { app: app() }),
        runner.spawn(ConfirmHandler { app: app() }),
        runner.spawn(SendHandler { app: app() }),
        hocphi::payments::outbound::jobs::spawn(app(), stop.clone()),
        hocphi::payments::listing::jobs::spawn(app(), stop),
    ];
    if let Some(exchange) = exchange {
        let exchange = Arc::new(exchange);
        for step in [Step::Send, Step::Collect] {
            running.push(runner.spawn(DeclarationHandler {
                app: app(),
                exchange: exchange.clone(),
                outside: Arc::new(ours.http.clone()),
                step,
            }));
            running.push(runner.spawn(ExchangeHandler {
                app: app(),
                exchange: exchange.clone(),
                outside: Arc::new(ours.http.clone()),
                step,
            }));
        }
    }
    running
}

async fn open(config: &Config) -> Result<App> {
    let ids = Ids::from_system();
    make_private_folder(config.secrets.master_key_file.parent())?;
    let database_file = config.database.url.strip_prefix("sqlite://");
    make_private_folder(database_file.and_then(|file| Path::new(file).parent()))?;
    let db = Db::open(&config.database.url).await?;
    let key_file = &config.secrets.master_key_file;
    if !key_file.exists() && holds_secrets(&db).await? {
        bail!(
            "cơ sở dữ liệu đã có bí mật được niêm phong nhưng không có khóa chủ {}: \
             hãy chép tệp khóa của lần cài đặt đầu tiên vào đó",
            key_file.display()
        );
    }
    let seal = SealingKey::read_or_create(key_file, &ids)?;
    let clock = Clock::node();
    let mut registry = match &config.adapters.directory {
        Some(folder) => Registry::load(folder),
        None => Registry::builtin(),
    };
    for fault in registry.faults() {
        tracing::error!(%fault, "an adapter is disabled");
    }
    for experimental in &config.adapters.experimental {
        let name = experimental.name();
        if !experimental.is_on(clock.today()) {
            tracing::warn!(adapter = name, "an experimental adapter is not on yet");
        } else if registry.switch_on(name) {
            tracing::warn!(adapter = name, "an experimental adapter is on");
        } else {
            tracing::error!(adapter = name, "no such adapter to be switched on");
        }
    }
    let trust = Trust::new(config.adapters.mode, &registry);
    let app = App::assemble(Parts {
        db,
        clock,
        ids,
        seal,
        http: HttpOut::new()?,
        registry,
        trust,
        public_url: config.server.public_url.clone(),
        sandbox_bank_url: None,
    });
    if !key_fits(&app).await? {
        bail!(
            "khóa chủ {} không phải khóa đã niêm phong cơ sở dữ liệu này: không bút toán và bí mật \
             nào dùng được với nó; hãy dùng đúng tệp khóa của lần cài đặt này",
            key_file.display()
        );
    }
    Ok(app)
}

/// Whether the master key is one that this database was sealed with; also where nothing tells.
async fn key_fits(app: &App) -> Result<bool> {
    let heads: Vec<(String,)> = app
        .db
        .sql("SELECT DISTINCT key_id FROM ledger_head WHERE key_id IS NOT NULL")
        .all()
        .await?;
    if heads.iter().any(|(key,)| app.chain.is_current(key)) {
        return Ok(true);
    }
    let connection: Option<(ConnectionId,)> = app
        .db
        .sql("SELECT connection_id FROM provider_connection ORDER BY connection_id LIMIT 1")
        .optional()
        .await?;
    Ok(match connection {
        Some((id,)) => !matches!(
            app.connections.get_any(&app.db, &id).await,
            Err(ConnectionError::Seal(_))
        ),
        None => heads.is_empty(),
    })
}

/// Keys and personal data: nobody but the owner looks in.
pub fn make_private_folder(folder: Option<&Path>) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match folder {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("không tạo được thư mục {}", folder.display())),
        _ => Ok(()),
    }
}

/// Whether something is stored that only the master key opens or proves.
async fn holds_secrets(db: &Db) -> Result<bool> {
    let (sealed,): (i64,) = db
        .sql(
            "SELECT (SELECT COUNT(*) FROM provider_connection)
                  + (SELECT COUNT(*) FROM signing_key)
                  + (SELECT COUNT(*) FROM ledger_head WHERE key_id IS NOT NULL)",
        )
        .one()
        .await?;
    Ok(sealed > 0)
}

fn exchange_of(tax: &hocphi::config::Tax) -> Result<Exchange> {
    let authorities = super::invoice::read_authorities(&tax.authority_certificates)?;
    Ok(Exchange {
        first: line(
            &tax.name,
            &tax.carrier_url,
            &tax.token_file,
            &tax.sender,
            &tax.receiver,
        )?,
        others: tax
            .others
            .iter()
            .map(|one| {
                line(
                    &one.name,
                    &one.carrier_url,
                    &one.token_file,
                    &one.sender,
                    &one.receiver,
                )
            })
            .collect::<Result<_>>()?,
        authorities: authorities.into(),
    })
}

fn line(name: &str, url: &str, token_file: &Path, sender: &str, receiver: &str) -> Result<Line> {
    let token = std::fs::read_to_string(token_file)
        .with_context(|| format!("không đọc được {}", token_file.display()))?;
    Ok(Line {
        name: name.to_owned(),
        carrier: Carrier::new(url, Secret::new(token.trim())),
        parties: Parties {
            sender: sender.to_owned(),
            receiver: receiver.to_owned(),
        },
    })
}

async fn told_to_stop() {
    let mut terminate =
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(signal) => signal,
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGTERM");
                return std::future::pending().await;
            }
        };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping: no new requests, finishing those that run");
}
