//! What holds for every provider.

use std::collections::BTreeSet;

use super::*;

const NOW: i64 = 1_795_538_645;

fn event(peer: &dyn Peer) -> Event {
    Event::paid(&peer.reference(42, NOW), 1_250_000, 7_042, NOW)
}

#[test]
fn every_peer_has_a_name_of_its_own_and_vectors() {
    let names: BTreeSet<_> = all().iter().map(|peer| peer.name()).collect();
    assert_eq!(names.len(), all().len());
    for peer in all() {
        assert!(peer.name().starts_with(peer.provider()), "{}", peer.name());
        assert!(!peer.credentials().is_empty(), "{}", peer.name());
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
        let file = folder.join(format!("{}.json", peer.provider()));
        assert!(file.exists(), "{}", peer.name());
    }
}

#[test]
fn a_notice_is_a_function_of_its_event_and_proves_itself() {
    for peer in all() {
        let event = event(&*peer);
        let notice = peer.notice(&event);
        assert_eq!(notice, peer.notice(&event), "{}", peer.name());
        assert_ne!(
            notice,
            peer.notice(&event.clone().of_amount(1)),
            "{}",
            peer.name()
        );
        assert_ne!(
            notice,
            peer.notice(&event.clone().as_transaction(8_042)),
            "{}: another transaction must be told apart",
            peer.name()
        );
        assert!(!peer.proof().is_empty(), "{}", peer.name());
        for proof in peer.proof() {
            let given = proof.read(&notice);
            assert!(
                given.is_some_and(|text| !text.is_empty()),
                "{} {proof:?}",
                peer.name()
            );
        }
        assert_eq!(
            peer.abilities().signs,
            !peer.signed_fields().is_empty(),
            "{}",
            peer.name()
        );
        let other = event.clone().for_merchant("OTHER001");
        if peer.abilities().names_merchant {
            assert_ne!(notice, peer.notice(&other), "{}", peer.name());
        }
        let dollars = event.clone().in_currency("USD");
        if peer.abilities().names_currency {
            assert_ne!(notice, peer.notice(&dollars), "{}", peer.name());
        }
        let batch = peer.batch(std::slice::from_ref(&event));
        assert_eq!(batch.is_some(), peer.abilities().batches, "{}", peer.name());
        assert_eq!(
            peer.prelude(&event).is_some(),
            peer.abilities().prelude,
            "{}",
            peer.name()
        );
    }
}

#[test]
fn every_fault_changes_the_message_and_nothing_signed_is_missed() {
    for peer in all() {
        let notice = peer.notice(&event(&*peer));
        let mut tampered = 0;
        for fault in faults(&*peer, &notice) {
            assert_ne!(fault.apply(&notice), notice, "{} {fault:?}", peer.name());
            tampered += usize::from(matches!(fault, Fault::Tampered(_)));
        }
        let present = peer
            .signed_fields()
            .iter()
            .filter(|field| field.read(&notice).is_some())
            .count();
        assert_eq!(tampered, present, "{}", peer.name());
        assert!(present >= 3 || !peer.abilities().signs, "{}", peer.name());
    }
}

#[test]
fn levers_decide_what_is_done_and_what_is_heard() {
    for peer in all() {
        let call = RawRequest::get("/nowhere", String::new());
        let heard = |fault| {
            peer.book().levers().calls.push_back(Some(fault));
            peer.handle(&call, "http://peer", NOW).reply
        };
        assert_eq!(heard(ApiFault::Lost), Reply::Silence);
        assert_eq!(heard(ApiFault::Unheard), Reply::Silence);
        let status = |reply| match reply {
            Reply::Answer(answer) => answer.status,
            Reply::Silence => 0,
        };
        assert_eq!(status(heard(ApiFault::Unavailable)), 503);
        assert_eq!(status(heard(ApiFault::ErrorAfterDoing)), 500);
        assert_eq!(status(peer.handle(&call, "http://peer", NOW).reply), 404);
    }
}

#[test]
fn nothing_from_outside_breaks_a_peer() {
    let noise = [
        RawRequest::get("/page/pay", "order=%ff&&=%".to_owned()),
        RawRequest::post("/page/pay", "text/plain", vec![0xff; 64]),
    ];
    for peer in all() {
        let notice = peer.notice(&event(&*peer));
        let spoiled = faults(&*peer, &notice)
            .into_iter()
            .filter(|fault| *fault != Fault::Huge)
            .map(|fault| fault.apply(&notice));
        for mut request in spoiled.chain(noise.clone()) {
            for path in [
                "",
                "/page/pay",
                "/v2/create",
                "/merchant_webapi/api/transaction",
            ] {
                path.clone_into(&mut request.path);
                peer.handle(&request, "http://peer", NOW);
            }
        }
        for body in ["", "{", "[]", "null", "{\"RspCode\":0}", "\u{feff}"] {
            for status in [200, 204, 302, 500] {
                let reading = peer.reading(&RawResponse::text(status, body));
                assert!(status < 300 || reading != Reading::Done, "{}", peer.name());
            }
        }
    }
}
