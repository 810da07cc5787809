//! Reading XML from outside: a linear pass that bounds it, then a tree with a few helpers.

use quick_xml::Reader;
use quick_xml::events::Event;
use roxmltree::{Document, Node, ParsingOptions};

/// Largest file that is read: a message of a few thousand invoices.
pub const FILE_BYTES_MAX: usize = 20_000_000;
const DEPTH_MAX: usize = 100;
const ATTRIBUTES_MAX: usize = 64;
const NODES_MAX: u32 = 2_000_000;

/// Why a file is not read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    #[error("{bytes} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLarge { bytes: usize },
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
    #[error("elements nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("an element with more than {ATTRIBUTES_MAX} attributes")]
    TooManyAttributes,
    #[error("a document type declaration, which no invoice has")]
    Doctype,
    #[error("not well-formed XML: {0}")]
    Malformed(String),
}

/// Bounds the file in one linear pass and answers its text; the tree builder is quadratic in
/// attributes and must not see what was not counted.
///
/// # Errors
/// [`XmlError`] names the bound that was crossed.
pub fn bounded(bytes: &[u8]) -> Result<&str, XmlError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(XmlError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| XmlError::NotUtf8 {
        at: error.valid_up_to(),
    })?;
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    loop {
        let start = match reader
            .read_event()
            .map_err(|error| XmlError::Malformed(error.to_string()))?
        {
            Event::Eof => return Ok(text),
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Start(start) => {
                depth += 1;
                start
            }
            Event::Empty(start) => start,
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                continue;
            }
            _ => continue,
        };
        if depth > DEPTH_MAX {
            return Err(XmlError::TooDeep);
        }
        if start.attributes().with_checks(false).count() > ATTRIBUTES_MAX {
            return Err(XmlError::TooManyAttributes);
        }
    }
}

/// The tree of a bounded text.
///
/// # Errors
/// [`XmlError::Malformed`].
pub fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options)
        .map_err(|error| XmlError::Malformed(error.to_string()))
}

pub fn elements<'a, 'i: 'a>(parent: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    parent.children().filter(Node::is_element)
}

/// Children of this name outside every namespace.
pub fn named<'a, 'i: 'a>(parent: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    elements(parent).filter(move |child| is(*child, name))
}

pub fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.tag_name().namespace().is_none() && node.tag_name().name() == name
}

/// Follows a path of first children.
pub fn find<'a, 'i>(from: Node<'a, 'i>, path: &[&str]) -> Option<Node<'a, 'i>> {
    path.iter()
        .try_fold(from, |node, name| named(node, name).next())
}

/// All text of an element joined: a comment may split it without breaking a signature.
pub fn value(node: Node<'_, '_>) -> String {
    let joined: String = node
        .children()
        .filter(Node::is_text)
        .filter_map(|child| child.text())
        .collect();
    joined.trim().to_owned()
}

pub fn value_at(from: Node<'_, '_>, path: &[&str]) -> Option<String> {
    find(from, path).map(value)
}

/// Where an element stands: `/HDon/DLHDon/NDHDon/DSHHDVu/HHDVu[2]/ThTien`.
pub fn path(node: Node<'_, '_>) -> String {
    let mut steps: Vec<String> = node
        .ancestors()
        .filter(Node::is_element)
        .map(|step| {
            let name = step.tag_name().name();
            let alike = |sibling: &Node<'_, '_>| {
                sibling.is_element() && sibling.tag_name() == step.tag_name()
            };
            let before = step.prev_siblings().skip(1).filter(alike).count();
            if before > 0 || step.next_siblings().skip(1).any(|sibling| alike(&sibling)) {
                format!("{name}[{}]", before + 1)
            } else {
                name.to_owned()
            }
        })
        .collect();
    steps.push(String::new());
    steps.reverse();
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_built_to_hurt_are_refused_by_name() {
        let deep = "<a>".repeat(200) + &"</a>".repeat(200);
        assert_eq!(bounded(deep.as_bytes()), Err(XmlError::TooDeep));
        let wide: String = (0..100).map(|n| format!(" a{n}=\"\"")).collect();
        assert_eq!(
            bounded(format!("<a{wide}/>").as_bytes()),
            Err(XmlError::TooManyAttributes)
        );
        assert_eq!(
            bounded(b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
            Err(XmlError::Doctype)
        );
        assert!(matches!(
            bounded(b"<a>\xff</a>"),
            Err(XmlError::NotUtf8 { at: 3 })
        ));
        assert!(bounded(b"<a><b></a>").and_then(parse).is_err());
    }
}
