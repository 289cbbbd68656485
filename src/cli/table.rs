//! Tables for people.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// Wider cells are cut: a table with a line per row is worth more than the end of the longest title.
const MAX_CELL_WIDTH: usize = 60;

/// Lines of cells; a column stands left or right as its heading says.
#[derive(Debug)]
pub(super) struct Table {
    lines: Vec<Vec<String>>,
    sides: Vec<Side>,
}

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

impl Table {
    /// A table of numbers with these headings; the first column says what they are of.
    pub(super) fn new<const N: usize>(headings: [&str; N]) -> Self {
        let side = |column| if column == 0 { Side::Left } else { Side::Right };
        Self { sides: (0..N).map(side).collect(), lines: vec![headings.map(str::to_owned).to_vec()] }
    }

    /// A table whose columns stand where their headings say.
    pub(super) fn of<'a>(headings: impl IntoIterator<Item = (&'a str, Side)>) -> Self {
        let (headings, sides) = headings.into_iter().map(|(heading, side)| (heading.to_owned(), side)).unzip();
        Self { sides, lines: vec![headings] }
    }

    pub(super) fn add(&mut self, cells: Vec<String>) {
        self.lines.push(cells.into_iter().map(|cell| shortened(&printable(&cell))).collect());
    }

    /// The heading, the rule under it, and a line for each row.
    pub(super) fn lines(&self) -> Vec<String> {
        let width =
            |column: usize| self.lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.width()).max();
        let widths: Vec<usize> = (0..self.sides.len()).map(|column| width(column).unwrap_or(0)).collect();
        let mut lines = Vec::with_capacity(self.lines.len() + 1);
        for (number, cells) in self.lines.iter().enumerate() {
            let mut text = String::new();
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let padding = " ".repeat(width - cell.width());
                let _ = match self.sides[column] {
                    Side::Left => write!(text, "{gap}{cell}{padding}"),
                    Side::Right => write!(text, "{gap}{padding}{cell}"),
                };
            }
            let rule = (number == 0).then(|| "-".repeat(text.width()));
            lines.push(text.trim_end().to_owned());
            lines.extend(rule);
        }
        lines
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines().into_iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The text on one line without control characters: what a data set calls a film must not steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn shortened(text: &str) -> String {
    if text.width() <= MAX_CELL_WIDTH {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        short.push(character);
        if short.width() >= MAX_CELL_WIDTH {
            short.pop();
            break;
        }
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["method", "nDCG@10"]);
        table.add(vec!["ease".to_owned(), "0.18".to_owned()]);
        assert_eq!(table.to_string(), "method  nDCG@10\n---------------\nease       0.18\n");
        let mut table = Table::of([("Id", Side::Right), ("Title", Side::Left), ("Year", Side::Right)]);
        table.add(vec!["7".to_owned(), "七人の侍".to_owned(), "1954".to_owned()]);
        table.add(vec!["12".to_owned(), "A\u{1b}[2Jb".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "Id  Title     Year\n------------------\n 7  七人の侍  1954\n12  A [2Jb\n");
    }

    #[test]
    fn no_cell_is_too_wide() {
        for text in ["x".repeat(500), "七".repeat(500), "e\u{301}".repeat(500)] {
            let short = shortened(&text);
            assert!(short.width() <= MAX_CELL_WIDTH && short.ends_with('…'), "{short}");
        }
        assert_eq!(shortened(&"x".repeat(60)), "x".repeat(60));
    }
}
