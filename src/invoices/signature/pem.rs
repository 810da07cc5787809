//! PEM blocks: base64 between `-----BEGIN X-----` and `-----END X-----`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One block of a PEM file.
#[derive(Clone, PartialEq, Eq)]
pub struct PemBlock {
    /// `CERTIFICATE`, `PRIVATE KEY`, `RSA PRIVATE KEY`, …
    pub label: String,
    pub der: Vec<u8>,
}

/// The blocks of a file, in order; text between them is ignored, a block that is not base64 too.
pub fn pem_blocks(text: &str) -> Vec<PemBlock> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(label) = line
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"))
        {
            open = Some((label.to_owned(), String::new()));
        } else if line.starts_with("-----END ") {
            if let Some((label, body)) = open.take()
                && let Ok(der) = STANDARD.decode(body)
            {
                blocks.push(PemBlock { label, der });
            }
        } else if let Some((_, body)) = &mut open {
            body.push_str(line);
        }
    }
    blocks
}

/// A block as text, lines of 64 characters.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().map(|&byte| char::from(byte)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
