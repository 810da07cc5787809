//! Reading files that people name, with an answer that they understand when it fails.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use hocphi::invoices::verify::FILE_BYTES_MAX;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("không có tệp này")]
    Missing,
    #[error("không phải là tệp")]
    NotAFile,
    #[error("không có quyền đọc")]
    Forbidden,
    #[error("lớn hơn {} MB", FILE_BYTES_MAX / 1_000_000)]
    TooLarge,
    #[error("hệ thống báo: {0}")]
    Io(std::io::Error),
}

impl Unreadable {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "FILE_MISSING",
            Self::NotAFile => "NOT_A_FILE",
            Self::Forbidden => "FILE_FORBIDDEN",
            Self::TooLarge => "FILE_TOO_LARGE",
            Self::Io(_) => "FILE_UNREADABLE",
        }
    }
}

impl From<std::io::Error> for Unreadable {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            ErrorKind::IsADirectory => Self::NotAFile,
            ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Io(error),
        }
    }
}

/// A whole file, when it is not larger than the verifier takes.
///
/// # Errors
/// [`Unreadable`].
pub fn read(file: &Path) -> Result<Vec<u8>, Unreadable> {
    if !std::fs::metadata(file)?.is_file() {
        return Err(Unreadable::NotAFile);
    }
    // A file may grow between a look at its length and its reading.
    let limit = FILE_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Unreadable::TooLarge);
    }
    Ok(bytes)
}
