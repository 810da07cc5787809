//! What people see, in a real browser, of the real program.

mod browser;
mod paying;
mod stage;
