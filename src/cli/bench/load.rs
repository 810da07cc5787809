//! A load generator that leaves the cores to what it measures: requests are bytes made beforehand,
//! sent over kept connections from one thread.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The answer of a gateway that posted.
const OK: &[u8] = b"HTTP/1.1 200";

/// One request as it goes over the wire.
pub struct Message(Vec<u8>);

impl Message {
    pub fn new(request: &reqwest::Request) -> Result<Self> {
        let url = request.url();
        let body = match request.body() {
            None => &[][..],
            Some(body) => body.as_bytes().context("a body held in memory")?,
        };
        let mut bytes = format!("{} {}", request.method(), url.path()).into_bytes();
        if let Some(query) = url.query() {
            bytes.push(b'?');
            bytes.extend(query.as_bytes());
        }
        bytes.extend(
            format!(
                " HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n",
                url.authority(),
                body.len()
            )
            .as_bytes(),
        );
        for (name, value) in request.headers() {
            bytes.extend(name.as_str().as_bytes());
            bytes.extend(b": ");
            bytes.extend(value.as_bytes());
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        Ok(Self(bytes))
    }
}

/// How requests follow each other.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Each connection sends as soon as it was answered.
    AsFastAsAnswered,
    /// So many a second in all, whether answered or not: a slow answer delays no later request's
    /// due time, and latency counts from the due time.
    PerSecond(u64),
}

pub struct Load {
    pub elapsed: Duration,
    /// One a request, in no order.
    pub latencies: Vec<Duration>,
}

impl Load {
    pub fn per_second(&self) -> u64 {
        let micros = self.elapsed.as_micros().max(1);
        u64::try_from(self.latencies.len() as u128 * 1_000_000 / micros).unwrap_or(u64::MAX)
    }

    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).copied().unwrap_or_default()
    }
}

/// Sends every message once from a thread of its own.
pub async fn fire(
    address: SocketAddr,
    messages: Vec<Message>,
    connections: usize,
    pace: Pace,
) -> Result<Load> {
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let load = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(send_all(address, messages, connections, pace)));
        // The receiver waits below until this is sent.
        let _ = sender.send(load);
    });
    answer.await.context("the load generator ended early")?
}

async fn send_all(
    address: SocketAddr,
    messages: Vec<Message>,
    connections: usize,
    pace: Pace,
) -> Result<Load> {
    let mut streams = VecDeque::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push_back(stream);
    }
    let messages = Arc::new(messages);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut senders: JoinSet<Result<Vec<Duration>>> = JoinSet::new();
    for mut stream in streams {
        let (messages, next) = (messages.clone(), next.clone());
        senders.spawn(async move {
            let mut latencies = Vec::new();
            let mut buffer = Vec::with_capacity(4096);
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(message) = messages.get(place) else {
                    return Ok(latencies);
                };
                let due = match pace {
                    Pace::AsFastAsAnswered => Instant::now(),
                    Pace::PerSecond(rate) => {
                        let after = Duration::from_micros(
                            u64::try_from(place)?.saturating_mul(1_000_000) / rate.max(1),
                        );
                        tokio::time::sleep_until((begun + after).into()).await;
                        begun + after
                    }
                };
                stream.write_all(&message.0).await?;
                read_answer(&mut stream, &mut buffer).await?;
                latencies.push(due.elapsed());
            }
        });
    }
    let mut latencies = Vec::with_capacity(messages.len());
    while let Some(sender) = senders.join_next().await {
        latencies.extend(sender??);
    }
    Ok(Load {
        elapsed: begun.elapsed(),
        latencies,
    })
}

/// Reads one answer, which must say that the notice is posted.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    loop {
        ensure!(
            stream.read_buf(buffer).await? > 0,
            "the gateway closed a connection"
        );
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let whole = head + 4 + content_length(&buffer[..head])?;
        if buffer.len() < whole {
            continue;
        }
        if !buffer.starts_with(OK) {
            bail!("answered {}", String::from_utf8_lossy(buffer));
        }
        return Ok(());
    }
}

fn content_length(head: &[u8]) -> Result<usize> {
    const NAME: &str = "content-length:";
    std::str::from_utf8(head)?
        .lines()
        .find_map(|line| {
            let name = line.get(..NAME.len())?;
            name.eq_ignore_ascii_case(NAME)
                .then(|| line[NAME.len()..].trim().parse().ok())
                .flatten()
        })
        .context("an answer without its length")
}
