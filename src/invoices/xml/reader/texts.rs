//! What stands between tags and inside quotes, comments, sections, instructions, and the declaration.

use std::borrow::Cow;

use memchr::memmem;

use super::names::{IN_TEXT, IN_VALUE, is_allowed, name_length, plain_length};
use super::parse::{Parser, is_space};
use super::problem::{Flaw, XmlError};
use super::tree::{NONE, NodeType};

impl<'i> Parser<'i> {
    pub(super) fn text(&mut self) -> Result<(), XmlError> {
        let from = self.at;
        let text = self.characters(b'<')?;
        self.add_text(text, from)
    }

    pub(super) fn add_text(&mut self, text: Cow<'i, str>, from: usize) -> Result<(), XmlError> {
        match text {
            Cow::Borrowed(text) => self.add(NodeType::Text, text, NONE, from)?,
            copied => {
                let copy = self.keep(copied);
                self.add(NodeType::Text, "", copy, from)?
            }
        };
        Ok(())
    }

    pub(super) fn keep(&mut self, copy: Cow<'i, str>) -> u32 {
        let at = Self::offset(self.tree.copies.len());
        self.tree.copies.push(copy);
        at
    }

    /// A text up to its `<`, or the value of an attribute up to its quote: entities resolved, ends of
    /// lines as XML has them (§2.11, §3.3.3).
    pub(super) fn characters(&mut self, end: u8) -> Result<Cow<'i, str>, XmlError> {
        let is_text = end == b'<';
        let classes = if is_text { IN_TEXT } else { IN_VALUE };
        let mut copied: Option<String> = None;
        let (start, mut from) = (self.at, self.at);
        loop {
            self.at += plain_length(self.bytes(), classes);
            let Some(byte) = self.byte(0) else { break };
            let here = self.at;
            let replaced = match byte {
                _ if byte == end => break,
                b'"' | b'\'' => None,
                b']' if self.rest().starts_with("]]>") => {
                    return Err(self.flaw(Flaw::SectionEnd));
                }
                b']' => None,
                b'<' => return Err(self.flaw(Flaw::LessThan)),
                b'&' => Some(self.entity()?),
                b'\r' => {
                    self.at += if self.byte(1) == Some(b'\n') { 2 } else { 1 };
                    Some(if is_text { '\n' } else { ' ' })
                }
                b'\t' | b'\n' => {
                    self.at += 1;
                    Some(' ')
                }
                0xef if !matches!(self.bytes(), [_, 0xbf, 0xbe | 0xbf, ..]) => {
                    self.at += 2; // And one more below.
                    None
                }
                _ => return Err(self.flaw(Flaw::Character)),
            };
            match replaced {
                None => self.at += 1,
                Some(letter) => {
                    let copy = copied.get_or_insert_default();
                    copy.push_str(&self.text[from..here]);
                    copy.push(letter);
                    from = self.at;
                }
            }
        }
        Ok(match copied {
            None => Cow::Borrowed(&self.text[start..self.at]),
            Some(mut copy) => {
                copy.push_str(&self.text[from..self.at]);
                Cow::Owned(copy)
            }
        })
    }

    /// A predefined entity or a character by its number; there is no DTD to define others.
    pub(super) fn entity(&mut self) -> Result<char, XmlError> {
        let rest = &self.rest()[1..];
        let end = memchr::memchr(b';', rest.as_bytes()).ok_or_else(|| self.flaw(Flaw::Entity))?;
        let letter = match &rest[..end] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            other => match other.strip_prefix('#') {
                Some(number) => match number.strip_prefix('x') {
                    Some(number) => character(number, 16),
                    None => character(number, 10),
                },
                None => None,
            },
        };
        let letter = letter.ok_or_else(|| self.flaw(Flaw::Entity))?;
        self.at += end + 2;
        Ok(letter)
    }

    /// Everything up to this mark, which is passed too; `skipped` bytes begin it.
    pub(super) fn until(&mut self, skipped: usize, mark: &str) -> Result<&'i str, XmlError> {
        let content = self.rest().get(skipped..).unwrap_or_default();
        let Some(length) = memmem::find(content.as_bytes(), mark.as_bytes()) else {
            return Err(self.flaw(Flaw::Unfinished));
        };
        let content = &content[..length];
        if let Some((at, _)) = content.char_indices().find(|(_, c)| !is_allowed(*c)) {
            self.at += skipped + at;
            return Err(self.flaw(Flaw::Character));
        }
        self.at += skipped + length + mark.len();
        Ok(content)
    }

    pub(super) fn comment(&mut self) -> Result<(), XmlError> {
        let from = self.at;
        self.until("<!--".len(), "--")?;
        self.expect(b'>', Flaw::Comment)?;
        self.add(NodeType::Comment, "", NONE, from)?;
        Ok(())
    }

    pub(super) fn section(&mut self) -> Result<(), XmlError> {
        if self.open.is_empty() {
            return Err(self.flaw(Flaw::Outside));
        }
        let from = self.at;
        let text = self.until("<![CDATA[".len(), "]]>")?;
        self.add_text(with_line_ends(text), from)
    }

    pub(super) fn instruction(&mut self) -> Result<(), XmlError> {
        let from = self.at;
        let content = self.until("<?".len(), "?>")?;
        let (target, value) = content.split_at(name_length(content));
        let is_apart = value.is_empty() || value.starts_with(is_space);
        if target.is_empty() || target.eq_ignore_ascii_case("xml") || !is_apart {
            self.at = from;
            return Err(self.flaw(Flaw::Instruction));
        }
        let value = with_line_ends(value.trim_start_matches(is_space));
        let copy = self.keep(value);
        self.add(NodeType::Instruction, target, copy, from)?;
        Ok(())
    }

    pub(super) fn declaration(&mut self) -> Result<(), XmlError> {
        let from = self.at;
        let content = self.until("<?xml".len(), "?>")?;
        if is_declaration(content) {
            return Ok(());
        }
        self.at = from;
        Err(self.flaw(Flaw::Declaration))
    }
}

/// XML 1.0 §2.11.
fn with_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

fn character(digits: &str, radix: u32) -> Option<char> {
    // A sign is no digit, though the standard library reads it.
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = is_plain.then(|| u32::from_str_radix(digits, radix).ok())??;
    char::from_u32(number).filter(|letter| is_allowed(*letter))
}

/// `version`, then `encoding` and `standalone` if they are there (XML 1.0 §2.8).
fn is_declaration(content: &str) -> bool {
    let mut expected = ["version", "encoding", "standalone"].as_slice();
    let mut rest = content;
    loop {
        let item = rest.trim_start_matches(is_space);
        if item.is_empty() {
            return expected.len() < 3;
        }
        let name = &item[..name_length(item)];
        let Some(at) = expected.iter().position(|known| *known == name) else {
            return false;
        };
        if item.len() == rest.len() || expected.len() == 3 && at > 0 {
            return false;
        }
        expected = &expected[at + 1..];
        let value = item[name.len()..]
            .trim_start_matches(is_space)
            .strip_prefix('=')
            .map(|value| value.trim_start_matches(is_space));
        let quoted = value.and_then(|value| {
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            value[1..].split_once(quote)
        });
        let Some((value, after)) = quoted else {
            return false;
        };
        let is_good = match name {
            "version" => value.strip_prefix("1.").is_some_and(|minor| {
                !minor.is_empty() && minor.bytes().all(|digit| digit.is_ascii_digit())
            }),
            "standalone" => matches!(value, "yes" | "no"),
            _ => true, // Only UTF-8 comes as far as this.
        };
        if !is_good {
            return false;
        }
        rest = after;
    }
}
