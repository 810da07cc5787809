//! Every SQL statement of fees.

mod bills;
mod catalogue;
mod rounds;

pub use bills::{
    DueLine, NewBill, NewLine, due_lines, insert_bills, insert_lines, is_stale, missing_bills,
    put_new_price, put_new_total,
};
pub use catalogue::{School, item_id, items, managing_units, parameters, prices_of_round, school};
pub use rounds::{
    Choice, Pupil, Round, RoundItem, choices, finish_round, insert_round, insert_round_items,
    mark_published, pupils, pupils_without_class, round, round_items,
};

use crate::store::{Db, Query, Tx};

/// Where a read goes: a transaction, or the database outside of one.
pub trait Source: Send {
    fn sql(&mut self, text: &'static str) -> Query<'_>;
}

impl Source for Tx {
    fn sql(&mut self, text: &'static str) -> Query<'_> {
        Self::sql(self, text)
    }
}

impl Source for &Db {
    fn sql(&mut self, text: &'static str) -> Query<'_> {
        Db::sql(self, text)
    }
}
