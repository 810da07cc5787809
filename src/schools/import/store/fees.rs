//! SQL of fee items and prices as files bring them.

use super::batches;
use crate::clock::Day;
use crate::store::{StoreError, Tx};

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ItemRow {
    pub item_id: String,
    pub code: String,
    pub name: String,
    pub collection_class: String,
    pub calculation: String,
    pub unit_name: String,
    pub document_rule: String,
    pub vat_rate: String,
    pub opt_in: String,
    pub legal_basis: String,
}

/// The price of one unit in đồng.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PriceRow {
    /// -1: every grade.
    pub grade: i64,
    pub valid_from: Day,
    pub valid_to: Option<Day>,
    pub amount: i64,
    pub source: String,
}

#[derive(sqlx::FromRow)]
struct KnownPrice {
    item_id: String,
    #[sqlx(flatten)]
    price: PriceRow,
}

pub async fn items(tx: &mut Tx, school: &str) -> Result<Vec<ItemRow>, StoreError> {
    tx.sql(
        "SELECT item_id, code, name, collection_class, calculation, unit_name, document_rule,
                vat_rate, opt_in, legal_basis
           FROM fee_item WHERE school_id = $1",
    )
    .bind(school.to_owned())
    .all()
    .await
}

/// Item and price, by item, grade and day.
pub async fn prices(tx: &mut Tx, school: &str) -> Result<Vec<(String, PriceRow)>, StoreError> {
    let found: Vec<KnownPrice> = tx
        .sql(
            "SELECT item_id, grade, valid_from, valid_to, amount, source
               FROM fee_price WHERE school_id = $1
              ORDER BY item_id, grade, valid_from",
        )
        .bind(school.to_owned())
        .all()
        .await?;
    Ok(found
        .into_iter()
        .map(|known| (known.item_id, known.price))
        .collect())
}

/// Adds new items and changes known ones.
pub async fn write_items(tx: &mut Tx, school: &str, items: &[ItemRow]) -> Result<(), StoreError> {
    let items: Vec<_> = items
        .iter()
        .map(|i| {
            (
                &i.item_id,
                &i.code,
                &i.name,
                &i.collection_class,
                &i.calculation,
                &i.unit_name,
                &i.document_rule,
                &i.vat_rate,
                &i.opt_in,
                &i.legal_basis,
            )
        })
        .collect();
    for batch in batches(&items) {
        tx.sql(
            "INSERT INTO fee_item (school_id, item_id, code, name, collection_class, calculation,
                                   unit_name, document_rule, vat_rate, opt_in, legal_basis)
             SELECT $2, r.id, r.code, r.name, r.class, r.calculation, r.unit, r.document, r.vat,
                    r.opt_in, r.basis
               FROM ROWS($1: id TEXT, code TEXT, name TEXT, class TEXT, calculation TEXT, unit TEXT,
                         document TEXT, vat TEXT, opt_in TEXT, basis TEXT) AS r
              WHERE TRUE
             ON CONFLICT (school_id, item_id) DO UPDATE
                SET name = excluded.name, collection_class = excluded.collection_class,
                    calculation = excluded.calculation, unit_name = excluded.unit_name,
                    document_rule = excluded.document_rule, vat_rate = excluded.vat_rate,
                    opt_in = excluded.opt_in, legal_basis = excluded.legal_basis",
        )
        .bind(batch)
        .bind(school.to_owned())
        .run()
        .await?;
    }
    Ok(())
}

/// Writes all prices of the items in `of` anew.
pub async fn replace_prices(
    tx: &mut Tx,
    school: &str,
    of: &[String],
    prices: &[(String, PriceRow)],
) -> Result<(), StoreError> {
    let of: Vec<_> = of.iter().map(|item| (item,)).collect();
    for batch in batches(&of) {
        tx.sql(
            "DELETE FROM fee_price
              WHERE school_id = $2
                AND item_id IN (SELECT r.id FROM ROWS($1: id TEXT) AS r)",
        )
        .bind(batch)
        .bind(school.to_owned())
        .run()
        .await?;
    }
    let prices: Vec<_> = prices
        .iter()
        .map(|(item, p)| (item, p.grade, p.valid_from, p.valid_to, p.amount, &p.source))
        .collect();
    for batch in batches(&prices) {
        tx.sql(
            "INSERT INTO fee_price (school_id, item_id, grade, valid_from, valid_to, amount, source)
             SELECT $2, r.item, r.grade, r.f, r.t, r.amount, r.source
               FROM ROWS($1: item TEXT, grade BIGINT, f DAY, t DAY, amount BIGINT, source TEXT) AS r",
        )
        .bind(batch)
        .bind(school.to_owned())
        .run()
        .await?;
    }
    Ok(())
}
