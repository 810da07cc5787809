//! `hocphi invoice …` as somebody without a browser runs it.

use std::path::Path;

use hocphi::App;
use hocphi::clock::Clock;
use hocphi::ids::Ids;
use hocphi::invoices::document::Form;
use hocphi::sealing::SealingKey;
use hocphi::store::Db;
use serde_json::Value;

use super::archive::signed as signed_books;
use super::books::start;
use super::samples;
use crate::program::{Said, embedded, hocphi, run};

/// An installation in a folder: one school with an invoice and a receipt, signed.
async fn installation(folder: &Path) -> App {
    let seal = SealingKey::read_or_create(&folder.join("master.key"), &Ids::from_system()).unwrap();
    let db = Db::open(&embedded(folder)).await.unwrap();
    let app = App::tool(db, Clock::settable(start()), Ids::from_system(), seal).unwrap();
    signed_books(&app).await;
    app
}

async fn invoice(folder: &Path, arguments: &[&str]) -> Said {
    let mut command = hocphi(["invoice"]);
    command.args(arguments).current_dir(folder);
    run(command).await
}

fn names(zip: &Path) -> Vec<String> {
    let files = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    let mut names: Vec<String> = files
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_period_is_taken_along_and_the_archive_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let app = installation(folder.path()).await;
    app.db.close().await;
    let url = embedded(folder.path());
    // The master key lies beside the database and need not be named.
    let from = ["--database-url", &url];
    let period = ["--from", "2026-11-01", "--to", "2026-11-30", "out.zip"];
    let export = [&["export"], &from[..], &period[..]].concat();
    let said = invoice(folder.path(), &export).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let out = folder.path().join("out.zip");
    assert_eq!(
        names(&out),
        [
            "index.csv",
            "s1/2026-11/1C26TAA-1.pdf",
            "s1/2026-11/1C26TAA-1.xml",
            "s1/2026-11/PT26-1.pdf",
            "s1/2026-11/PT26-1.xml",
        ]
    );
    // Nothing is written over.
    let again = invoice(folder.path(), &export).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    let check = [&["archive", "check"], &from[..]].concat();
    let said = invoice(folder.path(), &check).await;
    assert!(said.out.contains("2 tệp trong kho: nguyên vẹn"), "{said:?}");

    let correct = [
        &["correct"],
        &from[..],
        &["--school", "s1", "--invoice", "1C26TAA-1"],
        &["--method", "adjust", "--why", "sai tiền"],
    ]
    .concat();
    let said = invoice(folder.path(), &correct).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.out.contains("1. Học phí tháng 11  3.200.000"),
        "{said:?}"
    );
    let refused = [&correct[..], &["--amount", "1=3000000"]].concat();
    let said = invoice(folder.path(), &refused).await;
    assert_eq!(said.code, Some(1));
    assert!(
        said.err
            .contains("Chỉ xử lý được hóa đơn đã được cơ quan thuế tiếp nhận"),
        "{said:?}"
    );
    for (mistake, answer) in [
        ("--amount=9=1", "hóa đơn có các khoản từ 1 đến 2"),
        ("--amount=1=nhiều", "không đọc được số tiền"),
        ("--rate=1=11%", "không đọc được thuế suất"),
    ] {
        let said = invoice(folder.path(), &[&correct[..], &[mistake]].concat()).await;
        assert!(
            said.code == Some(1) && said.err.contains(answer),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn files_of_every_sort_are_answered_with_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let good = samples::signed(Form::Vat);
    let text = String::from_utf8(good.clone()).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    write("good.xml", &good);
    write("marked.xml", format!("\u{feff}{text}").as_bytes());
    write(
        "changed.xml",
        text.replacen("HS000123", "HS000124", 1).as_bytes(),
    );
    write("utf16.xml", &[&[0xff, 0xfe][..], &utf16].concat());
    write(
        "other.xml",
        format!("<?xml version=\"1.0\" encoding=\"windows-1258\"?>{text}").as_bytes(),
    );
    write("empty.xml", b"");
    write("paper.pdf", b"%PDF-1.7");
    write("large.xml", &vec![b' '; 50_000_000]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let verify = [
        "verify",
        "--json",
        "good.xml",
        "marked.xml",
        "changed.xml",
        "utf16.xml",
        "other.xml",
        "empty.xml",
        "paper.pdf",
        "large.xml",
        "folder",
        "nothing.xml",
    ];
    let said = invoice(folder.path(), &verify).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    let answers: Vec<(String, bool, String)> = said
        .out
        .lines()
        .map(|line| {
            let answer: Value = serde_json::from_str(line).unwrap();
            let rule = answer["findings"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|finding| finding["severity"] == "error")
                .map(|finding| finding["rule"].clone());
            let said = rule.unwrap_or(answer["code"].clone());
            (
                answer["file"].as_str().unwrap().to_owned(),
                answer["valid"].as_bool().unwrap(),
                said.as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    let of = |file: &str, valid, said: &str| (file.to_owned(), valid, said.to_owned());
    assert_eq!(
        answers,
        [
            of("good.xml", true, ""),
            of("marked.xml", true, ""),
            of("changed.xml", false, "signature.invalid"),
            of("utf16.xml", false, "xml.unreadable"),
            of("other.xml", false, "xml.unreadable"),
            of("empty.xml", false, "xml.unreadable"),
            of("paper.pdf", false, "xml.unreadable"),
            of("large.xml", false, "FILE_TOO_LARGE"),
            of("folder", false, "NOT_A_FILE"),
            of("nothing.xml", false, "FILE_MISSING"),
        ]
    );
    let one = async |name| invoice(folder.path(), &["verify", name]).await;
    assert_eq!(one("good.xml").await.code, Some(0));
    assert_eq!(one("changed.xml").await.code, Some(1));

    let paper = [
        "pdf",
        "-o",
        "paper.zip",
        "good.xml",
        "changed.xml",
        "marked.xml",
    ];
    let said = invoice(folder.path(), &paper).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("changed.xml"), "{said:?}");
    let zip = folder.path().join("paper.zip");
    assert_eq!(names(&zip), ["good.pdf", "marked.pdf"]);
}
