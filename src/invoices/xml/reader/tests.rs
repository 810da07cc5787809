//! Files built to hurt, and the same tree as another reader builds.

use proptest::prelude::*;

use super::*;

fn flaw(text: &str) -> Option<Flaw> {
    match parse(text.as_bytes()) {
        Err(XmlError::Malformed { flaw, .. }) => Some(flaw),
        _ => None,
    }
}

#[test]
fn files_built_to_hurt_are_refused_by_name() {
    let refused = |bytes: &[u8]| parse(bytes).err();
    let deep = "<a>".repeat(200) + &"</a>".repeat(200);
    assert_eq!(refused(deep.as_bytes()), Some(XmlError::TooDeep));
    let wide: String = (0..100).map(|n| format!(" a{n}=\"\"")).collect();
    assert_eq!(
        refused(format!("<a{wide}/>").as_bytes()),
        Some(XmlError::TooManyAttributes)
    );
    assert_eq!(
        refused(b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
        Some(XmlError::Doctype)
    );
    assert_eq!(refused(b"<a>\xff</a>"), Some(XmlError::NotUtf8 { at: 3 }));
    assert_eq!(refused(b""), Some(XmlError::Empty));
    assert_eq!(refused(b"\xef\xbb\xbf \n"), Some(XmlError::Empty));
    assert_eq!(refused(b"%PDF-1.7 <a/>"), Some(XmlError::NotXml));
    for utf16 in [&b"\xff\xfe<\0a\0"[..], b"<\0a\0", b"\0<\0a"] {
        assert_eq!(refused(utf16), Some(XmlError::Utf16));
    }
    let spaces = |from: usize| -> String {
        let of = |n| format!(" xmlns:p{n}=\"u{n}\"");
        (from..from + NAMESPACES_MAX / 2 + 1).map(of).collect()
    };
    let nested = format!("<a{}><b{}/></a>", spaces(0), spaces(100));
    assert_eq!(
        refused(nested.as_bytes()),
        Some(XmlError::TooManyNamespaces)
    );
    let beside = format!("<a><b{}/><b{}/></a>", spaces(0), spaces(100));
    assert_eq!(refused(beside.as_bytes()), None);
    let huge = vec![b' '; FILE_BYTES_MAX + 1];
    assert_eq!(
        refused(&huge),
        Some(XmlError::TooLarge { bytes: huge.len() })
    );
    let many = format!("<a>{}</a>", "<b/>".repeat(NODES_MAX));
    assert_eq!(refused(many.as_bytes()), Some(XmlError::TooManyNodes));
}

#[test]
fn declarations_are_of_utf8_and_well_written() {
    assert!(parse(b"\xef\xbb\xbf<a/>").is_ok());
    assert!(parse(b"<?xml-stylesheet href='a' encoding='x'?><a/>").is_ok());
    let declared = |rest: &str| format!("<?xml {rest}?><a/>");
    for good in [
        "version='1.0' encoding='utf-8'",
        "version=\"1.0\" encoding = \"UTF-8\" standalone='yes' ",
        "version='1.1'",
    ] {
        assert!(parse(declared(good).as_bytes()).is_ok(), "{good}");
    }
    for other in ["'UTF-16'", "'us-ascii'", "\"windows-1258\""] {
        let text = declared(&format!("version='1.0' encoding={other}"));
        let refused = parse(text.as_bytes());
        assert!(matches!(refused, Err(XmlError::Encoding(_))), "{refused:?}");
    }
    for wrong in [
        "",
        "version=1.0",
        "version='2.0'",
        "encoding='utf-8'",
        "version='1.0'encoding='utf-8'",
        "version='1.0' standalone='perhaps'",
        "version='1.0' standalone='yes' encoding='utf-8'",
        "version='1.0' version='1.0'",
    ] {
        assert_eq!(flaw(&declared(wrong)), Some(Flaw::Declaration), "{wrong}");
    }
}

#[test]
fn what_is_not_well_formed_is_named_with_its_place() {
    for (text, expected) in [
        ("<a><b></a>", Flaw::EndTag),
        ("<a></ab>", Flaw::EndTag),
        ("<ab></a>", Flaw::EndTag),
        ("<a></a></a>", Flaw::EndTag),
        ("<a>", Flaw::Unfinished),
        ("<a", Flaw::Unfinished),
        ("<a b='c", Flaw::Unfinished),
        ("<a/><b/>", Flaw::Outside),
        ("<a/>b", Flaw::Outside),
        ("<a/><![CDATA[b]]>", Flaw::Outside),
        ("<a b='1' b='2'/>", Flaw::AttributeTwice),
        (
            "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
            Flaw::AttributeTwice,
        ),
        ("<a xmlns:p='u' xmlns:p='v'/>", Flaw::AttributeTwice),
        ("<a b='1'c='2'/>", Flaw::Tag),
        ("<a b/>", Flaw::Attribute),
        ("<a b=c/>", Flaw::Attribute),
        ("<a b='<'/>", Flaw::LessThan),
        ("<p:a/>", Flaw::Prefix),
        ("<a p:b='1'/>", Flaw::Prefix),
        ("<a><b xmlns:p='u'/><p:c/></a>", Flaw::Prefix),
        ("<a xmlns:p=''/>", Flaw::Namespace),
        ("<a xmlns:xml='u'/>", Flaw::Namespace),
        (
            "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
            Flaw::Namespace,
        ),
        (
            "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
            Flaw::Namespace,
        ),
        ("<a>&b;</a>", Flaw::Entity),
        ("<a>&</a>", Flaw::Entity),
        ("<a>&#0;</a>", Flaw::Entity),
        ("<a>&#xD800;</a>", Flaw::Entity),
        ("<a>&#+65;</a>", Flaw::Entity),
        ("<a>&#x110000;</a>", Flaw::Entity),
        ("<a>]]></a>", Flaw::SectionEnd),
        ("<a>\u{1}</a>", Flaw::Character),
        ("<a>\u{fffe}</a>", Flaw::Character),
        ("<a b='\u{ffff}'/>", Flaw::Character),
        ("<a><!--\u{1}--></a>", Flaw::Character),
        ("<a><!-- -- --></a>", Flaw::Comment),
        ("<a><!-- ---></a>", Flaw::Comment),
        ("<a><?xml b?></a>", Flaw::Instruction),
        ("<a><? b?></a>", Flaw::Instruction),
        ("<a><!b></a>", Flaw::Tag),
        ("<1/>", Flaw::Name),
        ("<a:/>", Flaw::Name),
        ("<:a/>", Flaw::Name),
        ("<a:b:c xmlns:a='u'/>", Flaw::Tag),
        ("<!-- -->", Flaw::NoElement),
    ] {
        assert_eq!(flaw(text), Some(expected), "{text}");
    }
    let placed = parse("<a>\n<đ>&x;</đ></a>".as_bytes()).expect_err("an entity");
    assert!(placed.to_string().contains("line 2, column 4"), "{placed}");
    assert!(placed.in_vietnamese().contains("dòng 2, cột 4"), "{placed}");
}

/// What a tree says, a line a node. Texts side by side are one: the other reader joins them.
#[derive(Default)]
struct Shown(Vec<String>);

impl Shown {
    fn put(&mut self, depth: usize, range: &std::ops::Range<usize>, what: &str) {
        self.0.push(format!("{depth} {range:?} {what}"));
    }

    fn text(&mut self, depth: usize, text: &str) {
        let begins = format!("{depth} text ");
        match self.0.last_mut() {
            Some(last) if last.starts_with(&begins) => last.push_str(text),
            _ => self.0.push(begins + text),
        }
    }
}

fn ours(document: &Document<'_>) -> Vec<String> {
    let mut shown = Shown::default();
    for node in document.descendants().skip(1) {
        let depth = node.ancestors().count();
        let what = match node.node_type() {
            NodeType::Element => {
                let name = node.tag_name();
                let attributes: Vec<_> = node
                    .attributes()
                    .map(|a| (a.namespace(), a.name(), a.written(), a.value()))
                    .collect();
                let mut spaces = node.namespaces();
                spaces.sort_unstable();
                format!(
                    "{:?} {} {attributes:?} {spaces:?}",
                    name.namespace(),
                    name.name()
                )
            }
            NodeType::Text => {
                shown.text(depth, node.text().expect("a text"));
                continue;
            }
            NodeType::Comment => "comment".to_owned(),
            NodeType::Instruction => format!("{:?}", node.instruction().expect("one")),
            NodeType::Root => unreachable!("skipped"),
        };
        shown.put(depth, &node.range(), &what);
    }
    shown.0
}

fn theirs(document: &roxmltree::Document<'_>) -> Vec<String> {
    // What takes a default namespace back leaves none.
    fn known(uri: Option<&str>) -> Option<&str> {
        uri.filter(|uri| !uri.is_empty())
    }
    let source = document.input_text();
    let mut shown = Shown::default();
    for node in document.descendants().skip(1) {
        let depth = node.ancestors().count();
        let what = match node.node_type() {
            roxmltree::NodeType::Element => {
                let attributes: Vec<_> = node
                    .attributes()
                    .map(|a| {
                        let written = &source[a.range_qname()];
                        (known(a.namespace()), a.name(), written, a.value())
                    })
                    .collect();
                let mut spaces: Vec<_> = node
                    .namespaces()
                    .filter(|space| space.name() != Some("xml"))
                    .map(|space| (space.name().unwrap_or(""), space.uri()))
                    .collect();
                spaces.sort_unstable();
                let name = node.tag_name();
                format!(
                    "{:?} {} {attributes:?} {spaces:?}",
                    known(name.namespace()),
                    name.name()
                )
            }
            roxmltree::NodeType::Text => {
                shown.text(depth, node.text().expect("a text"));
                continue;
            }
            roxmltree::NodeType::Comment => "comment".to_owned(),
            roxmltree::NodeType::PI => {
                let pi = node.pi().expect("one");
                // It keeps the ends of lines as they are written, against XML 1.0 §2.11.
                let value = pi.value.unwrap_or_default();
                format!(
                    "{:?}",
                    (
                        pi.target,
                        value.replace("\r\n", "\n").replace('\r', "\n").as_str()
                    )
                )
            }
            roxmltree::NodeType::Root => unreachable!("skipped"),
        };
        shown.put(depth, &node.range(), &what);
    }
    shown.0
}

/// Never more than the other reader takes, and the same of what both take.
fn agree(text: &str) -> Result<bool, TestCaseError> {
    let options = roxmltree::ParsingOptions::default();
    match (
        parse(text.as_bytes()),
        roxmltree::Document::parse_with_options(text, options),
    ) {
        (Ok(own), Ok(other)) => {
            let (own, other) = (ours(&own), theirs(&other));
            let differs = own.iter().zip(&other).find(|(own, other)| own != other);
            prop_assert!(own == other, "{differs:?} in {text:.200}");
            Ok(true)
        }
        (Ok(_), Err(other)) => Err(TestCaseError::fail(format!(
            "only we take {text:.200}: {other}"
        ))),
        (Err(_), _) => Ok(false),
    }
}

#[test]
fn the_files_of_vendors_read_alike() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/signatures");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|end| end == "xml") {
            let text = std::fs::read_to_string(&path).expect("a text");
            assert!(agree(&text).expect("alike"), "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 4, "{count}");
}

/// A lone carriage return stands between letters: the other reader keeps it before an entity, against
/// XML 1.0 §2.11.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "<a>",
        "</a>",
        "<a/>",
        "<b c='1'>",
        "</b>",
        "<b c=\"&lt;&#10;\" d='\t\r\n x'/>",
        "<p:a xmlns:p='u' p:c='1' c='2'>",
        "</p:a>",
        "<a xmlns='v'>",
        "<b xmlns=''/>",
        "<p:b/>",
        "<a xml:lang='vi'/>",
        "<b xmlns:p='w' xmlns:q=\"w\" p:e='' q:f=''/>",
        "chữ",
        " ",
        "\r\n",
        "a\rb",
        "&amp;",
        "&#13;",
        "&#x1F600;",
        "&apos;&quot;",
        "&no;",
        "]]",
        ">",
        "\"",
        "'",
        "]]>",
        "<!-- c -->",
        "<!--\r\n-->",
        "<!---->",
        "<![CDATA[<&>\r\n]]>",
        "<?t v ?>",
        "<?t?>",
        "<?t\r\nv?>",
        "\u{1}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{ff01}",
        "<đ ă='ê'/>",
        "=",
        "<",
        "&",
        "x:y",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pieces_of_xml_read_alike(pieces in prop::collection::vec(piece(), 0..12)) {
        agree(&format!("<a>{}</a>", pieces.concat()))?;
        agree(&pieces.concat())?;
    }

    #[test]
    fn a_changed_file_reads_alike_or_not_at_all(
        at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), new in piece(),
    ) {
        let text = include_str!("../../../../tests/data/signatures/vendor-exclusive-time.xml");
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let from = places[at.index(places.len())];
        let end = places[to.index(places.len())].clamp(from, from + 3);
        if text.is_char_boundary(end) {
            agree(&format!("{}{new}{}", &text[..from], &text[end..]))?;
        }
    }
}
