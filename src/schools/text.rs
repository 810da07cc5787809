//! Vietnamese text: one form for storage, one for searching.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The form in which text from people is stored: NFC, trimmed, inner runs of blanks made one
/// space, without invisible and control characters.
pub fn clean(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    for word in raw.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word = word.trim_matches(is_invisible);
        if word.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(word.chars().filter(|c| !is_invisible(*c)).nfc());
    }
    text
}

/// Zero-width characters, direction marks and the byte order mark: copied along from web pages.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
}

/// The form in which text is compared and searched: no marks, đ as d, lower case, every run of
/// other characters than letters and digits one space.
pub fn fold(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut gap = false;
    for c in raw.nfkd().filter(|c| !is_combining_mark(*c)) {
        for c in c.to_lowercase() {
            let c = if c == 'đ' { 'd' } else { c };
            if !c.is_alphanumeric() {
                gap = true;
                continue;
            }
            if gap && !text.is_empty() {
                text.push(' ');
            }
            gap = false;
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decomposed_and_composed_vietnamese_are_one_text() {
        let decomposed: String = "Nguyễn Thị Đào".nfd().collect();
        assert_ne!(decomposed, "Nguyễn Thị Đào");
        assert_eq!(
            clean(&format!("  {decomposed}\u{a0} \u{200b}")),
            "Nguyễn Thị Đào"
        );
        assert_eq!(fold(&decomposed), "nguyen thi dao");
        assert_eq!(fold("  Mã  ĐVQHNS (7 số) "), "ma dvqhns 7 so");
    }
}
