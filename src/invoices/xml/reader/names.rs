//! Which characters XML 1.0 allows where (fifth edition, productions 2, 4 and 4a). A colon is no part
//! of a name here: it divides prefix and name.

const START: u8 = 1;
const NAME: u8 = 2;
/// Ends or changes a text, or needs a closer look in it.
pub(super) const IN_TEXT: u8 = 4;
/// The same in the value of an attribute.
pub(super) const IN_VALUE: u8 = 8;

/// What each byte may be.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        let mut class = 0;
        if it.is_ascii_alphabetic() || it == b'_' {
            class |= START | NAME;
        }
        if it.is_ascii_digit() || it == b'-' || it == b'.' {
            class |= NAME;
        }
        // 0xEF begins U+FFFE and U+FFFF, which are no characters.
        if it < b' ' || matches!(it, b'<' | b'&' | 0xef) {
            class |= IN_TEXT | IN_VALUE;
        }
        if matches!(it, b'\t' | b'\n') {
            class &= !IN_TEXT;
        }
        if it == b']' {
            class |= IN_TEXT;
        }
        if matches!(it, b'"' | b'\'') {
            class |= IN_VALUE;
        }
        table[byte] = class;
        byte += 1;
    }
    table
}

/// How many bytes at the start are of none of these classes.
pub(super) fn plain_length(bytes: &[u8], classes: u8) -> usize {
    let ends = |byte: &u8| CLASSES[usize::from(*byte)] & classes != 0;
    let (head, mut rest) = bytes.split_at(bytes.len().min(CHUNK));
    if let Some(length) = head.iter().position(ends) {
        return length;
    }
    // Most values end before; certificates and signatures are long.
    while let Some((chunk, after)) = rest.split_first_chunk::<CHUNK>()
        && chunk
            .iter()
            .fold(true, |plain, byte| plain & is_plain(*byte))
    {
        rest = after;
    }
    bytes.len() - rest.len() + rest.iter().position(ends).unwrap_or(rest.len())
}

/// Bytes that are looked at together.
const CHUNK: usize = 16;

/// Surely of no class that ends a text or value; without branches, for many bytes at once.
const fn is_plain(byte: u8) -> bool {
    (byte >= b'(') & (byte != b'<') & (byte != b']') & (byte != 0xef)
}

/// The length of the name without colon at the start of a text; 0 when there is none.
pub(super) fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ascii = bytes
        .iter()
        .position(|byte| CLASSES[usize::from(*byte)] & NAME == 0)
        .unwrap_or(bytes.len());
    let starts = bytes
        .first()
        .is_some_and(|byte| CLASSES[usize::from(*byte)] & START != 0);
    if bytes.get(ascii).is_none_or(u8::is_ascii) {
        return if starts { ascii } else { 0 };
    }
    let mut letters = text.chars();
    if !letters.next().is_some_and(is_name_start) {
        return 0;
    }
    text.find(|letter| !is_name(letter)).unwrap_or(text.len())
}

fn is_name_start(letter: char) -> bool {
    matches!(letter,
        'A'..='Z' | 'a'..='z' | '_'
        | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
        | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
        | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

fn is_name(letter: char) -> bool {
    is_name_start(letter)
        || matches!(letter,
            '0'..='9' | '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// Whether XML allows the character at all.
pub(super) fn is_allowed(letter: char) -> bool {
    matches!(letter,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
