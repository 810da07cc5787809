//! The contract between the gateway and a payment provider.
//!
//! Adapters are pure and synchronous: bytes in, a verdict and a normal form out. They own no
//! socket, clock, chance or database, so every provider can be proven with vectors alone.
//!
//! **Data first.** [`Adapter::profile`] says everything that is not a message: what the provider can
//! do ([`Capability`]), which credentials a connection needs ([`CredentialSpec`], checked by
//! [`Profile::check`]), how order references must look ([`OrderRefForm`]), when to ask about a
//! payment whose notice does not come ([`Schedule`]), and from which addresses it calls.
//!
//! **Inbound.** The gateway hands over an [`Inbound`] as it arrived and asks [`Adapter::route`] which
//! [`Flow`] it is; then, by flow,
//! - a notice: [`Adapter::read_notice`] gives [`Notices`] (several for a batch; items that cannot be
//!   read are told apart and never block their neighbours) or a [`Rejection`]. Each [`Verified`]
//!   notice goes to [`decide`] with the order it names; after the durable commit
//!   [`Adapter::acknowledge`] writes the provider's own words for the [`Outcome`];
//! - a bill inquiry of a bank: [`Adapter::read_inquiry`], look the customer up,
//!   [`Adapter::answer_inquiry`];
//! - a request for a token of ours: [`Adapter::issue_token`]; later notices carry it.
//!
//! **Outbound.** An [`Errand`] holds what one call is about. [`Adapter::checkout`] starts a payment:
//! a redirect, a form for the browser, or a [`Call`] whose [`Reply`] tells where to send the payer.
//! [`Adapter::call`] builds a question, refund, question about a refund or cancellation, and
//! [`Adapter::read_reply`] turns its reply into a verified [`Observation`]. A reply that cannot be
//! believed or read is a [`Rejection`] and proves nothing: the state stays unknown and is asked about
//! before anything is repeated.
//! [`Adapter::list`] asks for movements whose notices may have been lost; [`Adapter::read_list`] gives them
//! as notices, under the numbers those would have borne.
//!
//! **Secrets.** [`Credentials`] keep for each name the secret in use and, while they are being
//! exchanged, the one before: signatures of ours use the first, messages may be proven by any.

mod ack;
mod adapter;
mod credentials;
mod decide;
mod flow;
mod inquiry;
mod listing;
mod money;
mod notice;
mod outbound;
mod profile;

pub use ack::{Ack, Outcome, Received};
pub use adapter::{
    Adapter, Canonical, Claimed, Inspection, IssuedToken, Mistake, MistakeKind, Piece,
};
pub use credentials::{Credentials, Secret};
pub use decide::{Decision, OrderState, OrderView, Settlement, decide};
pub use flow::Flow;
pub use inquiry::{Debtor, Inquiry, InquiryAnswer, OpenBill};
pub use listing::{ListPlan, ListQuestion, ListRow, Listing, Paging};
pub use money::Vnd;
pub use notice::{Inbound, Notice, Notices, Reason, Rejection, Status, Verified};
pub use outbound::{
    Call, Checkout, Errand, Fault, Observation, Order, Reception, Refund, Reply, Retry, Transfer,
};
pub use profile::{
    Addresses, Capability, CredentialFault, CredentialKind, CredentialSpec, Naming, Need,
    OrderRefForm, Profile, RefundSupport, Schedule, Standing,
};
