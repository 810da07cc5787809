//! Amounts in Vietnamese words, as an invoice must carry them (einvoice §6.3).

use crate::money::Vnd;

const DIGITS: [&str; 10] = [
    "không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín",
];
const BILLION: u64 = 1_000_000_000;

/// The amount in words: capital first letter, ends with `đồng`. Zero tens are read `lẻ`, a four
/// after twenty `tư`; a negative amount (adjusting invoices) begins with `Âm`.
pub fn in_words(amount: Vnd) -> String {
    let mut words = Vec::new();
    if amount.is_negative() {
        words.push("âm");
    }
    match amount.get().unsigned_abs() {
        0 => words.push(DIGITS[0]),
        number => push_number(&mut words, number, false),
    }
    words.push("đồng");
    let text = words.join(" ");
    let mut rest = text.chars();
    rest.next()
        .map(|first| first.to_uppercase().chain(rest).collect())
        .unwrap_or_default()
}

/// Reads a number above zero. `continued` says that higher digits were read before, so that zero
/// hundreds of the first group are spoken.
fn push_number(words: &mut Vec<&'static str>, number: u64, continued: bool) {
    let mut continued = continued;
    let billions = number / BILLION;
    if billions > 0 {
        push_number(words, billions, continued);
        words.push("tỷ");
        continued = true;
    }
    let below = number % BILLION;
    let groups = [
        (below / 1_000_000, Some("triệu")),
        (below / 1_000 % 1_000, Some("nghìn")),
        (below % 1_000, None),
    ];
    for (group, unit) in groups {
        if group > 0 {
            push_group(words, group, continued);
            words.extend(unit);
            continued = true;
        }
    }
}

fn push_group(words: &mut Vec<&'static str>, group: u64, continued: bool) {
    let digit = |value: u64| DIGITS[usize::try_from(value % 10).unwrap_or(0)];
    let (hundreds, tens, units) = (group / 100, group / 10 % 10, group % 10);
    let with_hundreds = hundreds > 0 || continued;
    if with_hundreds {
        words.extend([digit(hundreds), "trăm"]);
    }
    match tens {
        0 if with_hundreds && units > 0 => words.push("lẻ"),
        0 => {}
        1 => words.push("mười"),
        _ => words.extend([digit(tens), "mươi"]),
    }
    match (tens, units) {
        (_, 0) => {}
        (2.., 1) => words.push("mốt"),
        (2.., 4) => words.push("tư"),
        (1.., 5) => words.push("lăm"),
        _ => words.push(digit(units)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_read_them() {
        for (amount, words) in [
            (0, "Không đồng"),
            (5, "Năm đồng"),
            (10, "Mười đồng"),
            (11, "Mười một đồng"),
            (14, "Mười bốn đồng"),
            (15, "Mười lăm đồng"),
            (20, "Hai mươi đồng"),
            (21, "Hai mươi mốt đồng"),
            (24, "Hai mươi tư đồng"),
            (25, "Hai mươi lăm đồng"),
            (105, "Một trăm lẻ năm đồng"),
            (110, "Một trăm mười đồng"),
            (500, "Năm trăm đồng"),
            (1_001, "Một nghìn không trăm lẻ một đồng"),
            (1_005, "Một nghìn không trăm lẻ năm đồng"),
            (1_015, "Một nghìn không trăm mười lăm đồng"),
            (683_100, "Sáu trăm tám mươi ba nghìn một trăm đồng"),
            (1_000_000, "Một triệu đồng"),
            (2_005_000, "Hai triệu không trăm lẻ năm nghìn đồng"),
            (13_690_000, "Mười ba triệu sáu trăm chín mươi nghìn đồng"),
            (1_000_000_001, "Một tỷ không trăm lẻ một đồng"),
            (2_050_000_000, "Hai tỷ không trăm năm mươi triệu đồng"),
            (1_000_000_000_000, "Một nghìn tỷ đồng"),
            (
                999_999_999_999_999,
                "Chín trăm chín mươi chín nghìn chín trăm chín mươi chín tỷ \
                 chín trăm chín mươi chín triệu chín trăm chín mươi chín nghìn \
                 chín trăm chín mươi chín đồng",
            ),
            (-10_000_000, "Âm mười triệu đồng"),
        ] {
            assert_eq!(in_words(Vnd::new(amount)), words, "{amount}");
        }
        // TgTTTBChu takes 255 characters.
        assert!(in_words(Vnd::new(777_777_777_777_777)).chars().count() <= 255);
    }
}
