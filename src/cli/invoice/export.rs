//! `hocphi invoice export`: the archive of a period as files, with an index of digests.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hocphi::clock::Day;
use hocphi::invoices::archive::{
    self, Archived, ExportError, Exported, IndexRow, Part, index_head, years_kept,
};
use hocphi::invoices::rendition::RenditionOptions;
use hocphi::schools::parameters::{self, Parameters};
use hocphi::sealing::SealingKey;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::ledger::{Books, find_school};
use super::pdf::PaperSize;

/// Documents in memory at a time.
const ROWS_AT_ONCE: i64 = 200;
const INDEX: &str = "index.csv";
/// Excel takes a file for UTF-8 when it begins with this.
const UTF8_MARK: &[u8] = "\u{feff}".as_bytes();

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    books: Books,
    /// First day of issue, 2026-11-01.
    #[arg(long, value_parser = day)]
    from: Day,
    /// Last day of issue.
    #[arg(long, value_parser = day)]
    to: Day,
    /// Code of one school; without it all of them.
    #[arg(long, value_name = "CODE")]
    school: Option<String>,
    #[arg(long, value_enum, default_value_t = PaperSize::A4)]
    paper: PaperSize,
    /// A new or empty folder, or a file ending in .zip.
    #[arg(value_name = "DIR|ZIP")]
    out: PathBuf,
}

pub(super) fn day(text: &str) -> Result<Day, String> {
    Day::parse_iso(text).ok_or_else(|| "ngày có dạng 2026-11-23".to_owned())
}

pub async fn run(args: ExportArgs) -> Result<ExitCode> {
    if args.from > args.to {
        bail!("--from sau --to");
    }
    let config = args.books.config()?;
    let key = args.books.sealing_key()?;
    let db = args.books.reader().await?;
    let lookup = format!("{}/hoa-don", config.server.public_url.trim_end_matches('/'));
    let options = RenditionOptions {
        paper: args.paper.into(),
        lookup_address: Some(&lookup),
        attach_xml: true,
    };
    let mut shelves = archive::shelves(&db, args.from, args.to).await?;
    if let Some(code) = &args.school {
        let school = find_school(&db, code).await?;
        shelves.retain(|shelf| shelf.school_id == school.school_id);
    }
    let mut out = Out::create(&args.out)?;
    let (mut count, mut refused) = (0_u64, 0_u64);
    for shelf in shelves {
        let dated = parameters::load(&db, &shelf.school_id).await?;
        let mut at = (args.from, String::new(), String::new());
        loop {
            let after = (at.0, at.1.as_str(), at.2.as_str());
            let rows = archive::page(&db, &shelf.school_id, args.to, after, ROWS_AT_ONCE).await?;
            let Some(last) = rows.last() else { break };
            at = (
                last.issue_day,
                last.kind.to_string(),
                last.subject_id.clone(),
            );
            for (row, made) in rows.iter().zip(render_all(
                &rows,
                &shelf.code,
                &key,
                dated.as_ref(),
                &options,
            )) {
                match made {
                    Ok(exported) => {
                        out.put(&exported)?;
                        count += 1;
                    }
                    Err(problem) => {
                        refused += 1;
                        eprintln!(
                            "trường {}, {}: không xuất: {problem}",
                            shelf.code,
                            row.name()
                        );
                    }
                }
            }
        }
    }
    db.close().await;
    out.finish()?;
    println!("đã xuất {count} chứng từ vào {}", args.out.display());
    if refused > 0 {
        println!("{refused} chứng từ không xuất được, xem phía trên");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// On all cores, in order.
fn render_all(
    rows: &[Archived],
    school: &str,
    key: &SealingKey,
    dated: Option<&Parameters>,
    options: &RenditionOptions<'_>,
) -> Vec<Result<Exported, ExportError>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = rows.len().div_ceil(cores).max(1);
    let one = |row: &Archived| {
        let years = dated.and_then(|dated| years_kept(dated, row.issue_day));
        archive::render(row, school, key, years, options)
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = rows
            .chunks(share)
            .map(|chunk| scope.spawn(move || chunk.iter().map(one).collect::<Vec<_>>()))
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("a rendition does not panic"))
            .collect()
    })
}

/// Where files go, and the index that grows beside them.
struct Out {
    place: Target,
    index: csv::Writer<BufWriter<File>>,
    index_file: PathBuf,
}

enum Target {
    Folder(PathBuf),
    Zip(Box<ZipWriter<BufWriter<File>>>),
}

impl Out {
    fn create(path: &Path) -> Result<Self> {
        let is_zip = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("zip"));
        let (place, index_file) = if is_zip {
            let file = File::create_new(path)
                .with_context(|| format!("không tạo được {}", path.display()))?;
            let zip = ZipWriter::new(BufWriter::new(file));
            (
                Target::Zip(Box::new(zip)),
                path.with_extension("index.part"),
            )
        } else {
            fs::create_dir_all(path)
                .with_context(|| format!("không tạo được thư mục {}", path.display()))?;
            if fs::read_dir(path)?.next().is_some() {
                bail!("thư mục {} không trống", path.display());
            }
            (Target::Folder(path.to_owned()), path.join(INDEX))
        };
        let mut file = BufWriter::new(File::create(&index_file)?);
        file.write_all(UTF8_MARK)?;
        let mut out = Self {
            place,
            index: csv::Writer::from_writer(file),
            index_file,
        };
        out.line(&index_head())?;
        Ok(out)
    }

    fn line(&mut self, row: &IndexRow) -> Result<()> {
        Ok(self.index.write_record(row)?)
    }

    fn put(&mut self, exported: &Exported) -> Result<()> {
        self.file(&exported.xml, CompressionMethod::Deflated)?;
        // What is inside a PDF is packed already.
        self.file(&exported.pdf, CompressionMethod::Stored)?;
        self.line(&exported.index)
    }

    fn file(&mut self, part: &Part, method: CompressionMethod) -> Result<()> {
        match &mut self.place {
            Target::Folder(folder) => {
                let path = folder.join(&part.path);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(path, &part.bytes)?;
            }
            Target::Zip(zip) => {
                zip.start_file(
                    &part.path,
                    SimpleFileOptions::default().compression_method(method),
                )?;
                zip.write_all(&part.bytes)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.index.flush()?;
        drop(self.index);
        if let Target::Zip(mut zip) = self.place {
            let deflated =
                SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            zip.start_file(INDEX, deflated)?;
            std::io::copy(&mut File::open(&self.index_file)?, &mut zip)?;
            zip.finish()?.flush()?;
            fs::remove_file(&self.index_file)?;
        }
        Ok(())
    }
}
