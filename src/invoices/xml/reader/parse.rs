//! The text of a file to its tree, in one pass.

use std::borrow::Cow;

use memchr::memmem;

use super::names::{IN_TEXT, IN_VALUE, is_allowed, name_length, plain_length};
use super::problem::{Flaw, XmlError};
use super::tree::{
    AttributeData, Declaration, Document, NONE, NodeData, NodeType, XML_NAMESPACE, XML_SCOPE,
};
use super::{ATTRIBUTES_MAX, DEPTH_MAX, NODES_MAX, encoding};

const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads a file.
///
/// # Errors
/// [`XmlError`] names the bound that was crossed, or the place that is not well-formed.
pub fn parse(bytes: &[u8]) -> Result<Document<'_>, XmlError> {
    let text = encoding::text(bytes)?;
    let mut parser = Parser {
        text,
        at: 0,
        tree: Document::new(text),
        open: Vec::with_capacity(8),
        found: Vec::new(),
    };
    parser.file()?;
    Ok(parser.tree)
}

struct Parser<'i> {
    text: &'i str,
    at: usize,
    tree: Document<'i>,
    /// Elements whose end tag is to come.
    open: Vec<Open<'i>>,
    /// Attributes of the tag that is being read.
    found: Vec<Found<'i>>,
}

struct Open<'i> {
    id: usize,
    /// Its name as the end tag must repeat it.
    written: &'i str,
    scope: u32,
}

struct Found<'i> {
    name: Name<'i>,
    value: Cow<'i, str>,
}

#[derive(Clone, Copy)]
struct Name<'i> {
    /// Empty without one.
    prefix: &'i str,
    local: &'i str,
    written: &'i str,
}

impl<'i> Parser<'i> {
    fn file(&mut self) -> Result<(), XmlError> {
        self.add(NodeType::Root, "", NONE, 0)?;
        if self.text.starts_with(BYTE_ORDER_MARK) {
            self.at = BYTE_ORDER_MARK.len();
        }
        if let Some(after) = self.rest().strip_prefix("<?xml")
            && after.starts_with(is_space)
        {
            self.declaration()?;
        }
        while let Some(byte) = self.byte(0) {
            if byte == b'<' {
                self.markup()?;
            } else if self.open.is_empty() {
                self.spaces();
                if self.byte(0).is_some_and(|byte| byte != b'<') {
                    return Err(self.flaw(Flaw::Outside));
                }
            } else {
                self.text()?;
            }
        }
        if !self.open.is_empty() {
            return Err(self.flaw(Flaw::Unfinished));
        }
        if !self.has_root() {
            return Err(self.flaw(Flaw::NoElement));
        }
        let end = self.next_id();
        self.close(0, end);
        Ok(())
    }

    fn rest(&self) -> &'i str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn bytes(&self) -> &'i [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Whether there were any.
    fn spaces(&mut self) -> bool {
        let from = self.at;
        while matches!(self.byte(0), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.at > from
    }

    fn expect(&mut self, byte: u8, flaw: Flaw) -> Result<(), XmlError> {
        match self.byte(0) {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.flaw(flaw)),
            None => Err(self.flaw(Flaw::Unfinished)),
        }
    }

    /// What is wrong where the parser stands.
    #[cold]
    fn flaw(&self, flaw: Flaw) -> XmlError {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        XmlError::Malformed { line, column, flaw }
    }

    fn next_id(&self) -> u32 {
        // NODES_MAX is far below.
        u32::try_from(self.tree.nodes.len()).unwrap_or(NONE)
    }

    fn offset(at: usize) -> u32 {
        // FILE_BYTES_MAX is far below.
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn has_root(&self) -> bool {
        let mut nodes = self.tree.nodes.iter();
        nodes.any(|node| node.kind == NodeType::Element)
    }

    fn add(
        &mut self,
        kind: NodeType,
        text: &'i str,
        copy: u32,
        from: usize,
    ) -> Result<usize, XmlError> {
        let id = self.tree.nodes.len();
        if id == NODES_MAX {
            return Err(XmlError::TooManyNodes);
        }
        let parent = match self.open.last() {
            Some(open) => Self::offset(open.id),
            None if id == 0 => NONE,
            None => 0,
        };
        self.tree.nodes.push(NodeData {
            kind,
            text,
            copy,
            parent,
            end: Self::offset(id) + 1,
            from: Self::offset(from),
            to: Self::offset(self.at),
            namespace: NONE,
            scope: NONE,
            attributes: 0,
            attributes_end: 0,
        });
        Ok(id)
    }

    fn text(&mut self) -> Result<(), XmlError> {
        let from = self.at;
        let text = self.characters(b'<')?;
        self.add_text(text, from)
    }

    fn add_text(&mut self, text: Cow<'i, str>, from: usize) -> Result<(), XmlError> {
        match text {
            Cow::Borrowed(text) => self.add(NodeType::Text, text, NONE, from)?,
            copied => {
                let copy = self.keep(copied);
                self.add(NodeType::Text, "", copy, from)?
            }
        };
        Ok(())
    }

    fn keep(&mut self, copy: Cow<'i, str>) -> u32 {
        let at = Self::offset(self.tree.copies.len());
        self.tree.copies.push(copy);
        at
    }

    fn close(&mut self, id: usize, end: u32) {
        let to = Self::offset(self.at);
        if let Some(node) = self.tree.nodes.get_mut(id) {
            node.end = end;
            node.to = to;
        }
    }

    fn markup(&mut self) -> Result<(), XmlError> {
        match self.byte(1) {
            Some(b'/') => self.end_tag(),
            Some(b'?') => self.instruction(),
            Some(b'!') if self.rest().starts_with("<!--") => self.comment(),
            Some(b'!') if self.rest().starts_with("<![CDATA[") => self.section(),
            Some(b'!') if self.rest().starts_with("<!DOCTYPE") => Err(XmlError::Doctype),
            Some(b'!') => Err(self.flaw(Flaw::Tag)),
            Some(_) => self.start_tag(),
            None => Err(self.flaw(Flaw::Unfinished)),
        }
    }

    fn name(&mut self) -> Result<Name<'i>, XmlError> {
        let rest = self.rest();
        let first = name_length(rest);
        let mut length = first;
        if rest.as_bytes().get(first) == Some(&b':') {
            let local = name_length(&rest[first + 1..]);
            length += 1 + local;
            if local == 0 {
                return Err(self.flaw(Flaw::Name));
            }
        }
        if first == 0 {
            return Err(self.flaw(Flaw::Name));
        }
        self.at += length;
        let written = &rest[..length];
        let (prefix, local) = match length == first {
            true => ("", written),
            false => (&rest[..first], &rest[first + 1..length]),
        };
        Ok(Name {
            prefix,
            local,
            written,
        })
    }

    fn start_tag(&mut self) -> Result<(), XmlError> {
        if self.open.len() == DEPTH_MAX {
            return Err(XmlError::TooDeep);
        }
        if self.open.is_empty() && self.has_root() {
            return Err(self.flaw(Flaw::Outside));
        }
        let from = self.at;
        self.at += 1;
        let name = self.name()?;
        let outer = self.open.last().map_or(XML_SCOPE, |open| open.scope);
        let (scope, is_empty) = self.attributes(outer)?;
        let namespace = self.namespace(name.prefix, scope)?;
        let attributes = Self::offset(self.tree.attributes.len());
        self.keep_attributes(scope)?;
        let attributes_end = Self::offset(self.tree.attributes.len());
        let id = self.add(NodeType::Element, name.local, NONE, from)?;
        if let Some(node) = self.tree.nodes.get_mut(id) {
            node.namespace = namespace;
            node.scope = scope;
            node.attributes = attributes;
            node.attributes_end = attributes_end;
        }
        if !is_empty {
            self.open.push(Open {
                id,
                written: name.written,
                scope,
            });
        }
        Ok(())
    }

    /// Reads to the end of a tag; answers the scope inside it and whether it was its own end.
    fn attributes(&mut self, outer: u32) -> Result<(u32, bool), XmlError> {
        let mut scope = outer;
        let mut count = 0;
        loop {
            let apart = self.spaces();
            match self.byte(0) {
                Some(b'>') => {
                    self.at += 1;
                    return Ok((scope, false));
                }
                Some(b'/') => {
                    self.at += 1;
                    self.expect(b'>', Flaw::Tag)?;
                    return Ok((scope, true));
                }
                Some(_) if apart => {}
                Some(_) => return Err(self.flaw(Flaw::Tag)),
                None => return Err(self.flaw(Flaw::Unfinished)),
            }
            count += 1;
            if count > ATTRIBUTES_MAX {
                return Err(XmlError::TooManyAttributes);
            }
            let name = self.name()?;
            self.spaces();
            self.expect(b'=', Flaw::Attribute)?;
            self.spaces();
            let quote = match self.byte(0) {
                Some(quote @ (b'"' | b'\'')) => quote,
                _ => return Err(self.flaw(Flaw::Attribute)),
            };
            self.at += 1;
            let value = self.characters(quote)?;
            self.expect(quote, Flaw::Attribute)?;
            match (name.prefix, name.local) {
                ("", "xmlns") => scope = self.declare("", value, scope, outer)?,
                ("xmlns", prefix) => scope = self.declare(prefix, value, scope, outer)?,
                _ => self.found.push(Found { name, value }),
            }
        }
    }

    /// Namespaces in XML 1.0, §2.2, §3 and §5.
    fn declare(
        &mut self,
        prefix: &'i str,
        uri: Cow<'i, str>,
        scope: u32,
        outer: u32,
    ) -> Result<u32, XmlError> {
        let is_xml = uri == XML_NAMESPACE;
        if prefix == "xml" && is_xml {
            return Ok(scope);
        }
        let unbinds = uri.is_empty() && !prefix.is_empty();
        if is_xml || unbinds || matches!(prefix, "xml" | "xmlns") || uri == XMLNS_NAMESPACE {
            return Err(self.flaw(Flaw::Namespace));
        }
        let mut at = scope;
        while at != outer {
            let Some(known) = self.tree.declarations.get(at as usize) else {
                break;
            };
            if known.prefix == prefix {
                return Err(self.flaw(Flaw::AttributeTwice));
            }
            at = known.outer;
        }
        let id = Self::offset(self.tree.declarations.len());
        self.tree.declarations.push(Declaration {
            prefix,
            uri,
            outer: scope,
        });
        Ok(id)
    }

    /// The declaration a prefix means.
    fn namespace(&self, prefix: &str, scope: u32) -> Result<u32, XmlError> {
        let mut at = scope;
        while let Some(declaration) = self.tree.declarations.get(at as usize) {
            // Two empty texts are told apart by no memory, which the processor is slow to find out.
            let is_it = match prefix {
                "" => declaration.prefix.is_empty(),
                _ => declaration.prefix == prefix,
            };
            if is_it {
                return Ok(if declaration.uri.is_empty() { NONE } else { at });
            }
            at = declaration.outer;
        }
        if prefix.is_empty() {
            Ok(NONE)
        } else {
            Err(self.flaw(Flaw::Prefix))
        }
    }

    fn keep_attributes(&mut self, scope: u32) -> Result<(), XmlError> {
        let first = self.tree.attributes.len();
        let mut found = std::mem::take(&mut self.found);
        for Found { name, value } in found.drain(..) {
            let namespace = match name.prefix {
                "" => NONE,
                prefix => self.namespace(prefix, scope)?,
            };
            let uri = |namespace: u32| {
                let declaration = self.tree.declarations.get(namespace as usize);
                declaration.map(|declaration| &declaration.uri)
            };
            let twice = self.tree.attributes[first..]
                .iter()
                .any(|known| known.name == name.local && uri(known.namespace) == uri(namespace));
            if twice {
                return Err(self.flaw(Flaw::AttributeTwice));
            }
            self.tree.attributes.push(AttributeData {
                name: name.local,
                namespace,
                written: name.written,
                value,
            });
        }
        self.found = found;
        Ok(())
    }

    fn end_tag(&mut self) -> Result<(), XmlError> {
        let after = self.rest().get(2..).unwrap_or_default();
        let Some(open) = self
            .open
            .pop_if(|open| after.as_bytes().starts_with(open.written.as_bytes()))
        else {
            return Err(self.flaw(Flaw::EndTag));
        };
        let begin = self.at;
        self.at += 2 + open.written.len();
        self.spaces();
        if self.byte(0).is_some_and(|byte| byte != b'>') {
            self.at = begin;
            return Err(self.flaw(Flaw::EndTag));
        }
        self.expect(b'>', Flaw::EndTag)?;
        let end = self.next_id();
        self.close(open.id, end);
        Ok(())
    }

    /// A text up to its `<`, or the value of an attribute up to its quote: entities resolved, ends of
    /// lines as XML has them (§2.11, §3.3.3).
    fn characters(&mut self, end: u8) -> Result<Cow<'i, str>, XmlError> {
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
    fn entity(&mut self) -> Result<char, XmlError> {
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
    fn until(&mut self, skipped: usize, mark: &str) -> Result<&'i str, XmlError> {
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

    fn comment(&mut self) -> Result<(), XmlError> {
        let from = self.at;
        self.until("<!--".len(), "--")?;
        self.expect(b'>', Flaw::Comment)?;
        self.add(NodeType::Comment, "", NONE, from)?;
        Ok(())
    }

    fn section(&mut self) -> Result<(), XmlError> {
        if self.open.is_empty() {
            return Err(self.flaw(Flaw::Outside));
        }
        let from = self.at;
        let text = self.until("<![CDATA[".len(), "]]>")?;
        self.add_text(with_line_ends(text), from)
    }

    fn instruction(&mut self) -> Result<(), XmlError> {
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

    fn declaration(&mut self) -> Result<(), XmlError> {
        let from = self.at;
        let content = self.until("<?xml".len(), "?>")?;
        if is_declaration(content) {
            return Ok(());
        }
        self.at = from;
        Err(self.flaw(Flaw::Declaration))
    }
}

const fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
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
