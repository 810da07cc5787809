//! Line by line from files or standard input to standard output, in constant memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use anyhow::Context;

/// A longer line is answered as an error and skipped.
const LINE_BYTES_MAX: usize = 1 << 20;
const BUFFER_BYTES: usize = 1 << 16;

/// What one line of input was.
pub enum Line<'a> {
    /// Without its line end; bytes that are not UTF-8 are replaced.
    Text(&'a str),
    TooLong,
}

/// Answers every line of the files (standard input when there are none, or for `-`) with one line.
/// `answer` writes its line without the line end and says whether the input was in order.
///
/// Returns whether all lines were. A reader that has gone away (`| head`) ends the work quietly.
pub fn answer_each(
    files: &[PathBuf],
    mut answer: impl FnMut(Line<'_>, &mut Vec<u8>) -> bool,
) -> anyhow::Result<bool> {
    let mut output = io::BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let standard_input = [PathBuf::from("-")];
    let files = if files.is_empty() {
        &standard_input
    } else {
        files
    };
    let mut all_in_order = true;
    for file in files {
        let input: Box<dyn Read> = if file.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(file).with_context(|| format!("không mở được {}", file.display()))?)
        };
        let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
        match pass(&mut input, &mut output, &mut answer) {
            Ok(in_order) => all_in_order &= in_order,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(all_in_order),
            Err(error) => {
                return Err(error).with_context(|| format!("đọc {}", file.display()));
            }
        }
    }
    Ok(all_in_order)
}

fn pass(
    input: &mut BufReader<Box<dyn Read>>,
    output: &mut impl Write,
    answer: &mut impl FnMut(Line<'_>, &mut Vec<u8>) -> bool,
) -> io::Result<bool> {
    let mut line = Vec::new();
    let mut written = Vec::new();
    let mut in_order = true;
    loop {
        if input.buffer().is_empty() {
            // About to wait for more input: whoever asked line by line gets the answer now.
            output.flush()?;
        }
        line.clear();
        let limit = u64::try_from(LINE_BYTES_MAX + 1).unwrap_or(u64::MAX);
        if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            output.flush()?;
            return Ok(in_order);
        }
        written.clear();
        let ended = line.last() == Some(&b'\n');
        if ended {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        if line.len() > LINE_BYTES_MAX {
            if !ended {
                input.skip_until(b'\n')?;
            }
            in_order &= answer(Line::TooLong, &mut written);
        } else {
            in_order &= answer(Line::Text(&String::from_utf8_lossy(&line)), &mut written);
        }
        written.push(b'\n');
        output.write_all(&written)?;
    }
}
