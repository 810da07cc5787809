//! The lines of an entry as they are stored: `[["112",1000,0,null],["531",0,1000,"item"]]`, each
//! account, debit, credit and object. Pure.

use std::borrow::Cow;

use super::rules::{Line, Side};

/// A line as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLine<'a> {
    pub account: Cow<'a, str>,
    pub debit: i64,
    pub credit: i64,
    pub object: Option<Cow<'a, str>>,
}

/// The stored form of lines.
pub fn write(lines: &[Line]) -> String {
    let mut text = String::with_capacity(2 + 48 * lines.len());
    text.push('[');
    for (place, line) in lines.iter().enumerate() {
        let amount = line.amount.get();
        let (debit, credit) = match line.side {
            Side::Debit => (amount, 0),
            Side::Credit => (0, amount),
        };
        let row = (&line.account, debit, credit, &line.object);
        if place > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(&row).expect("texts and numbers always serialise"));
    }
    text.push(']');
    text
}

/// Hands every line to `each`, in order; answers how many there were, nothing when the text is not
/// of the stored form.
pub fn read(text: &str, mut each: impl FnMut(StoredLine<'_>)) -> Option<usize> {
    let mut rest = Rest(text);
    rest.take("[")?;
    if rest.take("]").is_some() {
        return rest.0.is_empty().then_some(0);
    }
    let mut count = 0;
    loop {
        rest.take("[")?;
        let account = rest.text()?;
        rest.take(",")?;
        let debit = rest.number()?;
        rest.take(",")?;
        let credit = rest.number()?;
        rest.take(",")?;
        let object = match rest.take("null") {
            Some(()) => None,
            None => Some(rest.text()?),
        };
        rest.take("]")?;
        each(StoredLine {
            account,
            debit,
            credit,
            object,
        });
        count += 1;
        if rest.take(",").is_none() {
            rest.take("]")?;
            return rest.0.is_empty().then_some(count);
        }
    }
}

/// What is still to be read. A reader of JSON in general would take most of the checker's time.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn number(&mut self) -> Option<i64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        let mut value = 0_i64;
        for digit in number.bytes() {
            value = value
                .checked_mul(10)?
                .checked_add(i64::from(digit - b'0'))?;
        }
        (digits > 0).then_some(value)
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let inside = self.0.strip_prefix('"')?;
        let end = memchr::memchr2(b'"', b'\\', inside.as_bytes())?;
        if inside.as_bytes()[end] == b'"' {
            self.0 = &inside[end + 1..];
            return Some(Cow::Borrowed(&inside[..end]));
        }
        // Escapes are rare: identifiers and account numbers have none.
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter::<String>();
        let value = values.next()?.ok()?;
        self.0 = &self.0[values.byte_offset()..];
        Some(Cow::Owned(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Vnd;
    use proptest::prelude::*;

    fn all(text: &str) -> Option<Vec<Line>> {
        let mut found = Vec::new();
        let count = read(text, |line| {
            found.push(Line {
                account: line.account.into_owned(),
                side: if line.credit == 0 {
                    Side::Debit
                } else {
                    Side::Credit
                },
                amount: Vnd::new(line.debit + line.credit),
                object: line.object.map(Cow::into_owned),
            });
        })?;
        assert_eq!(count, found.len());
        Some(found)
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            lines in prop::collection::vec(
                (".{0,12}", any::<bool>(), 1..i64::MAX, prop::option::of(".{0,12}")), 0..6)
        ) {
            let lines: Vec<Line> = lines
                .into_iter()
                .map(|(account, is_debit, amount, object)| Line {
                    account,
                    side: if is_debit { Side::Debit } else { Side::Credit },
                    amount: Vnd::new(amount),
                    object,
                })
                .collect();
            let text = write(&lines);
            prop_assert_eq!(all(&text), Some(lines));
            // The databases read the same text as JSON.
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }

    #[test]
    fn other_texts_are_not_lines() {
        for text in [
            "",
            "[",
            "[]x",
            "[[\"112\",1,0]]",
            "[[\"112\",-1,0,null]]",
            "[[\"112\",1,0,null],]",
            "[[\"112\", 1,0,null]]",
            "[[112,1,0,null]]",
            "[[\"112\",99999999999999999999,0,null]]",
            "[[\"112\",1,0,null]",
        ] {
            assert_eq!(all(text), None, "{text}");
        }
        assert_eq!(all("[]"), Some(Vec::new()));
    }
}
