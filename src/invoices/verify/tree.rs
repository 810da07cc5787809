//! Finding one's way in the tree of a file.

use std::borrow::Cow;

pub use crate::invoices::xml::reader::{Document, Node, NodeType};

pub fn elements<'a, 'i: 'a>(parent: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    parent.children().filter(Node::is_element)
}

/// Children of this name outside every namespace.
pub fn named<'a, 'i: 'a>(parent: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    elements(parent).filter(move |child| is(*child, name))
}

pub fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_named(None, name)
}

/// Follows a path of first children.
pub fn find<'a, 'i>(from: Node<'a, 'i>, path: &[&str]) -> Option<Node<'a, 'i>> {
    path.iter()
        .try_fold(from, |node, name| named(node, name).next())
}

/// All text of an element joined: a comment may split it without breaking a signature. What XML calls
/// white space is trimmed; a no-break space is content.
pub fn value<'a>(node: Node<'a, '_>) -> Cow<'a, str> {
    if let Some(only) = node.only_text() {
        return Cow::Borrowed(only.trim_ascii());
    }
    let mut texts = node.children().filter_map(|child| child.text());
    match (texts.next(), texts.next()) {
        (None, _) => Cow::Borrowed(""),
        (Some(only), None) => Cow::Borrowed(only.trim_ascii()),
        (Some(first), Some(second)) => {
            let joined: String = [first, second].into_iter().chain(texts).collect();
            Cow::Owned(joined.trim_ascii().to_owned())
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
            let alike: Vec<_> = step
                .parent()
                .into_iter()
                .flat_map(|parent| parent.children().filter(alike))
                .collect();
            match alike.iter().position(|sibling| *sibling == step) {
                Some(at) if alike.len() > 1 => format!("{name}[{}]", at + 1),
                _ => name.to_owned(),
            }
        })
        .collect();
    steps.push(String::new());
    steps.reverse();
    steps.join("/")
}
