//! Registrations and notices of wrong invoices, through the simulated authority.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hocphi::App;
use hocphi::clock::Day;
use hocphi::ids::DeclarationId;
use hocphi::invoices::declarations::document::People;
use hocphi::invoices::declarations::service::{
    DeclarationError, NewNotice, NewRegistration, collect, notify, register, send,
};
use hocphi::invoices::declarations::store;
use hocphi::invoices::service::{KeyRing, Progress, list_keys};
use hocphi::store::Tx;
use hocphi_sandbox::{Levers, Pki, Taxpayer};

use super::books::{SCHOOLS, app_on, start};
use super::exchange::{Scene, scene};
use super::outside_verifiers::{Bench, all_agree};
use crate::engines::fresh_databases;

async fn office(app: &App) {
    app.db
        .write("test.office", async |tx: &mut Tx| {
            for (key, value) in [
                ("tax_office_name", "Thuế cơ sở 1 tỉnh Thái Nguyên"),
                ("tax_office_code", "60701"),
                ("tax_place", "Thái Nguyên"),
            ] {
                tx.sql(
                    "INSERT INTO parameter (key, scope, valid_from, value, source, status)
                     VALUES ($1, 's1', $2, $3, 'test', 'ILLUSTRATIVE')",
                )
                .bind(key)
                .bind(Day::new(2026, 1, 1).unwrap())
                .bind(value)
                .run()
                .await?;
            }
            Ok::<_, hocphi::store::StoreError>(())
        })
        .await
        .unwrap();
}

fn people() -> People {
    People {
        representative: "Trần Thị Hạnh".into(),
        representative_personal_id: Some("001185000001".into()),
        representative_passport: None,
        representative_born: Day::new(1985, 3, 8),
        representative_phone: None,
        contact: "Lê Văn Kế".into(),
        contact_address: "Thái Nguyên".into(),
        contact_email: "ketoan@example.edu.vn".into(),
        contact_phone: "0208000000".into(),
    }
}

fn notice(scene: &Scene, form: &str) -> NewNotice {
    NewNotice {
        invoices: vec![(
            scene.invoice.clone(),
            "Sai tên người mua, đúng là Trần Thị Đúng".into(),
        )],
        answers: None,
        request: form.into(),
        by: "kt".into(),
    }
}

fn registration(form: &str) -> NewRegistration {
    NewRegistration {
        is_change: false,
        people: people(),
        stopped: Vec::new(),
        carrier: None,
        request: form.into(),
        by: "kt".into(),
    }
}

impl Scene {
    async fn declare(&self, id: &DeclarationId) -> (Progress, Progress) {
        let (app, exchange, client) = (&self.app, &self.exchange, &*self.client);
        let sent = send(app, exchange, client, &self.school, id).await.unwrap();
        let got = collect(app, exchange, client, &self.school, id)
            .await
            .unwrap();
        (sent, got)
    }

    async fn declaration(&self, id: &DeclarationId) -> store::Row {
        store::find(&self.app.db, &self.school, id)
            .await
            .unwrap()
            .unwrap()
    }
}

/// What three verifiers say of a declaration, and of a changed one.
fn verifies_everywhere(xml: &str, issuer: &str) {
    let changed = xml.replacen("Thái Nguyên", "Thái Nguyen", 1);
    let files = [
        ("declaration".to_owned(), xml.as_bytes().to_vec(), true),
        ("changed".to_owned(), changed.into_bytes(), false),
    ];
    all_agree(&Bench::trusting(issuer), &files);
}

#[tokio::test]
async fn a_notice_is_answered_for_each_invoice() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene(app_on(db), &pki).await;
        office(&scene.app).await;
        let keys = KeyRing::default();
        let early = notify(&scene.app, &keys, &scene.school, notice(&scene, "f0")).await;
        assert!(matches!(early, Err(DeclarationError::NotAccepted)));
        scene.send().await;
        scene.collect().await;
        let made = notify(&scene.app, &keys, &scene.school, notice(&scene, "f1"))
            .await
            .unwrap();
        let again = notify(&scene.app, &keys, &scene.school, notice(&scene, "f1"))
            .await
            .unwrap();
        assert_eq!(made, again);
        let xml = scene.declaration(&made).await.xml;
        assert!(xml.contains("<MSo>04/SS-HĐĐT</MSo>") && !xml.contains("<TCTBao>"));
        verifies_everywhere(&xml, &pki.root_pem);
        // The answer to the first attempt is lost: asked about, not sent twice.
        scene.client.lose.store(1, Ordering::SeqCst);
        let before = scene.client.posts.load(Ordering::SeqCst);
        let (lost, _) = scene.declare(&made).await;
        assert!(matches!(lost, Progress::Outage { .. }));
        assert_eq!(scene.declare(&made).await, (Progress::Done, Progress::Done));
        assert_eq!(scene.client.posts.load(Ordering::SeqCst), before + 1);
        assert_eq!(scene.declaration(&made).await.state, store::State::Accepted);

        scene.sandbox.tax().set_levers(Levers {
            refuse_next: 1,
            ..Levers::default()
        });
        let second = notify(&scene.app, &keys, &scene.school, notice(&scene, "f2"))
            .await
            .unwrap();
        scene.declare(&second).await;
        let row = scene.declaration(&second).await;
        assert_eq!(row.state, store::State::Refused);
        assert!(row.refusal.unwrap().contains("1C26TAA-1: 3099"));
        let verdicts: Vec<(String,)> = scene
            .app
            .db
            .sql("SELECT verdict FROM tax_declaration_invoice ORDER BY verdict")
            .all()
            .await
            .unwrap();
        assert_eq!(
            verdicts,
            [("ACCEPTED".to_owned(),), ("REFUSED".to_owned(),)]
        );
    }
}

#[tokio::test]
async fn an_accepted_registration_enters_its_certificates_and_a_refused_one_does_not() {
    let pki = Arc::new(Pki::new(start().unix()).unwrap());
    for (db, _keep) in fresh_databases().await {
        let scene = scene(app_on(db), &pki).await;
        office(&scene.app).await;
        let keys = KeyRing::default();
        let mut taxpayer = Taxpayer {
            tax_code: SCHOOLS[0].1.into(),
            name: "Trường s1".into(),
            form: "2".into(),
        };
        scene.sandbox.tax().register(taxpayer.clone());
        let wrong = register(&scene.app, &keys, &scene.school, registration("r1"))
            .await
            .unwrap();
        scene.declare(&wrong).await;
        let row = scene.declaration(&wrong).await;
        assert_eq!(row.state, store::State::Refused);
        assert!(row.refusal.unwrap().starts_with("103: 2005"));
        let listed = list_keys(&scene.app, &scene.school).await.unwrap();
        assert_eq!(listed[0].registered, None);

        taxpayer.form = "1".into();
        scene.sandbox.tax().register(taxpayer);
        scene.sandbox.tax().set_levers(Levers {
            refuse_next: 1,
            ..Levers::default()
        });
        let refused = register(&scene.app, &keys, &scene.school, registration("r2"))
            .await
            .unwrap();
        scene.declare(&refused).await;
        let why = scene.declaration(&refused).await.refusal.unwrap();
        assert!(why.starts_with("102: 3099"), "{why}");

        let good = register(&scene.app, &keys, &scene.school, registration("r3"))
            .await
            .unwrap();
        let row = scene.declaration(&good).await;
        verifies_everywhere(&row.xml, &pki.root_pem);
        assert_eq!(scene.declare(&good).await, (Progress::Done, Progress::Done));
        assert_eq!(scene.declaration(&good).await.state, store::State::Accepted);
        let listed = list_keys(&scene.app, &scene.school).await.unwrap();
        assert_eq!(listed[0].registered, Some(true));
    }
}
