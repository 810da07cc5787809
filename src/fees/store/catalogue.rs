//! Fee items, their dated prices, and what of the school decides them.

use super::Source;
use crate::clock::Day;
use crate::fees::parameters::Parameter;
use crate::fees::rules::{Item, Price};
use crate::fees::vocabulary::{Calculation, CollectionClass, DocumentRule, OptIn};
use crate::ids::{FeeItemId, RoundId, SchoolId};
use crate::money::Vnd;
use crate::store::{StoreError, Tx, rows};

/// An item as a fee file states it; `code` is what it is known by.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Used when the code is new to the school.
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

/// A dated price of the item with `code`.
#[derive(Clone, Debug)]
pub struct NewPrice {
    pub code: String,
    /// [`EVERY_GRADE`](crate::fees::rules::EVERY_GRADE) for all.
    pub grade: i64,
    pub valid_from: Day,
    pub valid_to: Option<Day>,
    pub amount: Vnd,
    pub source: String,
}

/// Adds items, or brings those with the same code up to date. Published bills keep their wording.
pub async fn put_items(
    tx: &mut Tx,
    school: &SchoolId,
    items: &[NewItem],
) -> Result<u64, StoreError> {
    tx.sql(
        "INSERT INTO fee_item (school_id, item_id, code, name, collection_class, calculation,
                               unit_name, document_rule, vat_rate, opt_in, legal_basis)
         SELECT $2, r.item_id, r.code, r.name, r.class, r.calculation,
                r.unit_name, r.document_rule, r.vat_rate, r.opt_in, r.legal_basis
           FROM ROWS($1: item_id TEXT, code TEXT, name TEXT, class TEXT, calculation TEXT,
                     unit_name TEXT, document_rule TEXT, vat_rate TEXT, opt_in TEXT,
                     legal_basis TEXT) AS r
          WHERE TRUE
         ON CONFLICT (school_id, code) DO UPDATE
            SET name = excluded.name,
                collection_class = excluded.collection_class,
                calculation = excluded.calculation,
                unit_name = excluded.unit_name,
                document_rule = excluded.document_rule,
                vat_rate = excluded.vat_rate,
                opt_in = excluded.opt_in,
                legal_basis = excluded.legal_basis",
    )
    .bind(rows(items.iter().map(|item| {
        (
            &item.item_id,
            &item.code,
            &item.name,
            item.collection_class,
            item.calculation,
            &item.unit_name,
            item.document_rule,
            &item.vat_rate,
            item.opt_in,
            &item.legal_basis,
        )
    })))
    .bind(school.clone())
    .run()
    .await
}

/// As [`put_items`], for one.
pub async fn put_item(tx: &mut Tx, school: &SchoolId, item: &NewItem) -> Result<u64, StoreError> {
    put_items(tx, school, std::slice::from_ref(item)).await
}

/// Adds prices, or corrects those with the same item, grade and first day. Answers how many found
/// their item: fewer than given means that a code is unknown.
pub async fn put_prices(
    tx: &mut Tx,
    school: &SchoolId,
    prices: &[NewPrice],
) -> Result<u64, StoreError> {
    tx.sql(
        "INSERT INTO fee_price (school_id, item_id, grade, valid_from, valid_to, amount, source)
         SELECT i.school_id, i.item_id, r.grade, r.valid_from, r.valid_to, r.amount, r.source
           FROM ROWS($1: code TEXT, grade BIGINT, valid_from DAY, valid_to DAY, amount BIGINT,
                     source TEXT) AS r
           JOIN fee_item AS i ON i.school_id = $2 AND i.code = r.code
          WHERE TRUE
         ON CONFLICT (school_id, item_id, grade, valid_from) DO UPDATE
            SET valid_to = excluded.valid_to, amount = excluded.amount, source = excluded.source",
    )
    .bind(rows(prices.iter().map(|price| {
        (
            &price.code,
            price.grade,
            price.valid_from,
            price.valid_to,
            price.amount,
            &price.source,
        )
    })))
    .bind(school.clone())
    .run()
    .await
}

/// As [`put_prices`], for one.
pub async fn put_price(
    tx: &mut Tx,
    school: &SchoolId,
    price: &NewPrice,
) -> Result<u64, StoreError> {
    put_prices(tx, school, std::slice::from_ref(price)).await
}

/// The whole catalogue of a school, by code.
pub async fn items(source: &mut impl Source, school: &SchoolId) -> Result<Vec<Item>, StoreError> {
    source
        .sql(
            "SELECT item_id, code, name, collection_class, calculation, unit_name, document_rule,
                    vat_rate, opt_in, legal_basis
               FROM fee_item
              WHERE school_id = $1
              ORDER BY code",
        )
        .bind(school.clone())
        .all()
        .await
}

/// The item with a code.
pub async fn item_id(
    tx: &mut Tx,
    school: &SchoolId,
    code: &str,
) -> Result<Option<FeeItemId>, StoreError> {
    let found: Option<(FeeItemId,)> = tx
        .sql("SELECT item_id FROM fee_item WHERE school_id = $1 AND code = $2")
        .bind(school.clone())
        .bind(code.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(id,)| id))
}

/// All prices of the items of a round; which of them holds is a rule.
pub async fn prices_of_round(
    source: &mut impl Source,
    school: &SchoolId,
    round: &RoundId,
) -> Result<Vec<Price>, StoreError> {
    source
        .sql(
            "SELECT p.item_id, p.grade, p.valid_from, p.valid_to, p.amount
               FROM billing_round_item AS r
               JOIN fee_price AS p ON p.school_id = r.school_id AND p.item_id = r.item_id
              WHERE r.school_id = $1 AND r.round_id = $2",
        )
        .bind(school.clone())
        .bind(round.clone())
        .all()
        .await
}

/// What of a school decides prices.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct School {
    pub code: String,
    pub ownership: String,
    pub education_level: String,
}

pub async fn school(
    source: &mut impl Source,
    school: &SchoolId,
) -> Result<Option<School>, StoreError> {
    source
        .sql(
            "SELECT u.code, s.ownership, s.education_level
               FROM school AS s
               JOIN org_unit AS u ON u.unit_id = s.school_id
              WHERE s.school_id = $1",
        )
        .bind(school.clone())
        .optional()
        .await
}

/// Codes of the units that manage the school on a day, nearest first.
pub async fn managing_units(
    source: &mut impl Source,
    school: &SchoolId,
    day: Day,
) -> Result<Vec<String>, StoreError> {
    let found: Vec<(String, i64)> = source
        .sql(
            "WITH RECURSIVE above (unit_id, depth) AS (
                 SELECT unit_id, CAST(0 AS BIGINT) FROM org_unit WHERE unit_id = $1
                 UNION ALL
                 SELECT r.parent_id, a.depth + 1
                   FROM above AS a
                   JOIN org_relation AS r ON r.child_id = a.unit_id
                  WHERE r.relation = 'MANAGES' AND r.valid_from <= $2
                    AND (r.valid_to IS NULL OR r.valid_to > $2) AND a.depth < 8)
             SELECT u.code, a.depth
               FROM above AS a
               JOIN org_unit AS u ON u.unit_id = a.unit_id
              WHERE a.depth > 0
              ORDER BY a.depth, u.code",
        )
        .bind(school.clone())
        .bind(day)
        .all()
        .await?;
    Ok(found.into_iter().map(|(code, _)| code).collect())
}

/// Every parameter that pricing may ask for.
pub async fn parameters(source: &mut impl Source) -> Result<Vec<Parameter>, StoreError> {
    source
        .sql(
            "SELECT key, scope, valid_from, valid_to, value, source
               FROM parameter
              WHERE key = 'base_reference_level' OR key LIKE 'bhyt%' OR key LIKE 'tuition%'
                 OR key LIKE 'private_support%'",
        )
        .all()
        .await
}
