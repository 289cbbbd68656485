//! One running import: counts every row, checks what concerns more than one row, and hands over to the sink.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::genres::MAX_GENRES;
use super::rows::{Fault, Field, Rows};
use super::value::{MAX_OVERVIEW_BYTES, MAX_TITLE_BYTES, is_missing, shorten};
use super::{
    FileReport, ImportError, ImportOptions, ImportProgress, ImportReport, ImportSink, Overviews, Problem, Reason,
};
use crate::domain::{Interaction, Movie, MovieId};

/// Rows between two reports of progress: several a second, and too few to cost anything.
const ROWS_PER_PROGRESS: u64 = 50_000;
/// Examples kept per file and reason.
pub(super) const MAX_PROBLEMS: usize = 20;
/// Longest value quoted in a problem, in characters.
const MAX_QUOTED_CHARS: usize = 60;

/// Why the current row leads to nothing.
pub(super) enum Stop {
    /// The row cannot be used; the next may.
    Skip(Fault),
    /// The import cannot go on. Boxed, so that the result of every row stays small.
    Abort(Box<ImportError>),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Skip(fault)
    }
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Self::Abort(Box::new(error))
    }
}

pub(super) struct Session<'a> {
    sink: &'a mut dyn ImportSink,
    options: &'a ImportOptions,
    report: ImportReport,
    /// The file being read; becomes part of the report at its end.
    file: FileReport,
    examples: HashMap<Reason, usize>,
    movies: HashSet<MovieId>,
    overviews: Option<Overviews>,
    bytes_before: u64,
    bytes_total: u64,
}

impl<'a> Session<'a> {
    pub(super) fn new(report: ImportReport, options: &'a ImportOptions, sink: &'a mut dyn ImportSink) -> Self {
        Self {
            sink,
            options,
            report,
            file: FileReport::default(),
            examples: HashMap::new(),
            movies: HashSet::new(),
            overviews: None,
            bytes_before: 0,
            bytes_total: 0,
        }
    }

    /// Adds up how much there is to read.
    pub(super) fn plan<'p>(&mut self, paths: impl Iterator<Item = &'p PathBuf>) -> Result<(), ImportError> {
        for path in paths {
            let metadata = std::fs::metadata(path).map_err(|source| ImportError::read(path, source))?;
            self.bytes_total = self.bytes_total.saturating_add(metadata.len());
        }
        Ok(())
    }

    /// Overviews that go before those of the options.
    pub(super) fn use_overviews(&mut self, overviews: Overviews) {
        self.overviews = Some(overviews);
    }

    /// Reads the remaining rows of a file. What `use_row` does not skip counts as kept.
    pub(super) fn each_row(
        &mut self,
        rows: &mut Rows,
        mut use_row: impl FnMut(&mut Self, &Rows) -> Result<(), Stop>,
    ) -> Result<(), ImportError> {
        self.file = FileReport { name: rows.name(), ..FileReport::default() };
        self.examples.clear();
        while rows.advance()? {
            self.file.rows += 1;
            let outcome = if rows.is_too_long() {
                Err(Stop::Skip(Fault { reason: Reason::TooLong, field: Field { name: "row", position: 0 } }))
            } else {
                use_row(self, rows)
            };
            match outcome {
                Ok(()) => self.file.kept += 1,
                Err(Stop::Skip(fault)) => self.note(rows, fault),
                Err(Stop::Abort(error)) => return Err(*error),
            }
            if self.file.rows.is_multiple_of(ROWS_PER_PROGRESS) {
                self.progress(rows.bytes_read());
            }
        }
        self.bytes_before += rows.bytes_read();
        self.progress(0);
        self.report.files.push(std::mem::take(&mut self.file));
        Ok(())
    }

    fn progress(&mut self, bytes_of_file: u64) {
        self.sink.progress(ImportProgress {
            bytes_read: self.bytes_before + bytes_of_file,
            bytes_total: self.bytes_total,
            movies: self.report.movies,
            ratings: self.report.ratings,
        });
    }

    /// Counts a fault of the current row, and keeps it as an example while there are few.
    pub(super) fn note(&mut self, rows: &Rows, fault: Fault) {
        *self.file.reasons.entry(fault.reason).or_default() += 1;
        let examples = self.examples.entry(fault.reason).or_default();
        if *examples < MAX_PROBLEMS {
            *examples += 1;
            self.report.problems.push(Problem {
                file: self.file.name.clone(),
                line: rows.line(),
                reason: fault.reason,
                detail: describe(rows, fault),
            });
        }
    }

    /// An optional value: absent when missing or empty; counted as ignored when it cannot be parsed.
    pub(super) fn optional<T>(
        &mut self,
        rows: &Rows,
        field: Option<Field>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let field = field?;
        rows.get(field)?;
        let Ok(text) = rows.text(field) else {
            self.note(rows, Fault { reason: Reason::ValueIgnored, field });
            return None;
        };
        if is_missing(&text) {
            return None;
        }
        let value = parse(&text);
        if value.is_none() {
            self.note(rows, Fault { reason: Reason::ValueIgnored, field });
        }
        value
    }

    /// Hands a movie over, cut to the limits and with an overview where one is known; for a movie with an overview of its
    /// own that is a synopsis.
    pub(super) fn movie(&mut self, rows: &Rows, field: Field, mut movie: Movie) -> Result<(), Stop> {
        if movie.title.is_empty() {
            return Err(Fault { reason: Reason::EmptyText, field }.into());
        }
        if !self.movies.insert(movie.id) {
            return Err(Fault { reason: Reason::DuplicateMovie, field }.into());
        }
        if cut_to_limits(&mut movie) {
            self.note(rows, Fault { reason: Reason::ValueShortened, field });
        }
        let sources = [self.overviews.as_ref(), self.options.overviews.as_ref()];
        let known = sources.into_iter().flatten().find_map(|known| known.find(&movie)).map(str::to_owned);
        if movie.overview.is_none() {
            movie.overview = known;
            self.report.overviews_joined += u64::from(movie.overview.is_some());
        } else if movie.synopsis.is_none() && known != movie.overview {
            movie.synopsis = known;
            self.report.synopses_joined += u64::from(movie.synopsis.is_some());
        }
        self.report.movies += 1;
        self.report.movies_with_overview += u64::from(movie.overview.is_some());
        self.sink.movie(movie).map_err(|error| ImportError::Sink(error).into())
    }

    /// Whether a movie was handed over.
    pub(super) fn has_movie(&self, id: MovieId) -> bool {
        self.movies.contains(&id)
    }

    /// Hands a rating over.
    pub(super) fn rating(&mut self, rating: Interaction) -> Result<(), Stop> {
        self.report.ratings += 1;
        self.sink.rating(rating).map_err(|error| ImportError::Sink(error).into())
    }

    pub(super) fn finish(self) -> ImportReport {
        self.report
    }
}

fn cut_to_limits(movie: &mut Movie) -> bool {
    let mut cut = shorten(&mut movie.title, MAX_TITLE_BYTES);
    for title in &mut movie.alternative_titles {
        cut |= shorten(title, MAX_TITLE_BYTES);
    }
    for text in [&mut movie.overview, &mut movie.synopsis].into_iter().flatten() {
        cut |= shorten(text, MAX_OVERVIEW_BYTES);
    }
    cut |= movie.genres.len() > MAX_GENRES;
    movie.genres.truncate(MAX_GENRES);
    cut
}

fn describe(rows: &Rows, fault: Fault) -> String {
    let name = fault.field.name;
    let Some(bytes) = rows.get(fault.field) else {
        return format!("{name} is missing: the row has {} fields", rows.n_fields());
    };
    let text = String::from_utf8_lossy(bytes);
    let mut quoted: String = text.chars().take(MAX_QUOTED_CHARS).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    match fault.reason {
        Reason::TooLong => format!("the row begins {quoted:?}"),
        reason => format!("{name} {quoted:?}: {reason}"),
    }
}
