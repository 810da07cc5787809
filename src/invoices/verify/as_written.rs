//! Elements that stand in the file in their canonical form already, as ours and many others do: their
//! bytes are digested where they lie. Whoever writes differently takes the long way, [`super::c14n`].

use std::borrow::Cow;

use super::tree::Node;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// The canonical bytes of `apex`, inclusive or exclusive, when its text is canonical and the only
/// namespace around it is at most a default one. `None` says nothing but "take the long way".
pub fn canonical<'s>(apex: Node<'_, '_>, source: &'s str) -> Option<Cow<'s, [u8]>> {
    let text = source.get(apex.range())?;
    let default = match apex.namespaces().as_slice() {
        [] => None,
        [("", uri)] => Some(*uri),
        _ => return None,
    };
    let inherits = apex
        .ancestors()
        .flat_map(|node| node.attributes())
        .any(|attribute| attribute.namespace() == Some(XML_NAMESPACE));
    if inherits || !is_canonical(text.as_bytes()) {
        return None;
    }
    let Some(uri) = default else {
        return Some(Cow::Borrowed(text.as_bytes()));
    };
    if uri.is_empty()
        || uri
            .bytes()
            .any(|byte| matches!(byte, b'&' | b'<' | b'"' | b'\t' | b'\n' | b'\r'))
    {
        return None;
    }
    // The canonical apex declares what it inherits.
    let name_end = text.find([' ', '>'])?;
    let mut bytes = Vec::with_capacity(text.len() + uri.len() + 10);
    bytes.extend_from_slice(&text.as_bytes()[..name_end]);
    bytes.extend_from_slice(b" xmlns=\"");
    bytes.extend_from_slice(uri.as_bytes());
    bytes.push(b'"');
    bytes.extend_from_slice(&text.as_bytes()[name_end..]);
    Some(Cow::Owned(bytes))
}

/// Whether well-formed text without namespace declarations and prefixes is its own canonical form.
fn is_canonical(text: &[u8]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let next = match rest {
            [b'<', b'/', name @ ..] => end_tag(name),
            [b'<', name @ ..] => start_tag(name),
            [b'&', entity @ ..] => [b"amp;".as_slice(), b"lt;", b"gt;", b"#xD;"]
                .iter()
                .find_map(|known| entity.strip_prefix(*known)),
            [b'>' | b'\r', ..] => None,
            _ => {
                let end = rest.iter().position(|byte| of(*byte, MARKUP));
                Some(&rest[end.unwrap_or(rest.len())..])
            }
        };
        let Some(next) = next else { return false };
        rest = next;
    }
    true
}

const NAME: u8 = 1;
const MARKUP: u8 = 2;

/// What a byte may be, looked up: every byte of every signed element passes here.
static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            table[byte as usize] |= NAME;
        }
        if matches!(byte, b'<' | b'&' | b'>' | b'\r') {
            table[byte as usize] |= MARKUP;
        }
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

fn of(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Length of a name without prefix; names of this format are ASCII.
fn name_length(text: &[u8]) -> usize {
    text.iter()
        .position(|byte| !of(*byte, NAME))
        .unwrap_or(text.len())
}

fn end_tag(text: &[u8]) -> Option<&[u8]> {
    text[name_length(text)..].strip_prefix(b">")
}

fn start_tag(text: &[u8]) -> Option<&[u8]> {
    let length = name_length(text);
    if length == 0 {
        return None; // A comment, an instruction, a section.
    }
    let mut rest = &text[length..];
    let mut before: &[u8] = b"";
    loop {
        if let Some(content) = rest.strip_prefix(b">") {
            return Some(content);
        }
        rest = rest.strip_prefix(b" ")?;
        let (name, value) = rest.split_at(name_length(rest));
        if name <= before || name == b"xmlns" {
            return None;
        }
        before = name;
        let value = value.strip_prefix(b"=\"")?;
        let end = value
            .iter()
            .position(|byte| matches!(byte, b'"' | b'&' | b'<' | b'\t' | b'\n' | b'\r'))?;
        rest = value[end..].strip_prefix(b"\"")?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::c14n::{Form, long_way};
    use super::*;
    use crate::invoices::xml::reader;
    use proptest::prelude::*;

    fn short(source: &str) -> Option<String> {
        let tree = reader::parse(source.as_bytes()).unwrap();
        let node = tree
            .descendants()
            .find(|node| node.tag_name().name() == "x")?;
        canonical(node, source).map(|bytes| String::from_utf8(bytes.into_owned()).unwrap())
    }

    #[test]
    fn only_what_is_canonical_takes_the_short_way() {
        let plain = "<x Id=\"1\" Target=\"2\"><b>Bố &amp; mẹ &lt;&gt;&#xD;\n</b><c></c></x>";
        assert_eq!(short(&format!("<r>{plain}</r>")).as_deref(), Some(plain));
        assert_eq!(
            short("<r xmlns=\"u\"><x Id=\"1\"></x></r>").as_deref(),
            Some("<x xmlns=\"u\" Id=\"1\"></x>")
        );
        for other in [
            "<x/>",
            "<x a='1'></x>",
            "<x b=\"1\" a=\"2\"></x>",
            "<x  a=\"1\"></x>",
            "<x a=\"1\" ></x>",
            "<x a=\"&amp;\"></x>",
            "<x a=\"\t\"></x>",
            "<x><!-- --></x>",
            "<x><?p?></x>",
            "<x></x >",
            "<x><![CDATA[a]]></x>",
            "<x>&#65;</x>",
            "<x>&quot;</x>",
            "<x>></x>",
            "<x>\r</x>",
            "<x xmlns=\"u\"></x>",
            "<x><b xmlns:p=\"u\"></b></x>",
            "<x xml:lang=\"vi\"></x>",
        ] {
            assert_eq!(short(&format!("<r>{other}</r>")), None, "{other}");
        }
        assert_eq!(short("<r xml:lang=\"vi\"><x></x></r>"), None);
        assert_eq!(short("<r xmlns:p=\"u\"><x></x></r>"), None);
    }

    proptest! {
        #[test]
        fn the_short_way_ends_where_the_long_one_does(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "a", "&amp;", "&#xD;", ">", "\n", "\r", "ê", "<b>", "<b/>", "<b></b>", "<b c=\"1\">",
                "<b c='1'>", "<b c=\"1\" a=\"2\">", "<b a=\"1\" c=\"2\">", "<!--c-->", "<?p q?>", "</b>",
                "<b xmlns=\"v\">", "&#65;", "\"",
            ]), 0..12),
            head in prop::sample::select(vec!["<r>", "<r xmlns=\"u\">", "<r xmlns:p=\"u\">", "<r xml:lang=\"vi\">"]),
        ) {
            let source = format!("{head}<x>{}</x></r>", pieces.concat());
            if let Ok(tree) = reader::parse(source.as_bytes()) {
                let node = tree.root_element().children().next().unwrap();
                if let Some(bytes) = canonical(node, &source) {
                    for form in [Form::Inclusive, Form::Exclusive(Vec::new())] {
                        prop_assert_eq!(&long_way(node, &source, &form, None), bytes.as_ref());
                    }
                }
            }
        }
    }
}
