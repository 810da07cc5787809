use hocphi::App;
use hocphi::people::{HashingCost, PeopleError, Role, Session, create_user_at, login, logout, who};

use super::tree::{import_units, province, school, unit};
use super::{app_on, day, fresh_databases};

const PASSWORD: &str = "một mật khẩu dài";

async fn signed_in(app: &App, name: &str, role: Role, code: &str) -> Session {
    let unit = unit(app, code).await;
    create_user_at(
        app,
        HashingCost::WEAK,
        name,
        PASSWORD,
        " Nguyễn  Văn A ",
        role,
        &unit,
    )
    .await
    .unwrap();
    login(app, &name.to_uppercase(), PASSWORD).await.unwrap()
}

#[tokio::test]
async fn a_session_holds_twelve_hours_and_its_token_is_not_stored() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        import_units(&app, province()).await.unwrap();
        let session = signed_in(&app, "ketoan.c2a", Role::Accountant, "C2A").await;
        assert_eq!(session.token.len(), 32);
        assert!(!format!("{session:?}").contains(&session.token));
        let staff = who(&app, &session.token).await.unwrap().unwrap();
        assert_eq!(staff.display_name, "Nguyễn Văn A");
        let stored: (String, String) = app
            .db
            .sql(
                "SELECT s.token_digest, u.password_hash FROM login_session s
                   JOIN user_account u ON u.user_id = s.user_id",
            )
            .one()
            .await
            .unwrap();
        assert_ne!(stored.0, session.token);
        assert!(stored.1.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let start = app.clock.now();
        app.clock.set(start.plus_seconds(12 * 3_600 - 1));
        assert!(who(&app, &session.token).await.unwrap().is_some());
        app.clock.set(start.plus_seconds(12 * 3_600));
        assert!(who(&app, &session.token).await.unwrap().is_none());
        let next = login(&app, "ketoan.c2a", PASSWORD).await.unwrap();
        logout(&app, &next.token).await.unwrap();
        assert!(who(&app, &next.token).await.unwrap().is_none());
        let (left,): (i64,) = app
            .db
            .sql("SELECT COUNT(*) FROM login_session")
            .one()
            .await
            .unwrap();
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn wrong_logins_are_all_the_same_and_accounts_must_fit_their_unit() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        import_units(&app, province()).await.unwrap();
        signed_in(&app, "ketoan", Role::Accountant, "C2A").await;
        for (name, password) in [
            ("ketoan", "sai mật khẩu"),
            ("khong-co", PASSWORD),
            ("'; DROP", PASSWORD),
            ("ketoan", ""),
        ] {
            let refused = login(&app, name, password).await.unwrap_err();
            assert!(matches!(refused, PeopleError::WrongLogin), "{name}");
        }
        assert!(login(&app, "ketoan", &"ậ".repeat(600)).await.is_err());
        let make = |name: &'static str, password: &'static str, role, code: &'static str| {
            let app = app.clone();
            async move {
                let unit = unit(&app, code).await;
                create_user_at(&app, HashingCost::WEAK, name, password, "x", role, &unit)
                    .await
                    .unwrap_err()
            }
        };
        assert!(matches!(
            make("KETOAN", PASSWORD, Role::Accountant, "C2B").await,
            PeopleError::LoginTaken { .. }
        ));
        assert!(matches!(
            make("so", PASSWORD, Role::Office, "SO19").await,
            PeopleError::LoginForm
        ));
        assert!(matches!(
            make("so19", "ngắn", Role::Office, "SO19").await,
            PeopleError::PasswordForm
        ));
        assert!(matches!(
            make("so19", PASSWORD, Role::Accountant, "SO19").await,
            PeopleError::Unit { .. }
        ));
    }
}

#[tokio::test]
async fn staff_see_the_schools_of_their_unit_on_the_day_and_no_others() {
    for (db, _keep) in fresh_databases().await {
        let app = app_on(db);
        import_units(&app, province()).await.unwrap();
        let (a, b) = (
            school(&app, "C2A").await.school_id,
            school(&app, "C2B").await.school_id,
        );
        let staff = |name, role, code| {
            let app = app.clone();
            async move { signed_in(&app, name, role, code).await.staff }
        };
        let accountant = staff("ketoan.a", Role::Accountant, "C2A").await;
        let commune = staff("phuong1", Role::Office, "XA1").await;
        let district = staff("phong", Role::Office, "PGD1").await;
        let province = staff("so19", Role::Office, "SO19").await;
        for (person, school, on, may) in [
            (&accountant, &a, "2026-09-01", true),
            (&accountant, &b, "2026-09-01", false),
            (&commune, &a, "2026-09-01", true),
            (&commune, &b, "2026-09-01", false),
            (&commune, &a, "2025-06-30", false),
            (&district, &b, "2025-06-30", true),
            (&district, &b, "2025-07-01", false),
            (&province, &b, "2026-09-01", true),
        ] {
            let sees = person
                .may_see_school(&app.db, school, day(on))
                .await
                .unwrap();
            assert_eq!(sees, may, "{} {on}", person.display_name);
        }
        assert!(accountant.may_change_school(&a) && !province.may_change_school(&a));
    }
}
