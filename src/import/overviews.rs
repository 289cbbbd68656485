//! Overviews of our own (`title,year,overview`), joined to movies by title and year, whatever data set they are of.

use std::collections::HashMap;
use std::path::Path;

use super::report::ImportReport;
use super::rows::{Fault, Rows};
use super::session::Session;
use super::title::parse_title;
use super::value::{MAX_OVERVIEW_BYTES, overview, parse_year, shorten};
use super::{FileReport, Format, ImportError, ImportOptions, ImportSink, Problem, Reason, SinkError};
use crate::domain::{Interaction, Movie};
use crate::understand::title_key;

/// Overviews by the normal form of their title. Of several for one title and year the first counts.
#[derive(Clone, Debug, Default)]
pub struct Overviews {
    by_title: HashMap<String, Vec<Entry>>,
    report: FileReport,
    problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
struct Entry {
    year: Option<u16>,
    overview: String,
}

impl Overviews {
    /// Reads a file with the columns `title`, `year`, `overview`. Titles may be spelled as MovieLens does ("Godfather, The").
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        Self::alone(Rows::open_csv(path)?)
    }

    /// The same from memory; `name` names it in messages.
    pub fn parse(name: &str, bytes: &'static [u8]) -> Result<Self, ImportError> {
        Self::alone(Rows::csv_in_memory(Path::new(name), bytes))
    }

    fn alone(rows: Rows) -> Result<Self, ImportError> {
        let options = ImportOptions::default();
        let report = ImportReport::new(Format::MovieLensCsv, String::new());
        let mut sink = Nowhere;
        let mut session = Session::new(report, &options, &mut sink);
        let mut overviews = Self::read_rows(rows, &mut session)?;
        let mut report = session.finish();
        overviews.report = report.files.pop().unwrap_or_default();
        overviews.problems = report.problems;
        Ok(overviews)
    }

    /// Reads the file as part of an import, which counts its rows.
    pub(super) fn read_within(path: &Path, session: &mut Session<'_>) -> Result<Self, ImportError> {
        Self::read_rows(Rows::open_csv(path)?, session)
    }

    fn read_rows(mut rows: Rows, session: &mut Session<'_>) -> Result<Self, ImportError> {
        let columns = rows.header()?;
        let title = columns.require(&["title"])?;
        let text = columns.require(&["overview"])?;
        let year = columns.find("year");
        let mut overviews = Self::default();
        session.each_row(&mut rows, |session, rows| {
            let parsed = parse_title(&rows.text(title)?);
            if parsed.title.is_empty() {
                return Err(Fault { reason: Reason::EmptyText, field: title }.into());
            }
            let Some(mut overview) = overview(&rows.text(text)?) else {
                return Err(Fault { reason: Reason::EmptyText, field: text }.into());
            };
            if shorten(&mut overview, MAX_OVERVIEW_BYTES) {
                session.note(rows, Fault { reason: Reason::ValueShortened, field: text });
            }
            let year = session.optional(rows, year, parse_year).or(parsed.year);
            let entries = overviews.by_title.entry(title_key(&parsed.title)).or_default();
            if entries.iter().any(|entry| entry.year == year) {
                return Err(Fault { reason: Reason::DuplicateMovie, field: title }.into());
            }
            entries.push(Entry { year, overview });
            Ok(())
        })?;
        Ok(overviews)
    }

    /// The overview of a movie: by its title, else by one of its alternative titles. The year must be the same, or,
    /// where that leaves one choice, differ by one or be unknown on one side.
    pub fn find(&self, movie: &Movie) -> Option<&str> {
        std::iter::once(&movie.title).chain(&movie.alternative_titles).find_map(|title| {
            let entries = self.by_title.get(&title_key(title))?;
            choose(entries, movie.year)
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_title.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_title.is_empty()
    }

    /// How a file that was read alone was read.
    pub(super) fn report(&self) -> (&FileReport, &[Problem]) {
        (&self.report, &self.problems)
    }
}

fn choose(entries: &[Entry], year: Option<u16>) -> Option<&str> {
    let exact = entries.iter().find(|entry| entry.year == year);
    let near = || {
        let mut near = entries.iter().filter(|entry| match (entry.year, year) {
            (Some(left), Some(right)) => left.abs_diff(right) <= 1,
            _ => true,
        });
        near.next().filter(|_| near.next().is_none())
    };
    exact.or_else(near).map(|entry| entry.overview.as_str())
}

/// For reading what is neither movies nor ratings of a data set, which hands nothing over.
pub(super) struct Nowhere;

impl ImportSink for Nowhere {
    fn movie(&mut self, _: Movie) -> Result<(), SinkError> {
        Ok(())
    }

    fn rating(&mut self, _: Interaction) -> Result<(), SinkError> {
        Ok(())
    }
}
