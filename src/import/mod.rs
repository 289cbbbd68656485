//! Rating data sets in: MovieLens, RecBole and Kaggle folders, row by row, into whatever takes typed values; and what one
//! person exported elsewhere.
//!
//! One file per source format; `schema/import.md` says what each accepts, what is skipped and why. A row that cannot be
//! used is counted and shown, never an error; a file that cannot be read is an error, never a count. The importer holds
//! movie ids, links and overviews in memory, but no ratings. It knows no store: the caller brings an [`ImportSink`].
//!
//! The only room that knows `csv` and `json5`.

mod evaluation;
mod export;
mod figures;
mod format;
mod genres;
mod judged;
mod links;
mod movielens_100k;
mod movielens_1m;
mod movielens_csv;
mod overviews;
mod personal;
mod ratings;
mod recbole;
mod report;
mod rows;
mod session;
mod title;
mod tmdb;
mod value;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use evaluation::{export_split, import_ratings, read_recommendations};
pub use export::{ExportReport, export};
pub use format::{Format, UnknownFormat, detect};
pub use judged::{JudgedAnswer, JudgedFile, JudgedPrompt, LabelledTitle, NamedMovie, judged_prompts, labelled_titles};
pub use overviews::Overviews;
pub use personal::{
    FilmIndex, FilmMatch, KnownFilm, PersonalFile, PersonalRating, PersonalSource, read_personal, write_unmatched,
};
pub use report::{FileReport, ImportReport, Problem, Reason};

use crate::domain::{Interaction, Movie};
use format::Layout;
use session::Session;

/// Why an import or export cannot go on. Single rows are never the reason.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds no data set of the wanted or of any format.
    #[error("no data set in {dir}: looked for {looked_for}; found {found}", dir = dir.display())]
    UnknownLayout {
        /// The folder.
        dir: PathBuf,
        /// Which files would have made a data set.
        looked_for: String,
        /// Which files are there.
        found: String,
    },
    /// A file lacks a column without which none of its rows means anything.
    #[error("{path} has no column {missing}; its first row is: {found}", path = path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The missing column.
        missing: String,
        /// The columns that are there.
        found: String,
    },
    /// A row of judged inputs cannot be used.
    #[error("line {line} of {file}: {problem}")]
    Judged {
        /// The file.
        file: String,
        /// Where in it.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// The receiver refused a movie or a rating.
    #[error("the imported data could not be taken in")]
    Sink(#[source] SinkError),
}

impl ImportError {
    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

/// What went wrong on the receiving side; the importer only passes it on.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Takes what is imported: all movies, each id once, then all ratings, each of a movie handed over before.
///
/// One user may rate one movie several times; the receiver keeps the newest.
pub trait ImportSink {
    /// Takes a movie.
    fn movie(&mut self, movie: Movie) -> Result<(), SinkError>;
    /// Takes a rating.
    fn rating(&mut self, rating: Interaction) -> Result<(), SinkError>;
    /// Is told from time to time how far the import is.
    fn progress(&mut self, _progress: ImportProgress) {}
}

/// How far an import is. Files are read once, so bytes are a fair measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// Bytes read of all files.
    pub bytes_read: u64,
    /// Bytes of all files.
    pub bytes_total: u64,
    /// Movies handed over.
    pub movies: u64,
    /// Ratings handed over.
    pub ratings: u64,
}

/// What goes with a folder.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Overviews for movies that come without one. An `overviews.csv` in the folder goes before these.
    pub overviews: Option<Overviews>,
}

/// Which numbering a folder's movie ids belong to; the same number in different spaces means different films.
pub fn id_space(dir: &Path, format: Format) -> Result<String, ImportError> {
    Ok(Layout::of(dir, format)?.id_space)
}

/// Reads a data set: movies first, then ratings.
pub fn import(
    dir: &Path,
    format: Format,
    options: &ImportOptions,
    sink: &mut dyn ImportSink,
) -> Result<ImportReport, ImportError> {
    let layout = Layout::of(dir, format)?;
    let mut report = ImportReport::new(format, layout.id_space.clone());
    if let Some((file, problems)) = options.overviews.as_ref().map(Overviews::report) {
        report.files.push(file.clone());
        report.problems.extend_from_slice(problems);
    }
    let mut session = Session::new(report, options, sink);
    session.plan(layout.paths())?;
    if let Some(path) = &layout.overviews {
        let overviews = Overviews::read_within(path, &mut session)?;
        session.use_overviews(overviews);
    }
    match format {
        Format::MovieLens100k => movielens_100k::read(&layout, &mut session)?,
        Format::MovieLens1m => movielens_1m::read(&layout, &mut session)?,
        Format::MovieLensCsv => movielens_csv::read(&layout, &mut session)?,
        Format::Recbole => recbole::read(&layout, &mut session)?,
        Format::Tmdb => tmdb::read(&layout, &mut session)?,
    }
    Ok(session.finish())
}
