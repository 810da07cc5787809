//! All simulated providers on one port, each with an order to pay: `cargo run -p hocphi-sandbox
//! --example peers -- http://127.0.0.1:8080/notices`. Notices go to the given address followed by the
//! peer's name. Prints base address, credentials and payment page of each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hocphi_sandbox::peer::{self, Checkout, Order};
use hocphi_sandbox::{Config, Pki, Sandbox};

#[expect(
    clippy::disallowed_methods,
    reason = "an example has no other clock to be given"
)]
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let notify = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "http://127.0.0.1:8080/notices".to_owned());
    let mut config = Config::new(Arc::new(now), 1, Arc::new(Pki::new(now())?));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 8099));
    let sandbox = Sandbox::start(config).await?;
    for peer in peer::all() {
        let station = sandbox.open(
            peer.name(),
            peer.clone(),
            &format!("{notify}/{}", peer.name()),
        );
        println!("{}\n  {}", peer.name(), station.base_url());
        for (name, value) in peer.credentials() {
            println!("  {name} = {value}");
        }
        if peer.abilities().checkout != Checkout::None {
            let reference = peer.reference(1, now());
            let mut order = Order::new(&reference, 683_100, &reference, now());
            order.info = "Học phí tháng 11, lớp 2A".to_owned();
            order.return_url = format!("{notify}/back");
            order.expires_at = Some(now() + 3600);
            peer.book().open(order);
            println!("  {}/page/pay?order={reference}", station.base_url());
        }
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}
