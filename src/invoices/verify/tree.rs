//! Reading XML from outside: a linear pass that bounds it, then a tree with a few helpers.

use std::borrow::Cow;

use roxmltree::{Document, Node, ParsingOptions};

/// Largest file that is read: a message of a few thousand invoices.
pub const FILE_BYTES_MAX: usize = 20_000_000;
const DEPTH_MAX: usize = 100;
const ATTRIBUTES_MAX: usize = 64;
const NODES_MAX: u32 = 2_000_000;
/// Of a name that the file chose itself.
const NAME_SHOWN_MAX: usize = 40;

/// Why a file is not read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    #[error("an empty file")]
    Empty,
    #[error("{bytes} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLarge { bytes: usize },
    #[error("UTF-16, but invoices are written in UTF-8")]
    Utf16,
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
    #[error("not XML: the file does not begin with a tag")]
    NotXml,
    /// Other programs would read other letters.
    #[error("the file says it is written in {0}, but invoices are written in UTF-8")]
    Encoding(String),
    #[error("elements nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("an element with more than {ATTRIBUTES_MAX} attributes")]
    TooManyAttributes,
    #[error("a document type declaration, which no invoice has")]
    Doctype,
    #[error("not well-formed XML: {0}")]
    Malformed(String),
}

impl XmlError {
    pub fn in_vietnamese(&self) -> String {
        match self {
            Self::Empty => "tệp rỗng".to_owned(),
            Self::TooLarge { bytes } => {
                format!("tệp có {bytes} byte, chỉ đọc đến {FILE_BYTES_MAX} byte")
            }
            Self::Utf16 => "tệp ở dạng UTF-16; hóa đơn phải ở dạng UTF-8".to_owned(),
            Self::NotUtf8 { at } => {
                format!("tệp không ở dạng UTF-8, sai từ byte thứ {}", at + 1)
            }
            Self::NotXml => "tệp không phải XML: không bắt đầu bằng một thẻ".to_owned(),
            Self::Encoding(name) => {
                format!("tệp khai báo bảng mã {name}; hóa đơn phải ở dạng UTF-8")
            }
            Self::TooDeep => format!("các phần tử lồng nhau quá {DEPTH_MAX} tầng"),
            Self::TooManyAttributes => {
                format!("một phần tử có hơn {ATTRIBUTES_MAX} thuộc tính")
            }
            Self::Doctype => "tệp có khai báo DTD, điều không có ở hóa đơn nào".to_owned(),
            Self::Malformed(place) => format!("tệp không phải XML đúng dạng: {place}"),
        }
    }
}

/// Bounds the file in one linear pass and answers its text; the tree builder is quadratic in
/// attributes and must not see what was not counted. What is malformed is left to the tree builder:
/// an attribute has a `=` outside quotes, and a tag ends at a `>` outside quotes, for both.
///
/// # Errors
/// [`XmlError`] names the bound that was crossed.
pub fn bounded(bytes: &[u8]) -> Result<&str, XmlError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(XmlError::TooLarge { bytes: bytes.len() });
    }
    let text = utf8(bytes)?;
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    while let Some(start) = memchr::memchr(b'<', rest) {
        rest = &rest[start + 1..];
        rest = match rest {
            [b'!', b'-', b'-', comment @ ..] => after(comment, b"-->"),
            [b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', section @ ..] => {
                after(section, b"]]>")
            }
            [b'?', instruction @ ..] => after(instruction, b"?>"),
            [b'!', ..] => return Err(XmlError::Doctype),
            tag => {
                let end = end_of_tag(tag)?;
                match tag {
                    [b'/', ..] => depth = depth.saturating_sub(1),
                    _ if end > 0 && tag.get(end - 1) == Some(&b'/') => {}
                    _ => depth += 1,
                }
                if depth > DEPTH_MAX {
                    return Err(XmlError::TooDeep);
                }
                tag.get(end + 1..).unwrap_or_default()
            }
        };
    }
    Ok(text)
}

fn after<'t>(text: &'t [u8], end: &[u8]) -> &'t [u8] {
    memchr::memmem::find(text, end).map_or(b"", |at| &text[at + end.len()..])
}

/// Where the `>` of a tag stands; its length when it has none.
fn end_of_tag(tag: &[u8]) -> Result<usize, XmlError> {
    let mut attributes = 0_usize;
    let mut quote = None;
    for (at, &byte) in tag.iter().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => {
                attributes += 1;
                if attributes > ATTRIBUTES_MAX {
                    return Err(XmlError::TooManyAttributes);
                }
            }
            (None, b'>') => return Ok(at),
            (None, _) => {}
        }
    }
    Ok(tag.len())
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

/// The text of a file that is written in UTF-8, says nothing else of itself, and begins with a tag.
fn utf8(bytes: &[u8]) -> Result<&str, XmlError> {
    if is_utf16(bytes) {
        return Err(XmlError::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| XmlError::NotUtf8 {
        at: error.valid_up_to(),
    })?;
    let content = text.trim_start_matches('\u{feff}').trim_start();
    match content.bytes().next() {
        None => return Err(XmlError::Empty),
        Some(b'<') => {}
        Some(_) => return Err(XmlError::NotXml),
    }
    if let Some(name) = stated_encoding(content)
        && !name.eq_ignore_ascii_case("utf-8")
    {
        return Err(XmlError::Encoding(
            name.chars().take(NAME_SHOWN_MAX).collect(),
        ));
    }
    Ok(text)
}

/// What the XML declaration says, where it says it.
fn stated_encoding(content: &str) -> Option<&str> {
    let declaration = content.strip_prefix("<?xml")?;
    // Not the instruction of a style sheet.
    if !declaration.starts_with(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    let declaration = &declaration[..declaration.find("?>")?];
    let (_, rest) = declaration.split_once("encoding")?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// By its mark, or by a first `<` of two bytes.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'<', 0, ..] | [0, b'<', ..]
    )
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
pub fn value<'a>(node: Node<'a, '_>) -> Cow<'a, str> {
    let mut texts = node
        .children()
        .filter_map(|child| child.text().filter(|_| child.is_text()));
    match (texts.next(), texts.next()) {
        (None, _) => Cow::Borrowed(""),
        (Some(only), None) => Cow::Borrowed(only.trim()),
        (Some(first), Some(second)) => {
            let joined: String = [first, second].into_iter().chain(texts).collect();
            Cow::Owned(joined.trim().to_owned())
        }
    }
}

pub fn value_at<'a>(from: Node<'a, '_>, path: &[&str]) -> Option<Cow<'a, str>> {
    find(from, path).map(value)
}

/// As [`value_at`], for whoever outlives the tree.
pub fn text_at(from: Node<'_, '_>, path: &[&str]) -> Option<String> {
    value_at(from, path).map(Cow::into_owned)
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
        assert_eq!(bounded(b""), Err(XmlError::Empty));
        assert_eq!(bounded(b"\xef\xbb\xbf \n"), Err(XmlError::Empty));
        assert_eq!(bounded(b"%PDF-1.7 <a/>"), Err(XmlError::NotXml));
        for utf16 in [&b"\xff\xfe<\0a\0"[..], b"<\0a\0", b"\0<\0a"] {
            assert_eq!(bounded(utf16), Err(XmlError::Utf16));
        }
        assert!(bounded(b"\xef\xbb\xbf<a/>").and_then(parse).is_ok());
        let declared = |encoding| format!("<?xml version='1.0' encoding={encoding}?><a/>");
        let styled = b"<?xml-stylesheet href='a' encoding='x'?><a/>";
        assert!(bounded(styled).and_then(parse).is_ok());
        for good in ["'utf-8'", "\"UTF-8\""] {
            assert!(bounded(declared(good).as_bytes()).and_then(parse).is_ok());
        }
        for other in ["'UTF-16'", "'us-ascii'", "\"windows-1258\""] {
            let text = declared(other);
            let refused = bounded(text.as_bytes());
            assert!(matches!(refused, Err(XmlError::Encoding(_))), "{refused:?}");
        }
    }
}
