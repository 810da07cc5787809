//! Forms by which an accountant deals with a wrong invoice, over HTTP.

use axum::http::StatusCode;
use hocphi::ids::SchoolId;
use hocphi::invoices::document::{
    Buyer, Collected, Document, Form, Format, Heading, Numbering, PaymentMethod, Seller, VatRate,
};
use hocphi::invoices::service::{install_key, list_keys};
use hocphi::invoices::signature::SigningKey;
use hocphi::money::Vnd;
use hocphi::store::Tx;
use hocphi::web::{self, PageConfig};

use super::fresh_databases;
use super::pages::{app, get, noon, session, two_schools};
use super::staff_forms::{hidden, post};

const TAX_CODE: &str = "0100233488";

/// What the invoice of the two schools' books says.
fn document() -> Document {
    let heading = Heading {
        numbering: Numbering {
            form: Form::Vat,
            format: Format::V2_1_1,
            symbol: "C26TAA".into(),
            number: 7,
            issue_day: noon().day(),
        },
        payment_method: PaymentMethod::Transfer,
        solution_provider: TAX_CODE.into(),
        seller: Seller {
            name: "Trường".into(),
            tax_code: TAX_CODE.into(),
            address: "Thái Nguyên".into(),
            phone: None,
            bank_account: None,
        },
        buyer: Buyer {
            name: Some("Đặng Văn Tư".into()),
            ..Buyer::default()
        },
        trustee: None,
        related: None,
        bills: Vec::new(),
        lookup_code: "lookup1".into(),
    };
    let line = Collected::supply("Bảo hiểm y tế", Vnd::new(300), VatRate::NotSubject);
    Document::new(heading, &[line]).unwrap()
}

#[tokio::test]
async fn a_wrong_invoice_is_adjusted_by_a_form_once_and_then_only_that_way() {
    for (db, _keep) in fresh_databases().await {
        two_schools(&db).await.unwrap();
        let content = serde_json::to_string(&document()).unwrap();
        db.write("test.invoicing", async move |tx: &mut Tx| {
            tx.sql("UPDATE invoice SET document = $1")
                .bind(content.clone())
                .run()
                .await?;
            tx.sql("UPDATE school SET tax_code = $1 WHERE school_id = 's1'")
                .bind(TAX_CODE)
                .run()
                .await?;
            for (key, value) in [
                ("vat_method", "DEDUCTION"),
                ("invoice_policy", "INVOICE_ALL"),
                ("invoice_format", "2.1.1"),
                ("invoice_coding", "C"),
                ("invoice_symbol_letters", "TAA"),
                ("solution_provider_tax_code", TAX_CODE),
            ] {
                tx.sql(
                    "INSERT INTO parameter (key, scope, valid_from, value, source, status)
                     VALUES ($1, 's1', $2, $3, 'test', 'ILLUSTRATIVE')",
                )
                .bind(key)
                .bind(noon().day().plus_days(-300))
                .bind(value)
                .run()
                .await?;
            }
            Ok::<_, hocphi::store::StoreError>(())
        })
        .await
        .unwrap();
        let app = app(db.clone());
        let key = SigningKey::from_pem(include_str!("../../data/keys/seller-pkcs8.pem")).unwrap();
        let school = SchoolId::new("s1");
        install_key(&app, &school, &key, &[]).await.unwrap();
        assert_eq!(list_keys(&app, &school).await.unwrap().len(), 1);
        let router = web::router(app, PageConfig::default());
        let cookie = session(&router, "kt1").await;
        let receipt = get(&router, "/ke-toan/receipts/pay1", &cookie).await.text;
        assert!(receipt.contains("/ke-toan/corrections/new?invoice=inv1"));
        let form = async || {
            get(&router, "/ke-toan/corrections/new?invoice=inv1", &cookie)
                .await
                .text
        };
        let page = form().await;
        assert!(page.contains("1C26TAA-7") && page.contains("value=\"Đặng Văn Tư\""));
        for deed in ["NOTICE", "ADJUST", "REPLACE", "AUTHORITY"] {
            assert!(
                page.contains(&format!("<option value=\"{deed}\"")),
                "{deed}"
            );
        }
        let put = async |page: &str, deed: &str, why: &str, amount: &str| {
            let form = [
                ("form_token", hidden(page, "form_token")),
                ("once", hidden(page, "once")),
                ("invoice", "inv1"),
                ("deed", deed),
                ("why", why),
                ("name", "Đặng Văn Tư"),
                ("amount_1", amount),
            ];
            post(&router, "/ke-toan/corrections/new", &cookie, &form).await
        };
        for (why, amount, told) in [
            ("", "200", "Hãy ghi lý do"),
            ("ghi sai", "hai trăm", "Không đọc được số tiền"),
            ("ghi sai", "300", "Chưa có gì khác"),
        ] {
            let refused = put(&page, "ADJUST", why, amount).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
            assert!(refused.text.contains(told), "{told}");
        }
        for _ in 0..2 {
            let done = put(&page, "ADJUST", "ghi sai", "200").await;
            assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        }
        let made: Vec<(i64, i64, String)> = db
            .sql("SELECT number, total, kind FROM invoice WHERE related_id = 'inv1'")
            .all()
            .await
            .unwrap();
        assert_eq!(made, [(8, -100, "ADJUSTING".to_owned())]);
        let page = form().await;
        assert!(!page.contains("<option value=\"REPLACE\""));
        let other_way = put(&page, "REPLACE", "ghi sai", "100").await;
        assert_eq!(other_way.status, StatusCode::CONFLICT);
        let list = get(&router, "/ke-toan/corrections", &cookie).await.text;
        assert!(list.contains("1C26TAA-8") && list.contains("1C26TAA-7"));
        // The correction itself is not with the authority yet.
        let watch = get(&router, "/ke-toan/deadlines", &cookie).await.text;
        assert!(watch.contains("1C26TAA-8"));
        let two = session(&router, "kt2").await;
        let theirs = get(&router, "/ke-toan/corrections/new?invoice=inv1", &two).await;
        assert_eq!(theirs.status, StatusCode::NOT_FOUND);
    }
}
