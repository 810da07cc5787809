//! The shipped providers: their own vectors, the traps of their references, and hostile bytes.

mod acks;
mod hostile;
mod listing;
mod replies;
mod rotation;
mod sepay;
mod vnpay;

use std::sync::{Arc, LazyLock};

use crate::contract::{Adapter, Notice, Notices, Rejection};
use crate::kit::{self, Verdict};
use crate::registry::Registry;

static SHIPPED: LazyLock<Registry> = LazyLock::new(Registry::builtin);

fn adapter(name: &str) -> Arc<dyn Adapter> {
    assert_eq!(SHIPPED.faults(), [], "shipped recipes compile");
    Arc::clone(&SHIPPED.entry(name).expect("shipped provider").adapter)
}

fn misses(name: &str, vectors: &str) -> (usize, Vec<String>) {
    let results = kit::run(adapter(name).as_ref(), vectors).expect("a vector file");
    let misses = results
        .iter()
        .filter(|result| result.verdict == Verdict::Miss)
        .map(|result| format!("{}: {:?}", result.name, result.differences))
        .collect();
    (results.len(), misses)
}

/// Fewest vectors of each provider: a file that lost some would pass silently.
const VECTORS: [(&str, &str, usize); 18] = [
    (
        "bank_webhook",
        include_str!("../bank_webhook/vectors.json"),
        5,
    ),
    ("pay2s", include_str!("../pay2s/vectors.json"), 1),
    ("shopeepay", include_str!("../shopeepay/vectors.json"), 1),
    (
        "vietcombank",
        include_str!("../vietcombank/vectors.json"),
        1,
    ),
    (
        "viettel_money",
        include_str!("../viettel_money/vectors.json"),
        1,
    ),
    ("alepay", include_str!("../alepay/vectors.json"), 1),
    ("bank_bidv", include_str!("../bank_bidv/vectors.json"), 10),
    (
        "bank_vietinbank",
        include_str!("../bank_vietinbank/vectors.json"),
        4,
    ),
    ("casso", include_str!("../casso/vectors.json"), 10),
    ("momo", include_str!("../momo/vectors.json"), 21),
    ("ninepay", include_str!("../ninepay/vectors.json"), 5),
    ("onepay", include_str!("../onepay/vectors.json"), 18),
    ("payos", include_str!("../payos/vectors.json"), 11),
    ("sepay", include_str!("../sepay/vectors.json"), 11),
    ("sepay_pg", include_str!("../sepay_pg/vectors.json"), 7),
    (
        "vietqr_callback",
        include_str!("../vietqr_callback/vectors.json"),
        6,
    ),
    ("vnpay", include_str!("../vnpay/vectors.json"), 21),
    ("zalopay", include_str!("../zalopay/vectors.json"), 15),
];

#[test]
fn every_vector_of_the_reference_passes() {
    let mut all = Vec::new();
    for (name, vectors, fewest) in VECTORS {
        let (count, misses) = misses(name, vectors);
        assert!(count >= fewest, "{name} lost vectors: {count}");
        all.extend(misses.into_iter().map(|miss| format!("{name}: {miss}")));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

macro_rules! more {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("more/", $name, ".json")))),*]
    };
}

/// Made by `more/make.py`: Vietnamese in both normal forms, emoji, `+ % &`, empty, unknown, reordered
/// and repeated fields, in every way serialisers write them.
#[test]
fn every_further_vector_passes() {
    let mut all = Vec::new();
    let mut total = 0;
    for (name, vectors) in more!(
        "alepay",
        "bank_bidv",
        "bank_vietinbank",
        "casso",
        "momo",
        "ninepay",
        "onepay",
        "payos",
        "sepay",
        "sepay_pg",
        "vietqr_callback",
        "vnpay",
        "zalopay",
    ) {
        let (count, misses) = misses(name, vectors);
        assert!(count >= 37, "{name} lost vectors: {count}");
        total += count;
        all.extend(misses.into_iter().map(|miss| format!("{name}: {miss}")));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    assert!(total >= 700, "{total}");
}

fn one(read: Result<Notices, Rejection>) -> Result<Notice, Rejection> {
    let mut notices = read?.read;
    assert_eq!(notices.len(), 1);
    Ok(notices.remove(0).into_inner())
}
