//! XLSX, cell by cell: a sheet is never laid out as large as it claims to be.

use std::io::{Cursor, Read};

use calamine::{DataRef, Reader, Xlsx};
use rust_decimal::Decimal;

use super::{Cell, Grid};
use crate::clock::Day;
use crate::schools::import::report::FileProblem;

const UNPACKED_BYTES_MAX: u64 = 256 * 1024 * 1024;
const SHEETS_MAX: usize = 10;

/// The sheets of a book, in order.
pub fn grids(bytes: &[u8]) -> Result<Vec<Grid>, FileProblem> {
    check_archive(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|_| FileProblem::Unreadable)?;
    let mut grids = Vec::new();
    for name in book.sheet_names().into_iter().take(SHEETS_MAX) {
        // Chart sheets have no cells.
        let Ok(mut cells) = book.worksheet_cells_reader(&name) else {
            continue;
        };
        let mut grid = Grid::default();
        while let Some(cell) = cells.next_cell().map_err(|_| FileProblem::Unreadable)? {
            let (row, column) = cell.get_position();
            grid.push(u64::from(row) + 1, column, xlsx_cell(cell.get_value()))?;
        }
        grids.push(grid);
    }
    Ok(grids)
}

/// Unpacks every entry into nothing, to know that it stays below the limit whatever it declares.
fn check_archive(bytes: &[u8]) -> Result<(), FileProblem> {
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| FileProblem::Unreadable)?;
    if archive.index_for_name("content.xml").is_some() {
        return Err(FileProblem::OldFormat);
    }
    let mut left = UNPACKED_BYTES_MAX;
    for index in 0..archive.len() {
        let entry = archive
            .by_index(index)
            .map_err(|_| FileProblem::Unreadable)?;
        let unpacked = std::io::copy(&mut entry.take(left + 1), &mut std::io::sink())
            .map_err(|_| FileProblem::Unreadable)?;
        left = left.checked_sub(unpacked).ok_or(FileProblem::TooLarge)?;
    }
    Ok(())
}

fn xlsx_cell(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::Int(number) => Cell::Number(number.to_string()),
        DataRef::Float(number) => Cell::Number(as_shown(*number)),
        DataRef::String(text) => Cell::text(text),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::Bool(true) => Cell::Text("TRUE".to_owned()),
        DataRef::Bool(false) => Cell::Text("FALSE".to_owned()),
        DataRef::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, ..) = moment.to_ymd_hms_milli();
            Day::new(i32::from(year), month, day).map_or_else(
                || Cell::Error(format!("{day:02}/{month:02}/{year}")),
                Cell::Day,
            )
        }
        DataRef::DateTime(duration) => Cell::Error(as_shown(duration.as_f64())),
        DataRef::DateTimeIso(text) => text
            .get(..10)
            .and_then(Day::parse_iso)
            .map_or_else(|| Cell::text(text), Cell::Day),
        DataRef::DurationIso(text) => Cell::text(text),
        DataRef::Error(error) => Cell::Error(error.to_string()),
    }
}

/// A spreadsheet keeps and shows 15 digits; what its float has beyond them is noise of its own.
fn as_shown(number: f64) -> String {
    Decimal::from_scientific(&format!("{number:.14e}")).map_or_else(
        |_| number.to_string(),
        |exact| exact.normalize().to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_spreadsheet_are_what_it_shows() {
        for (float, shown) in [
            (113_850.0, "113850"),
            (0.045, "0.045"),
            (0.1 + 0.2, "0.3"),
            (912_345_678.0, "912345678"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(as_shown(float), shown);
        }
    }
}
