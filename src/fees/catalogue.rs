//! What a school may collect, and at which price: rows of the fee catalogue, as rules read them.

use super::vocabulary::{Calculation, CollectionClass, DocumentRule, OptIn};
use crate::clock::Day;
use crate::ids::FeeItemId;
use crate::money::Vnd;

/// An entry of the fee catalogue.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Item {
    pub item_id: FeeItemId,
    pub code: String,
    pub name: String,
    pub collection_class: CollectionClass,
    pub calculation: Calculation,
    pub unit_name: String,
    pub document_rule: DocumentRule,
    pub vat_rate: String,
    pub opt_in: OptIn,
    pub legal_basis: String,
}

/// A dated price of an item.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Price {
    pub item_id: FeeItemId,
    /// [`EVERY_GRADE`] when the price is that of all.
    pub grade: i64,
    pub valid_from: Day,
    /// First day on which it no longer holds.
    pub valid_to: Option<Day>,
    /// For one unit of the item.
    #[sqlx(try_from = "i64")]
    pub amount: Vnd,
}

/// Stands for all grades in a price.
pub const EVERY_GRADE: i64 = -1;
