//! Where an evaluation's movies and ratings come from: files split elsewhere, or the store, split here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::cli::{print_error, store_options};
use crate::config::Config;
use crate::domain::{Catalogue, Interaction, Movie, RatingMatrix};
use crate::import::{self, ImportOptions, ImportReport, ImportSink, SinkError};
use crate::store::Store;

/// The files of a split made elsewhere.
#[derive(Debug, Args)]
pub(super) struct SplitFiles {
    /// Ratings to fit on: CSV with userId,movieId,rating,timestamp. Without it the store's ratings are split.
    #[arg(long, value_name = "FILE", requires = "test")]
    pub(super) train: Option<PathBuf>,
    /// Ratings to predict, in the same form.
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(super) test: Option<PathBuf>,
    /// Folder with the movies (titles, genres, years), in any layout that `marquee import` reads.
    #[arg(long, value_name = "DIR", requires = "train")]
    pub(super) movies: Option<PathBuf>,
}

/// Movies and ratings in memory.
#[derive(Debug, Default)]
pub(in crate::cli) struct InMemory {
    pub(in crate::cli) movies: Vec<Movie>,
    pub(in crate::cli) ratings: Vec<Interaction>,
}

impl ImportSink for InMemory {
    fn movie(&mut self, movie: Movie) -> Result<(), SinkError> {
        self.movies.push(movie);
        Ok(())
    }

    fn rating(&mut self, rating: Interaction) -> Result<(), SinkError> {
        self.ratings.push(rating);
        Ok(())
    }
}

impl InMemory {
    /// The ratings of a file with the movies of a folder. A movie that only the ratings know has nothing but its id.
    pub(in crate::cli) fn read(ratings: &Path, movies: Option<&Path>) -> anyhow::Result<Self> {
        let mut sink = Self::default();
        if let Some(dir) = movies {
            let report = import::import(dir, import::detect(dir)?, &ImportOptions::default(), &mut sink)?;
            show_skipped(&report)?;
            sink.ratings.clear();
        }
        read_ratings(ratings, &mut sink)?;
        if sink.ratings.is_empty() {
            bail!("{} has no ratings", ratings.display());
        }
        let known = Catalogue::vocabulary_of(&sink.movies);
        let rated = sink.ratings.iter().map(|event| event.movie).filter(|&movie| known.index_of(movie).is_none());
        let mut missing: Vec<_> = rated.collect();
        missing.sort_unstable();
        missing.dedup();
        sink.movies.extend(missing.into_iter().map(|id| Movie::new(id, format!("movie {id}"))));
        Ok(sink)
    }

    /// Everything that the store holds, perhaps nothing.
    pub(in crate::cli) fn of_store(config: &Config) -> anyhow::Result<Self> {
        let store = Store::open_existing(&config.store_path(), store_options(config))?;
        let (movies, ratings) = store.read(|view| Ok((view.movies()?, view.ratings()?)))?;
        Ok(Self { movies, ratings })
    }

    /// The same, unless there are no ratings to split.
    pub(super) fn with_ratings(self, config: &Config) -> anyhow::Result<Self> {
        if self.ratings.is_empty() {
            bail!("the store {} has no ratings: run `marquee import DIR` first", config.store_path().display());
        }
        Ok(self)
    }

    /// The catalogue, and the matrix of the ratings.
    pub(in crate::cli) fn fit(movies: Vec<Movie>, ratings: Vec<Interaction>) -> (Arc<Catalogue>, Arc<RatingMatrix>) {
        let ratings = Arc::new(RatingMatrix::new(&Catalogue::vocabulary_of(&movies), ratings));
        (Arc::new(Catalogue::new(movies, &ratings)), ratings)
    }
}

/// The ratings of a file.
pub(super) fn read_ratings(path: &Path, sink: &mut InMemory) -> anyhow::Result<()> {
    let report = import::import_ratings(path, sink).with_context(|| format!("reading {}", path.display()))?;
    show_skipped(&report)
}

/// What could not be used is said on standard error: the result goes to standard output.
fn show_skipped(report: &ImportReport) -> anyhow::Result<()> {
    if report.problems.is_empty() {
        return Ok(());
    }
    Ok(print_error(report)?)
}
