//! Predicted ratings without a network: biases, and what the neighbours of a movie deviated from theirs.
//!
//! r̂(u, i) = μ + b_u + b_i + Σ_j s_ij^1.5 e_uj / (Σ_j s_ij^1.5 + 0.05), over the rated movies j among the positive
//! neighbours of i, with e_uj = r_uj − μ − b_u − b_j (Koren 2010, "Factor in the Neighbors"; amplification after Breese
//! et al. 1998). Biases are damped means (5 ratings at zero), refined three times; s is the shrunk cosine of the e. The
//! person is known by the history alone, so the prediction is good for everybody and follows the newest rating.

use std::sync::Arc;

use rayon::prelude::*;

use super::measure::{Cosine, Weights};
use super::{ItemNeighbors, RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Query, RatedMovie, RatingMatrix};
use crate::math::SparseRows;

/// So many ratings without deviation are added before a bias is taken.
const BIAS_DAMPING: f32 = 5.0;
/// Rounds in which user and item biases explain each other's rest.
const BIAS_ROUNDS: usize = 3;
/// So many co-raters halve the doubt about a similarity.
const SHRINKAGE: f32 = 25.0;
/// Movies above which the popular ones are neighbours of so many that a history's rows of the turned table are longer
/// than the rows of all candidates (at 100,000 movies some fifteen times).
const MANY_MOVIES: usize = 20_000;
/// Weight that an average rating is taken to have, so that one faint neighbour does not decide.
const NEIGHBOR_DAMPING: f32 = 0.05;

/// Biases and neighbours fitted on all ratings. Copies share them.
#[derive(Clone, Debug)]
pub struct RatingBaseline {
    catalogue: Arc<Catalogue>,
    mean: f32,
    scale: (f32, f32),
    item_biases: Arc<[f32]>,
    table: Arc<Table>,
}

/// s^1.5 of the positive neighbours.
#[derive(Clone, Debug)]
enum Table {
    /// Row = movie to predict: for few movies.
    ByMovie(SparseRows),
    /// Row = rated movie: for many movies.
    ByRated(SparseRows),
}

impl RatingBaseline {
    /// Fits biases, then the neighbour table of at most `k` entries per movie.
    pub fn fit(catalogue: Arc<Catalogue>, ratings: &RatingMatrix, k: usize) -> Self {
        Self::fit_unless_stopped(catalogue, ratings, k, &|| true).expect("nobody stops it")
    }

    /// As [`Self::fit`], but ends early, with nothing, when `go_on` says no; it is asked every few seconds.
    pub(super) fn fit_unless_stopped(
        catalogue: Arc<Catalogue>,
        ratings: &RatingMatrix,
        k: usize,
        go_on: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let residuals = Residuals::fit(ratings);
        let measure = Cosine::fit(residuals.clone(), ratings, 0.5, SHRINKAGE);
        let neighbors = ItemNeighbors::of_measure(&measure, ratings, k, go_on)?;
        let scale = ratings.scale();
        let table = Arc::new(Table::ByMovie(amplified(&neighbors, catalogue.len())));
        Some(Self { catalogue, mean: residuals.mean, scale, item_biases: residuals.item_biases.into(), table })
    }

    /// Biases alone: what does not take long whatever there is.
    pub fn without_neighbors(catalogue: Arc<Catalogue>, ratings: &RatingMatrix) -> Self {
        let residuals = Residuals::fit(ratings);
        let table = Table::ByMovie(SparseRows::from_sorted(catalogue.len(), catalogue.len(), std::iter::empty()));
        let (mean, scale) = (residuals.mean, ratings.scale());
        Self { catalogue, mean, scale, item_biases: residuals.item_biases.into(), table: Arc::new(table) }
    }

    /// The same, quicker for more movies at a time than a history has, and slower for fewer; of a large catalogue as it is.
    pub fn for_many_movies(mut self) -> Self {
        if let Table::ByMovie(table) = &*self.table
            && table.n_rows() <= MANY_MOVIES
        {
            self.table = Arc::new(Table::ByRated(table.transposed()));
        }
        self
    }

    /// The rating that a person with this history is expected to give, on the scale of the data set. Without a history
    /// it is the movie's damped mean.
    ///
    /// # Panics
    /// When the item is not of the catalogue this was fitted on.
    pub fn predict(&self, history: &[RatedMovie], item: ItemIdx) -> f32 {
        self.predict_many(history, &[item])[0]
    }

    /// As [`Self::predict`] for several movies, in the same order.
    pub fn predict_many(&self, history: &[RatedMovie], items: &[ItemIdx]) -> Vec<f32> {
        let known: Vec<(ItemIdx, f32)> = history
            .iter()
            .filter_map(|rated| Some((self.catalogue.item_idx(rated.movie)?, rated.rating.value())))
            .collect();
        let rest = |&(item, rating): &(ItemIdx, f32)| rating - self.mean - self.item_biases[item.row()];
        let bias = known.iter().map(rest).sum::<f32>() / (known.len() as f32 + BIAS_DAMPING);
        // Of a movie given twice the last counts.
        let mut residuals: Vec<(ItemIdx, f32)> =
            known.iter().rev().map(|rated| (rated.0, rest(rated) - bias)).collect();
        residuals.sort_by_key(|&(item, _)| item);
        residuals.dedup_by_key(|&mut (item, _)| item);
        let sums = self.neighbor_sums(&residuals, items);
        let (low, high) = self.scale;
        let predict = |(&item, (sum, total)): (&ItemIdx, (f32, f32))| {
            (self.mean + bias + self.item_biases[item.row()] + sum / total).clamp(low, high)
        };
        items.iter().zip(sums).map(predict).collect()
    }

    /// Weighed residuals of the rated neighbours of each item, and their weights with the damping, added up in the order
    /// of the rated movies' rows either way.
    fn neighbor_sums(&self, residuals: &[(ItemIdx, f32)], items: &[ItemIdx]) -> Vec<(f32, f32)> {
        let nothing = (0.0, NEIGHBOR_DAMPING);
        match &*self.table {
            Table::ByMovie(table) => {
                // A bit for each movie: small enough to stay close to the processor, and few are set.
                let mut is_rated = vec![0_u64; self.catalogue.len().div_ceil(64)];
                for (item, _) in residuals {
                    is_rated[item.row() / 64] |= 1 << (item.row() % 64);
                }
                let residual = |other: u32| {
                    let is_rated = is_rated[other as usize / 64] >> (other % 64) & 1 == 1;
                    let place = is_rated.then(|| residuals.binary_search_by_key(&other, |&(item, _)| item.0));
                    place.and_then(Result::ok).map(|place| residuals[place].1)
                };
                let sums = |item: &ItemIdx| {
                    let (others, weights) = table.row(item.row());
                    others.iter().zip(weights).fold(nothing, |(sum, total), (&other, weight)| {
                        residual(other).map_or((sum, total), |residual| (sum + weight * residual, total + weight))
                    })
                };
                items.iter().map(sums).collect()
            }
            Table::ByRated(table) => {
                let mut sums = vec![nothing; self.catalogue.len()];
                for &(rated, residual) in residuals {
                    let (others, weights) = table.row(rated.row());
                    for (&other, weight) in others.iter().zip(weights) {
                        let (sum, total) = &mut sums[other as usize];
                        *sum += weight * residual;
                        *total += weight;
                    }
                }
                items.iter().map(|item| sums[item.row()]).collect()
            }
        }
    }
}

/// s^1.5 of the positive similarities.
fn amplified(neighbors: &ItemNeighbors, n_items: usize) -> SparseRows {
    let rows = (0..n_items as u32).flat_map(|row| {
        let positive = neighbors.of(ItemIdx(row)).filter(|&(_, similarity)| similarity > 0.0);
        positive.map(move |(other, similarity)| (row, other.0, similarity * similarity.sqrt()))
    });
    SparseRows::from_sorted(n_items, n_items, rows)
}

impl Scorer for RatingBaseline {
    fn name(&self) -> &'static str {
        "neighbours"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        let items: Vec<ItemIdx> = (0..self.catalogue.len() as u32).map(ItemIdx).collect();
        let mut scores = Scores::absent(items.len());
        for (&item, rating) in items.iter().zip(self.predict_many(&query.history, &items)) {
            scores.set(item, rating);
        }
        Ok(scores)
    }
}

/// What a rating leaves unexplained by the biases.
#[derive(Clone, Debug)]
struct Residuals {
    mean: f32,
    user_biases: Vec<f32>,
    item_biases: Vec<f32>,
}

impl Residuals {
    fn fit(ratings: &RatingMatrix) -> Self {
        let mean = ratings.mean();
        let (by_user, by_item) = (ratings.by_user(), ratings.by_item());
        let mut user_biases = vec![0.0_f32; by_user.n_rows()];
        let mut item_biases = vec![0.0_f32; by_item.n_rows()];
        let damped_mean = |(columns, values): (&[u32], &[f32]), others: &[f32]| {
            let rests = columns.iter().zip(values).map(|(&column, value)| value - mean - others[column as usize]);
            rests.sum::<f32>() / (values.len() as f32 + BIAS_DAMPING)
        };
        for _ in 0..BIAS_ROUNDS {
            item_biases.par_iter_mut().enumerate().for_each(|(item, bias)| {
                *bias = damped_mean(by_item.row(item), &user_biases);
            });
            user_biases.par_iter_mut().enumerate().for_each(|(user, bias)| {
                *bias = damped_mean(by_user.row(user), &item_biases);
            });
        }
        Self { mean, user_biases, item_biases }
    }
}

impl Weights for Residuals {
    fn of_user(&self, user: usize) -> impl Fn(usize, f32) -> f32 {
        let (mean, bias) = (self.mean, self.user_biases[user]);
        move |item, rating| rating - mean - bias - self.item_biases[item]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MovieId, Rating};
    use crate::recommend::sample;

    fn rated(movie: u32, value: f32) -> RatedMovie {
        RatedMovie { movie: MovieId(movie), rating: Rating::new(value).unwrap(), timestamp: 0 }
    }

    #[test]
    fn neighbours_and_level_of_the_history_decide() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let baseline = RatingBaseline::fit(catalogue.clone(), &ratings, 50);
        let predict =
            |history: &[RatedMovie], movie| baseline.predict(history, catalogue.item_idx(MovieId(movie)).unwrap());
        let (first_camp, second_camp) = ([rated(10, 5.0), rated(40, 1.0)], [rated(10, 1.0), rated(40, 5.0)]);
        assert!(predict(&first_camp, 20) > predict(&second_camp, 20) + 0.5);
        assert!(predict(&second_camp, 50) > predict(&first_camp, 50) + 0.5);
        assert!(predict(&[rated(10, 5.0), rated(40, 5.0)], 60) > predict(&[rated(10, 2.0), rated(40, 2.0)], 60));
    }

    #[test]
    fn one_by_one_and_many_at_a_time_are_the_same() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let baseline = RatingBaseline::fit(catalogue.clone(), &ratings, 50);
        let many = baseline.clone().for_many_movies();
        let items: Vec<ItemIdx> = (0..catalogue.len() as u32).map(ItemIdx).collect();
        for history in [vec![], vec![rated(40, 2.0), rated(10, 5.0), rated(40, 4.0)], vec![rated(60, 1.0)]] {
            assert_eq!(baseline.predict_many(&history, &items), many.predict_many(&history, &items));
        }
    }

    #[test]
    fn biases_alone_follow_the_level_of_the_history() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let biases = RatingBaseline::without_neighbors(catalogue.clone(), &ratings);
        let whole = RatingBaseline::fit(catalogue, &ratings, 50);
        assert_ne!(biases.predict(&[rated(10, 5.0)], ItemIdx(1)), whole.predict(&[rated(10, 5.0)], ItemIdx(1)));
        assert!(biases.predict(&[rated(10, 5.0)], ItemIdx(1)) > biases.predict(&[rated(10, 2.0)], ItemIdx(1)));
        assert_eq!(biases.predict(&[], ItemIdx(1)), whole.predict(&[], ItemIdx(1)));
    }

    #[test]
    fn predictions_stay_on_the_scale() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let baseline = RatingBaseline::fit(catalogue, &ratings, 50);
        for value in [0.0, 10.0] {
            let history = [rated(10, value), rated(20, value), rated(40, value), rated(999, value)];
            for item in 0..7 {
                let rating = baseline.predict(&history, ItemIdx(item));
                assert!((1.0..=5.0).contains(&rating), "{rating}");
            }
        }
    }

    #[test]
    fn nobody_and_nothing_is_the_middle() {
        let (catalogue, ratings) = sample::unrated();
        let baseline = RatingBaseline::fit(catalogue, &ratings, 50);
        assert_eq!(baseline.predict(&[], ItemIdx(0)), 5.0);
    }
}
