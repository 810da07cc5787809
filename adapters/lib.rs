//! Payment providers behind one contract. Pure and synchronous: no socket, clock or database.
//!
//! A new provider is a folder with `adapter.toml`, `vectors.json` and `README.md`; see [`recipe`].

pub mod contract;
mod digest;
pub mod kit;
pub mod recipe;
mod registry;
pub mod scaffold;
pub mod tax;
#[cfg(test)]
mod tests;

pub use registry::{Entry, Origin, Registry};
