//! Finds bill codes in the text of a transfer, whatever banks and payers did to it.
//!
//! Banks force spaces and line breaks into codes, drop marks and punctuation, and surround the
//! payer's words with their own (banks-and-reconciliation §4.1). So everything but letters and
//! digits is removed first, and then every place where the prefix stands is tested.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::bill_code::{BODY, BillCode, Body, PREFIX, read_body};

/// What a memo names.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// Distinct valid codes in order of first appearance.
    pub codes: Vec<BillCode>,
    /// What damaged codes may have been, each with at most one reading. Shown to a person beside
    /// the amount, only when it is an open bill; nothing is posted by it.
    pub suggestions: Vec<BillCode>,
}

/// Reads memos one after another; keeps its working space, so that a memo without a code costs no
/// allocation.
#[derive(Debug, Default)]
pub struct MemoReader {
    kept: Vec<u8>,
}

impl MemoReader {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn read(&mut self, memo: &str) -> Found {
        self.kept.clear();
        if memo.is_ascii() {
            keep_ascii(memo.as_bytes(), &mut self.kept);
        } else {
            keep_folded(memo, &mut self.kept);
        }
        let mut found = Found::default();
        let mut rest = self.kept.as_slice();
        while let Some(start) = prefix_at(rest) {
            rest = &rest[start + PREFIX.len()..];
            match read_body(&rest[..rest.len().min(BODY)]) {
                Body::Valid(code) => push_new(&mut found.codes, code),
                Body::Damaged(Some(code)) => push_new(&mut found.suggestions, code),
                Body::Damaged(None) => {}
            }
        }
        found
    }
}

/// Reads one memo. Many are read faster by one [`MemoReader`].
pub fn read(memo: &str) -> Found {
    MemoReader::new().read(memo)
}

/// Upper case for letters, itself for digits, 0 for what is dropped.
const KEPT: [u8; 128] = {
    let mut kept = [0; 128];
    let mut byte = 0;
    while byte < kept.len() {
        let character = (byte as u8).to_ascii_uppercase();
        if character.is_ascii_alphanumeric() {
            kept[byte] = character;
        }
        byte += 1;
    }
    kept
};

fn keep_ascii(memo: &[u8], kept: &mut Vec<u8>) {
    kept.resize(memo.len(), 0);
    let mut length = 0;
    for &byte in memo {
        // Written always and counted when kept: no branch to mispredict at every space.
        let character = KEPT[usize::from(byte & 0x7f)];
        kept[length] = character;
        length += usize::from(character != 0);
    }
    kept.truncate(length);
}

/// Characters are decomposed one by one: normalisation of the whole text would differ only in the
/// order of marks, and those are dropped.
fn keep_folded(memo: &str, kept: &mut Vec<u8>) {
    for character in memo.chars() {
        if let Some(&ascii) = KEPT.get(usize::try_from(u32::from(character)).unwrap_or(usize::MAX))
        {
            kept.extend((ascii != 0).then_some(ascii));
        } else {
            decompose_compatible(character, |part| keep_part(part, kept));
        }
    }
}

fn keep_part(part: char, kept: &mut Vec<u8>) {
    if is_combining_mark(part) {
        return;
    }
    if matches!(part, 'đ' | 'Đ') {
        kept.push(b'D');
        return;
    }
    for upper in part.to_uppercase() {
        if let Ok(byte) = u8::try_from(upper)
            && byte.is_ascii_alphanumeric()
        {
            kept.push(byte);
        }
    }
}

/// The first place of the prefix. `Z` is rare in Vietnamese, so it is what is looked for.
fn prefix_at(text: &[u8]) -> Option<usize> {
    let mut from = PREFIX.len() - 1;
    while from < text.len() {
        let z = from + text[from..].iter().position(|&byte| byte == PREFIX[2])?;
        let start = z + 1 - PREFIX.len();
        if text[start..=z] == PREFIX {
            return Some(start);
        }
        from = z + 1;
    }
    None
}

fn push_new(codes: &mut Vec<BillCode>, code: BillCode) {
    if !codes.contains(&code) {
        codes.push(code);
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        valid_codes: Vec<String>,
        invalid_codes: Vec<String>,
        memos: Vec<Memo>,
    }

    #[derive(Deserialize)]
    struct Memo {
        id: String,
        memo: String,
        expected_all: Vec<BillCode>,
        suggestion: Vec<BillCode>,
    }

    fn vectors() -> Vectors {
        serde_json::from_str(include_str!("../../tests/data/memos.json")).unwrap()
    }

    #[test]
    fn every_memo_of_the_vectors_gives_its_codes_and_suggestions() {
        let mut reader = MemoReader::new();
        let memos = vectors().memos;
        assert!(memos.len() > 200);
        for memo in memos {
            let found = reader.read(&memo.memo);
            assert_eq!(found.codes, memo.expected_all, "{}", memo.id);
            assert_eq!(found.suggestions, memo.suggestion, "{}", memo.id);
        }
    }

    #[test]
    fn codes_of_the_vectors_are_told_apart() {
        for code in vectors().valid_codes {
            assert!(BillCode::parse(&code).is_ok(), "{code}");
        }
        for code in vectors().invalid_codes {
            assert!(BillCode::parse(&code).is_err(), "{code}");
        }
    }

    #[test]
    fn marks_and_wide_letters_are_folded() {
        let code = BillCode::parse("HPZ37MTFCKQPG").unwrap();
        assert_eq!(read("nộp Đủ ｈｐｚ37m̀t-fckq\npg ạ").codes, [code]);
        // U+0111 takes the place of D.
        let with_d = BillCode::parse("HPZ333333337D").unwrap();
        assert_eq!(read("hpz 3333 3333 7đ").codes, [with_d]);
    }

    #[test]
    fn folding_letter_by_letter_is_folding_the_normalised_text() {
        use proptest::prelude::*;
        use unicode_normalization::UnicodeNormalization;
        proptest!(|(memo in "[\\PC\u{300}-\u{323}àảĐđﬁ①ŉß]{0,24}")| {
            let (mut whole, mut single) = (Vec::new(), Vec::new());
            memo.nfkd().for_each(|part| keep_part(part, &mut whole));
            keep_folded(&memo, &mut single);
            prop_assert_eq!(whole, single);
        });
    }

    #[test]
    fn a_prefix_inside_a_damaged_code_starts_a_code_of_its_own() {
        let code = BillCode::parse("HPZ37MTFCKQPG").unwrap();
        assert_eq!(read("HPZ37HPZ37MTFCKQPG").codes, [code]);
        assert_eq!(read("HPHPZ37MTFCKQPG HPZ37MTFCKQPG").codes, [code]);
        assert_eq!(read("HPZ"), Found::default());
        assert_eq!(read(""), Found::default());
    }
}
