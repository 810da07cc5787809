//! Subcommands, one file each.

mod adapters;
#[cfg(feature = "sandbox")]
mod bench;
#[cfg(feature = "sandbox")]
mod conformance;
#[cfg(feature = "sandbox")]
mod crash;
mod db;
#[cfg(feature = "sandbox")]
mod demo;
mod import;
mod invoice;
mod jobs;
mod key;
mod ledger;
mod lines;
mod memo;
mod notices;
mod serve;
mod setup;
#[cfg(feature = "sandbox")]
mod simulate;
mod timekeeper;
mod vietqr;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Thu học phí không dùng tiền mặt và hóa đơn điện tử cho trường học.
///
/// Cashless school payments and legal e-invoices.
#[derive(Debug, Parser)]
#[command(name = "hocphi", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "sandbox")]
    Demo(demo::Args),
    #[cfg(feature = "sandbox")]
    Bench(bench::Args),
    #[cfg(feature = "sandbox")]
    Crash(crash::Args),
    #[cfg(feature = "sandbox")]
    Simulate(simulate::Args),
    Serve(serve::Args),
    Ledger(ledger::Args),
    Db(db::Args),
    Jobs(jobs::Args),
    Import(import::ImportArgs),
    User(setup::UserArgs),
    Connect(setup::ConnectArgs),
    Key(key::KeyArgs),
    Notices(notices::NoticesArgs),
    /// Hóa đơn điện tử.
    Invoice(invoice::InvoiceArgs),
    /// Payment providers: which there are, and whether they keep to their vectors.
    Adapters(adapters::Args),
    /// Tìm mã phiếu thu trong nội dung chuyển khoản (bill codes in transfer memos).
    Memo(memo::MemoArgs),
    /// Tạo và đọc mã VietQR (write and read VietQR payloads).
    Vietqr(vietqr::VietqrArgs),
}

/// An error with its causes, of which many name the next one themselves.
fn told(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |said, cause| {
            if said.is_empty() {
                cause
            } else if said.contains(&cause) {
                said
            } else {
                format!("{said}: {cause}")
            }
        })
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(match &cli.command {
        // sqlx reports every "already exists" of a migration table at info.
        Command::Serve(_) => "info,sqlx=warn",
        // Forged notices are part of the story; each is a warning.
        #[cfg(feature = "sandbox")]
        Command::Demo(_) | Command::Bench(_) | Command::Crash(_) => "error",
        // The suite provokes every complaint there is; its table says what matters.
        Command::Adapters(_) => "off",
        // Failures are what a simulation is made of; it reports what matters itself.
        #[cfg(feature = "sandbox")]
        Command::Simulate(_) => "off",
        _ => "warn",
    });
    let outcome = match cli.command {
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => demo::run(args),
        #[cfg(feature = "sandbox")]
        Command::Bench(args) => bench::run(args),
        #[cfg(feature = "sandbox")]
        Command::Crash(args) => crash::run(args),
        #[cfg(feature = "sandbox")]
        Command::Simulate(args) => simulate::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Ledger(args) => ledger::run(args),
        Command::Db(args) => db::run(args),
        Command::Jobs(args) => jobs::run(args),
        Command::Import(args) => import::run(args),
        Command::User(args) => setup::user(args),
        Command::Connect(args) => setup::connect(args),
        Command::Key(args) => key::run(args),
        Command::Notices(args) => notices::run(args),
        Command::Adapters(args) => adapters::run(&args),
        Command::Invoice(args) => invoice::run(args),
        Command::Memo(args) => memo::run(args),
        Command::Vietqr(args) => vietqr::run(args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("hocphi: {}", told(&error));
        ExitCode::FAILURE
    })
}

/// `HOCPHI_LOG` chooses what is logged, as in `info` or `hocphi::payments=debug`;
/// `HOCPHI_LOG_FORMAT=json` is for machines.
fn log_to_stderr(otherwise: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HOCPHI_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(otherwise));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    if std::env::var("HOCPHI_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().init();
    } else {
        log.init();
    }
}

/// Runs what waits for the network and the database.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Runtime::new()?)
}

/// Writes one JSON value; our own answers always serialise.
fn write_json(output: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(output, value).expect("answers are plain structs");
}
