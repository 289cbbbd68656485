//! Matrix factorisation for implicit feedback by alternating least squares (Hu, Koren, Volinsky 2008).
//!
//! Minimises Σ_ui c_ui (p_ui − x_u·y_i)² + λ (Σ|x_u|² + Σ|y_i|²), with p = 1 where the person rated the movie and 0
//! elsewhere, c = 1 + α × preference. A person's vector is solved from the live history, so nobody has to be refitted.

use rayon::prelude::*;

use super::{Preferences, Profile, Signal};
use crate::math::{Panels, SparseRows, add_observations, solve_spd};

/// Components of a vector.
const RANK: usize = 32;
/// Ridge λ.
const RIDGE: f32 = 10.0;
/// Confidence α per unit of preference.
const CONFIDENCE: f32 = 4.0;
/// Alternations; the objective changes little after ten.
const ROUNDS: usize = 10;

type Vector = [f32; RANK];
type Square = [Vector; RANK];

/// Movie vectors.
#[derive(Clone, Debug)]
pub struct Als {
    items: Vec<Vector>,
    /// The same, rounded: all of them are read for every question.
    panels: Panels<RANK>,
    /// YᵀY + λI.
    gram: Box<Square>,
}

impl Als {
    /// Factorises. Work per round is RANK² per rating and RANK³ per person and movie.
    pub fn fit(preferences: &Preferences) -> Self {
        let mut items = initial(preferences.n_items());
        let (by_user, by_item) = (preferences.by_user(), preferences.by_item());
        for _ in 0..ROUNDS {
            let users = solve_all(by_user, &items);
            items = solve_all(by_item, &users);
        }
        let gram = Box::new(gram(&items));
        Self { panels: Panels::of(&items), items, gram }
    }
}

impl Signal for Als {
    fn name(&self) -> &'static str {
        "als"
    }

    fn add_scores(&self, profile: &Profile, scores: &mut [f32]) {
        if profile.items.is_empty() {
            return;
        }
        let rated = profile.items.iter().map(|rated| (rated.item.row(), rated.preference));
        let person = solve(&self.gram, &self.items, rated);
        self.panels.add_dots(scores, &person);
    }
}

/// Small numbers of mixed sign, the same on every run (the fractional parts of multiples of the golden ratio).
fn initial(n: usize) -> Vec<Vector> {
    let number = |cell: usize| ((cell as f64 * 0.618_033_988_749_894_9).fract() - 0.5) as f32 * 0.2;
    (0..n).map(|row| std::array::from_fn(|column| number(row * RANK + column * column + 1))).collect()
}

fn gram(vectors: &[Vector]) -> Square {
    let mut sums = [[0.0; RANK]; RANK];
    for vector in vectors {
        for (row, &x) in sums.iter_mut().zip(vector) {
            for (sum, &y) in row.iter_mut().zip(vector) {
                *sum += x * y;
            }
        }
    }
    for (position, row) in sums.iter_mut().enumerate() {
        row[position] += RIDGE;
    }
    sums
}

/// The vectors of one side from those of the other; a row without entries gets zeros.
fn solve_all(rows: &SparseRows, others: &[Vector]) -> Vec<Vector> {
    let gram = gram(others);
    let solve_row = |row: usize| {
        let (columns, values) = rows.row(row);
        if columns.is_empty() {
            return [0.0; RANK];
        }
        solve(&gram, others, columns.iter().zip(values).map(|(&column, &value)| (column as usize, value)))
    };
    (0..rows.n_rows()).into_par_iter().map(solve_row).collect()
}

/// (G + Σ (c − 1) y yᵀ)⁻¹ Σ c y over the entries.
fn solve(gram: &Square, others: &[Vector], entries: impl Iterator<Item = (usize, f32)>) -> Vector {
    let mut matrix = *gram;
    let mut right = [0.0; RANK];
    let observations = entries.map(|(other, preference)| (CONFIDENCE * preference, &others[other]));
    add_observations((&mut matrix, &mut right), observations);
    solve_spd(&mut matrix, &mut right);
    right
}
