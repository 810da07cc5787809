//! The face of signed documents: what stands on paper is what was signed, readable and copyable.
//!
//! `HOCPHI_RENDITIONS=DIR cargo test --test it rendition` keeps the files to look at.

use std::path::Path;
use std::process::Command;

use hocphi::invoices::document::{
    Buyer, Collected, Correction, CorrectionReason, Document, Form, Format, Heading, LineKind,
    Related, VatRate,
};
use hocphi::invoices::rendition::{
    Paper, RenditionError, RenditionOptions, Shown, pdf, pdf_and_pages,
};
use hocphi::invoices::words::in_words;
use hocphi::invoices::xml::write_invoice;
use hocphi::money::Vnd;
use rust_decimal::dec;

use super::every_kind::receipt;
use super::samples::{self, SELLER, collected, key, signing_moment};

const LOOKUP: &str = "https://hocphi.example.vn/hoa-don";

fn heading(form: Form) -> Heading {
    let sample = samples::document(form);
    Heading {
        numbering: sample.numbering,
        payment_method: sample.payment_method,
        solution_provider: sample.solution_provider,
        seller: sample.seller,
        buyer: sample.buyer,
        trustee: None,
        related: None,
        bills: sample.bills,
        lookup_code: sample.lookup_code,
    }
}

fn signed(document: &Document) -> Vec<u8> {
    let unsigned = write_invoice(document).unwrap();
    key().sign(unsigned, SELLER, signing_moment()).unwrap()
}

/// An invoice of so many lines, with the longest names there are.
fn long(form: Form, count: usize) -> Vec<u8> {
    let mut heading = heading(form);
    heading.seller.name =
        "TRƯỜNG TRUNG HỌC PHỔ THÔNG DÂN TỘC NỘI TRÚ NGUYỄN BỈNH KHIÊM – CƠ SỞ HUYỆN ĐỒNG HỶ".into();
    heading.buyer = Buyer {
        name: Some("Tôn Nữ Hoàng Nguyễn Thị Quỳnh Hương Thụy Ngọc Bảo Trân".into()),
        organisation: Some("CÔNG TY TNHH MỘT THÀNH VIÊN THƯƠNG MẠI DỊCH VỤ XUẤT NHẬP KHẨU ĐẠI LỘC PHÁT".into()),
        tax_code: Some("0312270160".into()),
        address: Some("Số 12 ngõ 345 đường Cách Mạng Tháng Tám, tổ dân phố số 7, phường Phan Đình Phùng, tỉnh Thái Nguyên".into()),
        ..heading.buyer
    };
    let lines: Vec<Collected> = (1..=count)
        .map(|place| {
            collected(
                &format!("Dịch vụ giữ trẻ ngoài giờ, ăn bán trú và đưa đón học sinh ngày {place} của tháng 11/2026 theo thỏa thuận"),
                1_234_567 + i64::try_from(place).unwrap(),
                if place % 3 == 0 { VatRate::NotSubject } else { VatRate::Eight },
                false,
            )
        })
        .collect();
    signed(&Document::new(heading, &lines).unwrap())
}

/// Less money than before, after a pupil left.
fn adjusting() -> Vec<u8> {
    let mut heading = heading(Form::Vat);
    let mut original = heading.numbering.clone();
    original.number = 64;
    original.format = Format::V2_1_1;
    heading.related = Some(Related::to(
        &original,
        Correction::Adjusting,
        CorrectionReason::ServiceCancelled,
    ));
    let lines = [
        collected(
            "Học phí tháng 11/2026 (thôi học từ 15/11)",
            -1_600_000,
            VatRate::NotSubject,
            false,
        ),
        collected("Tiền ăn bán trú", -302_000, VatRate::Eight, false),
    ];
    signed(&Document::new(heading, &lines).unwrap())
}

fn discounted() -> Vec<u8> {
    let lines = [
        Collected {
            unit: "bộ".into(),
            quantity: dec!(2),
            unit_price: Vnd::new(540_000),
            discount: Vnd::new(108_000),
            ..Collected::supply("Đồng phục mùa đông", Vnd::new(972_000), VatRate::Eight)
        },
        Collected {
            kind: LineKind::Promotion,
            ..Collected::supply("Sổ liên lạc", Vnd::ZERO, VatRate::Eight)
        },
        Collected {
            kind: LineKind::Discount,
            ..Collected::supply("Giảm cho con thứ hai", Vnd::new(54_000), VatRate::Eight)
        },
        Collected::note("Thu theo nghị quyết của hội đồng trường ngày 05/09/2026"),
    ];
    signed(&Document::new(heading(Form::Vat), &lines).unwrap())
}

fn options(paper: Paper) -> RenditionOptions<'static> {
    RenditionOptions {
        paper,
        lookup_address: Some(LOOKUP),
        attach_xml: true,
    }
}

/// A folder with the file in it, kept when somebody wants to look.
pub(super) struct Printed {
    file: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

pub(super) fn printed(name: &str, bytes: &[u8]) -> Printed {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{name}.pdf"));
    std::fs::write(&file, bytes).unwrap();
    if let Some(kept) = std::env::var_os("HOCPHI_RENDITIONS") {
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::write(Path::new(&kept).join(format!("{name}.pdf")), bytes).unwrap();
    }
    Printed {
        file,
        _folder: folder,
    }
}

/// What another program says about a file; `None` where it is not installed and need not be.
fn said(program: &str, arguments: &[&str], file: &Path, rest: &[&str]) -> Option<Vec<u8>> {
    match Command::new(program)
        .args(arguments)
        .arg(file)
        .args(rest)
        .output()
    {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{program}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            Some(output.stdout)
        }
        Err(_) => {
            assert!(
                std::env::var_os("HOCPHI_TEST_ALL").is_none(),
                "{program} is missing"
            );
            eprintln!("skipped: no {program}");
            None
        }
    }
}

pub(super) fn text_of(printed: &Printed) -> Option<String> {
    let bytes = said(
        "pdftotext",
        &["-layout", "-enc", "UTF-8"],
        &printed.file,
        &["-"],
    )?;
    Some(String::from_utf8(bytes).unwrap())
}

/// Words of a page without its lines.
pub(super) fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every text of the file that a reader must find on paper.
fn values(xml: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(xml).unwrap();
    let tree = roxmltree::Document::parse(text).unwrap();
    let data = tree.root_element().first_element_child().unwrap();
    data.descendants()
        .filter(|node| {
            [
                "Ten",
                "MST",
                "DChi",
                "HVTNMHang",
                "HVTNNop",
                "MKHang",
                "THHDVu",
                "TKThu",
                "TgTTTBChu",
                "GChu",
                "DLieu",
                "KHHDon",
                "TDVNUNLHDon",
            ]
            .contains(&node.tag_name().name())
        })
        .filter_map(|node| node.text().map(str::to_owned))
        .collect()
}

#[test]
fn everything_that_was_signed_can_be_read_and_copied_from_the_paper() {
    for (name, xml, paper) in [
        (
            "five-lines",
            signed(&samples::document(Form::Vat)),
            Paper::A4,
        ),
        (
            "five-lines-a5",
            signed(&samples::document(Form::Vat)),
            Paper::A5,
        ),
        ("sales", signed(&samples::document(Form::Sales)), Paper::A4),
        ("one-long-line", long(Form::Vat, 1), Paper::A4),
        ("one-long-line-a5", long(Form::Sales, 1), Paper::A5),
        ("adjusting", adjusting(), Paper::A4),
        ("discounted", discounted(), Paper::A4),
        ("receipt", receipt(), Paper::A4),
        ("receipt-a5", receipt(), Paper::A5),
    ] {
        let printed = printed(name, &pdf(&xml, &options(paper)).unwrap());
        said("qpdf", &["--check"], &printed.file, &[]);
        let Some(text) = text_of(&printed) else {
            return;
        };
        // Columns beside each other interleave lines, so values are looked for word by word.
        let words: Vec<&str> = text.split_whitespace().collect();
        for value in values(&xml) {
            for word in value.split_whitespace() {
                assert!(
                    words.iter().any(|found| found.contains(word)),
                    "{name}: {word:?} of {value:?} is not in\n{text}"
                );
            }
        }
        let fonts = String::from_utf8(said("pdffonts", &[], &printed.file, &[]).unwrap()).unwrap();
        let rows: Vec<&str> = fonts.lines().skip(2).collect();
        assert_eq!(rows.len(), 2, "{fonts}");
        for row in rows {
            // A mark of its own before the name, embedded, subset, with a map to Unicode.
            assert!(
                row.contains("+NotoSans-") && row.contains("yes yes yes"),
                "{fonts}"
            );
        }
    }
}

#[test]
fn corrections_and_waiting_for_the_code_are_said_where_nobody_overlooks_them() {
    let printed = printed(
        "adjusting",
        &pdf(&adjusting(), &options(Paper::A4)).unwrap(),
    );
    let Some(text) = text_of(&printed) else {
        return;
    };
    let text = joined(&text);
    for wanted in [
        "-1.600.000",
        "-279.630",
        "-1.902.000",
        "Âm một triệu chín trăm lẻ hai nghìn đồng",
        "CHƯA CÓ MÃ CỦA CƠ QUAN THUẾ",
        "Điều chỉnh cho hóa đơn Mẫu số 1 ký hiệu C26TAA số 64",
        "Mã tra cứu: abc123",
        LOOKUP,
        "Trang 1/1",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(in_words(Vnd::new(-1_902_000)).starts_with("Âm một triệu"));
}

#[test]
fn a_hundred_lines_go_over_pages_that_each_say_whose_they_are() {
    let xml = long(Form::Vat, 100);
    for (name, paper, most) in [("hundred", Paper::A4, 8), ("hundred-a5", Paper::A5, 20)] {
        let (bytes, pages) = pdf_and_pages(&xml, &options(paper)).unwrap();
        assert!((3..=most).contains(&pages), "{pages} pages");
        let printed = printed(name, &bytes);
        let Some(text) = text_of(&printed) else {
            return;
        };
        let sheets: Vec<String> = text
            .split('\u{c}')
            .map(joined)
            .filter(|page| !page.is_empty())
            .collect();
        assert_eq!(sheets.len(), pages);
        for (place, page) in sheets.iter().enumerate() {
            assert!(
                page.contains(&format!("Trang {}/{pages}", place + 1)),
                "{page}"
            );
            for wanted in [
                "128",
                "C26TAA",
                "NGUYỄN BỈNH KHIÊM",
                "Tôn Nữ Hoàng",
                SELLER,
                "Thuế",
            ] {
                assert!(page.contains(wanted), "page {}: {wanted}", place + 1);
            }
            if place > 0 {
                assert!(page.contains(&format!(
                    "tiếp theo trang trước – trang {}/{pages}",
                    place + 1
                )));
            }
        }
        for line in 1..=100 {
            let shown = format!("{}", 1_234_567 + line);
            // KCT lines show the collected amount itself.
            if line % 3 == 0 {
                let grouped = format!("{}.{}.{}", &shown[..1], &shown[1..4], &shown[4..]);
                assert_eq!(
                    text.matches(&grouped).count(),
                    2,
                    "{grouped}: price and amount"
                );
            }
        }
    }
}

#[test]
fn a_changed_file_gets_no_face() {
    let xml = signed(&samples::document(Form::Vat));
    let text = String::from_utf8(xml).unwrap();
    for (before, after) in [
        ("3200000", "3200001"),
        ("Học phí tháng 11/2026", "Học phí tháng 12/2026"),
        ("</DSCKS></HDon>", "</DSCKS><DLHDon></DLHDon></HDon>"),
    ] {
        let forged = text.replacen(before, after, 1);
        assert_ne!(forged, text);
        assert!(
            matches!(
                pdf(forged.as_bytes(), &options(Paper::A4)),
                Err(RenditionError::Unsound { .. })
            ),
            "{before}"
        );
    }
    assert!(pdf(b"<HDon></HDon>", &options(Paper::A4)).is_err());
    assert!(pdf(b"", &options(Paper::A4)).is_err());
}

#[test]
fn the_same_file_is_always_the_same_paper_and_carries_its_source() {
    let xml = signed(&samples::document(Form::Vat));
    let first = pdf(&xml, &options(Paper::A4)).unwrap();
    assert_eq!(first, pdf(&xml, &options(Paper::A4)).unwrap());
    let printed = printed("attached", &first);
    let folder = printed.file.parent().unwrap();
    let Some(_) = said(
        "pdfdetach",
        &["-saveall", "-o", folder.to_str().unwrap()],
        &printed.file,
        &[],
    ) else {
        return;
    };
    assert_eq!(std::fs::read(folder.join("1C26TAA-128.xml")).unwrap(), xml);
    let bare = RenditionOptions {
        attach_xml: false,
        ..options(Paper::A4)
    };
    let without = pdf(&xml, &bare).unwrap();
    assert!(without.len() + 2_000 < first.len());
}

#[test]
fn the_square_code_on_the_page_reads_as_the_invoice() {
    for (xml, wanted) in [
        (
            signed(&samples::document(Form::Vat)),
            "0010A00000077501100100233488020110306C26TAA0403128050820261123",
        ),
        (receipt(), "01kaxyz0000000000000000x"),
    ] {
        for paper in [Paper::A4, Paper::A5] {
            let printed = printed("code", &pdf(&xml, &options(paper)).unwrap());
            let Some(image) = said(
                "pdftoppm",
                &["-gray", "-r", "200", "-f", "1", "-l", "1"],
                &printed.file,
                &[],
            ) else {
                return;
            };
            let (width, height, pixels) = graymap(&image);
            let mut prepared =
                rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
                    pixels[y * width + x]
                });
            let grids = prepared.detect_grids();
            let read: Vec<String> = grids
                .iter()
                .filter_map(|grid| grid.decode().ok())
                .map(|(_, text)| text)
                .collect();
            assert!(read.iter().any(|text| text.contains(wanted)), "{read:?}");
        }
    }
}

/// Width, height and pixels of a binary graymap.
fn graymap(image: &[u8]) -> (usize, usize, &[u8]) {
    let mut fields = Vec::new();
    let mut at = 0;
    while fields.len() < 4 {
        let end = image[at..]
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap()
            + at;
        fields.push(std::str::from_utf8(&image[at..end]).unwrap());
        at = end + 1;
    }
    assert_eq!((fields[0], fields[3]), ("P5", "255"));
    let size = |text: &str| text.parse::<usize>().unwrap();
    (size(fields[1]), size(fields[2]), &image[at..])
}

#[cfg(feature = "sandbox")]
#[test]
fn every_valid_document_of_the_corpus_has_a_face_and_every_forged_one_has_none() {
    use hocphi::invoices::verify::corpus::{attacks, cases, read};
    let kit = super::corpus_kit();
    let (mut faces, mut refused) = (0, 0);
    for case in cases(&kit) {
        let report = read(&kit, &case.file, case.without_trust);
        let made = pdf(&case.file, &options(Paper::A4));
        if report.valid && report.invoices.len() == 1 && case.file.starts_with(b"<HDon>") {
            let bytes = made.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            faces += 1;
            let text = String::from_utf8_lossy(&case.file);
            if text.contains("<MCCQT") && faces < 60 {
                let printed = printed(&format!("corpus-{faces}"), &bytes);
                if let Some(text) = text_of(&printed) {
                    assert!(joined(&text).contains("CƠ QUAN THUẾ"), "{text}");
                }
            }
        } else if report.has("signature.invalid") {
            assert!(made.is_err(), "{}", case.name);
            refused += 1;
        }
    }
    for attack in attacks(&kit) {
        // What is split inside a value is read whole, so that the signed amount is shown.
        if let Ok(shown) = Shown::read(&attack.file) {
            let total = shown.totals.last().unwrap().value.replace('.', "");
            assert!(
                attack.name.contains("chẻ đôi") && total.starts_with("54"),
                "{}",
                attack.name
            );
            continue;
        }
        refused += 1;
    }
    assert!(
        faces > 50 && refused > 10,
        "{faces} faces, {refused} refused"
    );
}
