//! What providers said and a person must judge: a notice repeated with another meaning, and money taken
//! back whose original is not plain. Nothing of it is guessed; each item is seen, decided with a reason
//! by one person, and kept.

mod correct;
pub mod rules;
pub mod service;
pub mod store;

pub(super) use service::follow;
