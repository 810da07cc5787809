//! Writes XML that is its own canonical form (C14N 1.0), so that a digest is taken over a slice of
//! what was written and nothing is parsed to sign it.

/// Appends elements to a byte vector. No empty-element tags, no comments, no declaration, no
/// whitespace between elements; attributes must come in sorted order.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// Where the next byte goes.
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    // Inlined, so that the length of a name is a constant where the element is written.
    #[inline]
    pub fn open(&mut self, name: &str) {
        self.bytes.push(b'<');
        self.raw(name);
        self.bytes.push(b'>');
    }

    /// Opens an element with attributes, sorted as canonical XML sorts them.
    pub fn open_with(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.bytes.push(b'<');
        self.raw(name);
        for (key, value) in attributes {
            self.bytes.push(b' ');
            self.raw(key);
            self.raw("=\"");
            push_attribute(&mut self.bytes, value);
            self.bytes.push(b'"');
        }
        self.bytes.push(b'>');
    }

    #[inline]
    pub fn close(&mut self, name: &str) {
        self.raw("</");
        self.raw(name);
        self.bytes.push(b'>');
    }

    /// `<name>text</name>`.
    #[inline]
    pub fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        push_text(&mut self.bytes, text);
        self.close(name);
    }

    /// `<name>text</name>` of text that is canonical already.
    #[inline]
    pub fn plain(&mut self, name: &str, canonical: &str) {
        self.bytes.reserve(2 * name.len() + canonical.len() + 5);
        self.open(name);
        self.raw(canonical);
        self.close(name);
    }

    /// `<name>number</name>`.
    #[inline]
    pub fn number(&mut self, name: &str, number: i64) {
        self.plain(name, itoa::Buffer::new().format(number));
    }

    /// Bytes that are canonical already.
    #[inline]
    pub fn raw(&mut self, canonical: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(canonical.as_ref());
    }
}

/// Canonical character data: `& < >` and carriage return are escaped, nothing else.
pub fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_escaped(bytes, text, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
}

/// Canonical attribute value, for double quotes: `& < "` and TAB, LF, CR are escaped.
pub fn push_attribute(bytes: &mut Vec<u8>, value: &str) {
    push_escaped(bytes, value, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
}

fn push_escaped(bytes: &mut Vec<u8>, text: &str, escape: impl Fn(u8) -> Option<&'static str>) {
    // Without a branch for each byte, because almost no text needs an escape.
    let is_plain = !text
        .bytes()
        .fold(false, |found, byte| found | escape(byte).is_some());
    if is_plain {
        return bytes.extend_from_slice(text.as_bytes());
    }
    let mut copied = 0;
    for (place, byte) in text.bytes().enumerate() {
        if let Some(replacement) = escape(byte) {
            bytes.extend_from_slice(&text.as_bytes()[copied..place]);
            bytes.extend_from_slice(replacement.as_bytes());
            copied = place + 1;
        }
    }
    bytes.extend_from_slice(&text.as_bytes()[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_canonical_xml_escapes_is_escaped() {
        let mut writer = Writer::default();
        writer.open_with("a", &[("Id", "x>'\"&<\t\n\r")]);
        writer.leaf("b", "Bố & mẹ <\"'>\r\n\t");
        writer.close("a");
        assert_eq!(
            String::from_utf8(writer.into_bytes()).unwrap(),
            "<a Id=\"x>'&quot;&amp;&lt;&#x9;&#xA;&#xD;\"><b>Bố &amp; mẹ &lt;\"'&gt;&#xD;\n\t</b></a>"
        );
    }
}
