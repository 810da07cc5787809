//! A provider's list of movements: what is asked, what is believed, mistakes of its description.

use super::adapter;
use crate::contract::{Credentials, ListQuestion, Listing, Paging, Reception, Rejection, Reply};
use crate::recipe::Recipe;

const SEPAY: &str = include_str!("../sepay/adapter.toml");
const FROM: ListQuestion<'_> = ListQuestion {
    at_unix: 1_788_578_200,
    from_unix: Some(1_788_578_130),
    until_unix: None,
    after: None,
    page: 1,
};

fn credentials() -> Credentials {
    [("api_token", "token-1"), ("memo_pattern", "HP[0-9]{6}")]
        .into_iter()
        .collect()
}

fn read(status: u16, body: &str) -> Result<Listing, Rejection> {
    let reply = Reply {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    };
    adapter("sepay").read_list(&reply, &credentials())
}

#[test]
fn a_question_says_from_where_and_proves_itself() {
    let sepay = adapter("sepay");
    let list = sepay.profile().list.clone().expect("a list");
    assert_eq!((list.by_number, list.paging), (true, Paging::Until));
    let call = sepay.list(&FROM, &credentials()).unwrap();
    let address = "https://my.sepay.vn/userapi/transactions/list";
    assert_eq!(
        call.url,
        format!("{address}?limit=1000&transaction_date_min=2026-09-05+10%3A15%3A30")
    );
    let bearer = ("authorization".to_owned(), "Bearer token-1".to_owned());
    assert_eq!((call.method.as_str(), call.headers), ("GET", vec![bearer]));
    let further = ListQuestion {
        from_unix: None,
        until_unix: Some(1_788_578_130),
        after: Some("92000042"),
        ..FROM
    };
    let call = sepay.list(&further, &credentials()).unwrap();
    assert!(
        call.url
            .ends_with("&since_id=92000042&transaction_date_max=2026-09-05+10%3A15%3A30"),
        "{}",
        call.url
    );
    let keyless = sepay.list(&FROM, &Credentials::default()).unwrap_err();
    assert!(keyless.message.contains("api_token"), "{keyless}");
    assert!(adapter("vnpay").list(&FROM, &credentials()).is_err());
}

#[test]
fn rows_are_notices_under_their_own_numbers_and_one_bad_row_blocks_no_other() {
    let row = |id: &str, amount: &str| {
        format!(
            r#"{{"id":{id},"account_number":"1","transaction_date":"2026-09-05 10:15:30","amount_in":"{amount}","amount_out":"0.00","transaction_content":"nop HP000042","code":null}}"#
        )
    };
    let rows = [
        row("7", "5000.00"),
        row("null", "5000.00"),
        row("\"8\"", "5000.50"),
        row("9", "0.00"),
    ];
    let body = format!(r#"{{"status":200,"transactions":[{}]}}"#, rows.join(","));
    let listing = read(200, &body).unwrap();
    let told: Vec<_> = listing
        .rows
        .iter()
        .map(|row| {
            (
                row.notice.transaction_id.as_deref(),
                row.notice.amount.get(),
                row.notice.remark,
            )
        })
        .collect();
    let outgoing = Some(crate::contract::Reason::Outgoing);
    assert_eq!(told, [(Some("7"), 5_000, None), (Some("9"), 0, outgoing)]);
    assert_eq!(listing.rows[0].raw, rows[0]);
    assert_eq!(
        listing.rows[0].notice.order_ref.as_deref(),
        Some("HP000042")
    );
    assert_eq!(listing.unreadable.len(), 2);
}

#[test]
fn what_is_no_list_is_never_an_empty_one() {
    for body in [
        "",
        "[]",
        "{",
        r#"{"status":200}"#,
        r#"{"status":200,"transactions":null}"#,
    ] {
        assert!(read(200, body).is_err(), "{body}");
    }
    let many = vec!["{}"; 1_001].join(",");
    assert!(read(200, &format!(r#"{{"status":200,"transactions":[{many}]}}"#)).is_err());
    let refused = r#"{"status":401,"error":"Unauthorized","transactions":[]}"#;
    for (status, reception) in [
        (429, Reception::Later),
        (401, Reception::Unclear),
        (200, Reception::Unclear),
    ] {
        assert_eq!(
            read(status, refused).unwrap().reception,
            reception,
            "{status}"
        );
    }
    // A page of a thousand rows is longer than any message.
    let long = "x".repeat(600 * 1_024);
    let body = format!(r#"{{"status":200,"transactions":[],"note":"{long}"}}"#);
    assert!(read(200, &body).unwrap().rows.is_empty());
}

#[test]
fn mistakes_of_a_list_are_told_with_their_lines() {
    for (from, to, why) in [
        (
            "needs = \"api_token\"",
            "needs = \"token\"",
            "there is no [[credential]] token",
        ),
        (
            "every = 600",
            "every = 5",
            "every is from 60 seconds to a day",
        ),
        ("page = 1000", "page = 5000", "page is from 2 to 1000 rows"),
        (
            "from = \"list_size\"",
            "from = \"order_ref\"",
            "[request.list] cannot say this",
        ),
        (
            "{api_url}/transactions/list",
            "{api_url}/{order_ref}",
            "{order_ref} is not known when the list is asked for",
        ),
        (
            "each = \"transactions\"\n",
            "",
            "[reply.list] needs each and row",
        ),
        ("[list]\n", "[listing]\n", "unknown field `listing`"),
        (
            "from = \"transactions.id\", required",
            "from = \"transactions.id\", requires",
            "unknown field `requires`",
        ),
    ] {
        assert!(SEPAY.contains(from), "{from}");
        let text = SEPAY.replacen(from, to, 1);
        let faults = Recipe::compile("f", &text).expect_err(why);
        assert!(
            faults.iter().any(|fault| fault.reason.contains(why)),
            "{why}: {faults:?}"
        );
        assert!(faults.iter().all(|fault| fault.line > 1), "{faults:?}");
    }
}
