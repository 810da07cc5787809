//! Carriers of invoices to the tax authority (T-VAN): how a message gets there and its answers back.
//!
//! Pure like every adapter: it builds a [`Call`] and judges the status of an answer. What stands in the
//! XML is read by the invoice engine. Wire: `POST {base}/messages` with one `TDiep`, answered by a
//! technical receipt; `GET {base}/messages/{MTDiep}/replies` answers everything so far.

use crate::contract::{Call, Fault, Retry, Secret};

/// Largest answer that is read.
pub const ANSWER_BYTES_MAX: usize = 20_000_000;

/// A contract with a carrier.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// Address without trailing slash.
    base_url: String,
    token: Secret,
}

/// What a carrier knows about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// The body of the answer: all replies so far.
    Replies(&'a [u8]),
    /// The message never arrived and may be sent, with the same id.
    Unknown,
}

impl Carrier {
    pub fn new(base_url: &str, token: Secret) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            token,
        }
    }

    /// Sends a message. Its id makes a repeat harmless, but ask with [`replies`](Self::replies) first.
    pub fn submit(&self, message: Vec<u8>) -> Call {
        Call {
            method: "POST".into(),
            url: format!("{}/messages", self.base_url),
            headers: vec![
                self.authorization(),
                ("content-type".into(), "application/xml".into()),
            ],
            body: message,
        }
    }

    /// Asks for the replies to a message.
    pub fn replies(&self, message_id: &str) -> Call {
        Call {
            method: "GET".into(),
            url: format!("{}/messages/{message_id}/replies", self.base_url),
            headers: vec![self.authorization()],
            body: Vec::new(),
        }
    }

    fn authorization(&self) -> (String, String) {
        (
            "authorization".into(),
            format!("Bearer {}", self.token.expose()),
        )
    }
}

/// The technical receipt in the answer to [`Carrier::submit`].
///
/// # Errors
/// [`Fault`]: only an answer that says the message was not taken may be repeated unasked.
pub fn read_submitted(status: u16, body: &[u8]) -> Result<&[u8], Fault> {
    match status {
        200..=299 if body.len() <= ANSWER_BYTES_MAX => Ok(body),
        429 | 503 => Err(fault(Retry::Safe, status)),
        400..=428 | 430..=499 => Err(fault(Retry::Never, status)),
        _ => Err(fault(Retry::AskFirst, status)),
    }
}

/// The answer to [`Carrier::replies`].
///
/// # Errors
/// [`Fault`]; asking again is always safe, except where the carrier refuses us.
pub fn read_replies(status: u16, body: &[u8]) -> Result<Known<'_>, Fault> {
    match status {
        200..=299 if body.len() <= ANSWER_BYTES_MAX => Ok(Known::Replies(body)),
        404 => Ok(Known::Unknown),
        401 | 403 => Err(fault(Retry::Never, status)),
        _ => Err(fault(Retry::Safe, status)),
    }
}

fn fault(retry: Retry, status: u16) -> Fault {
    Fault {
        retry,
        message: format!("the tax carrier answered HTTP {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unclear_answer_is_asked_about_before_it_is_repeated() {
        assert_eq!(read_submitted(500, b"").unwrap_err().retry, Retry::AskFirst);
        assert_eq!(read_submitted(503, b"").unwrap_err().retry, Retry::Safe);
        assert_eq!(read_submitted(401, b"").unwrap_err().retry, Retry::Never);
        assert_eq!(read_replies(404, b""), Ok(Known::Unknown));
        assert_eq!(read_replies(502, b"").unwrap_err().retry, Retry::Safe);
    }

    #[test]
    fn the_token_is_sent_and_never_printed() {
        let carrier = Carrier::new("http://127.0.0.1:1/", Secret::new("bí-mật"));
        let call = carrier.replies("V0100");
        assert_eq!(call.url, "http://127.0.0.1:1/messages/V0100/replies");
        assert_eq!(call.headers[0].1, "Bearer bí-mật");
        assert!(!format!("{carrier:?}").contains("mật"));
    }
}
