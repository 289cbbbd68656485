//! What a rating says about preference: the weights behind every history-reading signal.
//!
//! On the scale 1 to 5, a rating r weighs max(r − 2, ¼) / 3: having chosen a film at all says a little, having liked it
//! says twelve times as much. Other scales are stretched to that one.

use crate::domain::{RatingMatrix, UserIdx};
use crate::math::SparseRows;

/// Fewest points above the lowest rating that count, so that a disliked film still counts as chosen.
const LEAST: f32 = 0.25;

/// The rating scale of a data set, and what ratings on it weigh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PreferenceScale {
    low: f32,
    per_point: f32,
}

impl PreferenceScale {
    /// The scale in use in these ratings.
    pub fn of(ratings: &RatingMatrix) -> Self {
        let (low, high) = ratings.scale();
        // Where all ratings are equal, each is a mere "yes".
        if high > low { Self { low, per_point: 4.0 / (high - low) } } else { Self { low: low - 1.0, per_point: 4.0 } }
    }

    /// The rating on the scale 1 to 5.
    pub fn of_five(&self, rating: f32) -> f32 {
        1.0 + (rating - self.low) * self.per_point
    }

    /// Weight of a rating, from 1/12 to 1.
    pub fn preference(&self, rating: f32) -> f32 {
        (self.of_five(rating) - 2.0).clamp(LEAST, 3.0) / 3.0
    }

    /// Whether the rating says that the film was liked: 4 or more of 5, up to rounding of half-star scales.
    pub fn is_liked(&self, rating: f32) -> bool {
        self.of_five(rating) >= 3.85
    }
}

/// All preferences of (a sample of) the people, readable by person and by movie.
#[derive(Clone, Debug)]
pub struct Preferences {
    by_user: SparseRows,
    by_item: SparseRows,
    /// One in so many people was taken.
    step: usize,
}

impl Preferences {
    /// Weighs the ratings. Above `max_ratings` a sample of the people is taken, evenly spread over their ids, so that
    /// fitting stays bounded in time and memory; the others have no row.
    pub fn fit(ratings: &RatingMatrix, max_ratings: usize) -> Self {
        let scale = PreferenceScale::of(ratings);
        let source = ratings.by_user();
        let step = ratings.step_for(max_ratings);
        let rows = (0..source.n_rows()).step_by(step);
        let n_rows = rows.len();
        let entries = (0..).zip(rows).flat_map(|(row, user)| {
            let (items, values) = source.row(user);
            items.iter().zip(values).map(move |(&item, &value)| (row, item, scale.preference(value)))
        });
        let by_user = SparseRows::from_sorted(n_rows, source.n_columns(), entries);
        Self { by_item: by_user.transposed(), by_user, step }
    }

    /// The person of a row.
    pub fn person(&self, row: usize) -> UserIdx {
        UserIdx((row * self.step) as u32)
    }

    /// Row = one of the people, see [`Self::person`].
    pub fn by_user(&self) -> &SparseRows {
        &self.by_user
    }

    /// Row = movie, column = row of a person.
    pub fn by_item(&self) -> &SparseRows {
        &self.by_item
    }

    /// Number of movies.
    pub fn n_items(&self) -> usize {
        self.by_item.n_rows()
    }
}
