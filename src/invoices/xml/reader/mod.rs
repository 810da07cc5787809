//! Reading XML from outside: bounded in size, depth and attributes, strict in form, without DTD,
//! and fast, for every invoice of a seller's year is read again by checks, papers and exports.
//!
//! Stricter than XML where a second reader could understand something else: one colon in a name,
//! every prefix bound, UTF-8 only.

mod encoding;
mod names;
mod parse;
mod problem;
mod tags;
mod texts;
mod tree;

#[cfg(test)]
mod tests;

pub use parse::parse;
pub use problem::{Flaw, XmlError};
pub use tree::{Attribute, Document, Node, NodeType};

/// Largest file that is read: a message of a few thousand invoices.
pub const FILE_BYTES_MAX: usize = 20_000_000;
const DEPTH_MAX: usize = 100;
const ATTRIBUTES_MAX: usize = 64;
/// In scope at one place: canonical forms look at each of them for every element.
const NAMESPACES_MAX: usize = 32;
const NODES_MAX: usize = 2_000_000;
