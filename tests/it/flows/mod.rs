//! Whole stories, told by the real program.

mod copying;
mod crash;
mod headless_demo;
mod master_key;
