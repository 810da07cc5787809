//! `hocphi key`: signing keys of schools, wherever they are, and the certificates that a school has
//! registered. Passwords, PINs and tokens come from the environment or from files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, Args, Subcommand};
use hocphi::clock::Day;
use hocphi::invoices::service::{Registered, install_key, list_keys, register_certificate};
use hocphi::invoices::signature::{Holder, RemoteKey, SigningKey, TokenPlace};

use super::invoice::read_authorities;
use super::serve::Place;
use super::setup::find_school;

/// Khóa ký hóa đơn của một trường.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    action: KeyAction,
}

#[derive(Debug, Subcommand)]
enum KeyAction {
    /// Cài khóa: từ tệp PKCS#12 hoặc PEM, trên USB token hoặc HSM (PKCS#11), hoặc ở dịch vụ ký số từ xa.
    Install(Box<InstallArgs>),
    /// Các khóa của một trường: nơi giữ, hiệu lực, đã đăng ký với cơ quan thuế hay chưa.
    List {
        #[command(flatten)]
        place: Place,
        /// Mã trường.
        #[arg(long)]
        school: String,
    },
    /// Ghi chứng thư số đã đăng ký với cơ quan thuế; từ đó trường chỉ ký bằng chứng thư đã ghi.
    Register {
        #[command(flatten)]
        place: Place,
        /// Mã trường.
        #[arg(long)]
        school: String,
        /// Số sê-ri của chứng thư (hex), như `hocphi key list` in ra.
        #[arg(long)]
        serial: String,
        /// Ngày đầu tiên có hiệu lực đăng ký (YYYY-MM-DD).
        #[arg(long, value_parser = day)]
        from: Day,
        /// Ngày cuối cùng có hiệu lực đăng ký.
        #[arg(long, value_parser = day)]
        to: Option<Day>,
        /// Căn cứ, ví dụ "Thông báo 01/TB-ĐKĐT ngày 05/08/2026".
        #[arg(long)]
        source: String,
    },
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("where").required(true).args(["pkcs12", "pem", "pkcs11", "remote"])))]
struct InstallArgs {
    #[command(flatten)]
    place: Place,
    /// Mã trường.
    #[arg(long)]
    school: String,
    /// Tệp PKCS#12; mật khẩu trong HOCPHI_KEY_PASSWORD.
    #[arg(long, value_name = "FILE")]
    pkcs12: Option<PathBuf>,
    /// Tệp PEM có khóa và chứng thư.
    #[arg(long, value_name = "FILE")]
    pem: Option<PathBuf>,
    /// Thư viện PKCS#11 của hãng, ví dụ /usr/lib/softhsm/libsofthsm2.so; mã PIN trong HOCPHI_KEY_PIN.
    #[arg(long, value_name = "MODULE", requires_all = ["token", "key"])]
    pkcs11: Option<PathBuf>,
    /// Nhãn của token.
    #[arg(long, requires = "pkcs11")]
    token: Option<String>,
    /// Nhãn của khóa trên token.
    #[arg(long, requires = "pkcs11")]
    key: Option<String>,
    /// Dịch vụ ký số từ xa (CSC signHash): tệp TOML có url, credential, token, authorisation.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    remote: Option<PathBuf>,
    /// Chứng thư (PEM) của khóa ở ngoài; token thường có sẵn.
    #[arg(long, value_name = "PEM")]
    certificate: Option<PathBuf>,
    /// Chứng thư (PEM) của nơi cấp; có thì chuỗi chứng thư phải dẫn đến đó.
    #[arg(long = "ca", value_name = "PEM")]
    issuers: Vec<PathBuf>,
}

pub fn run(args: KeyArgs) -> Result<ExitCode> {
    super::runtime()?.block_on(async {
        match args.action {
            KeyAction::Install(args) => install(*args).await,
            KeyAction::List { place, school } => list(&place, &school).await,
            KeyAction::Register {
                place,
                school,
                serial,
                from,
                to,
                source,
            } => {
                let app = place.open().await?;
                let new = Registered {
                    school_id: find_school(&app, &school).await?.school_id,
                    serial: serial.to_uppercase(),
                    valid_from: from,
                    valid_to: to.map(|last| last.plus_days(1)),
                    source,
                };
                if !new.serial.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    bail!("số sê-ri {serial} không phải số hex");
                }
                println!("Đã ghi chứng thư {} từ {}", new.serial, from.shown());
                register_certificate(&app, new).await?;
                app.db.close().await;
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse_iso(text).ok_or_else(|| "không phải ngày YYYY-MM-DD".to_owned())
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("không đọc được {}", file.display()))
}

async fn install(args: InstallArgs) -> Result<ExitCode> {
    let certificate = args.certificate.as_deref().map(read).transpose()?;
    let key = if let Some(file) = &args.pkcs12 {
        let password = std::env::var("HOCPHI_KEY_PASSWORD")
            .context("hãy đặt mật khẩu tệp PKCS#12 trong HOCPHI_KEY_PASSWORD")?;
        let bytes =
            std::fs::read(file).with_context(|| format!("không đọc được {}", file.display()))?;
        SigningKey::from_pkcs12(&bytes, &password)?
    } else if let Some(file) = &args.pem {
        SigningKey::from_pem(&read(file)?)?
    } else if let (Some(module), Some(token), Some(key)) = (args.pkcs11, args.token, args.key) {
        let place = TokenPlace {
            module,
            token,
            key,
            pin: std::env::var("HOCPHI_KEY_PIN")
                .context("hãy đặt mã PIN của token trong HOCPHI_KEY_PIN")?,
        };
        SigningKey::on_token(place, certificate.as_deref())?
    } else if let (Some(file), Some(certificate)) = (&args.remote, &certificate) {
        let key: RemoteKey = toml::from_str(&read(file)?).with_context(|| {
            format!(
                "{} cần url, credential, token và authorisation",
                file.display()
            )
        })?;
        SigningKey::remote(key, certificate)?
    } else {
        bail!("cần --pkcs12, --pem, --pkcs11 hoặc --remote");
    };
    let issuers = read_authorities(&args.issuers)?;
    let app = args.place.open().await?;
    let school = find_school(&app, &args.school).await?;
    let new = install_key(&app, &school.school_id, &key, &issuers).await?;
    let certificate = key.certificate();
    println!(
        "{} {}, hiệu lực {} đến {}",
        if new {
            "Đã cài khóa"
        } else {
            "Khóa đã có:"
        },
        certificate.serial,
        certificate.valid_from.day().shown(),
        certificate.valid_to.day().shown()
    );
    app.db.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(place: &Place, school: &str) -> Result<ExitCode> {
    let app = place.open().await?;
    let school = find_school(&app, school).await?;
    let now = app.clock.now();
    for key in list_keys(&app, &school.school_id).await? {
        let holder = match key.holder {
            Holder::Here => "trong phần mềm",
            Holder::Token => "trên token",
            Holder::Remote => "dịch vụ từ xa",
        };
        let registered = match key.registered {
            Some(true) => "đã đăng ký",
            Some(false) => "CHƯA ĐĂNG KÝ",
            None => "chưa khai đăng ký nào",
        };
        let expired = if key.valid_to < now {
            ", ĐÃ HẾT HẠN"
        } else {
            ""
        };
        println!(
            "{}  {holder}, hiệu lực {} đến {}{expired}, {registered}",
            key.serial,
            key.valid_from.day().shown(),
            key.valid_to.day().shown(),
        );
    }
    app.db.close().await;
    Ok(ExitCode::SUCCESS)
}
