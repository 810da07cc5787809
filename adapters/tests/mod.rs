//! The shipped providers: their own vectors, the traps of their references, and hostile bytes.

mod hostile;
mod sepay;
mod vnpay;

use std::sync::{Arc, LazyLock};

use crate::contract::{Adapter, Notice, Notices, Rejection};
use crate::kit::{self, Verdict};
use crate::registry::Registry;

static SHIPPED: LazyLock<Registry> = LazyLock::new(Registry::builtin);

fn adapter(name: &str) -> Arc<dyn Adapter> {
    assert_eq!(SHIPPED.faults(), [], "shipped recipes compile");
    SHIPPED.get(name).expect("shipped provider")
}

fn misses(name: &str, vectors: &str) -> (usize, Vec<String>) {
    let results = kit::run(adapter(name).as_ref(), vectors).expect("a vector file");
    let misses = results
        .iter()
        .filter(|result| result.verdict != Verdict::Pass)
        .map(|result| format!("{}: {:?}", result.name, result.differences))
        .collect();
    (results.len(), misses)
}

#[test]
fn every_vnpay_vector_passes() {
    let (count, misses) = misses("vnpay", include_str!("../vnpay/vectors.json"));
    assert_eq!(misses, [""; 0]);
    assert!(count >= 21, "the file lost vectors: {count}");
}

#[test]
fn every_sepay_vector_passes() {
    let (count, misses) = misses("sepay", include_str!("../sepay/vectors.json"));
    assert_eq!(misses, [""; 0]);
    assert!(count >= 11, "the file lost vectors: {count}");
}

fn one(read: Result<Notices, Rejection>) -> Result<Notice, Rejection> {
    let mut notices = read?.read;
    assert_eq!(notices.len(), 1);
    Ok(notices.remove(0).into_inner())
}
