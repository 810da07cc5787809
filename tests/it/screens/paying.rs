//! Families pay by transfer, by button and without scripts; the school and its office see it.

use std::collections::BTreeMap;
use std::time::Duration;

use hocphi::invoices::verify::{Trust, verify};

use super::browser::{Browser, Driver, PATIENCE};
use super::stage::Stage;
use crate::program;

/// From the bank's confirmation to the open page of the family.
const PAID_SHOWN_WITHIN: Duration = Duration::from_secs(2);
const INVOICE_SHOWN_WITHIN: Duration = Duration::from_secs(5);
const PAID: &str = "Đã nộp đủ";

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_shows_on_the_open_bill_within_two_seconds_and_reaches_school_and_office() {
    let _turn = program::TURN.lock().await;
    let Some(driver) = Driver::start() else {
        return;
    };
    let stage = Stage::open().await;
    let (link, code) = stage.bills[0].clone();
    let office = officer(&driver, &stage).await;
    let before = settled_by_school(&office).await;

    let phone = driver.phone().await;
    by_code_the_child_is_masked(&phone, &stage, &code).await;
    phone.go(&link).await;
    let school = phone.text(".bill-head .school").await;
    let child = phone.text(".bill-head dl dd").await;
    assert!(!child.contains('•'), "{child}");
    let amount = plain(&phone.text(".to-pay strong").await);
    lines_add_up(&phone, &amount).await;
    let qr = phone.attribute("[data-vietqr]", "data-vietqr").await;
    assert!(
        qr.starts_with("000201") && qr.contains(&code) && qr.contains(&digits(&amount)),
        "{qr}"
    );
    phone.fits("the unpaid bill").await;
    phone.picture("bill-unpaid").await;

    // The bank is another app on another telephone; the page stays open and is not touched.
    let bank = driver.phone().await;
    bank.go(&link).await;
    bank.press("a[href*='/bank/pay']").await;
    bank.fits("the bank").await;
    bank.picture("bank").await;
    bank.press("button.main").await;
    let (confirmed, _) = bank.text_with("main", "Đã chuyển", PATIENCE).await;
    assert!(plain(&confirmed).contains(&amount), "{confirmed}");
    let (_, paid_after) = phone
        .text_with("#status .status-head", PAID, PAID_SHOWN_WITHIN)
        .await;
    let (invoice, invoice_after) = phone
        .text_with("#status .invoice", "Tải tệp gốc", INVOICE_SHOWN_WITHIN)
        .await;
    eprintln!("paid shown after {paid_after:?}, its invoice {invoice_after:?} later");
    bank.close_without_complaint().await;

    let number = phone.text("#status .invoice strong").await;
    assert!(number.parse::<u32>().is_ok(), "{invoice}");
    assert!(!phone.has("[data-vietqr]").await, "nothing is left to pay");
    phone
        .text_with("#status .invoice", "mã", INVOICE_SHOWN_WITHIN)
        .await;
    phone.fits("the paid bill").await;
    phone.picture("bill-paid").await;
    invoice_is_genuine(&phone, &stage).await;
    phone.close_without_complaint().await;

    accountant_sees_it(&driver, &stage, &school, &code, &amount, &number).await;

    // The money moved the figure of this school and of no other.
    let mut expected = before;
    *expected.get_mut(&school).expect("a school of the office") +=
        digits(&amount).parse::<i64>().expect("an amount");
    office.go(&format!("{}/quan-ly", stage.base)).await;
    assert_eq!(settled_by_school(&office).await, expected);
    office.fits("the office").await;
    office.picture("office").await;
    office.close_without_complaint().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vnpay_button_leads_there_and_back_with_scripts_and_without() {
    let _turn = program::TURN.lock().await;
    let Some(driver) = Driver::start() else {
        return;
    };
    let stage = Stage::open().await;

    let phone = driver.phone().await;
    let (link, _) = &stage.bills[1];
    phone.go(link).await;
    let amount = plain(&phone.text(".to-pay strong").await);
    lines_add_up(&phone, &amount).await;
    through_vnpay(&phone, link, "vnpay").await;
    phone
        .text_with("#status .status-head", PAID, PATIENCE)
        .await;
    phone
        .text_with("#status .invoice", "Tải tệp gốc", PATIENCE)
        .await;
    phone.picture("vnpay-paid").await;
    phone.close_without_complaint().await;

    let phone = driver.phone_without_script().await;
    let (link, code) = &stage.bills[2];
    by_code_the_child_is_masked(&phone, &stage, code).await;
    phone.go(link).await;
    assert!(
        phone.has("[data-vietqr] svg").await,
        "the code is a picture"
    );
    phone.picture("without-script").await;
    through_vnpay(&phone, link, "without-script").await;
    let returned = phone.text("#status .status-head").await;
    phone.picture("without-script-returned").await;
    // The page does not ask by itself: a link of its own asks again, for those who do not know
    // how to reload on a telephone.
    let again = format!("main a[href^='{}']:not([download])", path_of(link));
    let deadline = std::time::Instant::now() + PATIENCE;
    while !phone.has("#status .invoice a[download]").await {
        assert!(
            phone.has(&again).await,
            "{returned:?}, and no link that asks again"
        );
        assert!(std::time::Instant::now() < deadline, "never documented");
        phone.press(&again).await;
    }
    phone
        .text_with("#status .status-head", PAID, PATIENCE)
        .await;
    phone.picture("without-script-paid").await;
    phone.close_without_complaint().await;
}

/// The code as people type it: lower case, in groups. Whoever has only the code learns no name.
async fn by_code_the_child_is_masked(phone: &Browser, stage: &Stage, code: &str) {
    phone.go(&format!("{}/", stage.base)).await;
    phone.picture("find").await;
    let typed: Vec<String> = code
        .to_lowercase()
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    phone.write("#code", &typed.join(" ")).await;
    phone.press("form .button").await;
    let child = phone.text(".bill-head dl dd").await;
    assert!(child.contains('•'), "{child}");
    assert!(phone.address().await.ends_with(code));
}

/// The items of the bill add up to what is asked for.
async fn lines_add_up(phone: &Browser, amount: &str) {
    let shown = phone
        .script(
            "return [...document.querySelectorAll('.lines tbody')]
               .map(item => [...item.querySelectorAll('td.num')].at(-1).textContent)",
        )
        .await;
    let lines: Vec<String> = serde_json::from_value(shown).expect("texts");
    let total: i64 = lines
        .iter()
        .map(|line| digits(line).parse::<i64>().expect("an amount"))
        .sum();
    assert!(!lines.is_empty());
    assert_eq!(total.to_string(), digits(amount), "{lines:?}");
}

/// From the bill over the gateway's page back to the bill.
async fn through_vnpay(phone: &Browser, link: &str, name: &str) {
    phone.go(link).await;
    let amount = plain(&phone.text(".to-pay strong").await);
    phone.press("form[action*='vnpay'] button").await;
    let (page, _) = phone
        .text_with("main", "Thanh toán thành công", PATIENCE)
        .await;
    assert!(plain(&page).contains(&amount), "{page}");
    phone.picture(&format!("{name}-gateway")).await;
    phone.press("button[value='paid']").await;
    phone.text("#status").await;
    assert!(phone.address().await.contains(path_of(link)));
}

/// The file behind the link of the page is a signed and coded invoice.
async fn invoice_is_genuine(phone: &Browser, stage: &Stage) {
    let path = phone
        .attribute("#status .invoice a[download]", "href")
        .await;
    let address = if path.starts_with("http") {
        path
    } else {
        format!("{}{path}", stage.base)
    };
    let bytes = async {
        reqwest::get(&address)
            .await?
            .error_for_status()?
            .bytes()
            .await
    }
    .await
    .expect("the invoice");
    let report = verify(&bytes, Trust::default());
    assert!(report.valid, "{:?}", report.findings);
    assert!(String::from_utf8_lossy(&bytes).contains("<MCCQT"));
}

async fn sign_in(desk: &Browser, stage: &Stage, (login, password): (&str, &str)) {
    desk.go(&format!("{}/dang-nhap", stage.base)).await;
    desk.picture("sign-in").await;
    desk.write("#login", login).await;
    desk.write("#password", password).await;
    desk.press("form.card .button").await;
    desk.text("form.out").await;
}

/// The school's books show what came in, what it settled, and the invoice.
async fn accountant_sees_it(
    driver: &Driver,
    stage: &Stage,
    school: &str,
    code: &str,
    amount: &str,
    invoice: &str,
) {
    let desk = driver.desk().await;
    let login = stage.login_of(|who| who.ends_with(school));
    sign_in(&desk, stage, login).await;
    desk.fits("the overview").await;
    desk.picture("accountant-overview").await;
    desk.press("nav.tabs a[href='/ke-toan/receipts']").await;
    desk.write("#q", code).await;
    desk.press("form.filters .button").await;
    let (row, _) = desk.text_with("table.data tbody tr", code, PATIENCE).await;
    assert!(plain(&row).contains(amount), "{row}");
    desk.fits("the receipts").await;
    desk.picture("accountant-receipts").await;
    desk.press("table.data tbody td a").await;
    let settled = desk.text("[aria-labelledby='parts-title']").await;
    assert!(settled.contains(code), "{settled}");
    let total = desk.text("[aria-labelledby='parts-title'] tfoot td").await;
    assert_eq!(plain(&total), amount);
    let journal = desk.text("[aria-labelledby='journal-title'] tfoot").await;
    assert_eq!(
        plain(&journal).matches(amount).count(),
        2,
        "debit and credit: {journal}"
    );
    let document = desk.text("[aria-labelledby='invoice-title'] strong").await;
    assert_eq!(document.rsplit('-').next(), Some(invoice), "{document}");
    desk.fits("the receipt").await;
    desk.picture("accountant-receipt").await;
    desk.close_without_complaint().await;
}

/// Somebody of the office over all schools.
async fn officer(driver: &Driver, stage: &Stage) -> Browser {
    let desk = driver.desk().await;
    let login = stage.login_of(|who| who.starts_with("Sở Giáo dục"));
    sign_in(&desk, stage, login).await;
    desk
}

/// What the office sees as settled, by school.
async fn settled_by_school(desk: &Browser) -> BTreeMap<String, i64> {
    let rows = desk
        .script(
            "return [...document.querySelectorAll('table.data tbody tr:not(.group)')]
               .map(row => [row.querySelector('th').textContent, row.cells[3].textContent])",
        )
        .await;
    let rows: Vec<(String, String)> = serde_json::from_value(rows).expect("pairs of texts");
    rows.into_iter()
        .map(|(school, settled)| (school, digits(&settled).parse().expect("an amount")))
        .collect()
}

/// Amounts are kept together with a no-break space.
fn plain(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// `/b/KEY` of an address.
fn path_of(link: &str) -> &str {
    &link[link.find("/b/").expect("a link to a bill")..]
}
