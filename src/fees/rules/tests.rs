use crate::fees::vocabulary::DocumentRule;
use crate::ids::FeeItemId;
use proptest::prelude::*;
use rust_decimal::dec;

use super::super::parameters::{Parameter, ParameterTable};
use super::*;

fn day(text: &str) -> Day {
    Day::parse_iso(text).unwrap()
}

fn parameters() -> ParameterTable {
    [
        (
            "base_reference_level",
            "VN",
            "2024-07-01",
            Some("2026-07-01"),
            "2340000",
        ),
        ("base_reference_level", "VN", "2026-07-01", None, "2530000"),
        ("bhyt_rate", "VN", "2020-01-01", None, "0.045"),
        (
            "bhyt_state_support",
            "VN",
            "2021-01-01",
            Some("2025-07-01"),
            "0.3",
        ),
        ("bhyt_state_support", "VN", "2025-07-01", None, "0.5"),
        ("bhyt_province_extra", "TWENTY", "2025-07-01", None, "0.2"),
        ("bhyt_province_extra", "FIFTEEN", "2025-07-01", None, "0.15"),
        ("bhyt_group_billed.CN", "VN", "2021-01-01", None, "0.7"),
        ("bhyt_group_billed.HN", "VN", "2021-01-01", None, "1"),
        ("tuition_months_max", "VN", "2021-01-01", None, "9"),
        (
            "tuition_state_share",
            "PUBLIC",
            "2021-01-01",
            Some("2025-09-01"),
            "0",
        ),
        ("tuition_state_share", "PUBLIC", "2025-09-01", None, "1"),
        (
            "private_support_level",
            "PRIVATE",
            "2025-09-01",
            None,
            "100000",
        ),
        (
            "private_support_mode",
            "NETTING",
            "2025-09-01",
            None,
            "NETTED",
        ),
    ]
    .map(|(key, scope, from, to, value)| Parameter {
        key: key.into(),
        scope: scope.into(),
        valid_from: day(from),
        valid_to: to.map(day),
        value: value.into(),
        source: "VB".into(),
    })
    .into_iter()
    .collect()
}

fn item(collection_class: CollectionClass, calculation: Calculation) -> Item {
    Item {
        item_id: FeeItemId::new("i"),
        code: "KHOAN".into(),
        name: "Khoản".into(),
        collection_class,
        calculation,
        unit_name: "tháng".into(),
        document_rule: DocumentRule::Invoice,
        vat_rate: "KCT".into(),
        opt_in: OptIn::All,
        legal_basis: "NQ".into(),
    }
}

fn tuition() -> Item {
    item(CollectionClass::Tuition, Calculation::PerMonth)
}

fn insurance() -> Item {
    item(CollectionClass::OnBehalf, Calculation::HealthInsurance)
}

fn costs(amount: i64) -> Vec<Price> {
    vec![Price {
        item_id: FeeItemId::new("i"),
        grade: EVERY_GRADE,
        valid_from: day("2020-01-01"),
        valid_to: None,
        amount: Vnd::new(amount),
    }]
}

fn school(unit: &str, ownership: &str, level: &str) -> SchoolFacts {
    SchoolFacts::new(vec![unit.into()], ownership, level)
}

fn on(text: &str, quantity: i64) -> Occasion {
    Occasion {
        charge_day: day(text),
        payment_day: day(text),
        quantity: quantity.into(),
    }
}

const PUPIL: PupilFacts<'static> = PupilFacts {
    grade: 6,
    insurance_group: "HS",
    insurance_months: 12,
    choice: None,
    tuition_relief: None,
};

const fn relief(share: Rate) -> Option<TuitionRelief> {
    Some(TuitionRelief {
        share,
        ceiling: None,
        excess: Excess::Learner,
    })
}

#[test]
fn tuition_examples_of_the_reference_hold() {
    let vocational = |share, ceiling, excess| PupilFacts {
        tuition_relief: Some(TuitionRelief {
            share,
            ceiling: Some(Vnd::new(ceiling)),
            excess,
        }),
        ..PUPIL
    };
    let reduced = |share| PupilFacts {
        tuition_relief: relief(share),
        ..PUPIL
    };
    let public = school("C", "PUBLIC", "LOWER_SECONDARY");
    let private = school("C", "PRIVATE", "UPPER_SECONDARY");
    let netting = school("NETTING", "PRIVATE", "UPPER_SECONDARY");
    let college = school("C", "PRIVATE", "CONTINUING");
    // (example of school-fees §11, school, pupil, day, months, fee) -> (state, school, payer)
    for (example, school, pupil, on_day, months, fee, expected) in [
        (
            "1",
            &public,
            PUPIL,
            "2026-09-05",
            9,
            60_000,
            (540_000, 0, 0),
        ),
        (
            "3 paid to parent",
            &private,
            PUPIL,
            "2026-09-05",
            9,
            3_200_000,
            (0, 0, 28_800_000),
        ),
        (
            "3 netted",
            &netting,
            PUPIL,
            "2026-09-05",
            9,
            3_200_000,
            (900_000, 0, 27_900_000),
        ),
        (
            "4",
            &netting,
            PUPIL,
            "2026-09-05",
            9,
            80_000,
            (720_000, 0, 0),
        ),
        (
            "5",
            &public,
            reduced(dec!(0.5)),
            "2024-09-05",
            9,
            50_000,
            (225_000, 0, 225_000),
        ),
        (
            "6",
            &public,
            reduced(dec!(0.7)),
            "2024-09-05",
            9,
            65_000,
            (409_500, 0, 175_500),
        ),
        (
            "7",
            &college,
            vocational(dec!(0.5), 1_600_000, Excess::School),
            "2026-09-05",
            10,
            1_800_000,
            (8_000_000, 2_000_000, 8_000_000),
        ),
        (
            "8",
            &college,
            vocational(dec!(0.7), 2_300_000, Excess::Learner),
            "2026-09-05",
            1,
            2_500_000,
            (1_610_000, 0, 890_000),
        ),
        (
            "before the exemption",
            &public,
            PUPIL,
            "2025-08-31",
            9,
            60_000,
            (0, 0, 540_000),
        ),
    ] {
        let line = price(
            &tuition(),
            &costs(fee),
            &parameters(),
            school,
            &pupil,
            &on(on_day, months),
        )
        .unwrap()
        .unwrap();
        let parts = (
            line.state_part.get(),
            line.school_part.get(),
            line.amount_due.get(),
        );
        assert_eq!(parts, expected, "example {example}");
        assert_eq!(line.priced_until, None);
        assert_eq!(line.priority, 2);
    }
}

#[test]
fn health_insurance_examples_of_the_reference_hold() {
    let plain = school("C", "PUBLIC", "PRIMARY");
    let twenty = school("TWENTY", "PUBLIC", "UPPER_SECONDARY");
    let fifteen = school("FIFTEEN", "PUBLIC", "PRIMARY");
    // (example, school, group, pupil's months, asked, paid on) -> (gross, state, province, payer)
    for (example, school, group, months, asked, paid_on, expected) in [
        (
            "9",
            &plain,
            "HS",
            12,
            12,
            "2026-12-10",
            (1_366_200, 683_100, 0, 683_100),
        ),
        (
            "10",
            &plain,
            "HS",
            15,
            12,
            "2026-09-10",
            (1_707_750, 853_875, 0, 853_875),
        ),
        (
            "11",
            &twenty,
            "HS",
            9,
            12,
            "2026-12-10",
            (1_024_650, 512_325, 204_930, 307_395),
        ),
        (
            "12 in June",
            &plain,
            "HS",
            12,
            6,
            "2026-06-29",
            (631_800, 315_900, 0, 315_900),
        ),
        (
            "12 in July",
            &plain,
            "HS",
            12,
            6,
            "2026-07-01",
            (683_100, 341_550, 0, 341_550),
        ),
        (
            "13",
            &fifteen,
            "HS",
            12,
            1,
            "2026-12-10",
            (113_850, 56_925, 17_078, 39_847),
        ),
        (
            "near-poor",
            &plain,
            "CN",
            12,
            12,
            "2026-12-10",
            (1_366_200, 956_340, 0, 409_860),
        ),
        (
            "30 % until June 2025",
            &plain,
            "HS",
            12,
            12,
            "2025-06-30",
            (1_263_600, 379_080, 0, 884_520),
        ),
    ] {
        let pupil = PupilFacts {
            insurance_group: group,
            insurance_months: months,
            ..PUPIL
        };
        let line = price(
            &insurance(),
            &[],
            &parameters(),
            school,
            &pupil,
            &on(paid_on, asked),
        )
        .unwrap()
        .unwrap();
        let parts = (
            line.gross.get(),
            line.state_part.get(),
            line.province_part.get(),
            line.amount_due.get(),
        );
        assert_eq!(parts, expected, "example {example}");
        assert_eq!(line.priority, 1);
    }
}

#[test]
fn the_price_of_insurance_stands_until_a_parameter_changes() {
    let plain = school("C", "PUBLIC", "PRIMARY");
    let at = |paid_on| {
        price(
            &insurance(),
            &[],
            &parameters(),
            &plain,
            &PUPIL,
            &on(paid_on, 12),
        )
        .unwrap()
        .unwrap()
    };
    assert_eq!(at("2026-06-29").priced_until, Some(day("2026-07-01")));
    assert_eq!(at("2026-07-01").priced_until, None);
    assert_eq!(
        at("2026-07-01").legal_basis.replace('\u{a0}', " "),
        "NQ; Mức đóng 4,5% × 2.530.000 ₫ × 12 tháng (VB); Nhà nước hỗ trợ 50% (VB)"
    );
}

#[test]
fn who_is_insured_elsewhere_or_did_not_choose_has_no_line() {
    let plain = school("C", "PUBLIC", "PRIMARY");
    let line = |item: &Item, pupil: PupilFacts<'_>| {
        price(
            item,
            &costs(30_000),
            &parameters(),
            &plain,
            &pupil,
            &on("2026-10-01", 22),
        )
        .unwrap()
    };
    // Example 14: poor household, police culture school (no such parameter), under-6 card.
    for (group, months) in [("HN", 12), ("CA", 12), ("HS", 0)] {
        let pupil = PupilFacts {
            insurance_group: group,
            insurance_months: months,
            ..PUPIL
        };
        assert_eq!(line(&insurance(), pupil), None);
    }
    let chosen = |quantity| PupilFacts {
        choice: Some(quantity),
        ..PUPIL
    };
    let voluntary = item(CollectionClass::Voluntary, Calculation::Once);
    assert_eq!(line(&voluntary, PUPIL), None);
    let gift = line(&voluntary, chosen(dec!(1))).unwrap();
    assert_eq!(
        (gift.amount_due.get(), gift.priority),
        (30_000, PRIORITY_VOLUNTARY)
    );
    let mut uniform = item(CollectionClass::OnBehalf, Calculation::PerPiece);
    uniform.opt_in = OptIn::Chosen;
    assert_eq!(line(&uniform, PUPIL), None);
    assert_eq!(line(&uniform, chosen(dec!(0))), None);
    assert_eq!(
        line(&uniform, chosen(dec!(2))).unwrap().amount_due.get(),
        60_000
    );
    // Example 15, before the credit of 56,000 for two notified days: 22 days at 30,000.
    let meals = item(CollectionClass::OnBehalf, Calculation::PerDay);
    assert_eq!(line(&meals, PUPIL).unwrap().amount_due.get(), 660_000);
}

#[test]
fn what_is_not_known_is_an_error_that_names_it() {
    let public = school("C", "PUBLIC", "PRIMARY");
    let ask = |prices: &[Price], parameters: &ParameterTable, on_day, months| {
        price(
            &tuition(),
            prices,
            parameters,
            &public,
            &PUPIL,
            &on(on_day, months),
        )
        .map_err(|error| (error.code(), error.to_string()))
    };
    let (code, text) = ask(&[], &parameters(), "2026-09-05", 9).unwrap_err();
    assert_eq!(code, "NO_PRICE");
    assert_eq!(
        text,
        "Khoản KHOAN chưa có đơn giá cho khối 6 vào ngày 05/09/2026."
    );
    let (code, _) = ask(&costs(1), &parameters(), "2026-09-05", 10).unwrap_err();
    assert_eq!(code, "TOO_MANY_MONTHS");
    let none = ParameterTable::default();
    assert_eq!(
        ask(&costs(1), &none, "2026-09-05", 9).unwrap_err().0,
        "PARAMETER_MISSING"
    );
}

#[test]
fn the_price_of_the_grade_and_the_day_goes_before_that_of_all() {
    let cost = |grade, from, to: Option<&str>, amount| Price {
        item_id: FeeItemId::new("i"),
        grade,
        valid_from: day(from),
        valid_to: to.map(day),
        amount: Vnd::new(amount),
    };
    let prices = [
        cost(EVERY_GRADE, "2026-09-01", Some("2026-10-01"), 28_000),
        cost(EVERY_GRADE, "2026-10-01", None, 30_000),
        cost(6, "2026-09-01", None, 35_000),
    ];
    let meals = item(CollectionClass::OnBehalf, Calculation::PerDay);
    for (grade, on_day, expected) in [
        (1, "2026-09-30", 28_000),
        (1, "2026-10-01", 30_000),
        (6, "2026-10-01", 35_000),
    ] {
        let found = unit_price(&meals, &prices, grade, day(on_day)).unwrap();
        assert_eq!(found.get(), expected);
    }
    assert!(unit_price(&meals, &prices, 1, day("2026-08-31")).is_err());
}

proptest! {
    #[test]
    fn parts_sum_to_the_gross_whatever_the_shares(
        fee in 0i64..50_000_000,
        months in 1i64..=9,
        share in 0u32..=1000,
        ceiling in proptest::option::of(0i64..50_000_000),
        absorbed in any::<bool>(),
        unit in prop::sample::select(vec!["C", "NETTING", "TWENTY", "FIFTEEN"]),
        ownership in prop::sample::select(vec!["PUBLIC", "PRIVATE"]),
        on_day in prop::sample::select(vec!["2024-09-05", "2026-06-30", "2026-09-05"]),
    ) {
        let pupil = PupilFacts {
            insurance_months: months,
            tuition_relief: Some(TuitionRelief {
                share: Rate::new(share.into(), 3),
                ceiling: ceiling.map(Vnd::new),
                excess: if absorbed { Excess::School } else { Excess::Learner },
            }),
            ..PUPIL
        };
        let school = school(unit, ownership, "LOWER_SECONDARY");
        for item in [tuition(), insurance()] {
            let line = price(&item, &costs(fee), &parameters(), &school, &pupil, &on(on_day, months))
                .unwrap()
                .unwrap();
            let parts = [line.state_part, line.province_part, line.school_part, line.amount_due];
            prop_assert!(parts.iter().all(|part| !part.is_negative()));
            prop_assert_eq!(parts.into_iter().sum::<Vnd>(), line.gross);
        }
    }
}
