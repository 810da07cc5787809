//! Catching up: the provider's own list of movements, for notices that never came.

use super::{Notice, Reception, Rejection, Verified};

/// How a provider's list is read, and how often. Whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPlan {
    /// The credential without which a connection cannot ask.
    pub needs: String,
    /// Pause between two readings.
    pub every: u32,
    /// So far back the first reading reaches, when notices are known from then.
    pub look_back: u32,
    /// What is younger than this is read again each time: numbers may become visible out of order.
    pub overlap: u32,
    /// Rows of a full page, after which there may be more.
    pub page: usize,
    /// Whether a number leads, once one is known, instead of a moment.
    pub by_number: bool,
    pub paging: Paging,
}

/// How the rest is had when a page is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// It cannot: a full page is a trouble for people.
    None,
    /// By the number of the page.
    Pages,
    /// The newest come first: by the moment of the oldest row seen.
    Until,
}

/// Which part of the list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListQuestion<'a> {
    /// Our clock when the call is built, seconds since 1970 UTC, as all moments here.
    pub at_unix: i64,
    /// Nothing that happened before; left out where a number leads.
    pub from_unix: Option<i64>,
    /// Nothing that happened later.
    pub until_unix: Option<i64>,
    /// Only this number and those given out after it.
    pub after: Option<&'a str>,
    /// From 1.
    pub page: u32,
}

/// What a provider's list says.
#[derive(Clone, Debug)]
pub struct Listing {
    pub reception: Reception,
    /// In the order of the list.
    pub rows: Vec<ListRow>,
    /// Rows that cannot be read: for a person, and no reason to leave the others.
    pub unreadable: Vec<Rejection>,
    /// The provider's own code, for the log and for support.
    pub code: Option<String>,
    pub message: Option<String>,
}

/// One movement.
#[derive(Clone, Debug)]
pub struct ListRow {
    /// Under the number its own notice bears.
    pub notice: Verified<Notice>,
    /// The text of the row as it stands in the reply.
    pub raw: String,
}
