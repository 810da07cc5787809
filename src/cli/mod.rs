//! Subcommands, one file each.

mod import;
mod invoice;

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
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Import(args) => import::run(args).map(|()| ExitCode::SUCCESS),
        Command::Invoice(args) => invoice::run(args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}
