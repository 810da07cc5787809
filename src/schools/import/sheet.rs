//! A file as a table: XLSX or CSV, the title row found by its folded names, columns in any order.
//!
//! Everything is bounded before it is believed: a 20 MB archive can unpack to gigabytes, and a
//! sheet of two cells can claim a million rows.

use std::io::{Cursor, Read};

use calamine::{DataRef, Reader, Xlsx};
use rust_decimal::Decimal;

use super::report::FileProblem;
use super::{IMPORT_BYTES_MAX, IMPORT_ROWS_MAX};
use crate::clock::Day;
use crate::schools::text::{clean, fold};

/// The title row must be among these.
pub const HEADER_LINES_MAX: usize = 20;
pub const COLUMNS_MAX: u32 = 200;
/// Longer cells are cut and reported.
pub const CELL_CHARS_MAX: usize = 1_000;
const UNPACKED_BYTES_MAX: u64 = 256 * 1024 * 1024;
const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
const SHEETS_MAX: usize = 10;
/// A column whose title begins so (folded) counts what a pupil chose of a fee item.
const CHOICE_TITLE: &str = "chon ";

/// A column a file may have.
pub struct Column {
    /// As the template titles it.
    pub title: &'static str,
    /// Other titles in use, folded.
    pub also: &'static [&'static str],
    /// The title row must have it.
    pub required: bool,
}

/// A column every file of its kind has.
pub const fn required(title: &'static str, also: &'static [&'static str]) -> Column {
    Column {
        title,
        also,
        required: true,
    }
}

/// A column that may be left out.
pub const fn optional(title: &'static str, also: &'static [&'static str]) -> Column {
    Column {
        title,
        also,
        required: false,
    }
}

/// What a cell holds. Numbers stay text: the file's fractions never become ours by way of a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Empty,
    /// Cleaned, see [`clean`].
    Text(String),
    /// A numeric cell in plain decimal notation, as the spreadsheet shows it (15 digits).
    Number(String),
    Day(Day),
    /// An error value of the spreadsheet such as `#REF!`.
    Error(String),
    /// Text of more than [`CELL_CHARS_MAX`] characters, cut.
    Long(String),
}

impl Cell {
    /// The cell as a report repeats it.
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Day(day) => day.shown(),
            Self::Text(text) | Self::Number(text) | Self::Error(text) | Self::Long(text) => {
                text.clone()
            }
        }
    }

    fn text(raw: &str) -> Self {
        // Cleaning costs as much as the text is long; cut first, generously.
        if raw.len() > CELL_CHARS_MAX * 16 || raw.chars().count() > CELL_CHARS_MAX {
            return Self::Long(clean(&raw.chars().take(CELL_CHARS_MAX).collect::<String>()));
        }
        match clean(raw) {
            text if text.is_empty() => Self::Empty,
            text => Self::Text(text),
        }
    }

    const fn bytes(&self) -> usize {
        match self {
            Self::Empty | Self::Day(_) => 0,
            Self::Text(text) | Self::Number(text) | Self::Error(text) | Self::Long(text) => {
                text.len()
            }
        }
    }
}

/// A row that is not empty: its cells by column, in order, the empty ones left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// As the spreadsheet counts, from 1.
    pub number: u64,
    cells: Vec<(u32, Cell)>,
}

impl Line {
    fn at(&self, column: u32) -> &Cell {
        match self.cells.binary_search_by_key(&column, |(at, _)| *at) {
            Ok(found) => &self.cells[found].1,
            Err(_) => &Cell::Empty,
        }
    }
}

/// A table whose columns are known.
#[derive(Clone, Debug)]
pub struct Sheet {
    pub lines: Vec<Line>,
    pub header_line: u64,
    /// Fee codes of `Chọn …` columns, upper case, with where they stand.
    pub choices: Vec<(String, u32)>,
    /// Titles that mean nothing to us.
    pub ignored: Vec<String>,
    titles: Vec<(u32, String)>,
    /// By the index of the layout.
    places: Vec<Option<u32>>,
}

impl Sheet {
    /// The cell of a line in the column with this index of the layout.
    pub fn cell<'a>(&self, line: &'a Line, column: usize) -> &'a Cell {
        match self.places.get(column).copied().flatten() {
            Some(place) => line.at(place),
            None => &Cell::Empty,
        }
    }

    /// The cell of a line at a place of [`choices`](Self::choices).
    pub fn cell_at<'a>(&self, line: &'a Line, place: u32) -> &'a Cell {
        line.at(place)
    }

    /// The title the file gave to a place.
    pub fn title_at(&self, place: u32) -> &str {
        self.titles
            .iter()
            .find(|(at, _)| *at == place)
            .map_or("", |(_, title)| title)
    }

    /// Where the column of the layout stands.
    pub fn place(&self, column: usize) -> Option<u32> {
        self.places.get(column).copied().flatten()
    }

    /// The first cell right of the titles: a separator too many moved everything.
    pub fn stray_cell<'a>(&self, line: &'a Line) -> Option<&'a Cell> {
        let last = self.titles.last().map_or(0, |(at, _)| *at);
        line.cells
            .iter()
            .find(|(at, _)| *at > last)
            .map(|(_, cell)| cell)
    }

    /// A note for the report when columns were not understood.
    pub fn notes(&self) -> Vec<String> {
        if self.ignored.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "Không đọc các cột không có trong mẫu: {}",
            self.ignored.join(", ")
        )]
    }
}

/// Reads the first table whose title row has all required columns of `layout`.
pub fn read(bytes: &[u8], layout: &[Column], choices: bool) -> Result<Sheet, FileProblem> {
    if bytes.len() > IMPORT_BYTES_MAX {
        return Err(FileProblem::TooLarge);
    }
    let mut grids = if bytes.starts_with(b"PK") {
        xlsx(bytes)?
    } else if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return Err(FileProblem::OldFormat);
    } else {
        csv(&decoded(bytes)?, layout)?
    };
    let mut nearest: Option<Vec<String>> = None;
    for grid in &mut grids {
        match with_titles(std::mem::take(grid), layout, choices) {
            Err(FileProblem::NoHeader { missing }) => {
                if nearest
                    .as_ref()
                    .is_none_or(|known| missing.len() < known.len())
                {
                    nearest = Some(missing);
                }
            }
            other => return other,
        }
    }
    Err(
        nearest.map_or(FileProblem::Empty, |missing| FileProblem::NoHeader {
            missing,
        }),
    )
}

/// A grid of lines being read, with its limits.
#[derive(Default)]
struct Grid {
    lines: Vec<Line>,
    text_bytes: usize,
}

impl Grid {
    fn push(&mut self, number: u64, column: u32, cell: Cell) -> Result<(), FileProblem> {
        if cell == Cell::Empty {
            return Ok(());
        }
        if column >= COLUMNS_MAX {
            return Err(FileProblem::TooManyColumns);
        }
        self.text_bytes += cell.bytes();
        if self.text_bytes > TEXT_BYTES_MAX {
            return Err(FileProblem::TooLarge);
        }
        match self.lines.last_mut() {
            Some(line) if line.number == number => {
                // Lines are searched by column.
                if line.cells.last().is_some_and(|(last, _)| *last >= column) {
                    return Err(FileProblem::Unreadable);
                }
                line.cells.push((column, cell));
            }
            Some(line) if line.number > number => return Err(FileProblem::Unreadable),
            _ => {
                if self.lines.len() >= IMPORT_ROWS_MAX + HEADER_LINES_MAX {
                    return Err(FileProblem::TooManyRows);
                }
                self.lines.push(Line {
                    number,
                    cells: vec![(column, cell)],
                });
            }
        }
        Ok(())
    }
}

fn xlsx(bytes: &[u8]) -> Result<Vec<Grid>, FileProblem> {
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

/// Reads with the separator that gives the most known titles.
fn csv(text: &str, layout: &[Column]) -> Result<Vec<Grid>, FileProblem> {
    let mut best: (usize, u8) = (0, b',');
    for separator in [b';', b',', b'\t'] {
        let head = csv_grid(text, separator, HEADER_LINES_MAX)?;
        let known = head
            .lines
            .iter()
            .map(|line| known_titles(line, layout))
            .max();
        best = best.max((known.unwrap_or(0), separator));
    }
    Ok(vec![csv_grid(text, best.1, usize::MAX)?])
}

fn csv_grid(text: &str, separator: u8, records_max: usize) -> Result<Grid, FileProblem> {
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
    at.line() + super::report::count(skipped.filter(|b| **b == b'\n').count())
}

/// A title as it is compared: folded, without what stands in parentheses (units, examples).
fn title(cell: &Cell) -> Option<String> {
    let Cell::Text(text) = cell else { return None };
    let name = text.split('(').next().unwrap_or(text);
    let name = name.trim_end_matches([' ', '*']);
    Some(fold(name))
}

fn column_of(title: &str, layout: &[Column]) -> Option<usize> {
    layout
        .iter()
        .position(|column| fold(column.title) == title || column.also.contains(&title))
}

fn known_titles(line: &Line, layout: &[Column]) -> usize {
    let titles = line.cells.iter().filter_map(|(_, cell)| title(cell));
    titles
        .filter(|title| column_of(title, layout).is_some())
        .count()
}

fn with_titles(grid: Grid, layout: &[Column], choices: bool) -> Result<Sheet, FileProblem> {
    let mut lines = grid.lines.into_iter();
    let mut nearest: Option<Vec<String>> = None;
    for line in lines.by_ref().take(HEADER_LINES_MAX) {
        let missing = missing_titles(&line, layout);
        if missing.is_empty() {
            let lines: Vec<Line> = lines.collect();
            return if lines.len() > IMPORT_ROWS_MAX {
                Err(FileProblem::TooManyRows)
            } else if lines.is_empty() {
                Err(FileProblem::Empty)
            } else {
                titled(&line, lines, layout, choices)
            };
        }
        if nearest
            .as_ref()
            .is_none_or(|known| missing.len() < known.len())
        {
            nearest = Some(missing);
        }
    }
    let missing = nearest.unwrap_or_else(|| {
        let needed = layout.iter().filter(|column| column.required);
        needed.map(|column| column.title.to_owned()).collect()
    });
    Err(FileProblem::NoHeader { missing })
}

fn missing_titles(line: &Line, layout: &[Column]) -> Vec<String> {
    let found: Vec<usize> = line
        .cells
        .iter()
        .filter_map(|(_, cell)| column_of(&title(cell)?, layout))
        .collect();
    (0..layout.len())
        .filter(|index| layout[*index].required && !found.contains(index))
        .map(|index| layout[index].title.to_owned())
        .collect()
}

fn titled(
    header: &Line,
    lines: Vec<Line>,
    layout: &[Column],
    choices: bool,
) -> Result<Sheet, FileProblem> {
    let mut sheet = Sheet {
        lines,
        header_line: header.number,
        choices: Vec::new(),
        ignored: Vec::new(),
        titles: Vec::new(),
        places: vec![None; layout.len()],
    };
    for (place, cell) in &header.cells {
        let shown = cell.shown();
        sheet.titles.push((*place, shown.clone()));
        let folded = title(cell).unwrap_or_default();
        let again = || FileProblem::SameColumnTwice {
            column: shown.clone(),
        };
        if let Some(index) = column_of(&folded, layout) {
            if sheet.places[index].replace(*place).is_some() {
                return Err(again());
            }
        } else if choices && folded.starts_with(CHOICE_TITLE) {
            let code = shown.split_once(' ').map_or("", |(_, code)| code);
            let code = code.trim().to_uppercase();
            if sheet.choices.iter().any(|(known, _)| *known == code) {
                return Err(again());
            }
            sheet.choices.push((code, *place));
        } else {
            sheet.ignored.push(shown);
        }
    }
    Ok(sheet)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: &[Column] = &[
        required("Mã học sinh", &["ma hs"]),
        required("Họ và tên", &["ho ten"]),
        optional("Ngày sinh", &[]),
    ];

    fn rows_of(sheet: &Sheet) -> Vec<Vec<String>> {
        let row = |line| {
            (0..3)
                .map(|column| sheet.cell(line, column).shown())
                .collect()
        };
        sheet.lines.iter().map(row).collect()
    }

    #[test]
    fn the_same_table_is_read_from_every_dialect() {
        let text = "Trường THCS A\n\nHỌ TÊN *;Mã HS;Ngày sinh (dd/mm/yyyy);Ghi chú\n\
                    Trần Đào ;01;02/03/2014;x\n;;;\n\"Lê; B\";02;;\n";
        let expected = vec![
            vec!["01".to_owned(), "Trần Đào".into(), "02/03/2014".into()],
            vec!["02".to_owned(), "Lê; B".into(), String::new()],
        ];
        let utf16: Vec<u8> = std::iter::once(0xfeff)
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let with_commas = text
            .replace("Lê; B", "Lê# B")
            .replace(';', ",")
            .replace('#', ";");
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16,
            with_commas.into_bytes(),
        ] {
            let sheet = read(&bytes, LAYOUT, false).unwrap();
            assert_eq!(rows_of(&sheet), expected);
            assert_eq!(sheet.ignored, ["Ghi chú"]);
            assert_eq!((sheet.header_line, sheet.lines[1].number), (3, 6));
        }
    }

    #[test]
    fn files_that_cannot_be_meant_are_refused_as_a_whole() {
        let refused = |bytes: &[u8]| read(bytes, LAYOUT, true).unwrap_err();
        // Windows-1258 and TCVN3 are no UTF-8.
        assert_eq!(refused(b"M\xe3;H\xf2\n1;2"), FileProblem::Encoding);
        assert_eq!(
            refused(&[0xd0, 0xcf, 0x11, 0xe0, 0]),
            FileProblem::OldFormat
        );
        assert_eq!(refused(b"PK\x03\x04broken"), FileProblem::Unreadable);
        assert_eq!(
            refused("Họ và tên;Lớp\nA;6A\n".as_bytes()),
            FileProblem::NoHeader {
                missing: vec!["Mã học sinh".into()]
            }
        );
        assert_eq!(refused("Mã HS;Họ tên\n".as_bytes()), FileProblem::Empty);
        assert!(matches!(
            refused("Mã HS;Họ tên;Chọn BT;Chọn bt\n1;A;;".as_bytes()),
            FileProblem::SameColumnTwice { .. }
        ));
        let long = format!("Mã HS;Họ tên\n{}", "1;A\n".repeat(IMPORT_ROWS_MAX + 1));
        assert_eq!(refused(long.as_bytes()), FileProblem::TooManyRows);
        let wide = format!("Mã HS;Họ tên\n{}", "1;".repeat(300));
        assert_eq!(refused(wide.as_bytes()), FileProblem::TooManyColumns);
    }

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
