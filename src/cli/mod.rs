//! Subcommands, one file each.

mod adapters;

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
    /// Payment providers: which there are, and whether they keep to their vectors.
    Adapters(adapters::Args),
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Adapters(args) => adapters::run(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
