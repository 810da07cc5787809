//! `hocphi vietqr`: transfer QR payloads, as JSON lines.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hocphi::fees::vietqr::{Initiation, Service, Transfer, decode, encode};
use hocphi::money::Vnd;
use serde::Serialize;
use serde_json::Value;

use super::lines::{Line, answer_each};

#[derive(Debug, Args)]
pub struct VietqrArgs {
    #[command(subcommand)]
    command: VietqrCommand,
}

#[derive(Debug, Subcommand)]
enum VietqrCommand {
    /// Tạo nội dung mã VietQR; mỗi dòng một đối tượng JSON (bin, account, service, amount, purpose, bill, poi).
    ///
    /// Writes payloads: `{"payload":…}`, or `{"error":code,"message":…}`.
    Encode {
        /// Files to read; standard input when there are none.
        files: Vec<PathBuf>,
    },
    /// Đọc nội dung mã VietQR; mỗi dòng một đối tượng JSON `{"text":…}`.
    ///
    /// Reads payloads: the fields and `warnings`, or `{"error":code,"message":…}`.
    Decode {
        /// Files to read; standard input when there are none.
        files: Vec<PathBuf>,
    },
}

#[derive(Serialize)]
struct Payload {
    payload: String,
}

#[derive(Serialize)]
struct Refusal {
    error: &'static str,
    message: String,
}

/// A line that is no question at all, as opposed to one with the answer "refused".
#[derive(Serialize)]
struct Unreadable(Refusal);

pub fn run(args: VietqrArgs) -> anyhow::Result<ExitCode> {
    let in_order = match args.command {
        VietqrCommand::Encode { files } => answer_each(&files, |line, output| {
            answered(parsed(line).and_then(|input| encode_line(&input)), output)
        }),
        VietqrCommand::Decode { files } => answer_each(&files, |line, output| {
            answered(parsed(line).and_then(|input| decode_line(&input)), output)
        }),
    }?;
    Ok(if in_order {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn answered<T: Serialize>(
    outcome: Result<Result<T, Refusal>, Unreadable>,
    output: &mut Vec<u8>,
) -> bool {
    match &outcome {
        Ok(Ok(answer)) => super::write_json(output, answer),
        Ok(Err(refusal)) => super::write_json(output, refusal),
        Err(unreadable) => super::write_json(output, unreadable),
    }
    outcome.is_ok()
}

fn parsed(line: Line<'_>) -> Result<Value, Unreadable> {
    match line {
        Line::Text(text) => serde_json::from_str(text)
            .map_err(|error| unreadable("BAD_JSON", format!("Dòng không phải JSON: {error}."))),
        Line::TooLong => Err(unreadable(
            "LINE_TOO_LONG",
            "Dòng dài quá 1 MiB nên không được đọc.".into(),
        )),
    }
}

fn encode_line(input: &Value) -> Result<Result<Payload, Refusal>, Unreadable> {
    let transfer = match transfer(input)? {
        Ok(transfer) => transfer,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(encode(&transfer)
        .map(|payload| Payload { payload })
        .map_err(|error| refusal(error.code(), error.to_string())))
}

fn decode_line(
    input: &Value,
) -> Result<Result<hocphi::fees::vietqr::Decoded, Refusal>, Unreadable> {
    let text = required(input, "text")?;
    Ok(decode(text).map_err(|error| refusal(error.code(), error.to_string())))
}

fn transfer(input: &Value) -> Result<Result<Transfer<'_>, Refusal>, Unreadable> {
    let service = match optional(input, "service")? {
        None => Service::ToAccount,
        Some(text) => match Service::parse(text) {
            Some(service) => service,
            None => {
                let error = hocphi::fees::vietqr::EncodeError::Service;
                return Ok(Err(refusal(error.code(), error.to_string())));
            }
        },
    };
    let initiation = match optional(input, "poi")? {
        None => None,
        Some(text) => match Initiation::parse(text) {
            Some(initiation) => Some(initiation),
            None => {
                let message = "Cách khởi tạo (poi) phải là 11 hoặc 12.".into();
                return Ok(Err(refusal("POI_INVALID", message)));
            }
        },
    };
    let amount = match &input["amount"] {
        Value::Null => None,
        amount => match amount.as_i64() {
            Some(dong) => Some(Vnd::new(dong)),
            None => {
                let message = "Số tiền phải là số nguyên đồng.".into();
                return Ok(Err(refusal("AMOUNT_INVALID", message)));
            }
        },
    };
    Ok(Ok(Transfer {
        bin: required(input, "bin")?,
        account: required(input, "account")?,
        service,
        amount,
        purpose: optional(input, "purpose")?,
        bill: optional(input, "bill")?,
        initiation,
    }))
}

fn required<'a>(input: &'a Value, member: &str) -> Result<&'a str, Unreadable> {
    optional(input, member)?.ok_or_else(|| {
        unreadable(
            "BAD_INPUT",
            format!("Thiếu thành viên \"{member}\" trong đối tượng JSON."),
        )
    })
}

fn optional<'a>(input: &'a Value, member: &str) -> Result<Option<&'a str>, Unreadable> {
    match &input[member] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(unreadable(
            "BAD_INPUT",
            format!("Thành viên \"{member}\" phải là chuỗi ký tự."),
        )),
    }
}

fn refusal(error: &'static str, message: String) -> Refusal {
    Refusal { error, message }
}

fn unreadable(error: &'static str, message: String) -> Unreadable {
    Unreadable(refusal(error, message))
}
