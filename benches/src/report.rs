//! The output of the program: tables to read, CSV files to compute with, and plots.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// Rows of text under headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<T: Into<String>>(headers: impl IntoIterator<Item = T>) -> Self {
        Self {
            headers: headers.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell for each header.
    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        debug_assert_eq!(cells.len(), self.headers.len());
        self.rows.push(cells);
    }

    /// The table for people: the first column is aligned left, the others right.
    fn text(&self) -> String {
        let lines = || std::iter::once(&self.headers).chain(&self.rows);
        let widths: Vec<usize> = (0..self.headers.len())
            .map(|column| {
                lines()
                    .map(|line| line[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for line in lines() {
            let mut row = String::new();
            for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
                let _ = match column {
                    0 => write!(row, "{cell:<width$}"),
                    _ => write!(row, "  {cell:>width$}"),
                };
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }

    /// The table as in RFC 4180, but with `\n` at the end of lines.
    fn csv(&self) -> String {
        let mut text = String::new();
        for line in std::iter::once(&self.headers).chain(&self.rows) {
            let cells: Vec<String> = line.iter().map(|cell| quoted(cell)).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }

    pub(crate) fn print(&self, title: &str) {
        println!("\n{title}\n{}", self.text().trim_end());
    }
}

/// A CSV cell, in quotes if necessary.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// The folder for the files.
pub(crate) struct Report {
    out: PathBuf,
}

impl Report {
    pub(crate) fn new(out: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        Ok(Self { out })
    }

    /// The path of the file with this name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// Writes a table to the CSV file with this name.
    pub(crate) fn csv(&self, name: &str, table: &Table) -> Result<(), String> {
        let path = self.path(&format!("{name}.csv"));
        fs::write(&path, table.csv()).map_err(|error| format!("{}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["who", "ns"]);
        table.row(["cached, ttl", "120.5"]);
        table.row(["a \"b\"", "7"]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(
            table().text(),
            "who             ns\ncached, ttl  120.5\na \"b\"            7\n"
        );
    }

    #[test]
    fn csv_cells_are_quoted_where_they_must_be() {
        assert_eq!(
            table().csv(),
            "who,ns\n\"cached, ttl\",120.5\n\"a \"\"b\"\"\",7\n"
        );
    }
}
