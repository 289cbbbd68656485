//! EASE^R: linear item-item weights in closed form (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data").
//!
//! With X the people × movies matrix of preferences and P = (XᵀX + λI)⁻¹, the weight from movie j to movie i is
//! B_ji = −P_ji / P_ii, zero on the diagonal; a history x scores xB. The inverse is dense, so only the most-rated
//! movies take part; the others have no weights.

use faer::linalg::solvers::DenseSolveCore as _;
use faer::{Mat, Side};
use rayon::prelude::*;

use super::{Preferences, Profile, Signal};
use crate::math::{add_rows, from_bf16, to_bf16};

/// Ridge λ. With preference weights the optimum is flat between 50 and 200 on data sets of 10⁵ to 10⁷ ratings.
const RIDGE: f32 = 100.0;
/// Movies with fewer raters have nothing to learn from.
const MIN_RATERS: usize = 2;
/// A movie outside the dense part.
const OUTSIDE: u32 = u32::MAX;

/// Weights between the most-rated movies.
#[derive(Clone, Debug)]
pub struct Ease {
    /// Catalogue row → position in the dense part.
    positions: Vec<u32>,
    /// Position → catalogue row.
    items: Vec<u32>,
    /// Row j = movie of the history, column i = scored movie; bfloat16, whose three digits are more than the data hold.
    weights: Vec<u16>,
}

impl Ease {
    /// Fits the `max_items` most-rated movies: `max_items`² numbers of memory, and of the order of `max_items`³ of work.
    pub fn fit(preferences: &Preferences, max_items: usize) -> Self {
        let items = most_rated(preferences, max_items);
        let mut positions = vec![OUTSIDE; preferences.n_items()];
        for (position, &item) in (0_u32..).zip(&items) {
            positions[item as usize] = position;
        }
        let n = items.len();
        let gram = gram(preferences, &items, &positions);
        let matrix = Mat::<f32>::from_fn(n, n, |i, j| gram[i * n + j] + if i == j { RIDGE } else { 0.0 });
        drop(gram);
        // λ on the diagonal makes it positive definite whatever the data.
        let weights = matrix.llt(Side::Lower).map_or_else(
            |_| vec![to_bf16(0.0); n * n],
            |factor| {
                let inverse = factor.inverse();
                let weight = |j: usize, i: usize| {
                    if i == j { 0.0 } else { -inverse[(j, i)] / inverse[(i, i)] }
                };
                (0..n * n).into_par_iter().map(|cell| to_bf16(weight(cell / n, cell % n))).collect()
            },
        );
        Self { positions, items, weights }
    }

    /// Number of movies in the dense part.
    pub fn n_items(&self) -> usize {
        self.items.len()
    }

    /// The weight from a movie of a history to another movie; 0 outside the dense part.
    pub fn weight(&self, from: usize, to: usize) -> f32 {
        match (self.positions[from], self.positions[to]) {
            (OUTSIDE, _) | (_, OUTSIDE) => 0.0,
            (from, to) => from_bf16(self.weights[from as usize * self.items.len() + to as usize]),
        }
    }
}

impl Signal for Ease {
    fn name(&self) -> &'static str {
        "ease"
    }

    fn add_scores(&self, profile: &Profile, scores: &mut [f32]) {
        let n = self.items.len();
        let mut sums = vec![0.0_f32; n];
        let rows = profile.items.iter().filter_map(|rated| {
            let position = self.positions[rated.item.row()];
            let start = (position != OUTSIDE).then_some(position as usize * n)?;
            Some((rated.preference, &self.weights[start..start + n]))
        });
        add_rows(&mut sums, rows);
        for (&item, sum) in self.items.iter().zip(sums) {
            scores[item as usize] += sum;
        }
    }
}

fn most_rated(preferences: &Preferences, max_items: usize) -> Vec<u32> {
    let n_raters = |item: u32| preferences.by_item().row(item as usize).0.len();
    let mut items: Vec<u32> = (0..preferences.n_items() as u32).filter(|&item| n_raters(item) >= MIN_RATERS).collect();
    items.sort_by_key(|&item| (std::cmp::Reverse(n_raters(item)), item));
    items.truncate(max_items);
    items.sort_unstable();
    items
}

/// XᵀX over the chosen movies, row by row.
fn gram(preferences: &Preferences, items: &[u32], positions: &[u32]) -> Vec<f32> {
    let n = items.len();
    let mut gram = vec![0.0_f32; n * n];
    gram.par_chunks_mut(n.max(1)).zip(items).for_each(|(row, &item)| {
        let (users, values) = preferences.by_item().row(item as usize);
        for (&user, &value) in users.iter().zip(values) {
            let (others, other_values) = preferences.by_user().row(user as usize);
            for (&other, &other_value) in others.iter().zip(other_values) {
                let position = positions[other as usize];
                if position != OUTSIDE {
                    row[position as usize] += value * other_value;
                }
            }
        }
    });
    gram
}
