//! A table written as XLSX, or as one of the CSV dialects of Vietnamese spreadsheets.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook};

/// What a school's office saves.
#[derive(Clone, Copy)]
pub enum Shape {
    Xlsx,
    /// UTF-8 without byte-order mark, commas.
    CsvComma,
    /// UTF-8 with byte-order mark, semicolons: Excel with Vietnamese settings.
    CsvSemicolon,
}

pub enum Cell {
    Text(String),
    Number(u32),
    Date(u16, u8, u8),
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(text.to_owned())
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// Reads `dd/mm/yyyy`; anything else stays text.
pub fn date(text: &str) -> Cell {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [day, month, year] => match (year.parse(), month.parse(), day.parse()) {
            (Ok(year), Ok(month), Ok(day)) => Cell::Date(year, month, day),
            _ => text.into(),
        },
        _ => text.into(),
    }
}

pub struct Table {
    pub sheet: &'static str,
    pub header: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(sheet: &'static str, header: &[&str]) -> Self {
        Self {
            sheet,
            header: header.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub fn write(&self, folder: &Path, name: &str, shape: Shape) -> Result<(), Box<dyn Error>> {
        match shape {
            Shape::Xlsx => self.write_xlsx(&folder.join(format!("{name}.xlsx"))),
            Shape::CsvComma => self.write_csv(&folder.join(format!("{name}.csv")), "", ','),
            Shape::CsvSemicolon => {
                self.write_csv(&folder.join(format!("{name}.csv")), "\u{feff}", ';')
            }
        }
    }

    fn write_csv(&self, path: &Path, mark: &str, separator: char) -> Result<(), Box<dyn Error>> {
        let mut out = mark.to_owned();
        let header = self.header.iter().map(|name| quote(name, separator));
        out.push_str(&header.collect::<Vec<_>>().join(&separator.to_string()));
        out.push_str("\r\n");
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|cell| match cell {
                    Cell::Text(text) => quote(text, separator),
                    Cell::Number(number) => number.to_string(),
                    Cell::Date(year, month, day) => format!("{day:02}/{month:02}/{year}"),
                    Cell::Empty => String::new(),
                })
                .collect();
            write!(out, "{}\r\n", cells.join(&separator.to_string()))?;
        }
        Ok(std::fs::write(path, out)?)
    }

    fn write_xlsx(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut book = Workbook::new();
        // The only time in the file: without it the output would differ on every run.
        let written = ExcelDateTime::from_ymd(2026, 11, 24)?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&written));
        let bold = Format::new().set_bold();
        let day = Format::new().set_num_format("dd/mm/yyyy");
        let sheet = book.add_worksheet();
        sheet.set_name(self.sheet)?;
        sheet.set_freeze_panes(1, 0)?;
        for (column, name) in (0u16..).zip(&self.header) {
            sheet.write_string_with_format(0, column, name, &bold)?;
            sheet.set_column_width(column, if name.len() > 14 { 24u8 } else { 14u8 })?;
        }
        for (row, cells) in (1u32..).zip(&self.rows) {
            for (column, cell) in (0u16..).zip(cells) {
                match cell {
                    Cell::Text(text) => sheet.write_string(row, column, text)?,
                    Cell::Number(number) => sheet.write_number(row, column, *number)?,
                    Cell::Date(y, m, d) => {
                        let date = ExcelDateTime::from_ymd(*y, *m, *d)?;
                        sheet.write_datetime_with_format(row, column, &date, &day)?
                    }
                    Cell::Empty => continue,
                };
            }
        }
        Ok(book.save(path)?)
    }
}

fn quote(text: &str, separator: char) -> String {
    if text.contains([separator, '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
