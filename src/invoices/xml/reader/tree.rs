//! The tree of a file: nodes in the order of the file, each with the end of what it holds, so that a
//! walk is a walk over memory.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// No parent, no namespace, no scope.
pub(super) const NONE: u32 = u32::MAX;
/// The declaration of the prefix `xml`, which every file has.
pub(super) const XML_SCOPE: u32 = 0;
pub(super) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// A file that was read.
#[derive(Debug)]
pub struct Document<'i> {
    pub(super) source: &'i str,
    pub(super) nodes: Vec<NodeData<'i>>,
    pub(super) attributes: Vec<AttributeData<'i>>,
    /// Texts that are not as they stand in the file, and values of instructions.
    pub(super) copies: Vec<Cow<'i, str>>,
    /// Every declaration, each with the one around it.
    pub(super) declarations: Vec<Declaration<'i>>,
}

/// Small and flat: a file has hundreds, and each is written once and read many times.
#[derive(Debug)]
pub(super) struct NodeData<'i> {
    pub(super) kind: NodeType,
    /// The name of an element without prefix, a text, or the target of an instruction.
    pub(super) text: &'i str,
    /// In [`Document::copies`]: a text that is not as it stands in the file, or the value of an
    /// instruction.
    pub(super) copy: u32,
    pub(super) parent: u32,
    /// After the last node inside.
    pub(super) end: u32,
    /// Where it stands in the file.
    pub(super) from: u32,
    pub(super) to: u32,
    /// The declaration that the prefix of an element means.
    pub(super) namespace: u32,
    /// The innermost declaration in scope.
    pub(super) scope: u32,
    pub(super) attributes: u32,
    pub(super) attributes_end: u32,
}

#[derive(Debug)]
pub(super) struct AttributeData<'i> {
    pub(super) name: &'i str,
    pub(super) namespace: u32,
    pub(super) written: &'i str,
    pub(super) value: Cow<'i, str>,
}

#[derive(Debug)]
pub(super) struct Declaration<'i> {
    /// Empty for the default namespace.
    pub(super) prefix: &'i str,
    /// Empty where the default namespace is taken back.
    pub(super) uri: Cow<'i, str>,
    pub(super) outer: u32,
    /// Those around it.
    pub(super) count: usize,
}

/// A name with its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagName<'a> {
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> TagName<'a> {
    pub const fn namespace(&self) -> Option<&'a str> {
        self.namespace
    }

    /// Without prefix.
    pub const fn name(&self) -> &'a str {
        self.name
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeType {
    Root,
    Element,
    Text,
    Comment,
    Instruction,
}

impl<'i> Document<'i> {
    pub(super) fn new(source: &'i str) -> Self {
        Self {
            source,
            // One start tag, one text and one end tag of a short value.
            nodes: Vec::with_capacity(source.len() / 20 + 4),
            attributes: Vec::with_capacity(16),
            copies: Vec::new(),
            declarations: vec![Declaration {
                prefix: "xml",
                uri: Cow::Borrowed(XML_NAMESPACE),
                outer: NONE,
                count: 0,
            }],
        }
    }

    /// The text it was read from.
    pub const fn source(&self) -> &'i str {
        self.source
    }

    /// The only element outside every other.
    pub fn root_element(&self) -> Node<'_, 'i> {
        let root = Node { tree: self, id: 0 };
        root.children().find(Node::is_element).unwrap_or(root)
    }

    /// Every node of the file, in its order.
    pub fn descendants(&self) -> Nodes<'_, 'i> {
        Node { tree: self, id: 0 }.descendants()
    }
}

/// A node of a [`Document`].
#[derive(Clone, Copy)]
pub struct Node<'a, 'i> {
    tree: &'a Document<'i>,
    id: u32,
}

impl PartialEq for Node<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && std::ptr::eq(self.tree, other.tree)
    }
}

impl Eq for Node<'_, '_> {}

impl fmt::Debug for Node<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.node_type(), self.tag_name().name())
    }
}

impl<'a, 'i> Node<'a, 'i> {
    fn data(&self) -> &'a NodeData<'i> {
        &self.tree.nodes[self.id as usize]
    }

    fn copy(&self) -> Option<&'a str> {
        let copy = self.tree.copies.get(self.data().copy as usize);
        copy.map(Cow::as_ref)
    }

    fn with(&self, id: u32) -> Self {
        Self { id, ..*self }
    }

    pub fn node_type(&self) -> NodeType {
        self.data().kind
    }

    pub fn is_element(&self) -> bool {
        self.data().kind == NodeType::Element
    }

    /// The text of a text node; of everything else none.
    pub fn text(&self) -> Option<&'a str> {
        let data = self.data();
        (data.kind == NodeType::Text).then(|| self.copy().unwrap_or(data.text))
    }

    /// The text of an element that holds one text and nothing else; empty where it holds nothing at all.
    /// So stand nearly all values.
    pub fn only_text(&self) -> Option<&'a str> {
        let inside = self.data().end - self.id;
        match inside {
            1 => Some(""),
            2 => self.with(self.id + 1).text(),
            _ => None,
        }
    }

    /// Target and value of `<?target value?>`; the value may be empty.
    pub fn instruction(&self) -> Option<(&'a str, &'a str)> {
        let data = self.data();
        (data.kind == NodeType::Instruction).then(|| (data.text, self.copy().unwrap_or_default()))
    }

    /// Empty for what has no name.
    pub fn tag_name(&self) -> TagName<'a> {
        let data = self.data();
        TagName {
            namespace: self.tree.namespace(data.namespace),
            name: if self.is_element() { data.text } else { "" },
        }
    }

    /// An element of this name in this namespace.
    pub fn is_named(&self, namespace: Option<&str>, name: &str) -> bool {
        let data = self.data();
        data.kind == NodeType::Element
            // Names of one length mostly differ at their end.
            && data.text.as_bytes().last() == name.as_bytes().last()
            && data.text == name
            && self.tree.namespace(data.namespace) == namespace
    }

    /// Where it stands in the source.
    pub fn range(&self) -> Range<usize> {
        let data = self.data();
        data.from as usize..data.to as usize
    }

    pub fn parent(&self) -> Option<Self> {
        let parent = self.data().parent;
        (parent != NONE).then(|| self.with(parent))
    }

    /// Itself and everything around it, outwards.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + use<'a, 'i> {
        std::iter::successors(Some(*self), Self::parent)
    }

    pub fn children(&self) -> Children<'a, 'i> {
        Children {
            tree: self.tree,
            next: self.id + 1,
            end: self.data().end,
        }
    }

    /// Itself and everything inside it, in the order of the file.
    pub fn descendants(&self) -> Nodes<'a, 'i> {
        Nodes {
            tree: self.tree,
            ids: self.id..self.data().end,
        }
    }

    /// Without namespace declarations.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a, 'i>> + use<'a, 'i> {
        let (tree, data) = (self.tree, self.data());
        let range = data.attributes as usize..data.attributes_end as usize;
        tree.attributes
            .get(range)
            .unwrap_or_default()
            .iter()
            .map(move |data| Attribute { tree, data })
    }

    /// The value of an attribute without namespace.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes()
            .find(|attribute| attribute.data.name == name && attribute.data.namespace == NONE)
            .map(|attribute| attribute.value())
    }

    /// Prefix (empty for the default) and URI of every namespace in scope, but `xml`.
    pub fn namespaces(&self) -> Vec<(&'a str, &'a str)> {
        let mut found: Vec<(&'a str, &'a str)> = Vec::new();
        let mut at = self.data().scope;
        while let Some(declaration) = self.tree.declarations.get(at as usize) {
            if at != XML_SCOPE && found.iter().all(|(known, _)| *known != declaration.prefix) {
                found.push((declaration.prefix, &declaration.uri));
            }
            at = declaration.outer;
        }
        found
    }
}

impl Document<'_> {
    fn namespace(&self, at: u32) -> Option<&str> {
        self.declarations
            .get(at as usize)
            .map(|declaration| declaration.uri.as_ref())
    }
}

/// An attribute of an element.
#[derive(Clone, Copy)]
pub struct Attribute<'a, 'i> {
    tree: &'a Document<'i>,
    data: &'a AttributeData<'i>,
}

impl<'a, 'i> Attribute<'a, 'i> {
    /// Without prefix.
    pub const fn name(&self) -> &'i str {
        self.data.name
    }

    /// With its prefix.
    pub const fn written(&self) -> &'i str {
        self.data.written
    }

    pub fn namespace(&self) -> Option<&'a str> {
        self.tree.namespace(self.data.namespace)
    }

    pub fn value(&self) -> &'a str {
        &self.data.value
    }
}

/// Nodes directly inside another.
#[derive(Clone)]
pub struct Children<'a, 'i> {
    tree: &'a Document<'i>,
    next: u32,
    end: u32,
}

impl<'a, 'i> Iterator for Children<'a, 'i> {
    type Item = Node<'a, 'i>;

    fn next(&mut self) -> Option<Node<'a, 'i>> {
        if self.next >= self.end {
            return None;
        }
        let node = Node {
            tree: self.tree,
            id: self.next,
        };
        self.next = node.data().end;
        Some(node)
    }
}

/// Nodes in the order of the file.
#[derive(Clone)]
pub struct Nodes<'a, 'i> {
    tree: &'a Document<'i>,
    ids: Range<u32>,
}

impl<'a, 'i> Iterator for Nodes<'a, 'i> {
    type Item = Node<'a, 'i>;

    fn next(&mut self) -> Option<Node<'a, 'i>> {
        let tree = self.tree;
        self.ids.next().map(|id| Node { tree, id })
    }
}
