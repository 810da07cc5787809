//! The one outgoing client. Deadlines here, meaning elsewhere: an adapter builds the call and reads
//! the reply.

use std::time::Duration;

use hocphi_adapters::contract::{Call, Fault, Retry};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

/// The TLS back end could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("outgoing client: {0}")]
pub struct SetupError(#[from] reqwest::Error);

/// Sends calls that adapters built.
#[derive(Clone, Debug)]
pub struct HttpOut(reqwest::Client);

impl HttpOut {
    /// # Errors
    /// When the TLS back end cannot be set up.
    pub fn new() -> Result<Self, SetupError> {
        Ok(Self(
            reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TOTAL_TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .user_agent(concat!("hocphi/", env!("CARGO_PKG_VERSION")))
                .build()?,
        ))
    }

    /// Sends one call.
    ///
    /// # Errors
    /// [`Fault`]: safe to repeat when the connection never stood, ask first when the request may
    /// have arrived, never when it cannot be built or the reply is too large.
    pub async fn send(&self, call: &Call) -> Result<Reply, Fault> {
        let never = |message: String| Fault {
            retry: Retry::Never,
            message,
        };
        let method = reqwest::Method::from_bytes(call.method.as_bytes())
            .map_err(|error| never(error.to_string()))?;
        let mut request = self.0.request(method, &call.url).body(call.body.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| fault(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| fault(&error))? {
            if body.len() + piece.len() > REPLY_BYTES_MAX {
                return Err(never(format!(
                    "reply is larger than {REPLY_BYTES_MAX} bytes"
                )));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status, body })
    }
}

fn fault(error: &reqwest::Error) -> Fault {
    let retry = if error.is_builder() {
        Retry::Never
    } else if error.is_connect() {
        Retry::Safe
    } else {
        Retry::AskFirst
    };
    Fault {
        retry,
        // Without the address: it may carry signed parameters.
        message: if error.is_timeout() {
            "timed out".into()
        } else if error.is_connect() {
            "no connection".into()
        } else {
            "connection broke".into()
        },
    }
}
