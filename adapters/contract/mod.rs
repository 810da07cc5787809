//! The contract between the gateway and a payment provider.
//!
//! Adapters are pure and synchronous: bytes in, a verdict and a normal form out. They own no
//! socket, clock or database, so every provider can be proven with vectors alone.

mod ack;
mod adapter;
mod checkout;
mod decide;
mod money;
mod notice;

pub use ack::{Ack, Outcome};
pub use adapter::{Adapter, Capability, Claimed, Flow, Inspection};
pub use checkout::{Call, Checkout, Fault, Order, Retry};
pub use decide::{Decision, OrderState, OrderView, Settlement, decide};
pub use money::Vnd;
pub use notice::{Credentials, Inbound, Notice, Reason, Rejection, Secret, Status, Verified};
