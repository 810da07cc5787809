//! `hocphi invoice pdf`: the rendition of signed files, one PDF a file or all in one ZIP.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use hocphi::invoices::rendition::{Paper, RenditionOptions, pdf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::file::read;
use super::{UNREADABLE, WRONG};

#[derive(Debug, Args)]
pub struct PdfArgs {
    /// Paper size.
    #[arg(long, value_enum, default_value_t = PaperSize::A4)]
    paper: PaperSize,
    /// Address of the look-up page, printed beside the code and linked.
    #[arg(long, value_name = "URL")]
    lookup: Option<String>,
    /// Leave the signed XML out of the PDF.
    #[arg(long)]
    no_xml: bool,
    /// A folder, or a file ending in .zip.
    #[arg(short, long, value_name = "DIR|ZIP", default_value = ".")]
    out: PathBuf,
    /// Signed invoices or receipts, one a file.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PaperSize {
    A4,
    A5,
}

impl From<PaperSize> for Paper {
    fn from(size: PaperSize) -> Self {
        match size {
            PaperSize::A4 => Self::A4,
            PaperSize::A5 => Self::A5,
        }
    }
}

pub fn run(args: &PdfArgs) -> anyhow::Result<ExitCode> {
    let options = RenditionOptions {
        paper: args.paper.into(),
        lookup_address: args.lookup.as_deref(),
        attach_xml: !args.no_xml,
    };
    let is_zip = args
        .out
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("zip"));
    let mut zip = None;
    if is_zip {
        let file =
            File::create(&args.out).with_context(|| format!("writing {}", args.out.display()))?;
        zip = Some(ZipWriter::new(BufWriter::new(file)));
    } else {
        std::fs::create_dir_all(&args.out)
            .with_context(|| format!("making folder {}", args.out.display()))?;
    }
    let mut code = 0;
    for file in &args.files {
        let made = match read(file) {
            Ok(bytes) => pdf(&bytes, &options),
            Err(problem) => {
                code = UNREADABLE;
                eprintln!(
                    "{}: không đọc được [{}]: {problem}",
                    file.display(),
                    problem.code()
                );
                continue;
            }
        };
        match made {
            Ok(bytes) => {
                let name = pdf_name(file);
                match &mut zip {
                    // Streams inside are packed already.
                    Some(zip) => {
                        let stored = SimpleFileOptions::default()
                            .compression_method(CompressionMethod::Stored);
                        zip.start_file(name, stored)?;
                        zip.write_all(&bytes)?;
                    }
                    None => std::fs::write(args.out.join(name), bytes)?,
                }
            }
            Err(problem) => {
                code = code.max(WRONG);
                eprintln!("{}: không lập được bản thể hiện: {problem}", file.display());
            }
        }
    }
    if let Some(zip) = zip {
        zip.finish()?.flush()?;
    }
    Ok(ExitCode::from(code))
}

fn pdf_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    format!("{stem}.pdf")
}
