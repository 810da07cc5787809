//! Fee items, their dated prices, and what of the school decides them. Fee files write them, see
//! `schools::import`.

use super::Source;
use crate::clock::Day;
use crate::fees::parameters::Parameter;
use crate::fees::rules::{Item, Price};
use crate::ids::{FeeItemId, RoundId, SchoolId};
use crate::store::{StoreError, Tx};

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
