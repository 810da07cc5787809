//! Where the parts of a form stand.

use super::encoding;

/// The places of `=` and `&` in a form, and its end. The parts of a form are so short that eight bytes
/// at a time take less than a search that is set up anew for each part.
pub(super) struct Signs<'a> {
    words: std::slice::Iter<'a, [u8; 8]>,
    /// What fills no word, with a `&` for the end.
    last: Option<[u8; 8]>,
    /// Where the word that is looked at ends.
    end: usize,
    /// The high bit of each byte of that word that is a sign still to be told.
    found: u64,
}

impl<'a> Signs<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let (words, rest) = text.as_bytes().as_chunks();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[rest.len()] = b'&';
        Self {
            words: words.iter(),
            last: Some(last),
            end: 0,
            found: 0,
        }
    }
}

impl Iterator for Signs<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            let word = match self.words.next() {
                Some(word) => *word,
                None => self.last.take()?,
            };
            self.end += word.len();
            self.found = signs_in(u64::from_le_bytes(word));
        }
        let left = self.found.trailing_zeros() / u8::BITS;
        self.found &= self.found - 1;
        Some(self.end - size_of_val(&self.found) + left as usize)
    }
}

/// The high bit of each byte of the word that is a sign.
const fn signs_in(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    /// Has the high bit of each byte that is not `sign`: adding carries into it, and never beyond.
    const fn others(word: u64, sign: u8) -> u64 {
        let differing = word ^ u64::from_le_bytes([sign; 8]);
        (differing & LOW).wrapping_add(LOW) | differing
    }
    !(others(word, b'=') & others(word, b'&')) & !LOW
}

/// Whether escapes stand in the parts of a form: few have one, so that each is looked for once.
pub(super) struct Escapes<'a> {
    text: &'a str,
    next: usize,
}

impl<'a> Escapes<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let next = encoding::first_escape(text).unwrap_or(text.len());
        Self { text, next }
    }

    /// Whether one stands before `end`, where a part ends, that did not stand before the end asked
    /// for last.
    pub(super) fn stand_before(&mut self, end: usize) -> bool {
        let found = self.next < end;
        if found {
            let next = encoding::first_escape(&self.text[end..]);
            self.next = next.map_or(self.text.len(), |at| end + at);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sign_is_told_once_and_then_the_end(
            text in prop_oneof!["[a=&]{0,40}", "[%-'<->\u{a6}\u{bd}\u{7f}]{0,40}", any::<String>()]
        ) {
            let bytes = text.bytes().enumerate();
            let signs = bytes.filter(|(_, byte)| matches!(byte, b'=' | b'&'));
            let expected: Vec<_> = signs.map(|(at, _)| at).chain([text.len()]).collect();
            prop_assert_eq!(Signs::of(&text).collect::<Vec<_>>(), expected);
        }
    }
}
