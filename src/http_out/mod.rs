//! The one outgoing client. Deadlines and circuit breakers here, meaning elsewhere: an adapter builds
//! the call and reads the reply.

mod breaker;

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use hocphi_adapters::contract::Reply;
use hocphi_adapters::contract::{Call, Fault, Retry};

use crate::clock::Instant;

pub use breaker::{Breaker, BreakerState};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The TLS back end could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("outgoing client: {0}")]
pub struct SetupError(#[from] reqwest::Error);

/// A call on its way, and what came back of it.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send + 'a>>;

/// What calls leave the house by.
pub trait Transport: Debug + Send + Sync {
    /// Carries one call and waits for its reply until `deadline` has passed.
    fn carry<'a>(&'a self, call: &'a Call, deadline: Duration) -> Carried<'a>;
}

/// Sends calls that adapters built.
#[derive(Clone, Debug)]
pub struct HttpOut {
    transport: Arc<dyn Transport>,
    /// By the name of the other side; of this process alone.
    breakers: Arc<Mutex<HashMap<String, Breaker>>>,
}

impl HttpOut {
    /// # Errors
    /// When the TLS back end cannot be set up.
    pub fn new() -> Result<Self, SetupError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("hocphi/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self::over(Arc::new(client)))
    }

    /// Sends by other ways than the network, with circuits of its own.
    pub fn over(transport: Arc<dyn Transport>) -> Self {
        Self {
            transport,
            breakers: Arc::default(),
        }
    }

    /// Sends one call through the circuit of `other_side`. An answer below 500 counts as health,
    /// whatever it says. `chance` is 0 to 999 and spreads the end of pauses.
    ///
    /// # Errors
    /// As [`send`](Self::send); safe to repeat while the circuit is open.
    pub async fn send_through(
        &self,
        other_side: &str,
        call: &Call,
        deadline: Duration,
        now: Instant,
        chance: i64,
    ) -> Result<Reply, Fault> {
        if !self.breaker(other_side, |breaker| breaker.admits(now)) {
            return Err(Fault {
                retry: Retry::Safe,
                message: "the circuit is open after several failures".into(),
            });
        }
        let sent = self.transport.carry(call, deadline).await;
        let answered = match &sent {
            Ok(reply) => reply.status < 500,
            // A call that cannot be built says nothing about the other side.
            Err(fault) => fault.retry == Retry::Never,
        };
        self.breaker(other_side, |breaker| breaker.note(answered, now, chance));
        sent
    }

    /// The circuit of `other_side` in this process.
    pub fn circuit(&self, other_side: &str) -> BreakerState {
        self.breaker(other_side, |breaker| breaker.state())
    }

    fn breaker<T>(&self, other_side: &str, ask: impl FnOnce(&mut Breaker) -> T) -> T {
        // A panic elsewhere leaves whole breakers behind.
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        ask(breakers.entry(other_side.to_owned()).or_default())
    }

    /// Sends one call.
    ///
    /// # Errors
    /// [`Fault`]: safe to repeat when the connection never stood, ask first when the request may
    /// have arrived, never when it cannot be built or the reply is too large.
    pub async fn send(&self, call: &Call) -> Result<Reply, Fault> {
        self.transport.carry(call, TOTAL_TIMEOUT).await
    }
}

impl Transport for reqwest::Client {
    fn carry<'a>(&'a self, call: &'a Call, deadline: Duration) -> Carried<'a> {
        Box::pin(async move {
            tokio::time::timeout(deadline, over_the_network(self, call))
                .await
                .unwrap_or_else(|_| {
                    Err(Fault {
                        retry: Retry::AskFirst,
                        message: "timed out".into(),
                    })
                })
        })
    }
}

async fn over_the_network(client: &reqwest::Client, call: &Call) -> Result<Reply, Fault> {
    let never = |message: String| Fault {
        retry: Retry::Never,
        message,
    };
    let method = reqwest::Method::from_bytes(call.method.as_bytes())
        .map_err(|error| never(error.to_string()))?;
    let mut request = client.request(method, &call.url).body(call.body.clone());
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    let mut response = request.send().await.map_err(|error| fault(&error))?;
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| fault(&error))? {
        if body.len() + piece.len() > REPLY_BYTES_MAX {
            return Err(never(format!(
                "reply is larger than {REPLY_BYTES_MAX} bytes"
            )));
        }
        body.extend_from_slice(&piece);
    }
    Ok(Reply {
        status,
        headers,
        body,
    })
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
