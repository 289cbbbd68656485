//! How similar two movies are by who rated both: the measures behind the item-based methods.
//!
//! * **Pearson**: correlation of the two movies' ratings over the people who rated both, as `pandas.DataFrame.corr` on
//!   the users × movies table gives it. Known for odd neighbours (ten people who happen to agree), kept for parity.
//! * **Preference cosine** (the default): a rating counts w = max(0, 1 + 3 (r − m) / (M − L)), where m is the user's
//!   mean and L to M the rating scale: 1 for having chosen the film at all, more for liking it, towards 0 for disliking
//!   it. sim(i → j) = Σ w_i w_j / (|w_i|^0.8 |w_j|^1.2) × n / (n + 20) over the n people who rated both. The uneven
//!   exponents (Deshpande & Karypis 2004, "Item-Based Top-N Recommendation Algorithms") take some popularity out of the
//!   neighbours, the last factor keeps chance out of them.
//! * **Residual cosine**, for predicting ratings: the same form on what a rating leaves unexplained by the biases.

use rayon::prelude::*;

use crate::domain::RatingMatrix;
use crate::math::{Accumulator, CosineSums, PearsonSums, largest_entries};

/// Fewer people than this who rated both movies make no correlation.
const MIN_CO_RATERS: u32 = 10;

/// A similarity between movies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Similarity {
    /// Correlation over co-raters, at least ten of them.
    Pearson,
    /// Shrunk cosine of preference weights.
    #[default]
    Cosine,
}

/// What a similarity needs: a weight per rating, sums per pair of movies, and a value of the sums.
pub(super) trait Measure: Sync {
    /// Sums over the people who rated both movies.
    type Sums: Copy + Default + Send;

    /// What a person's rating of an item counts.
    fn weights_of(&self, user: usize) -> impl Fn(usize, f32) -> f32;

    /// Adds one person's weights.
    fn add(sums: &mut Self::Sums, x: f32, y: f32);

    /// The similarity from `item` to `other`, when the sums are over one in `step` of the people who rated `item`.
    fn similarity(&self, sums: &Self::Sums, pair: (usize, usize), step: f32) -> Option<f32>;
}

/// How much is looked at for the similarities of one movie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// People with more ratings are passed over.
    pub(super) longest_history: usize,
    /// Of the raters of a movie only every n-th is looked at where their ratings would be more than this.
    pub(super) max_pairs: usize,
}

/// Ratings that all raters of a movie have given, those of people with too many aside.
pub(super) fn n_pairs(ratings: &RatingMatrix, item: usize, longest_history: usize) -> usize {
    let lengths = ratings.by_item().row(item).0.iter().map(|&user| ratings.by_user().range(user as usize).len());
    lengths.filter(|&length| length <= longest_history).sum()
}

/// Similarities from one movie to all movies that share a rater with it, by ascending row.
pub(super) fn similarities<M: Measure>(
    measure: &M,
    ratings: &RatingMatrix,
    (item, bounds): (usize, Bounds),
    scratch: &mut Accumulator<M::Sums>,
) -> Vec<(u32, f32)> {
    let step = add_up(measure, ratings, (item, bounds), scratch);
    similarities_of((measure, item, step), scratch.drain()).collect()
}

/// The same, of which those to the `k` most similar movies are kept. Of equally similar ones the one with the lower row
/// is.
pub(super) fn nearest<M: Measure>(
    measure: &M,
    ratings: &RatingMatrix,
    (item, bounds, k): (usize, Bounds, usize),
    scratch: &mut Accumulator<M::Sums>,
) -> Vec<(u32, f32)> {
    let step = add_up(measure, ratings, (item, bounds), scratch);
    largest_entries(similarities_of((measure, item, step), scratch.drain_unsorted()), k)
}

/// Adds up what the raters of a movie gave, or one in so many of them, which is returned.
fn add_up<M: Measure>(
    measure: &M,
    ratings: &RatingMatrix,
    (item, bounds): (usize, Bounds),
    scratch: &mut Accumulator<M::Sums>,
) -> f32 {
    let (users, values) = ratings.by_item().row(item);
    let step = n_pairs(ratings, item, bounds.longest_history).div_ceil(bounds.max_pairs.max(1)).max(1);
    for (&user, &value) in users.iter().zip(values).step_by(step) {
        let (others, other_values) = ratings.by_user().row(user as usize);
        if others.len() > bounds.longest_history {
            continue;
        }
        let weight = measure.weights_of(user as usize);
        let x = weight(item, value);
        for (&other, &other_value) in others.iter().zip(other_values) {
            M::add(scratch.slot(other), x, weight(other as usize, other_value));
        }
    }
    step as f32
}

fn similarities_of<M: Measure>(
    (measure, item, step): (&M, usize, f32),
    sums: impl Iterator<Item = (u32, M::Sums)>,
) -> impl Iterator<Item = (u32, f32)> {
    sums.filter(move |&(other, _)| other as usize != item)
        .filter_map(move |(other, sums)| Some((other, measure.similarity(&sums, (item, other as usize), step)?)))
}

/// Pearson's correlation over co-raters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pearson;

impl Measure for Pearson {
    type Sums = PearsonSums;

    fn weights_of(&self, _user: usize) -> impl Fn(usize, f32) -> f32 {
        |_item, rating| rating
    }

    fn add(sums: &mut PearsonSums, x: f32, y: f32) {
        sums.add(x, y);
    }

    fn similarity(&self, sums: &PearsonSums, _pair: (usize, usize), _step: f32) -> Option<f32> {
        sums.correlation(MIN_CO_RATERS)
    }
}

/// A weight per rating for a cosine.
pub(super) trait Weights: Send + Sync {
    /// What a person's rating of an item counts.
    fn of_user(&self, user: usize) -> impl Fn(usize, f32) -> f32;
}

/// Shrunk cosine of weights, with the norms over all of a movie's raters.
#[derive(Clone, Debug)]
pub(super) struct Cosine<W> {
    weights: W,
    /// Each movie's norm as the movie one starts from, and as the neighbour.
    norms: Vec<(f32, f32)>,
    shrinkage: f32,
}

impl<W: Weights> Cosine<W> {
    /// Computes the norms. `exponent` is the neighbour's share: 0.5 is the plain cosine, more favours rarer movies.
    pub(super) fn fit(weights: W, ratings: &RatingMatrix, exponent: f32, shrinkage: f32) -> Self {
        let norm = |item: usize| {
            let (users, values) = ratings.by_item().row(item);
            let weighed = users.iter().zip(values).map(|(&user, &value)| weights.of_user(user as usize)(item, value));
            let square: f32 = weighed.map(|weight| weight * weight).sum();
            (square.powf(1.0 - exponent), square.powf(exponent))
        };
        let norms = (0..ratings.by_item().n_rows()).into_par_iter().map(norm).collect();
        Self { weights, norms, shrinkage }
    }
}

impl<W: Weights> Measure for Cosine<W> {
    type Sums = CosineSums;

    fn weights_of(&self, user: usize) -> impl Fn(usize, f32) -> f32 {
        self.weights.of_user(user)
    }

    fn add(sums: &mut CosineSums, x: f32, y: f32) {
        sums.add(x, y);
    }

    fn similarity(&self, sums: &CosineSums, (item, other): (usize, usize), step: f32) -> Option<f32> {
        // The norms are over all raters: sums over a few of them count so many times.
        sums.similarity(self.norms[item].0 * self.norms[other].1 / step, self.shrinkage / step)
    }
}

/// Weights of the preference cosine.
#[derive(Clone, Debug)]
pub(super) struct Preference {
    user_means: Vec<f32>,
    per_point: f32,
}

impl Preference {
    /// Share of the norm that the neighbour bears.
    const EXPONENT: f32 = 0.6;
    /// So many co-raters halve the doubt.
    const SHRINKAGE: f32 = 20.0;
    /// What a rating at the top of the scale counts more than one at its bottom.
    const SPAN: f32 = 3.0;

    /// The preference cosine of these ratings.
    pub(super) fn cosine(ratings: &RatingMatrix) -> Cosine<Self> {
        let by_user = ratings.by_user();
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len().max(1) as f32;
        let user_means = (0..by_user.n_rows()).into_par_iter().map(|user| mean(by_user.row(user).1)).collect();
        let (low, high) = ratings.scale();
        let per_point = if high > low { Self::SPAN / (high - low) } else { 0.0 };
        Cosine::fit(Self { user_means, per_point }, ratings, Self::EXPONENT, Self::SHRINKAGE)
    }
}

impl Weights for Preference {
    fn of_user(&self, user: usize) -> impl Fn(usize, f32) -> f32 {
        let (mean, per_point) = (self.user_means[user], self.per_point);
        move |_item, rating| (1.0 + (rating - mean) * per_point).max(0.0)
    }
}

/// A fitted similarity.
#[derive(Clone, Debug)]
pub(super) enum FittedMeasure {
    /// See [`Similarity::Pearson`].
    Pearson(Pearson),
    /// See [`Similarity::Cosine`].
    Cosine(Cosine<Preference>),
}

impl FittedMeasure {
    /// Fits what the similarity needs.
    pub(super) fn fit(similarity: Similarity, ratings: &RatingMatrix) -> Self {
        match similarity {
            Similarity::Pearson => Self::Pearson(Pearson),
            Similarity::Cosine => Self::Cosine(Preference::cosine(ratings)),
        }
    }
}
