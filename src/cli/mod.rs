//! Subcommands, one file each.

mod adapters;
mod import;
mod invoice;
mod lines;
mod memo;
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
    Import(import::ImportArgs),
    /// Hóa đơn điện tử.
    Invoice(invoice::InvoiceArgs),
    /// Payment providers: which there are, and whether they keep to their vectors.
    Adapters(adapters::Args),
    /// Tìm mã phiếu thu trong nội dung chuyển khoản (bill codes in transfer memos).
    Memo(memo::MemoArgs),
    /// Tạo và đọc mã VietQR (write and read VietQR payloads).
    Vietqr(vietqr::VietqrArgs),
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Import(args) => import::run(args),
        Command::Adapters(args) => adapters::run(&args),
        Command::Invoice(args) => invoice::run(args),
        Command::Memo(args) => memo::run(args),
        Command::Vietqr(args) => vietqr::run(args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("hocphi: {error:#}");
        ExitCode::FAILURE
    })
}

/// Runs what waits for the network and the database.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Runtime::new()?)
}

/// Writes one JSON value; our own answers always serialise.
fn write_json(output: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(output, value).expect("answers are plain structs");
}
