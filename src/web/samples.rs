//! One test renders every page in every sample and language, and holds the HTML to the house rules.

use std::collections::BTreeSet;
use std::path::Path;

use askama::Template;

use super::errors::ErrorPage;
use super::language::Language;
use super::layout::Shell;
use super::sign_in::SignInPage;
use crate::fees::pages::{BillPage, FindPage};
use crate::invoices::life::pages::{CorrectPage, CorrectionsPage, DeadlinesPage};
use crate::invoices::pages::{ArchivePage, DocumentPage, LookupPage};
use crate::jobs::pages::JobsPage;
use crate::payments::pages::{
    BillDetailPage, BillsPage, ConnectionsPage, HandoverPage, MessagePage, MessagesPage,
    OverviewPage, ReceiptPage, ReceiptsPage, ReviewItemPage, ReviewPage, RoundPage, RoundsPage,
    ScanPage, SuspenseItemPage, SuspensePage,
};
use crate::refunds::pages::{NewRefundPage, RefundPage, RefundsPage};
use crate::reports::pages::OfficePage;
use crate::schools::pages::ImportPage;

fn rendered<T: Template>(name: &str, pages: Vec<T>, all: &mut Vec<(String, String)>) {
    for (place, page) in pages.iter().enumerate() {
        let html = page.render().expect("a sample renders");
        all.push((format!("{name}-{place}"), html));
    }
}

/// Every page by name.
fn every_page(language: Language) -> Vec<(String, String)> {
    let visitor = Shell::sample(language, "/", None);
    let accountant = |here| Shell::sample(language, here, Some(true));
    let officer = Shell::sample(language, "/quan-ly", Some(false));
    let mut all = Vec::new();
    rendered("error", ErrorPage::samples(&visitor), &mut all);
    rendered("sign-in", SignInPage::samples(&visitor), &mut all);
    rendered("find", FindPage::samples(&visitor), &mut all);
    rendered("bill", BillPage::samples(&visitor), &mut all);
    rendered("lookup", LookupPage::samples(&visitor), &mut all);
    rendered("document", DocumentPage::samples(&visitor), &mut all);
    let archive = accountant("/ke-toan/archive");
    rendered("archive", ArchivePage::samples(&archive), &mut all);
    rendered("handover", HandoverPage::samples(&visitor), &mut all);
    rendered("scan", ScanPage::samples(&visitor), &mut all);
    rendered(
        "overview",
        OverviewPage::samples(&accountant("/ke-toan")),
        &mut all,
    );
    let receipts = accountant("/ke-toan/receipts");
    rendered("receipts", ReceiptsPage::samples(&receipts), &mut all);
    rendered("receipt", ReceiptPage::samples(&receipts), &mut all);
    let bills = accountant("/ke-toan/bills");
    rendered("bills", BillsPage::samples(&bills), &mut all);
    rendered("bill-detail", BillDetailPage::samples(&bills), &mut all);
    let suspense = accountant("/ke-toan/suspense");
    rendered("suspense", SuspensePage::samples(&suspense), &mut all);
    rendered(
        "suspense-item",
        SuspenseItemPage::samples(&suspense),
        &mut all,
    );
    rendered("review", ReviewPage::samples(&suspense), &mut all);
    rendered("review-item", ReviewItemPage::samples(&suspense), &mut all);
    let jobs = accountant("/ke-toan/jobs");
    rendered("jobs", JobsPage::samples(&jobs), &mut all);
    let refunds = accountant("/ke-toan/refunds");
    rendered("refunds", RefundsPage::samples(&refunds), &mut all);
    rendered("refund-new", NewRefundPage::samples(&refunds), &mut all);
    rendered("refund", RefundPage::samples(&refunds), &mut all);
    let corrections = accountant("/ke-toan/corrections");
    rendered(
        "corrections",
        CorrectionsPage::samples(&corrections),
        &mut all,
    );
    rendered("correct", CorrectPage::samples(&corrections), &mut all);
    rendered("deadlines", DeadlinesPage::samples(&corrections), &mut all);
    let connections = accountant("/ke-toan/connections");
    rendered(
        "connections",
        ConnectionsPage::samples(&connections),
        &mut all,
    );
    rendered("messages", MessagesPage::samples(&connections), &mut all);
    rendered("message", MessagePage::samples(&connections), &mut all);
    let rounds = accountant("/ke-toan/rounds");
    rendered("rounds", RoundsPage::samples(&rounds), &mut all);
    rendered("round", RoundPage::samples(&rounds), &mut all);
    let import = accountant("/ke-toan/import");
    rendered("import", ImportPage::samples(&import), &mut all);
    rendered("office", OfficePage::samples(&officer), &mut all);
    all
}

/// The values of an attribute.
fn values<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
    html.split(&format!(" {attribute}=\""))
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

#[test]
fn every_page_keeps_the_house_rules_of_html() {
    for language in [Language::Vietnamese, Language::English] {
        for (name, html) in every_page(language) {
            let ids = values(&html, "id");
            let unique: BTreeSet<_> = ids.iter().collect();
            assert_eq!(ids.len(), unique.len(), "{name}: an id stands twice");
            for control in ["<input", "<select", "<textarea"] {
                for tag in html.split(control).skip(1) {
                    let tag = tag.split('>').next().unwrap();
                    if tag.contains("type=\"hidden\"") {
                        continue;
                    }
                    let [id, ..] = values(tag, "id")[..] else {
                        panic!("{name}: a control without id: {tag}")
                    };
                    assert!(
                        html.contains(&format!("<label for=\"{id}\"")),
                        "{name}: {id} has no label"
                    );
                }
            }
            for reference in ["aria-labelledby", "aria-describedby", "data-copy"] {
                for target in values(&html, reference).iter().flat_map(|v| v.split(' ')) {
                    assert!(ids.contains(&target), "{name}: {reference} misses {target}");
                }
            }
            assert!(!html.contains(" style="), "{name}: inline style");
            assert!(!html.contains("<style"), "{name}: inline style sheet");
            assert!(!html.contains("javascript:"), "{name}: script address");
            for tag in html.split("<script").skip(1) {
                assert!(tag.starts_with(" src=\"/static/"), "{name}: inline script");
            }
            for event in ["onclick", "onload", "onsubmit", "onerror"] {
                assert!(!html.contains(event), "{name}: inline handler");
            }
            for address in values(&html, "src") {
                assert!(address.starts_with("/static/"), "{name}: {address}");
            }
            assert_eq!(html.matches("<h1").count(), 1, "{name}: one main heading");
            assert_eq!(html.matches("<main ").count(), 1, "{name}: one main part");
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
            for tag in [
                "table", "form", "section", "ul", "dl", "p", "div", "a", "tr", "td", "th",
            ] {
                let opened = html.matches(&format!("<{tag}>")).count()
                    + html.matches(&format!("<{tag} ")).count();
                let closed = html.matches(&format!("</{tag}>")).count();
                assert_eq!(opened, closed, "{name}: <{tag}> is not closed");
            }
            assert!(
                !html.contains("{ $"),
                "{name}: a value is missing in a text"
            );
        }
    }
}

#[test]
fn a_bill_opened_by_its_code_does_not_name_the_child() {
    let pages = BillPage::samples(&Shell::sample(Language::Vietnamese, "/", None));
    let masked = pages.iter().find(|page| !page.shows_child).unwrap();
    let html = masked.render().unwrap();
    for secret in [
        masked.bill.pupil_name.as_str(),
        &masked.bill.class_name,
        &masked.bill.pupil_code,
        &masked.bill.payer_name,
    ] {
        assert!(!html.contains(secret), "{secret}");
    }
    assert!(html.contains("N••• H••• M••• A•••"));
}

/// Writes the samples to look at: `HOCPHI_SAMPLES=DIR cargo test --lib samples_can_be_looked_at`.
#[test]
fn samples_can_be_looked_at() {
    let Some(folder) = std::env::var_os("HOCPHI_SAMPLES") else {
        return;
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder.join("static")).unwrap();
    for name in ["app.css", "live.js", "icon.svg"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/static");
        std::fs::copy(source.join(name), folder.join("static").join(name)).unwrap();
    }
    for (language, pages) in [
        ("vi", every_page(Language::Vietnamese)),
        ("en", every_page(Language::English)),
    ] {
        for (name, html) in pages {
            std::fs::write(folder.join(format!("{name}.{language}.html")), html).unwrap();
        }
    }
}
