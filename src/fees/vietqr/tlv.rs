//! Tag, length, value: two digits, two digits, that many characters.

use super::DecodeError;

/// One field of a payload or of a template inside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub tag: &'a str,
    pub value: &'a str,
}

/// Reads all fields; the text must be used up. Lengths count characters, as EMVCo says, so that a
/// payload with Vietnamese letters can be read at all.
pub(super) fn fields(text: &str) -> Result<Vec<Field<'_>>, DecodeError> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (tag, after_tag) = digits(rest).ok_or(DecodeError::Tag)?;
        let (length, after_length) = digits(after_tag).ok_or(DecodeError::Length)?;
        let length: usize = length.parse().map_err(|_| DecodeError::Length)?;
        let end = after_length
            .char_indices()
            .map(|(at, _)| at)
            .chain([after_length.len()])
            .nth(length)
            .ok_or(DecodeError::Truncated)?;
        let (value, after) = after_length.split_at(end);
        if value.is_empty() {
            return Err(DecodeError::EmptyValue);
        }
        if fields.iter().any(|field| field.tag == tag) {
            return Err(DecodeError::DuplicateTag);
        }
        fields.push(Field { tag, value });
        rest = after;
    }
    Ok(fields)
}

pub(super) fn value<'a>(fields: &[Field<'a>], tag: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|field| field.tag == tag)
        .map(|field| field.value)
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let (two, rest) = text.split_at_checked(2)?;
    two.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some((two, rest))
}
