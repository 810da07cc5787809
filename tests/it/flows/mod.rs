//! Whole stories, told by the real program.

mod crash;
mod headless_demo;
