//! How often one peer may guess: bill codes and passwords.
//!
//! Addresses with an access token are not counted: 160 bits need no help, and families of a whole
//! province come through few addresses of mobile carriers. Counts are kept in this process.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::{Extensions, Request};
use tower_governor::GovernorError;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::KeyExtractor;

/// Forgetting idle peers walks the whole table, so it is done once in so many checks.
const CHECKS_BETWEEN_CLEANING: u32 = 1_024;
/// A household owns a whole IPv6 network of this prefix length.
const IPV6_NETWORK_BITS: u32 = 64;

/// A token bucket for each peer; cheap to clone, clones count together.
#[derive(Clone)]
pub struct PeerLimit(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl PeerLimit {
    /// `burst` at once, then one more every `refill`; both above zero.
    pub fn new(burst: u32, refill: Duration) -> Self {
        let config = GovernorConfigBuilder::default()
            .key_extractor(Peer)
            .burst_size(burst)
            .period(refill)
            .finish()
            .expect("burst and refill are above zero");
        let checks = AtomicU32::new(0);
        Self(Arc::new(move |peer| {
            let limiter = config.limiter();
            let count = checks.fetch_add(1, Ordering::Relaxed);
            if count.is_multiple_of(CHECKS_BETWEEN_CLEANING) {
                limiter.retain_recent();
            }
            limiter.check_key(&peer).is_ok()
        }))
    }

    /// Takes one token of the peer of this request; `false` when there is none left.
    pub fn admits(&self, extensions: &Extensions) -> bool {
        (self.0)(peer(extensions))
    }
}

impl fmt::Debug for PeerLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerLimit")
    }
}

/// The address of the other side, or 0.0.0.0 when the server was not started with connect info:
/// then all peers share one bucket, which errs on the safe side.
fn peer(extensions: &Extensions) -> IpAddr {
    let Some(ConnectInfo(address)) = extensions.get::<ConnectInfo<SocketAddr>>() else {
        return IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    };
    match address.ip().to_canonical() {
        IpAddr::V6(host) => IpAddr::V6(Ipv6Addr::from_bits(
            host.to_bits() >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS,
        )),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Clone, Debug)]
struct Peer;

impl KeyExtractor for Peer {
    type Key = IpAddr;

    fn extract<T>(&self, request: &Request<T>) -> Result<IpAddr, GovernorError> {
        Ok(peer(request.extensions()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(address.parse::<SocketAddr>().unwrap()));
        extensions
    }

    #[test]
    fn one_peer_runs_dry_and_the_others_do_not_notice() {
        let limit = PeerLimit::new(2, Duration::from_secs(3_600));
        assert!(limit.admits(&from("[2001:db8::1]:1000")));
        assert!(limit.admits(&from("[2001:db8::2]:1000")));
        assert!(!limit.admits(&from("[2001:db8::3]:1000")));
        assert!(limit.admits(&from("192.0.2.1:1000")));
    }
}
