//! Subcommands, one file each.

mod invoice;
mod import;

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
    /// Hóa đơn điện tử.
    Invoice(invoice::InvoiceArgs),
}

/// Exit code of a command that could not be carried out.
const FAILED: u8 = 2;
    Import(import::ImportArgs),
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Invoice(args) => invoice::run(args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("hocphi: {error:#}");
        ExitCode::from(FAILED)
    })
        Command::Import(args) => import::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
