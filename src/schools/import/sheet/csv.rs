//! CSV in UTF-8 or UTF-16, with the separator the titles show.

use super::{Cell, Column, Grid, HEADER_LINES_MAX, known_titles};
use crate::schools::import::report::{FileProblem, count};

/// Reads with the separator that gives the most known titles.
pub fn grids(bytes: &[u8], layout: &[Column]) -> Result<Vec<Grid>, FileProblem> {
    let text = &decoded(bytes)?;
    let mut best: (usize, u8) = (0, b',');
    for separator in [b';', b',', b'\t'] {
        let head = grid_of(text, separator, HEADER_LINES_MAX)?;
        let known = head
            .lines
            .iter()
            .map(|line| known_titles(line, layout))
            .max();
        best = best.max((known.unwrap_or(0), separator));
    }
    Ok(vec![grid_of(text, best.1, usize::MAX)?])
}

fn decoded(bytes: &[u8]) -> Result<String, FileProblem> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    };
    text.filter(|text| !text.contains('\0'))
        .ok_or(FileProblem::Encoding)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<_, _>>()
        .ok()
}

fn grid_of(text: &str, separator: u8, records_max: usize) -> Result<Grid, FileProblem> {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let mut grid = Grid::default();
    for record in reader.records().take(records_max) {
        let record = record.map_err(|_| FileProblem::Unreadable)?;
        let number = record.position().map_or(0, |at| line_of(text, at));
        for (column, field) in (0u32..).zip(&record) {
            grid.push(number, column, Cell::text(field))?;
        }
    }
    Ok(grid)
}

/// The reader notes where it began to look, which is before the empty lines it then skipped.
fn line_of(text: &str, at: &::csv::Position) -> u64 {
    let begin = usize::try_from(at.byte()).unwrap_or(usize::MAX);
    let skipped = text.as_bytes().get(begin..).unwrap_or_default();
    let skipped = skipped.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
    at.line() + count(skipped.filter(|b| **b == b'\n').count())
}
