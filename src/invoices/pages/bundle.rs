//! `/ke-toan/archive.zip`: a period of a school as one ZIP, written while it is read. A slow browser
//! slows the reading; in memory are a few documents, however many there are.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::archive::PeriodQuery;
use super::lookup_address;
use crate::App;
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::invoices::archive::{Archived, index_head, page, render, years_kept};
use crate::invoices::rendition::RenditionOptions;
use crate::schools;
use crate::schools::parameters::{self, Parameters};
use crate::store::StoreError;
use crate::web::Web;
use crate::web::errors::PageError;
use crate::web::session::Accountant;

/// Documents read at a time; two such batches exist at once.
const ROWS_AT_ONCE: i64 = 25;
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_WAITING_MAX: usize = 4;
const INDEX: &str = "index.csv";
/// What could not be given out, and why.
const LEFT_OUT: &str = "KHONG-XUAT-DUOC.txt";

pub(super) async fn download(
    State(web): State<Web>,
    accountant: Accountant,
    Query(query): Query<PeriodQuery>,
) -> Result<Response, PageError> {
    let (from, to) = query.period(web.app.clock.today());
    let school = schools::school(&web.app.db, &accountant.school_id)
        .await?
        .ok_or(PageError::NotFound)?;
    let dated = parameters::load_for(&web.app.db, &school).await?;
    let (rows_in, rows_out) = channel(1);
    let (bytes_in, bytes_out) = channel(CHUNKS_WAITING_MAX);
    let app = web.app.clone();
    let school_id = accountant.school_id.clone();
    tokio::spawn(async move {
        if let Err(error) = read(&app, &school_id, (from, to), &rows_in).await {
            // The batch that never came ends the archive with an error.
            let _ = rows_in.send(Err(error)).await;
        }
    });
    let work = Work {
        app: web.app.clone(),
        school_code: school.code.clone(),
        dated,
        lookup_address: lookup_address(&web),
    };
    tokio::task::spawn_blocking(move || {
        let failures = bytes_in.clone();
        if let Err(error) = work.write(rows_out, bytes_in)
            // Otherwise the browser has gone.
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            tracing::error!(%error, "a bundle of documents ended early");
            // Cuts the answer off: half an archive must not look whole.
            let _ = failures.blocking_send(Err(error));
        }
    });
    let name = format!(
        "attachment; filename=\"{}-{}-{}.zip\"",
        school.code,
        from.iso(),
        to.iso()
    );
    let body = stream::unfold(
        bytes_out,
        |mut bytes: Receiver<io::Result<Bytes>>| async move {
            bytes.recv().await.map(|chunk| (chunk, bytes))
        },
    );
    Ok((
        [
            (CONTENT_TYPE, "application/zip".to_owned()),
            (CONTENT_DISPOSITION, name),
            (CACHE_CONTROL, "private, no-store".to_owned()),
        ],
        Body::from_stream(body),
    )
        .into_response())
}

type Batch = Result<Vec<Archived>, StoreError>;

async fn read(
    app: &App,
    school: &SchoolId,
    (from, to): (Day, Day),
    batches: &Sender<Batch>,
) -> Result<(), StoreError> {
    let mut at = (from, String::new(), String::new());
    loop {
        let after = (at.0, at.1.as_str(), at.2.as_str());
        let rows = page(&app.db, school, to, after, ROWS_AT_ONCE).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        at = (
            last.issue_day,
            last.kind.to_string(),
            last.subject_id.clone(),
        );
        if batches.send(Ok(rows)).await.is_err() {
            return Ok(());
        }
    }
}

struct Work {
    app: App,
    school_code: String,
    dated: Parameters,
    lookup_address: String,
}

impl Work {
    fn write(
        &self,
        mut batches: Receiver<Batch>,
        bytes: Sender<io::Result<Bytes>>,
    ) -> io::Result<()> {
        let seal = Arc::clone(&self.app.seal);
        let options = RenditionOptions {
            lookup_address: Some(&self.lookup_address),
            ..RenditionOptions::default()
        };
        let method = |method| SimpleFileOptions::default().compression_method(method);
        let (deflated, stored) = (
            method(CompressionMethod::Deflated),
            method(CompressionMethod::Stored),
        );
        let mut zip = ZipWriter::new_stream(Chunks {
            waiting: Vec::with_capacity(CHUNK_BYTES),
            to: bytes,
        });
        let mut index = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
        index.write_record(index_head()).map_err(io::Error::other)?;
        let mut left_out = String::new();
        while let Some(batch) = batches.blocking_recv() {
            for row in batch.map_err(io::Error::other)? {
                let years = years_kept(&self.dated, row.issue_day);
                match render(&row, &self.school_code, &seal, years, &options) {
                    Ok(made) => {
                        zip.start_file(&made.xml.path, deflated)?;
                        zip.write_all(&made.xml.bytes)?;
                        // What is inside a PDF is packed already.
                        zip.start_file(&made.pdf.path, stored)?;
                        zip.write_all(&made.pdf.bytes)?;
                        index.write_record(&made.index).map_err(io::Error::other)?;
                    }
                    Err(problem) => {
                        tracing::error!(document = row.name(), %problem, "not given out");
                        left_out.push_str(&format!("{}: {problem}\r\n", row.name()));
                    }
                }
            }
        }
        if !left_out.is_empty() {
            zip.start_file(LEFT_OUT, deflated)?;
            zip.write_all(left_out.as_bytes())?;
        }
        zip.start_file(INDEX, deflated)?;
        zip.write_all(
            &index
                .into_inner()
                .map_err(|error| io::Error::other(error.to_string()))?,
        )?;
        zip.finish()?.get_mut().flush()
    }
}

/// Writes into the answer, chunk by chunk; waits while the other side is slow.
struct Chunks {
    waiting: Vec<u8>,
    to: Sender<io::Result<Bytes>>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.waiting, Vec::with_capacity(CHUNK_BYTES));
        self.to
            .blocking_send(Ok(chunk.into()))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
