//! What banks make of a payer's memo, after real statements: prefixes, tails, forced spaces.

use super::Account;
use crate::chance::Chance;
use crate::moment;

/// MB's history and notifications break every so many characters, inside words and codes.
const MB_COLUMNS: usize = 35;

/// One way a receiving bank shows the memo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendering {
    /// As typed.
    Plain,
    /// Vietcombank, own route: `123456.ddmmyy.hhmmss.memo`
    VcbOwn,
    /// Vietcombank by NAPAS: a long trace, and one space forced in near column 40.
    VcbNapas,
    /// Vietcombank from MB: `MBVCB.….memo.CT tu account NAME toi account OWNER`
    VcbFromMb,
    /// VietinBank: `CT nhanh 247 den: memo`
    VietinFast,
    /// BIDV: `TKThe :account, tai BANK. memo -CTLNHIDI…`
    Bidv,
    /// Agribank and others from a T24 core: memo and ` FT` with 14 digits.
    TailFt,
    /// From ACB: memo and `-ddmmyy-hh:mm:ss 123456`
    TailAcb,
    /// MB: memo with its trace twice, broken every 35 columns.
    Mb,
    /// MB after its fixed 25-character head, so that the break always cuts a code.
    MbHead,
    /// From MoMo: `12 digits-memo-CHUYEN TIEN-OQCH…-MOMO…MOMO`
    Momo,
    /// Upper case, punctuation gone, as gateways strip it.
    Stripped,
}

impl Rendering {
    pub const ALL: [Self; 12] = [
        Self::Plain,
        Self::VcbOwn,
        Self::VcbNapas,
        Self::VcbFromMb,
        Self::VietinFast,
        Self::Bidv,
        Self::TailFt,
        Self::TailAcb,
        Self::Mb,
        Self::MbHead,
        Self::Momo,
        Self::Stripped,
    ];

    /// What is usual at a receiving bank.
    pub fn of_bank(bin: &str) -> &'static [Self] {
        use Rendering::{
            Bidv, Mb, MbHead, Momo, Plain, Stripped, TailAcb, TailFt, VcbFromMb, VcbNapas, VcbOwn,
            VietinFast,
        };
        match bin {
            "970436" => &[VcbOwn, VcbNapas, VcbFromMb, TailAcb, Momo],
            "970415" => &[VietinFast, TailFt, TailAcb, Momo, Stripped],
            "970418" => &[Bidv, TailFt, Momo, Stripped],
            "970405" => &[Plain, TailFt, Momo, Stripped],
            "970422" => &[Mb, MbHead, Momo, TailFt],
            _ => &[Plain, TailFt, TailAcb, Momo, Stripped],
        }
    }
}

pub(super) fn render(
    rendering: Rendering,
    typed: &str,
    account: &Account,
    now: i64,
    chance: &Chance,
) -> String {
    let memo = fold(typed);
    let stamp = moment::compact(now);
    let (day, clock) = (
        format!("{}{}{}", &stamp[6..8], &stamp[4..6], &stamp[2..4]),
        &stamp[8..],
    );
    match rendering {
        Rendering::Plain => memo,
        Rendering::VcbOwn => format!("{}.{day}.{clock}.{memo}", chance.digits(6)),
        Rendering::VcbNapas => {
            let line = format!(
                "0200970{}{}{}.{}.{clock}.{memo}",
                chance.digits(17),
                chance.letters(4),
                chance.digits(6),
                chance.digits(5)
            );
            break_once(&line, 37 + chance.index(7))
        }
        Rendering::VcbFromMb => format!(
            "MBVCB.{}.{memo}.CT tu {} NGUYEN VAN MINH HOA toi {} {}",
            chance.digits(10),
            chance.digits(13),
            account.number,
            fold(&account.holder).to_uppercase()
        ),
        Rendering::VietinFast => format!("CT nhanh 247 den: {memo}"),
        Rendering::Bidv => format!(
            "TKThe :{}, tai VCB. {memo} -CTLNHIDI{}-1/1-CRE-002",
            chance.digits(13),
            chance.digits(15)
        ),
        Rendering::TailFt => format!("{memo} FT{}{}", &stamp[2..4], chance.digits(12)),
        Rendering::TailAcb => format!(
            "{memo}-{day}-{}:{}:{} {}",
            &clock[..2],
            &clock[2..4],
            &clock[4..],
            chance.digits(6)
        ),
        Rendering::Mb => {
            let trace = chance.digits(6);
            break_every(
                &format!("{memo} Ma giao dich Trace{trace} Trace {trace}"),
                MB_COLUMNS,
            )
        }
        Rendering::MbHead => break_every(
            &format!("MBVCB.1{}.{}.{memo}", chance.digits(10), chance.digits(6)),
            MB_COLUMNS,
        ),
        Rendering::Momo => format!(
            "{}-{memo}-CHUYEN TIEN-OQCH000{}-MOMO{}MOMO",
            chance.digits(12),
            chance.digits(5),
            chance.digits(12)
        ),
        Rendering::Stripped => memo
            .to_uppercase()
            .chars()
            .filter(|character| character.is_ascii_alphanumeric() || *character == ' ')
            .collect(),
    }
}

/// Vietnamese letters without their marks; what is left outside ASCII becomes a space.
pub fn fold(text: &str) -> String {
    text.chars()
        .filter(|character| !is_mark(*character))
        .map(fold_letter)
        .collect()
}

/// Combining marks of decomposed text.
fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

fn fold_letter(character: char) -> char {
    const FOLDED: [(&str, char); 14] = [
        ("àáảãạăằắẳẵặâầấẩẫậ", 'a'),
        ("èéẻẽẹêềếểễệ", 'e'),
        ("ìíỉĩị", 'i'),
        ("òóỏõọôồốổỗộơờớởỡợ", 'o'),
        ("ùúủũụưừứửữự", 'u'),
        ("ỳýỷỹỵ", 'y'),
        ("đ", 'd'),
        ("ÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬ", 'A'),
        ("ÈÉẺẼẸÊỀẾỂỄỆ", 'E'),
        ("ÌÍỈĨỊ", 'I'),
        ("ÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢ", 'O'),
        ("ÙÚỦŨỤƯỪỨỬỮỰ", 'U'),
        ("ỲÝỶỸỴ", 'Y'),
        ("Đ", 'D'),
    ];
    if character.is_ascii() {
        return if character.is_ascii_control() {
            ' '
        } else {
            character
        };
    }
    FOLDED
        .iter()
        .find(|(letters, _)| letters.contains(character))
        .map_or(' ', |(_, letter)| *letter)
}

fn break_once(line: &str, column: usize) -> String {
    match line.split_at_checked(column) {
        Some((head, tail)) if !tail.is_empty() => format!("{head} {tail}"),
        _ => line.to_owned(),
    }
}

fn break_every(line: &str, columns: usize) -> String {
    let mut out = String::with_capacity(line.len() + line.len() / columns);
    for (index, character) in line.chars().enumerate() {
        if index > 0 && index % columns == 0 {
            out.push(' ');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::FeedKey;

    #[test]
    fn every_rendering_keeps_the_code_readable_once_all_else_is_deleted() {
        let account = Account {
            bin: "970436".to_owned(),
            number: "1023456789".to_owned(),
            holder: "Trường Tiểu học Hoa Sen".to_owned(),
            webhook_url: String::new(),
            key: FeedKey::ApiKey(String::new()),
        };
        let chance = Chance::new(7);
        for rendering in Rendering::ALL {
            for memo in [
                "HPZ37MTFCKQPG Lớp 2A",
                "hoc phi be Đức HPZ 37MT FCKQ PG",
                "hpz37mtfckqpg",
            ] {
                for _ in 0..50 {
                    let shown = render(rendering, memo, &account, 1_795_538_645, &chance);
                    assert!(shown.is_ascii(), "{rendering:?}: {shown}");
                    let kept: String = shown
                        .to_uppercase()
                        .chars()
                        .filter(char::is_ascii_alphanumeric)
                        .collect();
                    assert_eq!(
                        kept.matches("HPZ37MTFCKQPG").count(),
                        1,
                        "{rendering:?}: {shown}"
                    );
                }
            }
        }
    }

    #[test]
    fn mb_cuts_a_code_behind_its_head() {
        assert_eq!(
            break_every("MBVCB.1234567890.123456.123HPZ37MTFCKQPG", MB_COLUMNS),
            "MBVCB.1234567890.123456.123HPZ37MTF CKQPG"
        );
    }
}
