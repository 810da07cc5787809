//! `hocphi memo`: bill codes in the texts of transfers.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hocphi::fees::memo::{Found, MemoReader};
use serde::{Deserialize, Serialize};

use super::lines::{Line, answer_each};

#[derive(Debug, Args)]
pub struct MemoArgs {
    #[command(subcommand)]
    command: MemoCommand,
}

#[derive(Debug, Subcommand)]
enum MemoCommand {
    /// Tìm mã phiếu thu trong nội dung chuyển khoản; mỗi dòng một nội dung.
    ///
    /// Finds bill codes, one memo a line. A line that is a JSON string, or an object with a member
    /// `memo`, stands for that text; every other line is taken as written.
    Extract {
        /// Files to read; standard input when there are none.
        files: Vec<PathBuf>,
    },
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    memo: Cow<'a, str>,
}

#[derive(Serialize)]
struct TooLong {
    codes: [(); 0],
    suggestions: [(); 0],
    error: &'static str,
    message: &'static str,
}

pub fn run(args: MemoArgs) -> anyhow::Result<ExitCode> {
    let MemoCommand::Extract { files } = args.command;
    let mut reader = MemoReader::new();
    let in_order = answer_each(&files, |line, output| match line {
        Line::Text(line) => {
            write_found(&reader.read(&memo_of(line)), output);
            true
        }
        Line::TooLong => {
            let refusal = TooLong {
                codes: [],
                suggestions: [],
                error: "LINE_TOO_LONG",
                message: "Dòng dài quá 1 MiB nên không được đọc.",
            };
            super::write_json(output, &refusal);
            false
        }
    })?;
    Ok(if in_order {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn memo_of(line: &str) -> Cow<'_, str> {
    match line.trim_ascii_start().as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Quoted<'_>>(line).map_or(line.into(), |text| text.0),
        Some(b'{') => {
            serde_json::from_str::<Wrapped<'_>>(line).map_or(line.into(), |text| text.memo)
        }
        Some(_) | None => line.into(),
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Quoted<'a>(#[serde(borrow)] Cow<'a, str>);

/// Codes are letters and digits, so nothing needs escaping; most memos have no suggestion.
fn write_found(found: &Found, output: &mut Vec<u8>) {
    output.extend_from_slice(b"{\"codes\":[");
    write_codes(&found.codes, output);
    output.extend_from_slice(b"],\"suggestions\":[");
    write_codes(&found.suggestions, output);
    output.extend_from_slice(b"]}");
}

fn write_codes(codes: &[hocphi::fees::bill_code::BillCode], output: &mut Vec<u8>) {
    for (place, code) in codes.iter().enumerate() {
        if place > 0 {
            output.push(b',');
        }
        output.push(b'"');
        output.extend_from_slice(code.as_str().as_bytes());
        output.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::memo_of;

    #[test]
    fn json_texts_are_unwrapped_and_everything_else_is_taken_as_written() {
        assert_eq!(memo_of(r#""a\nb""#), "a\nb");
        assert_eq!(memo_of(r#" {"id":1,"memo":"a\tb"}"#), "a\tb");
        assert_eq!(memo_of(r#"{"text":"a"}"#), r#"{"text":"a"}"#);
        assert_eq!(memo_of(r#""half"#), r#""half"#);
        assert_eq!(memo_of("HPZ 37"), "HPZ 37");
    }
}
