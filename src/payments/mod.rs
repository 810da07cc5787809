//! Money that came in: what it settled, and what an accountant sees of it.

pub mod pages;
