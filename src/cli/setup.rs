//! `hocphi user|connect`: what an installation needs besides data and keys: people, agreements with
//! providers. Secrets come from files or the environment, never from arguments, which every user of a
//! machine can read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use hocphi::App;
use hocphi::ids::ConnectionId;
use hocphi::payments::books::Channel;
use hocphi::payments::connections::{self, ConnectionError, Network, NewConnection, State};
use hocphi::payments::trust::Untrusted;
use hocphi::people::{self, Role};
use hocphi::schools::{self, School};
use hocphi::store::Tx;
use hocphi_adapters::contract::{CredentialFault, CredentialKind, Credentials, Profile};

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

/// Kết nối của một trường với nhà cung cấp thanh toán: tạo, đổi khóa, tắt, bật.
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
    /// Cần khi tạo kết nối.
    #[arg(long, required_unless_present_any = ["rotate", "off", "on"])]
    channel: Option<ChannelArg>,
    /// Tên trên nút thanh toán; cần khi tạo kết nối.
    #[arg(long, required_unless_present_any = ["rotate", "off", "on"])]
    name: Option<String>,
    #[arg(long, value_name = "FILE", required_unless_present_any = ["off", "on"])]
    credentials: Option<PathBuf>,
    /// Đổi khóa của kết nối đang có: ký bằng khóa mới, còn nhận cả khóa cũ trong thời gian --overlap.
    #[arg(long, conflicts_with_all = ["off", "on", "channel", "name"])]
    rotate: bool,
    /// Khóa cũ còn được nhận bao lâu: 7d, 12h hay 30m.
    #[arg(long, requires = "rotate", default_value = "7d")]
    overlap: Overlap,
    /// Tắt kết nối: địa chỉ nhận thông báo không còn, trang thu không còn nút.
    #[arg(long, conflicts_with = "on")]
    off: bool,
    /// Bật lại kết nối đã tắt.
    #[arg(long)]
    on: bool,
    /// Chỉ nhận thông báo từ địa chỉ hay mạng này (lặp lại được); `any` bỏ giới hạn.
    #[arg(long = "source", value_name = "NETWORK")]
    sources: Vec<String>,
}

/// A length of time on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Overlap {
    seconds: i64,
}

impl FromStr for Overlap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text} không phải thời gian như 7d, 12h hay 30m");
        let unit = match text.chars().last() {
            Some('d') => 24 * 3600,
            Some('h') => 3600,
            Some('m') => 60,
            _ => return Err(refused()),
        };
        let number: i64 = text[..text.len() - 1].parse().map_err(|_| refused())?;
        if !(0..=1000).contains(&number) {
            return Err(refused());
        }
        Ok(Self {
            seconds: number * unit,
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ChannelArg {
    BankTransfer,
    Gateway,
    Wallet,
}

impl ChannelArg {
    const fn stored(self) -> Channel {
        match self {
            Self::BankTransfer => Channel::BankTransfer,
            Self::Gateway => Channel::Gateway,
            Self::Wallet => Channel::Wallet,
        }
    }
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
        let app = args.place.open().await?;
        let done = change_connection(&app, args).await;
        app.db.close().await;
        done.map(|()| ExitCode::SUCCESS)
    })
}

async fn change_connection(app: &App, args: ConnectArgs) -> Result<()> {
    let school = find_school(app, &args.school).await?;
    let id = ConnectionId::new(format!("{}-{}", school.code.to_lowercase(), args.provider));
    let registry = app.connections.registry();
    let known = registry.entries().find(|(name, _)| *name == args.provider);
    if known.is_some_and(|(_, entry)| !entry.is_on()) {
        let doubt = Untrusted::Experimental(args.provider);
        bail!("{}", doubt_in_words(&doubt));
    }
    let adapter = registry.get(&args.provider).with_context(|| {
        format!(
            "không có adapter {}; xem `hocphi adapters list`",
            args.provider
        )
    })?;
    if !args.off {
        app.connections
            .trust()
            .check(&args.provider)
            .map_err(|doubt| anyhow!("{}", doubt_in_words(&doubt)))?;
    }
    let credentials = match &args.credentials {
        Some(file) => Some(read_credentials(file, adapter.profile())?),
        None => None,
    };
    let sources = networks(&args.sources)?;
    let now = app.clock.now();
    let (seal, ids) = (app.seal.clone(), app.ids.clone());
    let switch = match (args.off, args.on) {
        (true, _) => Some(State::Disabled),
        (_, true) => Some(State::Enabled),
        _ => None,
    };
    let new = match (&credentials, args.channel, args.name) {
        (Some(credentials), Some(channel), Some(name)) => Some(NewConnection {
            school_id: school.school_id,
            connection_id: id.clone(),
            provider: args.provider.clone(),
            display_name: name,
            channel: channel.stored(),
            credentials: credentials.clone(),
        }),
        _ => None,
    };
    let rotated = credentials.filter(|_| args.rotate);
    let overlap_until = now.plus_seconds(args.overlap.seconds);
    let changed = id.clone();
    app.db
        .write("setup.connect", async move |tx: &mut Tx| {
            if let Some(new) = &new {
                connections::put(tx, &seal, &ids, new).await?;
            }
            if let Some(credentials) = &rotated {
                connections::rotate(tx, &seal, &ids, &changed, credentials, overlap_until).await?;
            }
            if let Some(state) = switch {
                connections::switch(tx, &changed, state).await?;
            }
            if let Some(sources) = &sources {
                connections::set_sources(tx, &changed, sources).await?;
            }
            Ok::<_, ConnectionError>(())
        })
        .await
        .with_context(|| format!("kết nối {id}"))?;
    if args.rotate {
        println!(
            "Đã đổi khóa của {id}; khóa cũ còn được nhận đến {}",
            overlap_until.shown()
        );
    }
    match switch {
        Some(State::Disabled) => println!("Đã tắt {id}"),
        Some(State::Enabled) => println!("Đã bật {id}"),
        None => println!(
            "Địa chỉ nhận thông báo: {}/notices/{}/{id}",
            app.public_url, args.provider
        ),
    }
    Ok(())
}

fn read_credentials(file: &Path, profile: &Profile) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("không đọc được {}", file.display()))?;
    let named: BTreeMap<String, String> = toml::from_str(&text)
        .with_context(|| format!("{} không phải các dòng tên = \"giá trị\"", file.display()))?;
    let credentials: Credentials = named.clone().into_iter().collect();
    // A description that lists no credentials takes what it is given.
    let faults = if profile.credentials.is_empty() {
        Vec::new()
    } else {
        profile.check(&credentials)
    };
    if !faults.is_empty() {
        let lines: Vec<String> = faults
            .iter()
            .map(|fault| format!("  - {}", fault_in_words(fault, profile)))
            .collect();
        bail!("{} chưa dùng được:\n{}", file.display(), lines.join("\n"));
    }
    Ok(named.into_iter().collect())
}

/// What is wrong with a credential, without its value.
fn fault_in_words(fault: &CredentialFault, profile: &Profile) -> String {
    let spec = |name: &str| profile.credentials.iter().find(|spec| spec.name == name);
    let label = |name: &str| spec(name).map_or(String::new(), |spec| format!(" ({})", spec.label));
    match fault {
        CredentialFault::Missing(name) => format!("thiếu {name}{}", label(name)),
        CredentialFault::NoneOf(names) => format!("cần một trong: {}", names.join(", ")),
        CredentialFault::Unknown(name) => {
            let known: Vec<&str> = profile
                .credentials
                .iter()
                .map(|spec| spec.name.as_str())
                .collect();
            format!(
                "{name} không phải tên của nhà cung cấp này; các tên: {}",
                known.join(", ")
            )
        }
        CredentialFault::Form { name, .. } => {
            let why = match spec(name).map(|spec| spec.kind) {
                Some(CredentialKind::Url) => "không phải địa chỉ https://…",
                Some(CredentialKind::Pattern) => "không phải biểu thức chính quy",
                Some(CredentialKind::HexSecret) => "không phải chuỗi thập lục phân",
                Some(CredentialKind::PublicKey) => "không phải khóa công khai dạng PEM",
                Some(CredentialKind::PrivateKey) => "không phải khóa riêng dạng PEM (PKCS#8)",
                Some(CredentialKind::Text | CredentialKind::Secret) | None => {
                    "để trống hoặc có khoảng trắng ở đầu, cuối"
                }
            };
            format!("{name}{} {why}", label(name))
        }
    }
}

fn doubt_in_words(doubt: &Untrusted) -> String {
    match doubt {
        Untrusted::NeverTried(name) => format!(
            "{name} chưa qua kiểm thử tương thích nên chưa dùng được với tiền thật: chạy \
             `hocphi adapters conformance --record {name}`, hoặc đặt [adapters] mode = \"sandbox\" để thử"
        ),
        Untrusted::Changed(name) => format!(
            "{name} đã thay đổi sau lần kiểm thử tương thích: chạy lại \
             `hocphi adapters conformance --record {name}`"
        ),
        Untrusted::Experimental(name) => {
            format!("{name} còn là thử nghiệm: nêu tên trong [adapters] experimental nếu chấp nhận")
        }
    }
}

/// Nothing when the option was not given.
fn networks(typed: &[String]) -> Result<Option<Vec<Network>>> {
    if typed.is_empty() {
        return Ok(None);
    }
    typed
        .iter()
        .filter(|text| *text != "any")
        .map(|text| {
            text.parse()
                .map_err(|_| anyhow!("{text} không phải địa chỉ hay mạng như 203.0.113.0/24"))
        })
        .collect::<Result<_>>()
        .map(Some)
}

/// The school with this code, or a sentence for the person who mistyped it.
pub(super) async fn find_school(app: &App, code: &str) -> Result<School> {
    schools::school_by_code(&app.db, code)
        .await?
        .with_context(|| format!("không có trường mang mã {code}"))
}
