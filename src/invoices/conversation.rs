//! What the authority has said about one message, from all its replies so far. Pure.
//!
//! Replies come late, twice, in any order and through more than one carrier, so a conversation is read
//! as a whole each time: the same set of replies always says the same, and a further reply never takes
//! a conclusion back (einvoice §4.3).
//!
//! ```text
//! 100 ─ 999 ─ 102 ─ 103            registered or refused
//! 200 ─ 999 ─ 202 | 204            coded or refused
//! 203 ─ 999 ─ 204                  taken or refused
//! 300 ─ 999 ─ 301                  a verdict for each invoice
//! ```

use super::messages::{InvoiceVerdict, Reason, Reply, Request};

/// Code of "message already received" (einvoice §4.5): no refusal, the first one counts.
const DUPLICATE_MESSAGE: &str = "1002";
/// LTBao "the whole package is valid".
const PACKAGE_VALID: &str = "2";

/// Where a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing final yet: whether a technical receipt came, and, of a registration, the notice that it
    /// was admitted for examination.
    Waiting { received: bool, admitted: bool },
    /// 200: the invoices with the authority's code, verbatim.
    Coded { invoices: Vec<String> },
    /// 203: the package was taken.
    Taken,
    /// 100: registered; with the five characters of cash-register codes, if there are any.
    Registered { cash_code: Option<String> },
    /// 300: what became of each invoice.
    Judged(Vec<InvoiceVerdict>),
    /// By which reply, and why.
    Refused {
        by: &'static str,
        reasons: Vec<Reason>,
    },
}

impl Standing {
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Waiting { .. })
    }
}

/// Reads a conversation that began with `request`.
pub fn standing(request: Request, replies: &[Reply]) -> Standing {
    let mut received = false;
    let mut admitted = false;
    let mut not_taken = None;
    let mut refused: Option<Standing> = None;
    let mut done: Option<Standing> = None;
    for reply in replies {
        match (request, reply) {
            (_, Reply::Received { accepted: true, .. }) => received = true,
            (_, Reply::Received { reasons, .. }) => {
                // A copy of what was taken already.
                if reasons
                    .iter()
                    .any(|reason| reason.code == DUPLICATE_MESSAGE)
                {
                    received = true;
                } else {
                    first(&mut not_taken, refusal("999", reasons));
                }
            }
            (Request::Code, Reply::Coded { invoices }) => first(
                &mut done,
                Standing::Coded {
                    invoices: invoices.clone(),
                },
            ),
            (Request::Code, Reply::Checked { reasons, .. }) => {
                first(&mut refused, refusal("204", reasons));
            }
            (Request::Deliver, Reply::Checked { result, reasons }) => {
                if result == PACKAGE_VALID {
                    first(&mut done, Standing::Taken);
                } else {
                    first(&mut refused, refusal("204", reasons));
                }
            }
            (Request::Register, Reply::Admitted { accepted, reasons }) => {
                if *accepted {
                    admitted = true;
                } else {
                    first(&mut refused, refusal("102", reasons));
                }
            }
            (
                Request::Register,
                Reply::Decided {
                    accepted,
                    cash_code,
                    reasons,
                },
            ) => {
                if *accepted {
                    let cash_code = cash_code.clone();
                    first(&mut done, Standing::Registered { cash_code });
                } else {
                    first(&mut refused, refusal("103", reasons));
                }
            }
            (Request::Notice, Reply::Judged { invoices, reasons }) => {
                if invoices.is_empty() {
                    first(&mut refused, refusal("301", reasons));
                } else {
                    first(&mut done, Standing::Judged(invoices.clone()));
                }
            }
            // Of another conversation: nothing that may move this one.
            (
                Request::Code | Request::Deliver | Request::Register | Request::Notice,
                Reply::Coded { .. }
                | Reply::Checked { .. }
                | Reply::Admitted { .. }
                | Reply::Decided { .. }
                | Reply::Judged { .. }
                | Reply::Other { .. },
            ) => {}
        }
    }
    // What the authority did outweighs what it did not do a second time: an invoice that came in by two
    // carriers is coded once and refused once.
    done.or(refused)
        // Received after all: a copy was taken where another one was not.
        .or_else(|| not_taken.filter(|_| !received && !admitted))
        .unwrap_or(Standing::Waiting { received, admitted })
}

fn refusal(by: &'static str, reasons: &[Reason]) -> Standing {
    Standing::Refused {
        by,
        reasons: reasons.to_vec(),
    }
}

fn first(place: &mut Option<Standing>, found: Standing) {
    place.get_or_insert(found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reason(code: &str) -> Reason {
        Reason {
            code: code.into(),
            text: "sai".into(),
            advice: String::new(),
        }
    }

    fn received(code: Option<&str>) -> Reply {
        Reply::Received {
            accepted: code.is_none(),
            reasons: code.into_iter().map(reason).collect(),
        }
    }

    fn checked(result: &str) -> Reply {
        Reply::Checked {
            result: result.into(),
            reasons: vec![reason("3001")],
        }
    }

    fn coded() -> Reply {
        Reply::Coded {
            invoices: vec!["<HDon></HDon>".into()],
        }
    }

    fn admitted(accepted: bool) -> Reply {
        Reply::Admitted {
            accepted,
            reasons: vec![reason("9992")],
        }
    }

    fn decided(accepted: bool) -> Reply {
        Reply::Decided {
            accepted,
            cash_code: None,
            reasons: vec![reason("2005")],
        }
    }

    fn judged() -> Reply {
        Reply::Judged {
            invoices: vec![InvoiceVerdict {
                form: "1".into(),
                symbol: "C26TAA".into(),
                number: "1".into(),
                accepted: true,
                reasons: Vec::new(),
            }],
            reasons: Vec::new(),
        }
    }

    fn by(standing: &Standing) -> &'static str {
        match standing {
            Standing::Refused { by, .. } => by,
            _ => "",
        }
    }

    #[test]
    fn a_coded_invoice_is_coded_whatever_else_is_said() {
        let waiting = |received| Standing::Waiting {
            received,
            admitted: false,
        };
        assert_eq!(standing(Request::Code, &[]), waiting(false));
        assert_eq!(standing(Request::Code, &[received(None)]), waiting(true));
        assert_eq!(by(&standing(Request::Code, &[checked("1")])), "204");
        for replies in [
            vec![received(None), coded()],
            vec![coded(), coded()],
            vec![checked("1"), coded()],
            vec![received(Some("1000")), coded()],
        ] {
            assert!(matches!(
                standing(Request::Code, &replies),
                Standing::Coded { .. }
            ));
        }
    }

    #[test]
    fn a_copy_of_a_message_is_no_refusal_and_a_bad_one_is() {
        let copy = standing(Request::Code, &[received(Some("1002"))]);
        assert!(matches!(copy, Standing::Waiting { received: true, .. }));
        assert_eq!(
            by(&standing(Request::Code, &[received(Some("1000"))])),
            "999"
        );
        let both = standing(Request::Code, &[received(Some("1000")), received(None)]);
        assert!(matches!(both, Standing::Waiting { received: true, .. }));
    }

    #[test]
    fn uncoded_invoices_are_taken_as_a_package_and_need_no_code() {
        assert_eq!(standing(Request::Deliver, &[checked("2")]), Standing::Taken);
        for result in ["3", "9"] {
            assert_eq!(by(&standing(Request::Deliver, &[checked(result)])), "204");
        }
        // LTBao 2 is no code.
        assert_eq!(by(&standing(Request::Code, &[checked("2")])), "204");
        assert!(!standing(Request::Deliver, &[coded()]).is_final());
    }

    #[test]
    fn a_registration_is_admitted_then_decided() {
        assert_eq!(
            standing(Request::Register, &[received(None), admitted(true)]),
            Standing::Waiting {
                received: true,
                admitted: true
            }
        );
        assert_eq!(by(&standing(Request::Register, &[admitted(false)])), "102");
        assert_eq!(
            by(&standing(
                Request::Register,
                &[admitted(true), decided(false)]
            )),
            "103"
        );
        assert!(matches!(
            standing(Request::Register, &[decided(true)]),
            Standing::Registered { .. }
        ));
    }

    #[test]
    fn a_notice_ends_with_a_verdict_for_each_invoice() {
        assert!(matches!(
            standing(Request::Notice, &[judged()]),
            Standing::Judged(verdicts) if verdicts.len() == 1
        ));
        let none = Reply::Judged {
            invoices: Vec::new(),
            reasons: vec![reason("80000")],
        };
        assert_eq!(by(&standing(Request::Notice, &[none])), "301");
    }

    proptest! {
        #[test]
        fn order_and_repeats_change_nothing_and_no_conclusion_is_taken_back(
            request in 0usize..4,
            drawn in prop::collection::vec(0usize..11, 0..7),
            turn in any::<prop::sample::Index>(),
        ) {
            let request =
                [Request::Code, Request::Deliver, Request::Register, Request::Notice][request];
            let all = [
                received(None), received(Some("1000")), received(Some("1002")), coded(),
                checked("1"), checked("2"), admitted(true), admitted(false), decided(true),
                decided(false), judged(),
            ];
            let replies: Vec<Reply> = drawn.iter().map(|&place| all[place].clone()).collect();
            let said = standing(request, &replies);
            let mut other = replies.clone();
            other.reverse();
            if !other.is_empty() {
                let middle = turn.index(other.len());
                other.rotate_left(middle);
            }
            other.extend(replies.clone());
            let again = standing(request, &other);
            // Which of two refusals is quoted may differ, never that there is one.
            prop_assert_eq!(
                std::mem::discriminant(&said),
                std::mem::discriminant(&again)
            );
            let is_success = |standing: &Standing| {
                standing.is_final() && !matches!(standing, Standing::Refused { .. })
            };
            for place in 0..replies.len() {
                if is_success(&standing(request, &replies[..place])) {
                    prop_assert!(is_success(&said));
                }
            }
        }
    }
}
