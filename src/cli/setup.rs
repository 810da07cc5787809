//! `hocphi user|connect`: what an installation needs besides data and keys: people, agreements with
//! providers. Secrets come from files or the environment, never from arguments, which every user of a
//! machine can read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use hocphi::App;
use hocphi::ids::ConnectionId;
use hocphi::payments::books::Channel;
use hocphi::payments::connections::{self, NewConnection};
use hocphi::people::{self, Role};
use hocphi::schools::{self, School};
use hocphi::store::Tx;

use super::serve::Place;

/// Tài khoản đăng nhập của kế toán và cán bộ quản lý.
#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(subcommand)]
    action: UserAction,
}

#[derive(Debug, Subcommand)]
enum UserAction {
    /// Thêm tài khoản; mật khẩu lấy từ biến môi trường HOCPHI_PASSWORD.
    Add {
        #[command(flatten)]
        place: Place,
        #[arg(long)]
        login: String,
        /// Tên hiển thị.
        #[arg(long)]
        name: String,
        #[arg(long)]
        role: RoleArg,
        /// Mã trường (kế toán) hoặc mã cơ quan quản lý.
        #[arg(long)]
        unit: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    Accountant,
    Office,
}

/// Kết nối của một trường với nhà cung cấp thanh toán.
///
/// The credentials file holds `name = "value"` lines (TOML) as the adapter's README lists them. It is
/// sealed into the database and not needed afterwards.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    #[command(flatten)]
    place: Place,
    /// Mã trường.
    #[arg(long)]
    school: String,
    /// Tên adapter, ví dụ vnpay, sepay.
    #[arg(long)]
    provider: String,
    #[arg(long)]
    channel: ChannelArg,
    /// Tên trên nút thanh toán.
    #[arg(long)]
    name: String,
    #[arg(long, value_name = "FILE")]
    credentials: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ChannelArg {
    BankTransfer,
    Gateway,
    Wallet,
}

pub fn user(args: UserArgs) -> Result<ExitCode> {
    super::runtime()?.block_on(async {
        let UserAction::Add {
            place,
            login,
            name,
            role,
            unit,
        } = args.action;
        let password = std::env::var("HOCPHI_PASSWORD")
            .context("hãy đặt mật khẩu trong biến môi trường HOCPHI_PASSWORD")?;
        let app = place.open().await?;
        let Some(unit) = schools::unit_by_code(&app.db, &unit).await? else {
            bail!("không có đơn vị mang mã {unit}");
        };
        let role = match role {
            RoleArg::Accountant => Role::Accountant,
            RoleArg::Office => Role::Office,
        };
        people::create_user(&app, &login, &password, &name, role, &unit.unit_id).await?;
        println!("Đã thêm {login}: {name}");
        app.db.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

pub fn connect(args: ConnectArgs) -> Result<ExitCode> {
    super::runtime()?.block_on(async {
        let text = std::fs::read_to_string(&args.credentials)
            .with_context(|| format!("không đọc được {}", args.credentials.display()))?;
        let credentials: BTreeMap<String, String> = toml::from_str(&text).with_context(|| {
            format!(
                "{} không phải các dòng tên = \"giá trị\"",
                args.credentials.display()
            )
        })?;
        let app = args.place.open().await?;
        let school = find_school(&app, &args.school).await?;
        if app.connections.registry().get(&args.provider).is_none() {
            bail!(
                "không có adapter {}; xem `hocphi adapters list`",
                args.provider
            );
        }
        let new = NewConnection {
            connection_id: ConnectionId::new(format!(
                "{}-{}",
                school.code.to_lowercase(),
                args.provider
            )),
            school_id: school.school_id,
            provider: args.provider,
            display_name: args.name,
            channel: match args.channel {
                ChannelArg::BankTransfer => Channel::BankTransfer,
                ChannelArg::Gateway => Channel::Gateway,
                ChannelArg::Wallet => Channel::Wallet,
            },
            credentials: credentials.into_iter().collect(),
        };
        println!(
            "Địa chỉ nhận thông báo: {}/notices/{}/{}",
            app.public_url, new.provider, new.connection_id
        );
        let (seal, ids) = (app.seal.clone(), app.ids.clone());
        app.db
            .write("setup.connect", async move |tx: &mut Tx| {
                connections::put(tx, &seal, &ids, &new).await
            })
            .await?;
        app.db.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The school with this code, or a sentence for the person who mistyped it.
pub(super) async fn find_school(app: &App, code: &str) -> Result<School> {
    schools::school_by_code(&app.db, code)
        .await?
        .with_context(|| format!("không có trường mang mã {code}"))
}
