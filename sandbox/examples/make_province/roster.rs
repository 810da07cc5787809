//! The pupils of one school, class by class.

use rand::Rng;
use rand::rngs::StdRng;

use crate::names;
use crate::schools::{Level, School};
use crate::table::{Cell, Table};

const CLASS_SIZE: usize = 32;
/// School year 2026–2027 begins.
const YEAR: u16 = 2026;

pub fn table(school_index: usize, school: &School, chance: &mut StdRng) -> Table {
    let mut table = Table::new(
        "Học sinh",
        &[
            "Mã học sinh",
            "Họ và tên",
            "Ngày sinh",
            "Giới tính",
            "Khối",
            "Lớp",
            "Họ tên phụ huynh",
            "Quan hệ",
            "Điện thoại",
            "Email",
            "Địa chỉ",
            "Nhóm BHYT",
            "Số tháng BHYT",
        ],
    );
    let choices = choices(school);
    table
        .header
        .extend(choices.iter().map(|code| format!("Chọn {code}")));
    let classes = classes(school);
    for number in 0..school.pupils {
        let (grade, class, age) = &classes[number * classes.len() / school.pupils];
        let code = format!("1926{:02}{:04}", school_index + 1, number + 1);
        table
            .rows
            .push(pupil(school, &code, *grade, class, *age, &choices, chance));
    }
    table
}

/// Grade, name and age at the start of the school year.
fn classes(school: &School) -> Vec<(u32, String, u16)> {
    let count = school.pupils.div_ceil(CLASS_SIZE);
    if school.level == Level::Preschool {
        const GROUPS: [(&str, u16); 3] = [("Mầm", 3), ("Chồi", 4), ("Lá", 5)];
        return (0..count.max(3))
            .map(|index| {
                let (name, age) = GROUPS[index * 3 / count.max(3)];
                (0, format!("{name} {}", index % 2 + 1), age)
            })
            .collect();
    }
    let grades: Vec<u32> = school.level.grades().collect();
    let per_grade = count.div_ceil(grades.len());
    grades
        .iter()
        .flat_map(|grade| {
            (0..per_grade).map(move |index| {
                let letter = char::from(b'A' + u8::try_from(index).unwrap_or(0));
                (
                    *grade,
                    format!("{grade}{letter}"),
                    u16::try_from(*grade).unwrap_or(0) + 5,
                )
            })
        })
        .collect()
}

fn choices(school: &School) -> Vec<&'static str> {
    let mut codes = Vec::new();
    if matches!(school.level, Level::Preschool | Level::Primary) {
        codes.extend(["TIENAN", "BANTRU"]);
    }
    codes.extend(["DONGPHUC", "BHTN"]);
    if !school.public {
        codes.push("XEDUADON");
    }
    codes
}

fn pupil(
    school: &School,
    code: &str,
    grade: u32,
    class: &str,
    age: u16,
    choices: &[&str],
    chance: &mut StdRng,
) -> Vec<Cell> {
    let girl = chance.random_ratio(49, 100);
    let family = names::family(chance);
    let (month, day) = (chance.random_range(1..=12u8), chance.random_range(1..=28u8));
    let (guardian, relation) = guardian(family, chance);
    let email = if chance.random_ratio(1, 5) {
        format!("phuhuynh.{code}@example.com")
    } else {
        String::new()
    };
    let group = insurance_group(school.level, chance);
    let months = insurance_months(grade, month, group, chance);
    let boards = chance.random_ratio(4, 5);
    let mut row: Vec<Cell> = vec![
        code.into(),
        names::person(family, girl, chance).into(),
        Cell::Date(YEAR - age, month, day),
        if girl { "Nữ" } else { "Nam" }.into(),
        if school.level == Level::Preschool {
            "Mầm non".into()
        } else {
            Cell::Number(grade)
        },
        class.into(),
        guardian.into(),
        relation.into(),
        names::phone(chance).into(),
        email.into(),
        format!(
            "Tổ {}, {}, tỉnh Thái Nguyên",
            chance.random_range(1..=24u8),
            school.place()
        )
        .into(),
        group.into(),
        months.map_or(Cell::Empty, Cell::Number),
    ];
    row.extend(choices.iter().map(|choice| match *choice {
        "TIENAN" | "BANTRU" => if boards { "x" } else { "" }.into(),
        "DONGPHUC" => match chance.random_range(0..4u32) {
            0 | 1 => Cell::Empty,
            pieces => Cell::Number(pieces - 1),
        },
        "BHTN" => if chance.random_ratio(3, 5) { "x" } else { "" }.into(),
        _ => if chance.random_ratio(1, 3) { "x" } else { "" }.into(),
    }));
    row
}

fn guardian(family: &str, chance: &mut StdRng) -> (String, &'static str) {
    match chance.random_range(0..20u8) {
        0 => {
            let other = names::family(chance);
            (names::person(other, true, chance), "Khác")
        }
        1..=11 => {
            let own = names::family(chance);
            (names::person(own, true, chance), "Mẹ")
        }
        _ => (names::person(family, false, chance), "Cha"),
    }
}

/// Children under six have a card already; of the others a few belong to another group.
fn insurance_group(level: Level, chance: &mut StdRng) -> &'static str {
    if level == Level::Preschool {
        return "TE";
    }
    match chance.random_range(0..100u8) {
        0..=3 => "HN",
        4..=7 => "CN",
        8..=9 => "DT",
        10 => "TQ",
        11..=40 => "HS",
        _ => "",
    }
}

/// Grade 1 begins when the card of the under-six ends; grade 12 may stop after September.
fn insurance_months(grade: u32, born_month: u8, group: &str, chance: &mut StdRng) -> Option<u32> {
    if !matches!(group, "" | "HS" | "CN") {
        return None;
    }
    match (grade, born_month) {
        (1, 12) => Some(12),
        (1, 11) => Some(13),
        (1, 10) => Some(14),
        (1, _) => Some(15),
        (12, _) if chance.random_ratio(2, 3) => Some(9),
        _ => None,
    }
}
