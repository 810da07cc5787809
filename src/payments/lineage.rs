//! Where the money of a journal entry came from.

use std::collections::BTreeMap;

use super::books::Channel;
use crate::clock::Day;
use crate::ids::SchoolId;
use crate::money::Vnd;
use crate::store::{Db, StoreError, rows};

/// A payment as the cause of entries.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    pub provider: String,
    pub transaction_id: String,
    pub channel: Channel,
    pub paid_day: Day,
    pub amount: Vnd,
    /// The provider's notice in the inbox.
    pub notice_key: Option<String>,
    /// Codes of the bills it settled, in whole or in part.
    pub bill_codes: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct PaymentRow {
    payment_id: String,
    provider: String,
    transaction_id: String,
    channel: Channel,
    paid_day: Day,
    #[sqlx(try_from = "i64")]
    amount: Vnd,
    notice_key: Option<String>,
}

/// The payments behind these sources of entries, by their identifier; other sources are left out.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn origins(
    db: &Db,
    school: &SchoolId,
    sources: &[&str],
) -> Result<BTreeMap<String, Origin>, StoreError> {
    let found: Vec<PaymentRow> = db
        .sql(
            "SELECT p.payment_id, p.provider, p.transaction_id, p.channel, p.paid_day, p.amount,
                    n.notice_key
               FROM payment p
               LEFT JOIN provider_notice n ON n.school_id = p.school_id
                                          AND n.payment_id = p.payment_id
              WHERE p.school_id = $1 AND p.payment_id IN (SELECT id FROM ROWS($2: id TEXT) AS r)",
        )
        .bind(school.clone())
        .bind(rows(sources.iter().map(|source| (source,))))
        .all()
        .await?;
    let bills: Vec<(String, String)> = db
        .sql(
            "SELECT DISTINCT a.payment_id, b.bill_code
               FROM allocation a
               JOIN fee_bill b ON b.school_id = a.school_id AND b.bill_id = a.bill_id
              WHERE a.school_id = $1 AND a.payment_id IN (SELECT id FROM ROWS($2: id TEXT) AS r)
              ORDER BY a.payment_id, b.bill_code",
        )
        .bind(school.clone())
        .bind(rows(sources.iter().map(|source| (source,))))
        .all()
        .await?;
    let mut codes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (payment, code) in bills {
        codes.entry(payment).or_default().push(code);
    }
    Ok(found
        .into_iter()
        .map(|row| {
            let origin = Origin {
                provider: row.provider,
                transaction_id: row.transaction_id,
                channel: row.channel,
                paid_day: row.paid_day,
                amount: row.amount,
                notice_key: row.notice_key,
                bill_codes: codes.remove(&row.payment_id).unwrap_or_default(),
            };
            (row.payment_id, origin)
        })
        .collect())
}
