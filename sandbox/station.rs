//! A peer behind HTTP: requests in, notices out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use crate::peer::{
    Announced, Event, Outcome, Peer, PreludeError, RawRequest, RawResponse, Reply, counter,
};
use crate::world::World;
use crate::{Answer, Notice, SandboxError, forms};

/// The browser goes back no later than this, whether the gateway has answered the notice or not.
const BROWSER_WAIT: Duration = Duration::from_secs(3);
/// Larger than any call of a merchant.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// How long a silent peer keeps the connection; callers lose patience before.
const SILENCE: Duration = Duration::from_secs(120);

/// One peer at one address, reporting to another.
pub struct Station {
    world: Arc<World>,
    peer: Arc<dyn Peer>,
    base_url: String,
    notify: Mutex<String>,
}

impl Station {
    pub(crate) fn new(
        world: Arc<World>,
        peer: Arc<dyn Peer>,
        base_url: String,
        notify: String,
    ) -> Self {
        // Two sandboxes over the same books must not tell the same numbers.
        peer.book().number_from(world.transaction_number());
        Self {
            world,
            peer,
            base_url,
            notify: Mutex::new(notify),
        }
    }

    pub fn peer(&self) -> &Arc<dyn Peer> {
        &self.peer
    }

    /// Base address of the provider's API for our side's configuration.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The address registered on the provider's portal for notices.
    pub fn notify_at(&self, address: &str) {
        address.clone_into(&mut self.notify.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn registered(&self) -> String {
        self.notify
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A notice of an event, ready to be delivered to the registered address.
    pub fn notice(&self, event: &Event) -> Notice {
        self.notice_to(&self.registered(), event)
    }

    fn notice_to(&self, address: &str, event: &Event) -> Notice {
        Notice::new(self.peer.clone(), address, event)
    }

    /// The whole exchange about an event: the call before it where there is one, the notice, and its
    /// repetitions until the gateway is understood to have it or the schedule is over.
    ///
    /// # Errors
    /// When the call before the notice was not answered as it must be; a bank stops there too.
    pub async fn tell(&self, event: &Event) -> Result<Vec<Answer>, TellError> {
        let mut event = event.clone();
        self.prepare(&mut event).await?;
        Ok(self.send(&self.notice(&event)).await)
    }

    /// Makes the call before the notice, if the provider makes one, and keeps what it brought.
    ///
    /// # Errors
    /// See [`Self::tell`].
    pub async fn prepare(&self, event: &mut Event) -> Result<(), TellError> {
        event.sent_at = self.world.now();
        if let Some(call) = self.peer.prelude(event) {
            let answer = self
                .world
                .exchange(&self.registered(), &call, self.patience())
                .await
                .ok_or(TellError::Silence)?;
            self.peer.read_prelude(event, &answer)?;
        }
        self.peer.book().happened(event);
        Ok(())
    }

    /// Delivers by the provider's schedule.
    pub async fn send(&self, notice: &Notice) -> Vec<Answer> {
        self.world.send(notice).await
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.peer.schedule().timeout.into())
    }

    /// Presses a button of the payment page over HTTP as a browser would; returns where it is sent.
    /// `handle` is the provider's handle of the order, see [`crate::peer::Order::handle`].
    ///
    /// # Errors
    /// When the page does not answer with a redirect.
    pub async fn press(&self, handle: &str, outcome: Outcome) -> Result<String, SandboxError> {
        let form = forms::join([("order", handle), ("result", counter::word(outcome))]);
        let response = self
            .world
            .client
            .post(format!("{}{}", self.base_url, counter::PATH))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await?;
        let location = response
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok());
        match location {
            Some(location) => Ok(location.to_owned()),
            None => Err(SandboxError::Refused(
                self.peer.provider(),
                response.text().await?,
            )),
        }
    }

    /// Answers a request and sends the notices it set off.
    pub(crate) async fn answer(&self, request: RawRequest) -> Response {
        let served = self.peer.handle(&request, &self.base_url, self.world.now());
        if !served.notices.is_empty() {
            // Whatever comes of the first deliveries, the browser is sent back.
            let told = self.announce(served.notices);
            tokio::time::timeout(BROWSER_WAIT, told).await.ok();
        }
        match served.reply {
            Reply::Answer(answer) => answer.into_response(),
            Reply::Silence => {
                tokio::time::sleep(SILENCE).await;
                RawResponse::text(504, "").into_response()
            }
        }
    }

    /// Starts the deliveries; ready once each notice has been told once. Repetitions go on behind.
    async fn announce(&self, notices: Vec<Announced>) {
        let (told, mut done) = tokio::sync::mpsc::channel::<()>(1);
        let registered = self.registered();
        let world = self.world.clone();
        let notices: Vec<(Notice, usize, Duration)> = notices
            .into_iter()
            .map(|announced| {
                let address = announced.address.as_deref().unwrap_or(&registered);
                self.peer.book().happened(&announced.event);
                (
                    self.notice_to(address, &announced.event),
                    announced.copies,
                    announced.delay,
                )
            })
            .collect();
        tokio::spawn(async move {
            // In their order: what was announced first is told first.
            let mut again = Vec::new();
            for (notice, copies, delay) in notices {
                tokio::time::sleep(delay).await;
                let answers = world.deliver_together(&notice, copies).await;
                again.extend(world.still_owed(&notice, &answers).then_some(notice));
            }
            drop(told);
            for notice in again {
                let world = world.clone();
                tokio::spawn(async move { world.repeat(&notice).await });
            }
        });
        done.recv().await;
    }
}

/// Why an event was not told.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    #[error("no answer to the call before the notice")]
    Silence,
    #[error(transparent)]
    Prelude(#[from] PreludeError),
}

/// Reads an axum request into bytes; `path` is what follows the station's address.
pub(crate) async fn read(request: Request, path: &str) -> Result<RawRequest, Response> {
    let method = match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        _ => return Err(RawResponse::text(405, "method not allowed").into_response()),
    };
    let query = request.uri().query().unwrap_or("").to_owned();
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let body = to_bytes(request.into_body(), REQUEST_BYTES_MAX)
        .await
        .map_err(|_| RawResponse::text(413, "too large").into_response())?;
    Ok(RawRequest {
        method,
        path: path.to_owned(),
        query,
        headers,
        body: body.to_vec(),
    })
}
