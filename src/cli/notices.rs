//! `hocphi notices`: what providers sent, as it came, and reading it again.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use hocphi::App;
use hocphi::ids::{MessageId, SchoolId};
use hocphi::payments::messages::replay::replay;
use hocphi::payments::messages::store::{self, Message};
use hocphi::schools;

use super::serve::Place;

/// Thông báo của nhà cung cấp, kể cả thông báo bị từ chối: xem và đọc lại.
#[derive(Debug, Args)]
pub struct NoticesArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Mới nhất trước.
    List {
        #[command(flatten)]
        which: Which,
        /// Chỉ những thông báo chưa được nhận.
        #[arg(long)]
        refused: bool,
        #[arg(long, default_value_t = 0)]
        page: i64,
    },
    /// Một thông báo đúng như khi nhận; bí mật và số thẻ đã được che.
    Show {
        #[command(flatten)]
        which: Which,
        id: String,
    },
    /// Đọc lại như vừa nhận: kiểm tra chữ ký trên chính các byte đã lưu rồi ghi sổ; tiền đã ghi thì
    /// không ghi thêm lần nữa.
    Replay {
        #[command(flatten)]
        which: Which,
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    place: Place,
    /// Mã trường.
    #[arg(long)]
    school: String,
}

impl Which {
    async fn open(&self) -> Result<(App, SchoolId)> {
        let app = self.place.open().await?;
        let school = schools::school_by_code(&app.db, &self.school)
            .await?
            .with_context(|| format!("không có trường mang mã {}", self.school))?;
        Ok((app, school.school_id))
    }
}

pub fn run(args: NoticesArgs) -> Result<ExitCode> {
    super::runtime()?.block_on(async {
        match args.action {
            Action::List {
                which,
                refused,
                page,
            } => list(&which, refused, page).await,
            Action::Show { which, id } => show(&which, &id).await,
            Action::Replay { which, ids } => again(&which, ids).await,
        }
    })
}

async fn list(which: &Which, refused: bool, page: i64) -> Result<ExitCode> {
    let (app, school) = which.open().await?;
    for line in store::list(&app.db, &school, refused, page.max(0)).await? {
        println!(
            "{}  {}  {:<12} {:<12} {:<15} {}",
            line.message_id,
            line.received_at.shown(),
            line.provider,
            line.flow,
            line.replay_outcome.as_deref().unwrap_or(&line.outcome),
            line.reason.as_deref().unwrap_or_default(),
        );
    }
    app.db.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn show(which: &Which, id: &str) -> Result<ExitCode> {
    let (app, school) = which.open().await?;
    let message = store::message(&app.db, &school, &MessageId::new(id))
        .await?
        .with_context(|| format!("không có thông báo {id}"))?;
    print!("{}", written(&message));
    app.db.close().await;
    Ok(ExitCode::SUCCESS)
}

/// As it crossed the wire, below what became of it.
fn written(message: &Message) -> String {
    let headers: Vec<(String, String)> = serde_json::from_str(&message.headers).unwrap_or_default();
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    let mark = if message.query.is_empty() { "" } else { "?" };
    format!(
        "{} {} {} từ {}: {} {} {}\n\n{} {}{mark}{}\n{headers}\n{}\n",
        message.received_at.shown(),
        message.provider,
        message.flow,
        message.source,
        message.outcome,
        message.reason.as_deref().unwrap_or_default(),
        message.detail.as_deref().unwrap_or_default(),
        message.method,
        message.path,
        message.query,
        message.body,
    )
}

async fn again(which: &Which, ids: Vec<String>) -> Result<ExitCode> {
    let (app, school) = which.open().await?;
    let mut code = ExitCode::SUCCESS;
    for id in ids {
        match replay(&app, &school, &MessageId::new(id.clone()), "hocphi notices").await {
            Ok(posted) => {
                for item in &posted {
                    println!(
                        "{id}: {} {} {}",
                        item.outcome.code(),
                        item.status.code(),
                        item.order_ref.as_deref().unwrap_or_default(),
                    );
                }
                if posted.is_empty() {
                    println!("{id}: không có khoản nào");
                }
            }
            Err(error) => {
                eprintln!("{id}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    app.db.close().await;
    Ok(code)
}
