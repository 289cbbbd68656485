//! What an import read, kept and skipped. Counts are complete; examples are limited.

use std::collections::BTreeMap;
use std::fmt;

use super::Format;

/// Why a row was skipped, or why a value of a kept row was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The row ends before a field that is needed.
    TooFewFields,
    /// The row is longer than any real one; usually a quote that is never closed.
    TooLong,
    /// A number that is none (also NaN), or does not fit.
    BadNumber,
    /// A rating outside the scale of the format.
    OutsideScale,
    /// Text that is not UTF-8, in a format that must be.
    BrokenText,
    /// A title (or, in `overviews.csv`, an overview) that is empty.
    EmptyText,
    /// A movie (or, in `overviews.csv`, title and year) that came before; the first counts.
    DuplicateMovie,
    /// Metadata of a movie that no link gives a movie id.
    NoLink,
    /// A film without a rating, in what one person exported.
    NotRated,
    /// A rating of a movie that the catalogue does not have.
    Orphan,
    /// An optional value that could not be understood. The row is kept without it.
    ValueIgnored,
    /// A text or list over its limit. The row is kept with what fits.
    ValueShortened,
}

impl Reason {
    /// Whether the row is lost; otherwise only one of its values is.
    pub fn skips_row(self) -> bool {
        !matches!(self, Self::ValueIgnored | Self::ValueShortened)
    }

    fn text(self) -> &'static str {
        match self {
            Self::TooFewFields => "too few fields",
            Self::TooLong => "row too long",
            Self::BadNumber => "not a number, or out of range",
            Self::OutsideScale => "rating outside the scale",
            Self::BrokenText => "text is not UTF-8",
            Self::EmptyText => "a needed text is empty",
            Self::DuplicateMovie => "movie given before (the first counts)",
            Self::NotRated => "no rating was given",
            Self::NoLink => "metadata without a link to a movie id",
            Self::Orphan => "rating of a movie that is not in the catalogue",
            Self::ValueIgnored => "kept, but one value could not be understood",
            Self::ValueShortened => "kept, but one value was shortened",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// One row that could not be used, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File name within the folder.
    pub file: String,
    /// Line on which the row begins, from 1.
    pub line: u64,
    /// Its kind.
    pub reason: Reason,
    /// What was found, in a few words.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.detail)
    }
}

/// Counts of one file. `rows = kept + skipped()`, always; header and blank lines are not rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// File name within the folder.
    pub name: String,
    /// Rows read.
    pub rows: u64,
    /// Rows used.
    pub kept: u64,
    /// How often each reason occurred.
    pub reasons: BTreeMap<Reason, u64>,
}

impl FileReport {
    /// Rows not used.
    pub fn skipped(&self) -> u64 {
        self.reasons.iter().filter(|(reason, _)| reason.skips_row()).map(|(_, count)| count).sum()
    }
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// The format that was read.
    pub format: Format,
    /// Which numbering the movie ids belong to; ids of different spaces mean different films.
    pub id_space: String,
    /// Movies handed over.
    pub movies: u64,
    /// Those of them with an overview.
    pub movies_with_overview: u64,
    /// Overviews joined by title and year from `overviews.csv`.
    pub overviews_joined: u64,
    /// The same for movies with an overview of their own, which have two texts now.
    pub synopses_joined: u64,
    /// Ratings handed over, before the receiver resolves repetitions of one user and movie.
    pub ratings: u64,
    /// Every file in reading order.
    pub files: Vec<FileReport>,
    /// The first rows of each file and reason that could not be used.
    pub problems: Vec<Problem>,
}

impl ImportReport {
    pub(super) fn new(format: Format, id_space: String) -> Self {
        Self {
            format,
            id_space,
            movies: 0,
            movies_with_overview: 0,
            overviews_joined: 0,
            synopses_joined: 0,
            ratings: 0,
            files: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Whether nothing useful was read. Movies without ratings are useful: they are found by title and content.
    pub fn is_empty(&self) -> bool {
        self.movies == 0
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Format {}, movie ids of {}", self.format, self.id_space)?;
        let width = self.files.iter().map(|file| file.name.chars().count()).max().unwrap_or(0).max("File".len());
        writeln!(f, "{:width$}  {:>10}  {:>10}  {:>10}", "File", "Rows", "Kept", "Skipped")?;
        for file in &self.files {
            writeln!(f, "{:width$}  {:>10}  {:>10}  {:>10}", file.name, file.rows, file.kept, file.skipped())?;
            for (reason, count) in &file.reasons {
                writeln!(f, "{:width$}  {count:>10}  {reason}", "")?;
                let same = |problem: &&Problem| problem.file == file.name && problem.reason == *reason;
                if let Some(example) = self.problems.iter().find(same) {
                    writeln!(f, "{:width$}  {:>10}  first: line {}: {}", "", "", example.line, example.detail)?;
                }
            }
        }
        write!(f, "{} movies ({} with an overview", self.movies, self.movies_with_overview)?;
        if self.overviews_joined > 0 {
            write!(f, ", {} of them joined by title and year", self.overviews_joined)?;
        }
        if self.synopses_joined > 0 {
            write!(f, ", {} with a second text to search", self.synopses_joined)?;
        }
        write!(f, "), {} ratings", self.ratings)?;
        if self.ratings == 0 {
            write!(f, "\nNo ratings were found: recommendations will be by content and metadata only")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_every_count_and_the_first_example() {
        let mut report = ImportReport::new(Format::MovieLensCsv, "movielens".into());
        report.movies = 3;
        report.movies_with_overview = 2;
        report.overviews_joined = 1;
        let reasons = BTreeMap::from([(Reason::BadNumber, 2), (Reason::ValueIgnored, 5)]);
        report.files.push(FileReport { name: "ratings.csv".into(), rows: 9, kept: 7, reasons });
        for line in [4, 8] {
            let detail = format!("rating \"x{line}\" is not a number");
            report.problems.push(Problem { file: "ratings.csv".into(), line, reason: Reason::BadNumber, detail });
        }
        assert_eq!(report.files[0].skipped(), 2);
        assert!(!report.is_empty(), "movies without ratings are of use");
        let text = report.to_string();
        for part in [
            "Format ml-csv, movie ids of movielens\n",
            "ratings.csv           9           7           2\n",
            "first: line 4: rating \"x4\" is not a number\n",
            "3 movies (2 with an overview, 1 of them joined by title and year), 0 ratings\nNo ratings were found",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.contains("x8"));
    }
}
