//! `hocphi import`: files of offices and schools into the database.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use hocphi::App;
use hocphi::clock::{Clock, Day};
use hocphi::ids::Ids;
use hocphi::schools::import::{self, IMPORT_BYTES_MAX, ImportFailure, ImportReport};
use hocphi::sealing::SealingKey;
use hocphi::store::Db;

/// Nhập đơn vị, tham số, danh sách học sinh, khoản thu từ tệp XLSX hoặc CSV.
#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Sở, phòng, xã, trường và quan hệ quản lý theo ngày.
    Units(Files),
    /// Tham số theo ngày và phạm vi.
    Parameters(Files),
    /// Danh sách học sinh của một trường.
    Roster {
        #[command(flatten)]
        files: Files,
        /// Mã trường.
        #[arg(long)]
        school: String,
        /// Năm học, ví dụ 2026-2027.
        #[arg(long)]
        school_year: String,
        /// Danh sách có hiệu lực từ ngày (2026-09-01 hoặc 01/09/2026).
        #[arg(long, value_parser = parse_day)]
        from: Day,
    },
    /// Danh mục khoản thu và đơn giá của một trường.
    Fees {
        #[command(flatten)]
        files: Files,
        /// Mã trường.
        #[arg(long)]
        school: String,
    },
}

#[derive(Debug, Args)]
struct Files {
    /// sqlite://TỆP hoặc postgres://…
    #[arg(
        long,
        env = "HOCPHI_DATABASE_URL",
        default_value = "sqlite://hocphi-data/hocphi.db"
    )]
    database_url: String,
    /// Ghi các lỗi thành tệp CSV để trường sửa.
    #[arg(long)]
    problems: Option<PathBuf>,
    /// Người nhập, ghi vào sổ nhập tệp.
    #[arg(long, default_value = "dòng lệnh")]
    by: String,
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn parse_day(text: &str) -> Result<Day, String> {
    Day::parse_iso(text)
        .or_else(|| Day::parse_shown(text))
        .ok_or_else(|| format!("{text:?} không phải ngày 2026-09-01 hoặc 01/09/2026"))
}

/// Imports file by file and stops at the first that is refused.
pub fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(import_all(args.what))
}

async fn import_all(what: What) -> anyhow::Result<ExitCode> {
    let (What::Units(files)
    | What::Parameters(files)
    | What::Roster { files, .. }
    | What::Fees { files, .. }) = &what;
    let app = open(&files.database_url).await?;
    for path in &files.files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let outcome = import_one(&app, &what, &name, read(path)?, &files.by).await;
        match outcome {
            Ok(report) => println!("{report}"),
            Err(failure) => {
                if let (Some(file), Some(csv)) = (&files.problems, failure.to_csv()) {
                    std::fs::write(file, csv)
                        .with_context(|| format!("write {}", file.display()))?;
                }
                bail!("{failure}");
            }
        }
    }
    app.db.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn import_one(
    app: &App,
    what: &What,
    name: &str,
    bytes: Vec<u8>,
    by: &str,
) -> Result<ImportReport, ImportFailure> {
    match what {
        What::Units(_) => import::units(app, name, bytes, by).await,
        What::Parameters(_) => import::parameters(app, name, bytes, by).await,
        What::Roster {
            school,
            school_year,
            from,
            ..
        } => import::roster(app, school, name, bytes, school_year, *from, by).await,
        What::Fees { school, .. } => import::fees(app, school, name, bytes, by).await,
    }
}

/// Reads no more than one byte above what an import takes.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read;
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("open {shown}"))?;
    let mut bytes = Vec::new();
    file.take(u64::try_from(IMPORT_BYTES_MAX)? + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("read {shown}"))?;
    Ok(bytes)
}

async fn open(address: &str) -> anyhow::Result<App> {
    let file = address.strip_prefix("sqlite://");
    super::serve::make_private_folder(file.and_then(|file| Path::new(file).parent()))?;
    let ids = Ids::from_system();
    // Imports seal nothing: the key of the installation is not needed.
    let seal = SealingKey::from_bytes(ids.bytes());
    Ok(App::tool(
        Db::open(address).await?,
        Clock::system(),
        ids,
        seal,
    )?)
}
