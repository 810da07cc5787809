//! The PDF file around laid-out pages: fonts with the used glyphs alone, copyable text, the signed XML
//! as an associated file. The same document always becomes the same bytes.

use std::io::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{
    ActionType, AnnotationType, AssociationKind, CidFontType, FontFlags, SystemInfo, UnicodeCmap,
};
use pdf_writer::{Date, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use super::content::Shown;
use super::font::{Used, Weight};
use super::sheet::{Block, Mark, Paper};
use super::units::Milli;
use super::{RenditionError, RenditionOptions};

/// Fast enough to keep up with signing; a higher level saves some percent of size.
const LEVEL: Compression = Compression::new(3);

const IDENTITY: SystemInfo<'static> = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};

/// Writes the file.
pub fn write(
    shown: &Shown,
    xml: &[u8],
    pages: &[Block],
    options: &RenditionOptions<'_>,
) -> Result<Vec<u8>, RenditionError> {
    let mut faces = Weight::ALL.map(|weight| Used::new(weight.font()));
    let contents: Vec<Vec<u8>> = pages
        .iter()
        .map(|page| packed(&content(page, options.paper, &mut faces)))
        .collect();
    let mut next = 1;
    let mut fresh = || {
        let id = Ref::new(next);
        next += 1;
        id
    };
    let mut pdf = Pdf::with_capacity(64 * 1024);
    let (catalog, tree, info, metadata) = (fresh(), fresh(), fresh(), fresh());
    let page_ids: Vec<(Ref, Ref)> = pages.iter().map(|_| (fresh(), fresh())).collect();
    let fonts: Vec<Ref> = faces.iter().map(|_| fresh()).collect();
    let link = options
        .lookup_address
        .and(shown.lookup_code.as_ref())
        .map(|_| fresh());
    let attached = options.attach_xml.then(|| (fresh(), fresh()));

    let name = file_name(shown);
    let title = format!("{} {} số {}", shown.title, shown.symbol, shown.number);
    let mut root = pdf.catalog(catalog);
    root.pages(tree).metadata(metadata).lang(TextStr("vi"));
    root.viewer_preferences().display_doc_title(true);
    if let Some((_, spec)) = attached {
        root.names()
            .embedded_files()
            .names()
            .insert(Str(name.as_bytes()), spec);
        // The array of associated files.
        root.insert(Name(b"AF")).array().item(spec);
    }
    root.finish();
    pdf.pages(tree)
        .kids(page_ids.iter().map(|(page, _)| *page))
        .count(i32::try_from(pages.len()).unwrap_or(i32::MAX));
    for ((page_id, content_id), bytes) in page_ids.iter().zip(&contents) {
        let mut page = pdf.page(*page_id);
        page.media_box(media_box(options.paper))
            .parent(tree)
            .contents(*content_id);
        let mut resources = page.resources();
        let mut named = resources.fonts();
        for (weight, id) in Weight::ALL.into_iter().zip(&fonts) {
            named.pair(Name(weight.resource()), *id);
        }
        named.finish();
        resources.finish();
        if let Some(link) = link {
            page.annotations([link]);
        }
        page.finish();
        pdf.stream(*content_id, bytes).filter(Filter::FlateDecode);
    }
    if let (Some(id), Some(address), Some(code)) =
        (link, options.lookup_address, &shown.lookup_code)
    {
        write_link(&mut pdf, id, options.paper, &format!("{address}/{code}"));
    }
    for (used, id) in faces.iter().zip(&fonts) {
        write_font(&mut pdf, used, *id, &mut fresh)?;
    }
    let signed = signed_at(&shown.signed_at);
    let mut facts = pdf.document_info(info);
    facts.title(TextStr(&title)).creator(TextStr("hocphi"));
    if let Some(seller) = shown.seller.first() {
        facts.author(TextStr(&seller.value));
    }
    if let Some(date) = signed {
        facts.creation_date(date);
    }
    facts.finish();
    pdf.metadata(metadata, xmp(shown, &title).as_bytes());
    if let Some((stream, spec)) = attached {
        let bytes = packed(xml);
        let mut file = pdf.embedded_file(stream, &bytes);
        file.subtype(Name(b"application/xml"));
        file.filter(Filter::FlateDecode);
        let mut facts = file.params();
        facts.size(i32::try_from(xml.len()).unwrap_or(i32::MAX));
        if let Some(date) = signed {
            facts.modification_date(date);
        }
        facts.finish();
        file.finish();
        pdf.file_spec(spec)
            .path(Str(name.as_bytes()))
            .unic_file(TextStr(&name))
            .description(TextStr("Bản gốc có chữ ký số"))
            .association_kind(AssociationKind::Source)
            .embedded_file_with_unicode(stream);
    }
    let id = digest(&SHA256, xml).as_ref()[..16].to_vec();
    pdf.set_file_id((id.clone(), id));
    Ok(pdf.finish())
}

/// `1C26TAA-128.xml`.
pub fn file_name(shown: &Shown) -> String {
    format!("{}-{}.xml", shown.symbol, shown.number)
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(bytes.len() / 2), LEVEL);
    encoder.write_all(bytes).expect("memory takes any bytes");
    encoder.finish().expect("memory takes any bytes")
}

fn media_box(paper: Paper) -> Rect {
    match paper {
        Paper::A4 => Rect::new(0.0, 0.0, 595.276, 841.89),
        Paper::A5 => Rect::new(0.0, 0.0, 419.528, 595.276),
    }
}

/// The foot of a page leads to the look-up page.
fn write_link(pdf: &mut Pdf, id: Ref, paper: Paper, address: &str) {
    let area = match paper {
        Paper::A4 => Rect::new(34.0, 34.0, 500.0, 62.0),
        Paper::A5 => Rect::new(22.0, 22.0, 350.0, 44.0),
    };
    let mut link = pdf.annotation(id);
    link.subtype(AnnotationType::Link)
        .rect(area)
        .border(0.0, 0.0, 0.0, None);
    link.action()
        .action_type(ActionType::Uri)
        .uri(Str(address.as_bytes()));
}

fn write_font(
    pdf: &mut Pdf,
    used: &Used,
    id: Ref,
    fresh: &mut impl FnMut() -> Ref,
) -> Result<(), RenditionError> {
    let font = used.font;
    let (file, map) = used.subset().ok_or(RenditionError::Font)?;
    let (descendant, descriptor, file_id, map_id, unicode_id) =
        (fresh(), fresh(), fresh(), fresh(), fresh());
    // Six letters of their own for each subset, as the format asks for.
    let mark = digest(&SHA256, &file);
    let tag: String = mark.as_ref()[..6]
        .iter()
        .map(|byte| char::from(b'A' + byte % 26))
        .collect();
    let name = format!("{tag}+{}", font.name);
    pdf.type0_font(id)
        .base_font(Name(name.as_bytes()))
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(descendant)
        .to_unicode(unicode_id);
    let mut cid = pdf.cid_font(descendant);
    cid.subtype(CidFontType::Type2)
        .base_font(Name(name.as_bytes()))
        .system_info(IDENTITY)
        .font_descriptor(descriptor)
        .default_width(0.0)
        .cid_to_gid_map_stream(map_id);
    cid.widths().consecutive(
        1,
        used.letters
            .iter()
            .map(|letter| font.advance(*letter).into()),
    );
    cid.finish();
    let [left, bottom, right, top] = font.bounds.map(Into::into);
    pdf.font_descriptor(descriptor)
        .name(Name(name.as_bytes()))
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(left, bottom, right, top))
        .italic_angle(0.0)
        .ascent(font.ascent.into())
        .descent(font.descent.into())
        .cap_height(font.cap_height.into())
        .stem_v(80.0)
        .font_file2(file_id);
    let length = i32::try_from(file.len()).unwrap_or(i32::MAX);
    let bytes = packed(&file);
    let mut stream = pdf.stream(file_id, &bytes);
    stream.filter(Filter::FlateDecode);
    stream.pair(Name(b"Length1"), length);
    stream.finish();
    pdf.stream(map_id, &packed(&map))
        .filter(Filter::FlateDecode);
    let mut unicode = UnicodeCmap::new(Name(b"hocphi"), IDENTITY);
    for (code, letter) in (1_u16..).zip(&used.letters) {
        unicode.pair(code, *letter);
    }
    pdf.stream(unicode_id, &packed(&unicode.finish()))
        .filter(Filter::FlateDecode);
    Ok(())
}

/// The drawing of one page. PDF counts from the bottom up.
fn content(page: &Block, paper: Paper, faces: &mut [Used; 2]) -> Vec<u8> {
    let height = paper.size().1;
    let mut out = Vec::with_capacity(16 * 1024);
    for mark in &page.marks {
        match mark {
            Mark::Fill { at, size, gray } => {
                shade(*gray, b"g", &mut out);
                numbers(&[at.0, height - at.1 - size.1, size.0, size.1], &mut out);
                out.extend_from_slice(b"re f\n");
            }
            Mark::Rule {
                from,
                to,
                width,
                gray,
            } => {
                shade(*gray, b"G", &mut out);
                numbers(&[*width], &mut out);
                out.extend_from_slice(b"w ");
                numbers(&[from.0, height - from.1], &mut out);
                out.extend_from_slice(b"m ");
                numbers(&[to.0, height - to.1], &mut out);
                out.extend_from_slice(b"l S\n");
            }
            Mark::Code {
                at,
                side,
                modules,
                dark,
            } => square(*at, *side, *modules, dark, height, &mut out),
            Mark::Text {
                x,
                y,
                size,
                weight,
                gray,
                text,
            } => {
                let used = &mut faces[usize::from(*weight == Weight::Bold)];
                out.extend_from_slice(b"BT ");
                shade(*gray, b"g", &mut out);
                out.push(b'/');
                out.extend_from_slice(weight.resource());
                out.push(b' ');
                numbers(&[*size], &mut out);
                out.extend_from_slice(b"Tf ");
                numbers(&[*x, height - *y], &mut out);
                out.extend_from_slice(b"Td <");
                for letter in text.chars() {
                    hex(used.code(letter), &mut out);
                }
                out.extend_from_slice(b"> Tj ET\n");
            }
        }
    }
    out
}

/// Dark runs of every row, filled at once so that no seam shows between them.
fn square(
    at: (Milli, Milli),
    side: Milli,
    modules: usize,
    dark: &[bool],
    height: Milli,
    out: &mut Vec<u8>,
) {
    shade(0, b"g", out);
    let count = i32::try_from(modules).unwrap_or(1);
    let edge = |place: usize| side.share(i32::try_from(place).unwrap_or(0), count);
    for (row, cells) in dark.chunks(modules.max(1)).enumerate() {
        let (top, bottom) = (edge(row), edge(row + 1));
        let mut column = 0;
        while column < cells.len() {
            let run = cells[column..].iter().take_while(|cell| **cell).count();
            if run == 0 {
                column += 1;
                continue;
            }
            let (left, right) = (edge(column), edge(column + run));
            numbers(
                &[
                    at.0 + left,
                    height - at.1 - bottom,
                    right - left,
                    bottom - top,
                ],
                out,
            );
            out.extend_from_slice(b"re\n");
            column += run;
        }
    }
    out.extend_from_slice(b"f\n");
}

fn shade(gray: u8, operator: &[u8], out: &mut Vec<u8>) {
    Milli(i32::from(gray) * 10).write(out);
    out.push(b' ');
    out.extend_from_slice(operator);
    out.push(b' ');
}

fn numbers(values: &[Milli], out: &mut Vec<u8>) {
    for value in values {
        value.write(out);
        out.push(b' ');
    }
}

fn hex(code: u16, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[usize::from(code >> shift & 15)]);
    }
}

/// `2026-11-23T09:15:04`, Vietnam's time.
fn signed_at(local: &str) -> Option<Date> {
    let number = |from: usize, to: usize| local.get(from..to)?.parse::<u8>().ok();
    Some(
        Date::new(local.get(..4)?.parse().ok()?)
            .month(number(5, 7)?)
            .day(number(8, 10)?)
            .hour(number(11, 13)?)
            .minute(number(14, 16)?)
            .second(number(17, 19)?)
            .utc_offset_hour(7)
            .utc_offset_minute(0),
    )
}

fn xmp(shown: &Shown, title: &str) -> String {
    let seller = shown.seller.first().map_or("", |pair| &pair.value);
    let escaped = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    };
    let created = match shown.signed_at.get(..19) {
        Some(at) => format!("<xmp:CreateDate>{}+07:00</xmp:CreateDate>", escaped(at)),
        None => String::new(),
    };
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
         xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\">\
         <dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></dc:title>\
         <dc:creator><rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq></dc:creator>\
         <xmp:CreatorTool>hocphi</xmp:CreatorTool>{created}\
         </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>",
        escaped(title),
        escaped(seller)
    )
}
