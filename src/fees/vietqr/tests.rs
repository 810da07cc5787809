use serde::Deserialize;

use super::*;
use crate::money::Vnd;

#[derive(Deserialize)]
struct Vectors {
    official: Vec<Official>,
    generate: Vec<Generate>,
    parse: Vec<Parse>,
}

#[derive(Deserialize)]
struct Official {
    id: String,
    payload: String,
}

#[derive(Deserialize)]
struct Generate {
    id: String,
    input: Input,
    payload: String,
}

#[derive(Deserialize)]
struct Input {
    bin: String,
    account: String,
    service: Service,
    amount: Option<Vnd>,
    purpose: Option<String>,
    bill: Option<String>,
    poi: Initiation,
}

#[derive(Deserialize)]
struct Parse {
    id: String,
    text: String,
    expect: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/data/vietqr.json")).unwrap()
}

#[test]
fn generated_payloads_are_written_byte_for_byte_and_read_back() {
    for Generate { id, input, payload } in vectors().generate {
        let mut transfer = Transfer {
            bin: &input.bin,
            account: &input.account,
            service: input.service,
            amount: input.amount,
            purpose: input.purpose.as_deref(),
            bill: input.bill.as_deref(),
            initiation: Some(input.poi),
        };
        assert_eq!(encode(&transfer).as_deref(), Ok(payload.as_str()), "{id}");
        transfer.initiation = None;
        assert_eq!(encode(&transfer).as_deref(), Ok(payload.as_str()), "{id}");
        let decoded = decode(&payload).unwrap();
        let expected = Decoded {
            bin: input.bin,
            account: input.account,
            service: input.service,
            amount: input.amount,
            purpose: input.purpose,
            bill: input.bill,
            initiation: Some(input.poi),
            warnings: Vec::new(),
        };
        assert_eq!(decoded, expected, "{id}");
    }
}

#[test]
fn official_payloads_survive_reading_and_writing() {
    for Official { id, payload } in vectors().official {
        let read = decode(&payload).unwrap();
        let transfer = Transfer {
            bin: &read.bin,
            account: &read.account,
            service: read.service,
            amount: read.amount,
            purpose: read.purpose.as_deref(),
            bill: read.bill.as_deref(),
            initiation: read.initiation,
        };
        assert_eq!(encode(&transfer), Ok(payload), "{id}");
    }
}

#[test]
fn every_text_of_the_vectors_gets_its_verdict() {
    for Parse { id, text, expect } in vectors().parse {
        let verdict = match decode(&text) {
            Ok(decoded) if decoded.warnings.is_empty() => "accept",
            Ok(_) => "accept-with-warning",
            Err(_) => "reject",
        };
        assert_eq!(verdict, expect, "{id}: {:?}", decode(&text));
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let by_id = |wanted: &str| {
        let found = vectors().parse.into_iter().find(|case| case.id == wanted);
        decode(&found.unwrap().text).map(|decoded| decoded.warnings)
    };
    for (id, error) in [
        ("S-P009", DecodeError::CrcMismatch),
        ("S-P013", DecodeError::Truncated),
        ("S-P017", DecodeError::CrcMissing),
        ("S-P018", DecodeError::TrailingData),
        ("S-P019", DecodeError::Tag),
        ("S-P020", DecodeError::TrailingData),
        ("S-P021", DecodeError::NotNapas),
        ("S-P022", DecodeError::Currency),
        ("S-P023", DecodeError::Country),
        ("S-P025", DecodeError::Length),
        ("S-P026", DecodeError::DuplicateTag),
        ("S-P031", DecodeError::Amount),
        ("S-P032", DecodeError::AmountTooLong),
        ("S-P033", DecodeError::AmountZero),
        ("S-P036", DecodeError::Account),
        ("S-P037", DecodeError::Bin),
        ("S-P038", DecodeError::NotNapas),
        ("S-P040", DecodeError::Empty),
        ("S-P041", DecodeError::Tag),
    ] {
        assert_eq!(by_id(id), Err(error), "{id}");
    }
    assert_eq!(by_id("S-P030"), Ok(vec![Warning::AmountDecimal]));
    assert_eq!(by_id("S-P034"), Ok(vec![Warning::PurposeTooLong]));
    assert_eq!(by_id("S-P035"), Ok(vec![Warning::PurposeNotAscii]));
}

#[test]
fn what_a_bank_would_misread_is_not_written() {
    let good = Transfer {
        bin: "970436",
        account: "0011001932418",
        service: Service::ToAccount,
        amount: Some(Vnd::new(683_100)),
        purpose: Some("HPZ37MTFCKQPG 6A1"),
        bill: None,
        initiation: None,
    };
    assert!(encode(&good).is_ok());
    let long = "X".repeat(26);
    for (transfer, error) in [
        (
            Transfer {
                bin: "97043",
                ..good
            },
            EncodeError::Bin,
        ),
        (
            Transfer {
                bin: "97043A",
                ..good
            },
            EncodeError::Bin,
        ),
        (
            Transfer {
                account: "",
                ..good
            },
            EncodeError::AccountEmpty,
        ),
        (
            Transfer {
                account: "12345678901234567890",
                ..good
            },
            EncodeError::AccountTooLong,
        ),
        (
            Transfer {
                account: "0011-0019",
                ..good
            },
            EncodeError::AccountCharacters,
        ),
        (
            Transfer {
                account: "TÀIKHOẢN",
                ..good
            },
            EncodeError::AccountCharacters,
        ),
        (
            Transfer {
                service: Service::ToCard,
                account: "97040A",
                ..good
            },
            EncodeError::AccountCharacters,
        ),
        (
            Transfer {
                service: Service::Cash,
                ..good
            },
            EncodeError::Service,
        ),
        (
            Transfer {
                amount: Some(Vnd::ZERO),
                ..good
            },
            EncodeError::AmountNotPositive,
        ),
        (
            Transfer {
                amount: Some(Vnd::new(-1)),
                ..good
            },
            EncodeError::AmountNotPositive,
        ),
        (
            Transfer {
                amount: Some(Vnd::new(10_000_000_000_000)),
                ..good
            },
            EncodeError::AmountTooLong,
        ),
        (
            Transfer {
                purpose: Some(&long),
                ..good
            },
            EncodeError::PurposeTooLong,
        ),
        (
            Transfer {
                purpose: Some("Học phí"),
                ..good
            },
            EncodeError::PurposeNotAscii,
        ),
        (
            Transfer {
                purpose: Some("a\nb"),
                ..good
            },
            EncodeError::PurposeNotAscii,
        ),
        (
            Transfer {
                bill: Some(&long),
                ..good
            },
            EncodeError::BillTooLong,
        ),
        (
            Transfer {
                bill: Some("số 1"),
                ..good
            },
            EncodeError::BillNotAscii,
        ),
        (
            Transfer {
                initiation: Some(Initiation::Static),
                ..good
            },
            EncodeError::StaticWithAmount,
        ),
    ] {
        assert_eq!(encode(&transfer), Err(error));
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    use proptest::prelude::*;
    proptest!(|(text in "\\PC{0,40}", cut in 0usize..80, extra in "(00|6304|đ|[0-9]{2,4}){0,6}")| {
        drop(decode(&text));
        let payload = "00020101021138540010A00000072701240006970462011000906936730208QRIBFTTA53037045802VN63049D5D";
        drop(decode(&format!("{}{extra}", &payload[..cut])));
        drop(decode(&format!("000201{text}")));
    });
}
