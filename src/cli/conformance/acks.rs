//! What each provider's documents ask to be answered, beside what the gateway answers. Written from the
//! documents, not from the adapters; where they prescribe nothing, only whether the provider would call
//! again is looked at.

use anyhow::{Context, Result, ensure};
use hocphi_sandbox::peer::{Fault, RawRequest, RawResponse};
use serde_json::Value;

use super::scene::{AMOUNT, Order, Scene};

/// What a body must be.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// Members by their pointers; `*` is any text that is not empty.
    Json(&'static [(&'static str, &'static str)]),
    Exactly(&'static str),
    Anything,
}

/// Statuses from and to, and the body.
#[derive(Clone, Copy, Debug)]
struct Prescribed(u16, u16, Body);

/// One for each of [`SITUATIONS`].
type Table = [Prescribed; 6];

const SITUATIONS: [&str; 6] = [
    "accepted",
    "repeated",
    "unknown order",
    "wrong amount",
    "bad signature",
    "our own trouble",
];

const fn json(status: u16, members: &'static [(&'static str, &'static str)]) -> Prescribed {
    Prescribed(status, status, Body::Json(members))
}

const fn text(status: u16, body: &'static str) -> Prescribed {
    Prescribed(status, status, Body::Exactly(body))
}

const fn any(from: u16, to: u16) -> Prescribed {
    Prescribed(from, to, Body::Anything)
}

/// Refused, and not taken for delivered.
const REFUSED: Prescribed = any(400, 499);
/// Come again.
const AGAIN: Prescribed = any(500, 599);

/// A movement is received whatever it was for.
const fn received(words: Prescribed) -> Table {
    [words, words, words, words, REFUSED, AGAIN]
}

fn prescribed(provider: &str) -> Option<Table> {
    let table = match provider {
        "vnpay" => [
            json(200, &[("/RspCode", "00"), ("/Message", "*")]),
            json(200, &[("/RspCode", "02"), ("/Message", "*")]),
            json(200, &[("/RspCode", "01"), ("/Message", "*")]),
            json(200, &[("/RspCode", "04"), ("/Message", "*")]),
            json(200, &[("/RspCode", "97"), ("/Message", "*")]),
            json(200, &[("/RspCode", "99"), ("/Message", "*")]),
        ],
        "momo" => received(text(204, "")),
        // 1 accepted, 2 handled before, 0 call again, another number: failed. Never 3.
        "zalopay" => {
            let failed = json(200, &[("/return_code", "-1")]);
            [
                json(200, &[("/return_code", "1")]),
                json(200, &[("/return_code", "2")]),
                failed,
                failed,
                failed,
                json(200, &[("/return_code", "0")]),
            ]
        }
        "payos" | "casso" | "bank_webhook" => received(json(200, &[("/success", "true")])),
        "sepay" => received(Prescribed(200, 201, Body::Json(&[("/success", "true")]))),
        // The status alone is known to matter.
        "sepay_pg" | "ninepay" | "alepay" => received(any(200, 200)),
        "onepay" => {
            let refused = text(200, "responsecode=0&desc=confirm-fail");
            [
                text(200, "responsecode=1&desc=confirm-success"),
                text(200, "responsecode=1&desc=confirm-success"),
                refused,
                refused,
                refused,
                // Another answer than 200 is repeated.
                AGAIN,
            ]
        }
        "vietqr_callback" => {
            let good = json(
                200,
                &[
                    ("/error", "false"),
                    ("/errorReason", "000"),
                    ("/object/reftransactionid", "*"),
                ],
            );
            let trouble = Body::Json(&[("/error", "true"), ("/errorReason", "*")]);
            [
                good,
                good,
                good,
                good,
                Prescribed(400, 499, trouble),
                Prescribed(500, 599, trouble),
            ]
        }
        "bank_bidv" => [
            json(200, &[("/result_code", "000")]),
            json(200, &[("/result_code", "023")]),
            json(200, &[("/result_code", "021")]),
            json(200, &[("/result_code", "022")]),
            json(200, &[("/result_code", "004")]),
            json(200, &[("/result_code", "031")]),
        ],
        // The peer checks the signature of each as well.
        "bank_vietinbank" => [
            json(200, &[("/errorCode", "00"), ("/signature", "*")]),
            json(200, &[("/errorCode", "05"), ("/signature", "*")]),
            json(200, &[("/errorCode", "02"), ("/signature", "*")]),
            json(200, &[("/errorCode", "03"), ("/signature", "*")]),
            json(200, &[("/errorCode", "01"), ("/signature", "*")]),
            json(200, &[("/errorCode", "99"), ("/signature", "*")]),
        ],
        _ => return None,
    };
    Some(table)
}

/// Sends one message of each situation but the last and compares the answers. `None` where nothing
/// is known of the provider.
///
/// # Errors
/// The first answer that is another one.
pub async fn compare(scene: &Scene) -> Result<Option<()>> {
    let Some(table) = prescribed(scene.peer.provider()) else {
        return Ok(None);
    };
    let order = scene.order().await?;
    let genuine = scene.notice(&scene.paid(&order)).await?;
    let nobody = Order {
        bill: String::new(),
        reference: scene.peer.reference(876_543, scene.now()),
        is_scanned: false,
    };
    let stranger = scene.paid(&nobody);
    let stranger = if scene.capability().inquiry {
        scene.unasked(&stranger)
    } else {
        scene.notice(&stranger).await?
    };
    let other = scene.order().await?;
    let less = scene.paid(&other).of_amount(AMOUNT - 10_000);
    let less = scene.notice(&less).await?;
    let third = scene.order().await?;
    let forged = scene.notice(&scene.paid(&third)).await?;
    let proof = scene.peer.proof().into_iter().next().context("a proof")?;
    let forged = Fault::WrongProof(proof).apply(&forged);
    let messages = [&genuine, &genuine, &stranger, &less, &forged];
    for ((message, wanted), situation) in messages.into_iter().zip(table).zip(SITUATIONS) {
        fits(scene, message, wanted, situation).await?;
    }
    Ok(Some(()))
}

/// [`compare`] for the last situation, on a scene where nothing can be posted.
///
/// # Errors
/// The answer is another one.
pub async fn compare_trouble(scene: &Scene, message: &RawRequest) -> Result<()> {
    match prescribed(scene.peer.provider()) {
        Some([.., wanted]) => fits(scene, message, wanted, SITUATIONS[5]).await,
        None => Ok(()),
    }
}

async fn fits(
    scene: &Scene,
    message: &RawRequest,
    wanted: Prescribed,
    situation: &str,
) -> Result<()> {
    let answer = scene.send(message).await?;
    ensure!(
        is_so(&answer, wanted),
        "{situation}: {wanted:?} is prescribed, the answer is {} {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(())
}

fn is_so(answer: &RawResponse, Prescribed(from, to, body): Prescribed) -> bool {
    let status = (from..=to).contains(&answer.status);
    status
        && match body {
            Body::Anything => true,
            Body::Exactly(text) => answer.body == text.as_bytes(),
            Body::Json(members) => {
                let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                members
                    .iter()
                    .all(|(pointer, wanted)| match told.pointer(pointer) {
                        None | Some(Value::Null) => false,
                        Some(Value::String(text)) => {
                            text == wanted || (*wanted == "*" && !text.is_empty())
                        }
                        Some(Value::Bool(flag)) => wanted.parse() == Ok(*flag),
                        Some(Value::Number(number)) => number
                            .as_i64()
                            .is_some_and(|number| wanted.parse() == Ok(number)),
                        Some(_) => false,
                    })
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_simulated_provider_has_its_words_and_another_answer_is_seen() {
        for peer in hocphi_sandbox::peer::all() {
            assert!(prescribed(peer.provider()).is_some(), "{}", peer.provider());
        }
        let answer = |status, body: &str| RawResponse {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        let zero = json(200, &[("/return_code", "0")]);
        assert!(is_so(&answer(200, "{\"return_code\":0}"), zero));
        assert!(!is_so(&answer(200, "{\"return_code\":1}"), zero));
        assert!(!is_so(&answer(200, "0"), zero));
        assert!(!is_so(&answer(503, "{\"return_code\":0}"), zero));
        assert!(is_so(&answer(204, ""), text(204, "")));
        assert!(!is_so(&answer(204, "x"), text(204, "")));
        assert!(!is_so(&answer(200, ""), AGAIN));
    }
}
