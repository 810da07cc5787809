//! Start and end tags: names, attributes, and the namespaces they mean.

use std::borrow::Cow;

use super::names::name_length;
use super::parse::{Open, Parser};
use super::problem::{Flaw, XmlError};
use super::tree::{AttributeData, Declaration, NONE, NodeType, XML_NAMESPACE, XML_SCOPE};
use super::{ATTRIBUTES_MAX, DEPTH_MAX, NAMESPACES_MAX};

const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

pub(super) struct Found<'i> {
    name: Name<'i>,
    value: Cow<'i, str>,
}

#[derive(Clone, Copy)]
pub(super) struct Name<'i> {
    /// Empty without one.
    prefix: &'i str,
    local: &'i str,
    written: &'i str,
}

impl<'i> Parser<'i> {
    pub(super) fn name(&mut self) -> Result<Name<'i>, XmlError> {
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

    pub(super) fn start_tag(&mut self) -> Result<(), XmlError> {
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
    pub(super) fn attributes(&mut self, outer: u32) -> Result<(u32, bool), XmlError> {
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
    pub(super) fn declare(
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
        let around = self.tree.declarations.get(scope as usize);
        let count = around.map_or(0, |around| around.count) + 1;
        if count > NAMESPACES_MAX {
            return Err(XmlError::TooManyNamespaces);
        }
        let id = Self::offset(self.tree.declarations.len());
        self.tree.declarations.push(Declaration {
            prefix,
            uri,
            outer: scope,
            count,
        });
        Ok(id)
    }

    /// The declaration a prefix means.
    pub(super) fn namespace(&self, prefix: &str, scope: u32) -> Result<u32, XmlError> {
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

    pub(super) fn keep_attributes(&mut self, scope: u32) -> Result<(), XmlError> {
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

    pub(super) fn end_tag(&mut self) -> Result<(), XmlError> {
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
}
