//! Content alone: how well a movie's genres fit those of the history.
//!
//! Genres weigh ln(n / n_g), the rarer the more; the score is the cosine of the movie's genre vector and the sum of
//! the history's, by preference.

use super::{Profile, Signal};
use crate::domain::Catalogue;
use crate::math::SparseRows;

/// Unit genre vectors of all movies. Many share one: there are some hundred combinations of genres.
#[derive(Clone, Debug)]
pub struct GenreProfile {
    combinations: SparseRows,
    /// Which one each movie has.
    of_movies: Vec<u32>,
}

impl GenreProfile {
    /// Weighs the genres of the catalogue.
    pub fn fit(catalogue: &Catalogue) -> Self {
        let mut names: Vec<String> =
            catalogue.movies().iter().flat_map(|movie| movie.genres.iter().map(|genre| genre.to_lowercase())).collect();
        names.sort_unstable();
        names.dedup();
        let genres_of = |movie: &crate::domain::Movie| {
            let mut genres: Vec<usize> =
                movie.genres.iter().filter_map(|genre| names.binary_search(&genre.to_lowercase()).ok()).collect();
            genres.sort_unstable();
            genres.dedup();
            genres
        };
        let mut counts = vec![0_usize; names.len()];
        let genres: Vec<Vec<usize>> = catalogue.movies().iter().map(genres_of).collect();
        genres.iter().flatten().for_each(|&genre| counts[genre] += 1);
        let rarity = |genre: usize| (catalogue.len() as f32 / counts[genre] as f32).ln();
        let mut combinations = genres.clone();
        combinations.sort_unstable();
        combinations.dedup();
        let place = |genres: &Vec<usize>| combinations.partition_point(|other| other < genres) as u32;
        let of_movies = genres.iter().map(place).collect();
        let entries = (0_u32..).zip(&combinations).flat_map(|(row, genres)| {
            let norm = genres.iter().map(|&genre| rarity(genre).powi(2)).sum::<f32>().sqrt().max(1e-9);
            genres.iter().map(move |&genre| (row, genre as u32, rarity(genre) / norm))
        });
        Self { combinations: SparseRows::from_sorted(combinations.len(), names.len(), entries), of_movies }
    }
}

impl Signal for GenreProfile {
    fn name(&self) -> &'static str {
        "genres"
    }

    fn add_scores(&self, profile: &Profile, scores: &mut [f32]) {
        let mut wanted = vec![0.0_f32; self.combinations.n_columns()];
        for rated in &profile.items {
            let combination = self.of_movies[rated.item.row()] as usize;
            self.combinations.add_row(combination, rated.preference, &mut wanted);
        }
        let norm = wanted.iter().map(|weight| weight * weight).sum::<f32>().sqrt();
        if norm <= 0.0 {
            return;
        }
        let fits = |combination: usize| {
            let (genres, weights) = self.combinations.row(combination);
            let dot: f32 = genres.iter().zip(weights).map(|(&genre, weight)| wanted[genre as usize] * weight).sum();
            dot / norm
        };
        let fits: Vec<f32> = (0..self.combinations.n_rows()).map(fits).collect();
        for (score, &combination) in scores.iter_mut().zip(&self.of_movies) {
            *score += fits[combination as usize];
        }
    }
}
