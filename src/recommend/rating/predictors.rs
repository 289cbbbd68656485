//! What is fitted before the stack: the factorisation, the neighbours, and figures of movies and of time.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::covariogram::Covariogram;
use super::factorisation::{Sample, Schedule, sample};
use super::person::{Person, Rated};
use crate::domain::{Catalogue, RatingMatrix, UserIdx};
use crate::math::SparseRows;
use crate::recommend::{DEFAULT_NEIGHBORS, RatingBaseline};

/// Ratings of average surprise that are added before a movie's or person's own surprise is taken.
pub(super) const SURPRISE_DAMPING: f32 = 10.0;
/// Years that share a feature.
const YEARS_PER_BIN: u16 = 5;

/// What the ratings say about a movie.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemFigures {
    /// Number of ratings.
    pub(super) n: u32,
    /// Mean rating, damped towards the mean of all.
    pub(super) mean: f32,
    /// Mean absolute residual, damped.
    pub(super) surprise: f32,
}

/// Everything fitted on one set of ratings that the stack builds on.
#[derive(Clone, Debug)]
pub(super) struct Predictors {
    pub(super) samples: Vec<Sample>,
    pub(super) baseline: RatingBaseline,
    pub(super) items: Vec<ItemFigures>,
    /// Mean absolute residual of all ratings.
    pub(super) surprise: f32,
    pub(super) covariogram: Covariogram,
    /// Whether the ratings' times differ at all.
    pub(super) has_times: bool,
}

impl Predictors {
    /// Fits all, the baseline unless it is fitted already, and places everybody who rated, in row order. Ends early, with
    /// nothing, when `go_on` says no; it is asked every few seconds.
    pub(super) fn fit(
        catalogue: &Arc<Catalogue>,
        ratings: &RatingMatrix,
        (schedule, baseline): (Schedule, Option<RatingBaseline>),
        go_on: &dyn Fn() -> bool,
    ) -> Option<(Self, Vec<Person>)> {
        let samples = sample(ratings, &[genres(catalogue), years(catalogue)], schedule, go_on)?;
        let people: Vec<Person> = (0..ratings.by_user().n_rows() as u32)
            .into_par_iter()
            .map(|row| {
                let history: Vec<_> =
                    ratings.history(UserIdx(row)).map(|(item, value, time)| (item.0, time, value)).collect();
                Person::place(&samples, &history)
            })
            .collect();
        let histories = || people.iter().map(|person| person.rated.as_slice());
        let (items, surprise) = item_figures(ratings, histories());
        let first_time = ratings.timestamps().next();
        let baseline = match baseline {
            Some(baseline) => baseline,
            None => RatingBaseline::fit_unless_stopped(Arc::clone(catalogue), ratings, DEFAULT_NEIGHBORS, go_on)?,
        };
        let predictors = Self {
            baseline,
            items,
            surprise,
            covariogram: Covariogram::fit(histories()),
            has_times: ratings.timestamps().any(|time| Some(time) != first_time),
            samples,
        };
        Some((predictors, people))
    }
}

fn item_figures<'a>(ratings: &RatingMatrix, people: impl Iterator<Item = &'a [Rated]>) -> (Vec<ItemFigures>, f32) {
    let mut sums = vec![(0_u32, 0.0_f32, 0.0_f32); ratings.by_item().n_rows()];
    let mut total = 0.0_f64;
    for rated in people.flatten() {
        let (n, values, surprises) = &mut sums[rated.item as usize];
        *n += 1;
        *values += rated.value;
        *surprises += rated.residual.abs();
        total += f64::from(rated.residual.abs());
    }
    let surprise = (total / ratings.len().max(1) as f64) as f32;
    let mean = ratings.mean();
    let figures = sums.into_iter().map(|(n, values, surprises)| ItemFigures {
        n,
        mean: (values + mean * SURPRISE_DAMPING) / (n as f32 + SURPRISE_DAMPING),
        surprise: (surprises + surprise * SURPRISE_DAMPING) / (n as f32 + SURPRISE_DAMPING),
    });
    (figures.collect(), surprise)
}

/// Movies × genres, 1 where a movie is of a genre.
fn genres(catalogue: &Catalogue) -> SparseRows {
    let names: BTreeSet<&str> = catalogue.movies().iter().flat_map(|movie| &movie.genres).map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let entries = (0_u32..).zip(catalogue.movies()).flat_map(|(row, movie)| {
        let columns: BTreeSet<u32> = movie
            .genres
            .iter()
            .filter_map(|genre| names.binary_search(&genre.as_str()).ok())
            .map(|column| column as u32)
            .collect();
        columns.into_iter().map(move |column| (row, column, 1.0))
    });
    SparseRows::from_sorted(catalogue.len(), names.len(), entries)
}

/// Movies × half-decades, 1 for the one a movie is from.
fn years(catalogue: &Catalogue) -> SparseRows {
    let years = || catalogue.movies().iter().filter_map(|movie| movie.year);
    let (Some(first), Some(last)) = (years().min(), years().max()) else {
        return SparseRows::from_sorted(catalogue.len(), 0, std::iter::empty());
    };
    let entries = (0_u32..)
        .zip(catalogue.movies())
        .filter_map(|(row, movie)| Some((row, u32::from((movie.year? - first) / YEARS_PER_BIN), 1.0)));
    SparseRows::from_sorted(catalogue.len(), usize::from((last - first) / YEARS_PER_BIN) + 1, entries)
}
