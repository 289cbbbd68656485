//! `marquee import`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::ProgressBar;

use super::{open_store, print};
use crate::config::Config;
use crate::domain::{Interaction, Movie};
use crate::import::{self, Format, ImportOptions, ImportProgress, ImportSink, Overviews, SinkError};
use crate::store::{PendingWrite, ReadView, SettingKey, Store, Write, WriteSummary};
use crate::telemetry::Terminal;

/// Ratings per transaction: large enough that commits cost little, small enough to hold in memory.
const BATCH: usize = 50_000;

/// A movie takes the room of so many ratings: with its texts it has up to some 25 KB, so a batch has at most 125 MB.
const MOVIE_WEIGHT: usize = 10;

/// The overviews that come with the program.
const BUILT_IN_OVERVIEWS: &str = include_str!("../../data/overviews.csv");

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder with a MovieLens, RecBole or Kaggle "The Movies Dataset" data set.
    dir: PathBuf,
    /// Layout of the folder: auto, ml-100k, ml-1m, ml-csv, recbole or tmdb.
    #[arg(long, default_value = "auto")]
    format: String,
    /// Overviews (title,year,overview) for movies that come without one, instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    overviews: Option<PathBuf>,
    /// Leave movies without an overview as they are.
    #[arg(long, conflicts_with = "overviews")]
    no_overviews: bool,
}

pub(super) fn run(config: &Config, terminal: &Terminal, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let format: Format = match arguments.format.as_str() {
        "auto" => import::detect(&arguments.dir)?,
        name => name.parse()?,
    };
    let overviews = match &arguments.overviews {
        _ if arguments.no_overviews => None,
        Some(path) => Some(Overviews::read(path)?),
        None => Some(Overviews::parse("built-in overviews", BUILT_IN_OVERVIEWS.as_bytes())?),
    };
    let store = open_store(config)?;
    let id_space = import::id_space(&arguments.dir, format)?;
    let claim = claim_id_space(&store, &id_space)?;
    let options = ImportOptions { overviews };
    let mut sink = StoreSink::new(&store, claim, terminal.bytes_bar("importing", 0));
    let report = import::import(&arguments.dir, format, &options, &mut sink)?;
    sink.flush()?;
    sink.bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    print(&report)?;
    print(sink.summary_text())?;
    print(format_args!("{seconds:.1} s; the store is {}", store.path().display()))?;
    if report.is_empty() {
        bail!("no movie could be read from {}; nothing was stored", arguments.dir.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Movie ids of different families mean different movies, so one store holds one family: that of its first movie. The
/// write that says so is given when the store has none yet, to be made together with that movie.
fn claim_id_space(store: &Store, id_space: &str) -> anyhow::Result<Option<Write>> {
    let (stored, n_movies) =
        store.read(|view: &ReadView<'_>| Ok((view.setting(SettingKey::IdSpace)?, view.n_movies()?)))?;
    match stored {
        Some(stored) if stored == id_space => Ok(None),
        Some(stored) if n_movies > 0 => bail!(
            "the store holds movies numbered as in {stored}, and these are numbered as in {id_space}: the same number \
             would mean different movies. Import into another --data-dir"
        ),
        _ => Ok(Some(Write::Setting(SettingKey::IdSpace, id_space.to_owned()))),
    }
}

/// Gathers what is imported into batches for the store; the next one is read while one is written.
struct StoreSink<'store> {
    store: &'store Store,
    /// What goes before the first movie.
    claim: Option<Write>,
    movies: Vec<Write>,
    ratings: Vec<Interaction>,
    pending: Option<PendingWrite>,
    total: WriteSummary,
    bar: ProgressBar,
}

impl<'store> StoreSink<'store> {
    fn new(store: &'store Store, claim: Option<Write>, bar: ProgressBar) -> Self {
        let (movies, ratings, total) = (Vec::new(), Vec::with_capacity(BATCH), WriteSummary::default());
        Self { store, claim, movies, ratings, pending: None, total, bar }
    }

    fn flush_if_full(&mut self) -> Result<(), SinkError> {
        if self.movies.len() * MOVIE_WEIGHT + self.ratings.len() >= BATCH { Ok(self.send()?) } else { Ok(()) }
    }

    /// Sends what has been gathered, when the batch before is durable.
    fn send(&mut self) -> anyhow::Result<()> {
        self.wait()?;
        let claim = if self.movies.is_empty() { None } else { self.claim.take() };
        let mut writes: Vec<Write> = claim.into_iter().chain(std::mem::take(&mut self.movies)).collect();
        writes.push(Write::Ratings(std::mem::replace(&mut self.ratings, Vec::with_capacity(BATCH))));
        self.pending = Some(self.store.write_behind(writes).context("writing to the store")?);
        Ok(())
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        if let Some(pending) = self.pending.take() {
            self.total += pending.wait().context("writing to the store")?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.send()?;
        self.wait()
    }

    fn summary_text(&self) -> String {
        let total = self.total;
        let repaired = match total.ratings_repaired {
            0 => String::new(),
            n_ratings => format!(", {n_ratings} in place of damaged ones"),
        };
        format!(
            "Stored: {} new movies, {} replaced; {} new ratings, {} replaced, {} older than what was stored{repaired}",
            total.movies_added, total.movies_replaced, total.ratings_added, total.ratings_replaced, total.ratings_older
        )
    }
}

impl ImportSink for StoreSink<'_> {
    fn movie(&mut self, movie: Movie) -> Result<(), SinkError> {
        self.movies.push(Write::Movie(movie));
        self.flush_if_full()
    }

    fn rating(&mut self, rating: Interaction) -> Result<(), SinkError> {
        self.ratings.push(rating);
        self.flush_if_full()
    }

    fn progress(&mut self, progress: ImportProgress) {
        self.bar.set_length(progress.bytes_total);
        self.bar.set_position(progress.bytes_read);
    }
}
