//! `hocphi invoice`: what is wrong with invoice files, and by which rules.

mod archive;
#[cfg(feature = "sandbox")]
mod corpus;
mod export;
mod file;
mod life;
mod pdf;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hocphi::clock::Clock;
use hocphi::invoices::signature::{Certificate, pem_blocks};
use hocphi::invoices::verify::{CATALOGUE, RULES, Report, RuleSet, Severity, Trust, verify};

/// Exit codes: a file is no valid document; a file could not be read at all.
const WRONG: u8 = 1;
const UNREADABLE: u8 = 2;

#[derive(Debug, Args)]
pub struct InvoiceArgs {
    #[command(subcommand)]
    command: InvoiceCommand,
}

#[derive(Debug, Subcommand)]
enum InvoiceCommand {
    /// Kiểm tra cấu trúc, số học và chữ ký của hóa đơn điện tử (XML); thoát 0 khi mọi tệp hợp lệ,
    /// 1 khi có tệp không hợp lệ, 2 khi có tệp không đọc được.
    Verify(VerifyArgs),
    /// Liệt kê các quy tắc của bộ kiểm tra.
    Rules {
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Hóa đơn chưa được cơ quan thuế tiếp nhận, gần hạn nhất trước; thoát 1 khi có hóa đơn trễ hạn.
    Watch(life::WatchArgs),
    /// Điều chỉnh, thay thế, hoặc sửa và gửi lại một hóa đơn sai.
    Correct(Box<life::CorrectArgs>),
    /// Thông báo hóa đơn sai sót không phải lập lại (04/SS-HĐĐT).
    Notice(life::NoticeArgs),
    /// Đăng ký sử dụng hóa đơn điện tử và chứng thư số của trường (01/ĐKTĐ-HĐĐT).
    Register(life::RegisterArgs),
    /// In bản thể hiện (PDF) của hóa đơn và phiếu thu từ chính tệp XML đã ký.
    Pdf(pdf::PdfArgs),
    /// Xuất hóa đơn và phiếu thu của một khoảng ngày: XML, PDF và bảng kê có mã băm.
    Export(export::ExportArgs),
    /// Kho lưu trữ các tệp đã ký.
    Archive(archive::ArchiveArgs),
    /// Chạy kho đột biến và tấn công: mỗi quy tắc phải im với tài liệu đúng và lên tiếng với đột biến.
    #[cfg(feature = "sandbox")]
    Corpus(corpus::CorpusArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// One JSON document a file instead of text.
    #[arg(long)]
    json: bool,
    /// Rules of this format version (2.0.1, 2.1.0, 2.1.1) instead of those each document states.
    #[arg(long, value_name = "VERSION", value_parser = rule_set)]
    rules: Option<RuleSet>,
    /// Certificates (PEM) of trusted issuers; without any, the chain is not checked.
    #[arg(long = "ca", value_name = "PEM")]
    authorities: Vec<PathBuf>,
    /// Invoices, messages that hold invoices, payment receipts, registrations and notices.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(args: InvoiceArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        InvoiceCommand::Verify(args) => run_verify(&args),
        InvoiceCommand::Rules { json } => list_rules(json),
        InvoiceCommand::Watch(args) => life::run_watch(&args),
        InvoiceCommand::Correct(args) => life::run_correct(&args),
        InvoiceCommand::Notice(args) => life::run_notice(&args),
        InvoiceCommand::Register(args) => life::run_register(&args),
        InvoiceCommand::Pdf(args) => pdf::run(&args),
        InvoiceCommand::Export(args) => super::runtime()?.block_on(export::run(args)),
        InvoiceCommand::Archive(args) => super::runtime()?.block_on(archive::run(args)),
        #[cfg(feature = "sandbox")]
        InvoiceCommand::Corpus(args) => corpus::run(&args),
    }
}

fn rule_set(text: &str) -> Result<RuleSet, String> {
    RuleSet::parse(text).ok_or_else(|| {
        let known: Vec<_> = RuleSet::ALL.iter().map(ToString::to_string).collect();
        format!("có các bộ quy tắc {}", known.join(", "))
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "LỖI",
        Severity::Warning => "CẢNH BÁO",
        Severity::Note => "GHI CHÚ",
    }
}

fn list_rules(json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        let answer = serde_json::json!({"catalogue": CATALOGUE, "rules": RULES});
        writeln!(out, "{answer}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} quy tắc, bản {CATALOGUE}", RULES.len())?;
    for rule in RULES {
        let level = severity(rule.severity);
        writeln!(
            out,
            "{} [{level}, từ {}; {}]",
            rule.id, rule.since, rule.basis
        )?;
        writeln!(out, "    {}", rule.vi)?;
        writeln!(out, "    {}", rule.en)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run_verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let authorities = read_authorities(&args.authorities)?;
    let trust = Trust {
        authorities: &authorities,
        today: Some(Clock::system().today()),
        rules: args.rules,
    };
    let mut out = std::io::stdout().lock();
    let mut code = 0;
    for file in &args.files {
        let name = file.display().to_string();
        match file::read(file) {
            Ok(bytes) => {
                let report = verify(&bytes, trust);
                if !report.valid {
                    code = code.max(WRONG);
                }
                if args.json {
                    print_json(&mut out, &name, &report)?;
                } else {
                    print_text(&mut out, &name, &report)?;
                }
            }
            Err(problem) => {
                code = UNREADABLE;
                if args.json {
                    let line = serde_json::json!({
                        "file": name, "valid": false, "code": problem.code(), "error": problem.to_string(),
                    });
                    writeln!(out, "{line}")?;
                } else {
                    eprintln!("{name}: không đọc được [{}]: {problem}", problem.code());
                }
            }
        }
    }
    Ok(ExitCode::from(code))
}

/// The certificates of PEM files; a list of files without any is a mistake.
pub(super) fn read_authorities(files: &[PathBuf]) -> anyhow::Result<Vec<Certificate>> {
    let mut found = Vec::new();
    for file in files {
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("reading certificates of {name}"))?;
        for block in pem_blocks(&text) {
            if block.label == "CERTIFICATE" {
                found.push(
                    Certificate::from_der(&block.der)
                        .with_context(|| format!("a certificate of {name}"))?,
                );
            }
        }
    }
    anyhow::ensure!(
        files.is_empty() || !found.is_empty(),
        "no certificate in {files:?}"
    );
    Ok(found)
}

fn print_json(out: &mut impl Write, name: &str, report: &Report) -> anyhow::Result<()> {
    let line = serde_json::json!({
        "file": name,
        "valid": report.valid,
        "catalogue": CATALOGUE,
        "rules": report.rules,
        "invoices": report.invoices,
        "findings": report.findings,
    });
    writeln!(out, "{line}")?;
    Ok(())
}

fn print_text(out: &mut impl Write, name: &str, report: &Report) -> anyhow::Result<()> {
    let verdict = if report.valid {
        "HỢP LỆ"
    } else {
        "KHÔNG HỢP LỆ"
    };
    writeln!(out, "{name}: {verdict}")?;
    for invoice in &report.invoices {
        writeln!(
            out,
            "  {}{} số {} ngày {}, {} (MST {}), tổng {}",
            invoice.form,
            invoice.symbol,
            invoice.number,
            invoice.issue_day,
            invoice.seller_name,
            invoice.seller_tax_code,
            invoice.total,
        )?;
        if let Some(signer) = &invoice.signer {
            let at = invoice.signed_at.as_deref().unwrap_or("?");
            writeln!(out, "  chữ ký: {signer}, {at}")?;
        }
        if let Some(code) = &invoice.authority_code {
            writeln!(out, "  mã của cơ quan thuế: {code}")?;
        }
    }
    for finding in &report.findings {
        let severity = severity(finding.severity);
        writeln!(
            out,
            "  {severity} [{}, bộ {}] {}",
            finding.rule, finding.rule_set, finding.place
        )?;
        writeln!(out, "      {}", finding.vi)?;
        writeln!(out, "      {}", finding.en)?;
    }
    Ok(())
}
