//! The text of a file to its tree, in one pass.

use super::problem::{Flaw, XmlError};
use super::tags::Found;
use super::tree::{Document, NONE, NodeData, NodeType};
use super::{NODES_MAX, encoding};

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

pub(super) struct Parser<'i> {
    pub(super) text: &'i str,
    pub(super) at: usize,
    pub(super) tree: Document<'i>,
    /// Elements whose end tag is to come.
    pub(super) open: Vec<Open<'i>>,
    /// Attributes of the tag that is being read.
    pub(super) found: Vec<Found<'i>>,
}

pub(super) struct Open<'i> {
    pub(super) id: usize,
    /// Its name as the end tag must repeat it.
    pub(super) written: &'i str,
    pub(super) scope: u32,
}
impl<'i> Parser<'i> {
    pub(super) fn file(&mut self) -> Result<(), XmlError> {
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

    pub(super) fn rest(&self) -> &'i str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    pub(super) fn bytes(&self) -> &'i [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Whether there were any.
    pub(super) fn spaces(&mut self) -> bool {
        let from = self.at;
        while matches!(self.byte(0), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.at > from
    }

    pub(super) fn expect(&mut self, byte: u8, flaw: Flaw) -> Result<(), XmlError> {
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
    pub(super) fn flaw(&self, flaw: Flaw) -> XmlError {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        XmlError::Malformed { line, column, flaw }
    }

    pub(super) fn next_id(&self) -> u32 {
        // NODES_MAX is far below.
        u32::try_from(self.tree.nodes.len()).unwrap_or(NONE)
    }

    pub(super) fn offset(at: usize) -> u32 {
        // FILE_BYTES_MAX is far below.
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    pub(super) fn has_root(&self) -> bool {
        let mut nodes = self.tree.nodes.iter();
        nodes.any(|node| node.kind == NodeType::Element)
    }

    pub(super) fn add(
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

    pub(super) fn close(&mut self, id: usize, end: u32) {
        let to = Self::offset(self.at);
        if let Some(node) = self.tree.nodes.get_mut(id) {
            node.end = end;
            node.to = to;
        }
    }

    pub(super) fn markup(&mut self) -> Result<(), XmlError> {
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
}

pub(super) const fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}
