//! The bytes of a file to its text.

use super::FILE_BYTES_MAX;
use super::problem::XmlError;

/// Of a name that the file chose itself.
const NAME_SHOWN_MAX: usize = 40;

/// The text of a file that is written in UTF-8, says nothing else of itself, and begins with a tag.
///
/// # Errors
/// [`XmlError`] says what it is instead.
pub(super) fn text(bytes: &[u8]) -> Result<&str, XmlError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(XmlError::TooLarge { bytes: bytes.len() });
    }
    if is_utf16(bytes) {
        return Err(XmlError::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| XmlError::NotUtf8 {
        at: error.valid_up_to(),
    })?;
    let content = text.trim_start_matches('\u{feff}').trim_start();
    match content.bytes().next() {
        None => return Err(XmlError::Empty),
        Some(b'<') => {}
        Some(_) => return Err(XmlError::NotXml),
    }
    if let Some(name) = stated_encoding(content)
        && !name.eq_ignore_ascii_case("utf-8")
    {
        return Err(XmlError::Encoding(
            name.chars().take(NAME_SHOWN_MAX).collect(),
        ));
    }
    Ok(text)
}

/// What the XML declaration says, where it says it.
fn stated_encoding(content: &str) -> Option<&str> {
    let declaration = content.strip_prefix("<?xml")?;
    // Not the instruction of a style sheet.
    if !declaration.starts_with(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    let declaration = &declaration[..declaration.find("?>")?];
    let (_, rest) = declaration.split_once("encoding")?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// By its mark, or by a first `<` of two bytes.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'<', 0, ..] | [0, b'<', ..]
    )
}
