//! Small helpers over a parsed document, and the canonical form of what lies in a signature.

use roxmltree::{Node, NodeType};

/// The first child element of a name.
pub(super) fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children()
        .find(|child| child.is_element() && child.tag_name().name() == name)
}

pub(super) fn children<'a, 'd: 'a>(
    node: Node<'a, 'd>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'd>> {
    node.children()
        .filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// All text directly inside an element.
pub(super) fn text(node: Node<'_, '_>) -> String {
    node.children()
        .filter(|child| child.is_text())
        .filter_map(|child| child.text())
        .collect()
}

/// Text of the element at a path of child names, `None` when absent or blank.
pub(super) fn text_at(node: Node<'_, '_>, path: &str) -> Option<String> {
    let found = path.split('/').try_fold(node, child)?;
    let text = text(found);
    (!text.trim().is_empty()).then_some(text)
}

/// Escapes element content as canonical XML does.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            _ => out.push(character),
        }
    }
    out
}

/// Inclusive canonical form of an element without prefixes; `None` where prefixes are in scope,
/// which no seller's signature needs.
pub(super) fn canonical(node: Node<'_, '_>) -> Option<String> {
    let mut out = String::new();
    write(node, "", &mut out)?;
    Some(out)
}

fn write(node: Node<'_, '_>, inherited: &str, out: &mut String) -> Option<()> {
    if node
        .namespaces()
        .any(|namespace| namespace.name().is_some_and(|name| name != "xml"))
    {
        return None;
    }
    let namespace = node.tag_name().namespace().unwrap_or("");
    let name = node.tag_name().name();
    out.push('<');
    out.push_str(name);
    if namespace != inherited {
        out.push_str(&format!(" xmlns=\"{}\"", escape_attribute(namespace)));
    }
    let mut attributes: Vec<_> = node.attributes().collect();
    attributes.sort_by_key(|attribute| attribute.name().to_owned());
    for attribute in attributes {
        if attribute.namespace().is_some() {
            return None;
        }
        out.push_str(&format!(
            " {}=\"{}\"",
            attribute.name(),
            escape_attribute(attribute.value())
        ));
    }
    out.push('>');
    for child in node.children() {
        match child.node_type() {
            NodeType::Element => write(child, namespace, out)?,
            NodeType::Text => out.push_str(&escape(child.text().unwrap_or(""))),
            NodeType::Comment => {}
            NodeType::PI | NodeType::Root => return None,
        }
    }
    out.push_str(&format!("</{name}>"));
    Some(())
}

fn escape_attribute(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
        .replace('\t', "&#x9;")
        .replace('\n', "&#xA;")
        .replace('\r', "&#xD;")
}
