//! Canonical XML 1.0, inclusive and exclusive, without comments, of one element's subtree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::tree::{Node, NodeType};

use super::as_written;
use crate::invoices::xml::{push_attribute, push_text};

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// Which canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    Inclusive,
    /// With the prefixes of `InclusiveNamespaces`.
    Exclusive(Vec<String>),
}

/// The canonical bytes of `apex`, where they lie when they are written so, computed otherwise.
/// `without` is left out with all it holds (enveloped signatures). `source` is the text the tree was
/// built from.
pub fn canonical<'s>(
    apex: Node<'_, '_>,
    source: &'s str,
    form: &Form,
    without: Option<Node<'_, '_>>,
) -> Cow<'s, [u8]> {
    let plain = match form {
        Form::Inclusive => true,
        Form::Exclusive(listed) => listed.is_empty(),
    };
    if plain
        && without.is_none()
        && let Some(bytes) = as_written::canonical(apex, source)
    {
        return bytes;
    }
    Cow::Owned(long_way(apex, source, form, without))
}

/// The canonical bytes of `apex`, computed. `without` is left out with all it holds (enveloped signatures).
/// `source` is the text the tree was built from: the tree itself forgets prefixes.
pub(super) fn long_way(
    apex: Node<'_, '_>,
    source: &str,
    form: &Form,
    without: Option<Node<'_, '_>>,
) -> Vec<u8> {
    let mut writer = Canonical {
        source,
        form,
        without,
        bytes: Vec::with_capacity(apex.range().len()),
    };
    writer.element(apex, &BTreeMap::new(), true);
    writer.bytes
}

/// Prefix (empty for the default) to namespace, as rendered by the ancestors in the output.
type Rendered = BTreeMap<String, String>;

struct Canonical<'s, 'n, 'i> {
    source: &'s str,
    form: &'s Form,
    without: Option<Node<'n, 'i>>,
    bytes: Vec<u8>,
}

impl<'s> Canonical<'s, '_, '_> {
    fn element(&mut self, node: Node<'_, '_>, above: &Rendered, is_apex: bool) {
        let name = self.qualified_name(node);
        let in_scope: BTreeMap<&str, &str> = node.namespaces().into_iter().collect();
        let mut attributes: Vec<Attribute<'_>> = node
            .attributes()
            .map(|attribute| {
                let key = (attribute.namespace().unwrap_or(""), attribute.name());
                (key, attribute.written(), attribute.value())
            })
            .collect();
        if is_apex && *self.form == Form::Inclusive {
            attributes.extend(inherited_xml_attributes(node));
        }
        attributes.sort_unstable_by_key(|(key, ..)| *key);

        let mut rendered = above.clone();
        let mut declarations: Vec<(&str, &str)> = Vec::new();
        let prefix_of = |written: &str| match written.split_once(':') {
            Some((prefix, _)) => prefix.to_owned(),
            None => String::new(),
        };
        let used: Vec<String> = match self.form {
            Form::Inclusive => in_scope
                .keys()
                .map(|prefix| (*prefix).to_owned())
                .chain([String::new()])
                .collect(),
            Form::Exclusive(listed) => attributes
                .iter()
                .map(|(_, written, _)| prefix_of(written))
                // An attribute without prefix uses no namespace.
                .filter(|prefix| !prefix.is_empty())
                .chain([prefix_of(name)])
                .chain(listed.iter().cloned())
                .collect(),
        };
        for prefix in &used {
            let uri = in_scope.get(prefix.as_str()).copied().unwrap_or("");
            let before = rendered.get(prefix).map(String::as_str).unwrap_or("");
            let unbound_prefix = uri.is_empty() && !prefix.is_empty();
            if uri != before && !unbound_prefix && prefix != "xml" {
                rendered.insert(prefix.clone(), uri.to_owned());
                declarations.push((prefix, uri));
            }
        }
        declarations.sort_unstable();

        self.bytes.push(b'<');
        self.bytes.extend_from_slice(name.as_bytes());
        for (prefix, uri) in declarations {
            self.bytes.extend_from_slice(b" xmlns");
            if !prefix.is_empty() {
                self.bytes.push(b':');
                self.bytes.extend_from_slice(prefix.as_bytes());
            }
            self.attribute_value(uri);
        }
        for (_, written, value) in attributes {
            self.bytes.push(b' ');
            self.bytes.extend_from_slice(written.as_bytes());
            self.attribute_value(value);
        }
        self.bytes.push(b'>');
        for child in node.children() {
            match child.node_type() {
                NodeType::Element if Some(child) == self.without => {}
                NodeType::Element => self.element(child, &rendered, false),
                NodeType::Text => push_text(&mut self.bytes, child.text().unwrap_or_default()),
                NodeType::Instruction => self.instruction(child),
                NodeType::Comment | NodeType::Root => {}
            }
        }
        self.bytes.extend_from_slice(b"</");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(b'>');
    }

    fn attribute_value(&mut self, value: &str) {
        self.bytes.extend_from_slice(b"=\"");
        push_attribute(&mut self.bytes, value);
        self.bytes.push(b'"');
    }

    fn instruction(&mut self, node: Node<'_, '_>) {
        let Some((target, value)) = node.instruction() else {
            return;
        };
        self.bytes.extend_from_slice(b"<?");
        self.bytes.extend_from_slice(target.as_bytes());
        if !value.is_empty() {
            self.bytes.push(b' ');
            self.bytes.extend_from_slice(value.as_bytes());
        }
        self.bytes.extend_from_slice(b"?>");
    }

    /// `prefix:name` as written.
    fn qualified_name(&self, node: Node<'_, '_>) -> &'s str {
        let start = node.range().start + 1;
        let source = self.source;
        let length = source[start..]
            .find(|found: char| found.is_ascii_whitespace() || matches!(found, '>' | '/'))
            .unwrap_or(0);
        &source[start..start + length]
    }
}

/// A name with its namespace for sorting, as written, and its value.
type Attribute<'t> = ((&'t str, &'t str), &'t str, &'t str);

/// `xml:lang` and its like of the ancestors belong to an inclusive apex.
fn inherited_xml_attributes<'t>(node: Node<'t, '_>) -> Vec<Attribute<'t>> {
    let mut found: Vec<Attribute<'t>> = Vec::new();
    for ancestor in node.ancestors().skip(1) {
        for attribute in ancestor.attributes() {
            let own = node.attributes().any(|known| {
                known.namespace() == Some(XML_NAMESPACE) && known.name() == attribute.name()
            });
            let nearer = found
                .iter()
                .any(|((_, name), ..)| *name == attribute.name());
            if attribute.namespace() == Some(XML_NAMESPACE) && !own && !nearer {
                found.push((
                    (XML_NAMESPACE, attribute.name()),
                    attribute.written(),
                    attribute.value(),
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invoices::xml::reader;

    fn of(source: &str, id: &str, form: &Form) -> String {
        let tree = reader::parse(source.as_bytes()).unwrap();
        let node = tree
            .descendants()
            .find(|node| node.attribute("Id") == Some(id))
            .unwrap();
        String::from_utf8(long_way(node, source, form, None)).unwrap()
    }

    #[test]
    fn namespaces_of_ancestors_enter_the_inclusive_form_only() {
        let source = "<a xmlns:x='u:x' xmlns='u:d' xml:lang='vi'><b Id=\"1\" x:z='1' y='\t2'><!-- c --><c xmlns=''/><x:d/>&#13;<?p q?></b></a>";
        assert_eq!(
            of(source, "1", &Form::Inclusive),
            "<b xmlns=\"u:d\" xmlns:x=\"u:x\" Id=\"1\" y=\" 2\" xml:lang=\"vi\" x:z=\"1\"><c xmlns=\"\"></c><x:d></x:d>&#xD;<?p q?></b>"
        );
        let narrow = "<a xmlns:x='u:x' xmlns='u:d'><x:b Id='1'><c/></x:b></a>";
        assert_eq!(
            of(narrow, "1", &Form::Exclusive(Vec::new())),
            "<x:b xmlns:x=\"u:x\" Id=\"1\"><c xmlns=\"u:d\"></c></x:b>"
        );
    }
}
