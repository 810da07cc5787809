//! `hocphi invoice watch | correct | notice | register`: invoices after their issue, without a browser.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use hocphi::App;
use hocphi::clock::Day;
use hocphi::ids::{InvoiceId, SchoolId};
use hocphi::invoices::deadline::{Nearness, watch};
use hocphi::invoices::declarations::document::People;
use hocphi::invoices::declarations::service::{NewNotice, NewRegistration, notify, register};
use hocphi::invoices::document::{Correction, CorrectionReason, VatRate};
use hocphi::invoices::life::content::{Content, ContentLine};
use hocphi::invoices::life::service::{After, Ask, LifeError, correct, mend, show};
use hocphi::invoices::life::store::by_name;
use hocphi::invoices::service::KeyRing;
use hocphi::invoices::spoken;
use hocphi::money;
use hocphi::web::language::Language;

use crate::cli::serve::Place;
use crate::cli::setup::find_school;

/// Rows that are listed at most.
const ROWS_MAX: i64 = 10_000;
/// Something is late.
const LATE: u8 = 1;

#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    place: Place,
    /// Mã trường; không ghi thì xem mọi trường.
    #[arg(long)]
    school: Option<String>,
    /// Answer as JSON lines.
    #[arg(long)]
    json: bool,
}

/// Prints what must still reach the authority; exits 1 when something is late.
pub fn run_watch(args: &WatchArgs) -> Result<ExitCode> {
    super::super::runtime()?.block_on(async {
        let app = args.place.open().await?;
        let school = match &args.school {
            Some(code) => Some(find_school(&app, code).await?.school_id),
            None => None,
        };
        let rows = watch(&app, school.as_ref(), ROWS_MAX).await?;
        let mut out = std::io::stdout().lock();
        for row in &rows {
            if args.json {
                writeln!(out, "{}", serde_json::to_string(row)?)?;
                continue;
            }
            let near = match row.nearness {
                Nearness::Late => "ĐÃ TRỄ",
                Nearness::Today => "HÔM NAY",
                Nearness::Later => "còn hạn",
            };
            writeln!(
                out,
                "{near:<8} hạn {}  {}  {}  {}  {}",
                row.deadline.shown(),
                row.school,
                row.invoice.as_deref().unwrap_or(row.payment_id.as_str()),
                row.state.map_or("-", |state| state.as_str()),
                row.problem.as_deref().unwrap_or(""),
            )?;
        }
        let late = rows.iter().any(|row| row.nearness == Nearness::Late);
        if !args.json {
            writeln!(
                out,
                "{} hóa đơn chưa được cơ quan thuế tiếp nhận",
                rows.len()
            )?;
        }
        app.db.close().await;
        Ok(if late {
            ExitCode::from(LATE)
        } else {
            ExitCode::SUCCESS
        })
    })
}

/// What is done about a wrong invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Lập hóa đơn điều chỉnh: chỉ ghi phần chênh lệch.
    Adjust,
    /// Lập hóa đơn thay thế: ghi lại toàn bộ.
    Replace,
    /// Điều chỉnh theo giá do cơ quan có thẩm quyền quyết định sau.
    Authority,
    /// Hóa đơn bị cơ quan thuế từ chối: sửa, ký và gửi lại với số cũ.
    Mend,
}

#[derive(Debug, Args)]
pub struct CorrectArgs {
    #[command(flatten)]
    place: Place,
    /// Mã trường.
    #[arg(long)]
    school: String,
    /// Hóa đơn đang có hiệu lực, ví dụ 1C26TAA-128.
    #[arg(long)]
    invoice: String,
    #[arg(long, value_enum)]
    method: Method,
    /// Lý do.
    #[arg(long)]
    why: String,
    /// Văn bản thỏa thuận với tổ chức, hoặc cách đã báo cho người mua.
    #[arg(long)]
    agreement: Option<String>,
    /// Họ tên người mua; để trống thì bỏ.
    #[arg(long)]
    buyer_name: Option<String>,
    /// Tên đơn vị của người mua.
    #[arg(long)]
    buyer_organisation: Option<String>,
    /// Mã số thuế người mua.
    #[arg(long)]
    buyer_tax_code: Option<String>,
    /// Mã số đơn vị có quan hệ với ngân sách.
    #[arg(long)]
    buyer_budget_code: Option<String>,
    /// Địa chỉ người mua.
    #[arg(long)]
    buyer_address: Option<String>,
    /// Số định danh cá nhân của người mua.
    #[arg(long)]
    buyer_personal_id: Option<String>,
    /// Khoản thứ mấy và số tiền đúng, đã gồm thuế: 1=3000000.
    #[arg(long = "amount", value_name = "N=AMOUNT")]
    amounts: Vec<String>,
    /// Khoản thứ mấy và thuế suất đúng: 2=KCT.
    #[arg(long = "rate", value_name = "N=RATE")]
    rates: Vec<String>,
    /// Khoản thứ mấy và tên đúng: 1=Học phí tháng 10.
    #[arg(long = "name", value_name = "N=NAME")]
    names: Vec<String>,
    /// Asked twice with the same word, corrected once.
    #[arg(long)]
    request: Option<String>,
}

/// Adjusts, replaces or mends an invoice; prints the invoice that came of it.
pub fn run_correct(args: &CorrectArgs) -> Result<ExitCode> {
    super::super::runtime()?.block_on(async {
        let app = args.place.open().await?;
        let school = find_school(&app, &args.school).await?.school_id;
        let target = find_invoice(&app, &school, &args.invoice).await?;
        let shown = show(&app.db, &school, &target)
            .await?
            .with_context(|| format!("không có hóa đơn {}", args.invoice))?;
        if args.changes_nothing() {
            print_content(&args.invoice, &shown.content)?;
            bail!("chưa nói phải sửa gì: --buyer-…, --amount, --rate hoặc --name");
        }
        let after = args.after(shown.content)?;
        let (method, reason) = match args.method {
            Method::Mend => {
                mend(&app, &school, &target, after, &args.why)
                    .await
                    .map_err(said)?;
                println!("{} được ký và gửi lại với số cũ", args.invoice);
                app.db.close().await;
                return Ok(ExitCode::SUCCESS);
            }
            Method::Adjust => (Correction::Adjusting, CorrectionReason::WronglyMade),
            Method::Replace => (Correction::Replacing, CorrectionReason::WronglyMade),
            Method::Authority => (Correction::Adjusting, CorrectionReason::Authority),
        };
        let ask = Ask {
            target,
            method,
            reason,
            after: After::Said(after),
            why: args.why.clone(),
            agreement: args.agreement.clone(),
            cause: args.request.clone().unwrap_or_else(|| app.ids.token()),
            by: "cli".to_owned(),
        };
        let made = correct(&app, &KeyRing::default(), &school, ask)
            .await
            .map_err(said)?;
        let chain = show(&app.db, &school, &made).await?;
        let name = chain
            .iter()
            .flat_map(|shown| &shown.chain)
            .find(|row| row.invoice_id == made)
            .map(|row| row.name());
        println!(
            "{} (ký và gửi bằng việc invoice.sign)",
            name.unwrap_or_else(|| made.to_string())
        );
        app.db.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Why it was not done, as the pages say it.
fn said(error: LifeError) -> anyhow::Error {
    match error {
        LifeError::Refused(refusal) => {
            anyhow!(Language::Vietnamese.t(spoken::refusal(&refusal)))
        }
        LifeError::Invoice(error) => anyhow!(spoken::invoice(&error)),
    }
}

impl CorrectArgs {
    fn after(&self, mut content: Content) -> Result<Content> {
        let put = |place: &mut Option<String>, given: &Option<String>| {
            if let Some(text) = given {
                *place = Some(text.clone()).filter(|text| !text.is_empty());
            }
        };
        put(&mut content.buyer.name, &self.buyer_name);
        put(&mut content.buyer.organisation, &self.buyer_organisation);
        put(&mut content.buyer.tax_code, &self.buyer_tax_code);
        put(&mut content.buyer.budget_code, &self.buyer_budget_code);
        put(&mut content.buyer.address, &self.buyer_address);
        put(&mut content.buyer.personal_id, &self.buyer_personal_id);
        for given in &self.amounts {
            let (line, text) = line(&mut content, given)?;
            line.amount = money::typed(text)
                .filter(|amount| !amount.is_negative())
                .with_context(|| format!("không đọc được số tiền của {given:?}"))?;
        }
        for given in &self.rates {
            let (line, text) = line(&mut content, given)?;
            line.rate = VatRate::parse(text).with_context(|| {
                format!("không đọc được thuế suất của {given:?}; ví dụ 2=KCT, 2=8%")
            })?;
        }
        for given in &self.names {
            let (line, text) = line(&mut content, given)?;
            line.name = text.to_owned();
        }
        Ok(content)
    }

    fn changes_nothing(&self) -> bool {
        let buyer = [
            &self.buyer_name,
            &self.buyer_organisation,
            &self.buyer_tax_code,
            &self.buyer_budget_code,
            &self.buyer_address,
            &self.buyer_personal_id,
        ];
        buyer.into_iter().all(Option::is_none)
            && self.amounts.is_empty()
            && self.rates.is_empty()
            && self.names.is_empty()
    }
}

/// The line that `N=…` names, counted from one, and what is said of it.
fn line<'c, 'g>(
    content: &'c mut Content,
    given: &'g str,
) -> Result<(&'c mut ContentLine, &'g str)> {
    let (place, text) = given
        .split_once('=')
        .with_context(|| format!("{given:?} phải có dạng N=…"))?;
    let count = content.lines.len();
    let line = place
        .trim()
        .parse::<usize>()
        .ok()
        .and_then(|place| content.lines.get_mut(place.checked_sub(1)?));
    let line = line.with_context(|| format!("{given:?}: hóa đơn có các khoản từ 1 đến {count}"))?;
    Ok((line, text))
}

/// What stands now, with the numbers that `--amount`, `--rate` and `--name` go by.
fn print_content(invoice: &str, content: &Content) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let buyer = &content.buyer;
    writeln!(out, "{invoice} đang ghi:")?;
    for (label, value) in [
        ("người mua", &buyer.name),
        ("đơn vị", &buyer.organisation),
        ("mã số thuế", &buyer.tax_code),
        ("mã ĐVQHNS", &buyer.budget_code),
        ("địa chỉ", &buyer.address),
        ("số định danh", &buyer.personal_id),
    ] {
        if let Some(value) = value {
            writeln!(out, "  {label}: {value}")?;
        }
    }
    for (place, line) in content.lines.iter().enumerate() {
        let (amount, rate) = (line.amount, line.rate);
        writeln!(out, "  {}. {}  {amount}  {rate}", place + 1, line.name)?;
    }
    Ok(())
}

async fn find_invoice(app: &App, school: &SchoolId, name: &str) -> Result<InvoiceId> {
    let (series, number) = name
        .rsplit_once('-')
        .with_context(|| format!("{name:?} phải có dạng 1C26TAA-128"))?;
    let number = number
        .parse()
        .with_context(|| format!("{name:?} phải có dạng 1C26TAA-128"))?;
    by_name(&app.db, school, series, number)
        .await?
        .with_context(|| format!("không có hóa đơn {name}"))
}

#[derive(Debug, Args)]
pub struct NoticeArgs {
    #[command(flatten)]
    place: Place,
    /// Mã trường.
    #[arg(long)]
    school: String,
    /// Hóa đơn và chỗ sai: "1C26TAA-128=Sai tên người mua, đúng là …".
    #[arg(required = true, value_name = "INVOICE=WHY")]
    invoices: Vec<String>,
    /// Số thông báo 01/TB-RSĐT của cơ quan thuế mà lần này trả lời.
    #[arg(long, value_name = "NUMBER", requires = "answers_day")]
    answers: Option<String>,
    /// Ngày của thông báo đó, 2026-11-23.
    #[arg(long, value_name = "DAY", requires = "answers", value_parser = super::export::day)]
    answers_day: Option<Day>,
    /// Asked twice with the same word, made once.
    #[arg(long)]
    request: Option<String>,
}

/// Reports wrong invoices with 04/SS-HĐĐT.
pub fn run_notice(args: &NoticeArgs) -> Result<ExitCode> {
    super::super::runtime()?.block_on(async {
        let app = args.place.open().await?;
        let school = find_school(&app, &args.school).await?.school_id;
        let mut invoices = Vec::new();
        for given in &args.invoices {
            let (name, why) = given
                .split_once('=')
                .filter(|(_, why)| !why.trim().is_empty())
                .with_context(|| format!("{given:?} phải có dạng HÓA-ĐƠN=CHỖ SAI"))?;
            invoices.push((find_invoice(&app, &school, name).await?, why.to_owned()));
        }
        let new = NewNotice {
            invoices,
            answers: args.answers.clone().zip(args.answers_day),
            request: args.request.clone().unwrap_or_else(|| app.ids.token()),
            by: "cli".to_owned(),
        };
        let made = notify(&app, &KeyRing::default(), &school, new)
            .await
            .map_err(|error| said(spoken::of_declaration(error, &args.school)))?;
        println!("{made} (gửi bằng việc tax.send)");
        app.db.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

#[derive(Debug, Args)]
pub struct RegisterArgs {
    #[command(flatten)]
    place: Place,
    /// Mã trường.
    #[arg(long)]
    school: String,
    /// TOML with representative, contact, contact_address, contact_email, contact_phone; optional
    /// representative_personal_id, representative_passport, representative_born, representative_phone.
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// A change of an accepted registration.
    #[arg(long)]
    change: bool,
    /// Số sê-ri của chứng thư không dùng nữa.
    #[arg(long = "stop", value_name = "SERIAL")]
    stopped: Vec<String>,
    /// Mã số thuế của tổ chức truyền nhận.
    #[arg(long)]
    carrier: Option<String>,
    /// Asked twice with the same word, made once.
    #[arg(long)]
    request: Option<String>,
}

/// Registers the school and its certificates with 01/ĐKTĐ-HĐĐT.
pub fn run_register(args: &RegisterArgs) -> Result<ExitCode> {
    let name = args.people.display();
    let text =
        std::fs::read_to_string(&args.people).with_context(|| format!("không đọc được {name}"))?;
    let people: People = toml::from_str(&text).with_context(|| format!("tệp {name}"))?;
    super::super::runtime()?.block_on(async {
        let app = args.place.open().await?;
        let school = find_school(&app, &args.school).await?.school_id;
        let new = NewRegistration {
            is_change: args.change,
            people,
            stopped: args.stopped.clone(),
            carrier: args.carrier.clone(),
            request: args.request.clone().unwrap_or_else(|| app.ids.token()),
            by: "cli".to_owned(),
        };
        let made = register(&app, &KeyRing::default(), &school, new)
            .await
            .map_err(|error| said(spoken::of_declaration(error, &args.school)))?;
        println!("{made} (gửi bằng việc tax.send)");
        app.db.close().await;
        Ok(ExitCode::SUCCESS)
    })
}
