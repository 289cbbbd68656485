//! The movie tower's inputs, out of a catalogue.

use std::collections::HashMap;

use crate::artifact::{NumericFeature, RatingNetwork as Section};
use crate::domain::{Catalogue, ItemIdx};

/// The tower's inputs for some movies.
#[derive(Default)]
pub(super) struct Features {
    pub(super) rows: Vec<i64>,
    /// Raw, NaN where missing.
    pub(super) numeric: Vec<f32>,
    pub(super) genres: Vec<f32>,
}

/// Which features a network takes, and where.
pub(super) struct FeatureColumns<'a> {
    numeric: &'a [NumericFeature],
    genres: HashMap<String, usize>,
}

impl<'a> FeatureColumns<'a> {
    /// As the manifest says.
    pub(super) fn of(section: &'a Section) -> Self {
        let genres = section.genres.iter().enumerate();
        Self {
            numeric: &section.numeric,
            genres: genres.map(|(column, genre)| (genre.to_lowercase(), column)).collect(),
        }
    }

    /// Features of the movies from row `start` on, as many as there are network rows.
    pub(super) fn features(&self, catalogue: &Catalogue, start: usize, rows: &[i64]) -> Features {
        let mut features = Features { rows: rows.to_vec(), ..Features::default() };
        for offset in 0..rows.len() {
            let item = ItemIdx((start + offset) as u32);
            features.numeric.extend(self.numeric.iter().map(|&feature| numeric(catalogue, item, feature)));
            let first = features.genres.len();
            features.genres.resize(first + self.genres.len(), 0.0);
            for genre in &catalogue.movie(item).genres {
                if let Some(column) = self.genres.get(&genre.to_lowercase()) {
                    features.genres[first + column] = 1.0;
                }
            }
        }
        features
    }
}

fn numeric(catalogue: &Catalogue, item: ItemIdx, feature: NumericFeature) -> f32 {
    let figures = catalogue.popularity(item);
    match feature {
        NumericFeature::VoteAverage => figures.vote_average.unwrap_or(f32::NAN),
        NumericFeature::VoteCount => figures.vote_count as f32,
        NumericFeature::Popularity => figures.popularity,
        NumericFeature::ReleaseYear => catalogue.movie(item).year.map_or(f32::NAN, f32::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Movie, MovieId, RatingMatrix, Votes};

    #[test]
    fn features_are_raw_in_the_networks_order_and_genres_match_whatever_their_case() {
        let mut known = Movie::new(MovieId(1), "Known");
        known.votes = Some(Votes { average: 6.5, count: 120 });
        known.genres = vec!["drama".to_owned(), "Unheard of".to_owned()];
        known.year = Some(1994);
        let movies = vec![known, Movie::new(MovieId(2), "Nobody voted")];
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
        let catalogue = Catalogue::new(movies, &ratings);
        let columns = FeatureColumns {
            numeric: &[NumericFeature::ReleaseYear, NumericFeature::VoteAverage, NumericFeature::VoteCount],
            genres: HashMap::from([("action".to_owned(), 0), ("drama".to_owned(), 1)]),
        };
        let first = columns.features(&catalogue, 0, &[5]);
        assert_eq!((first.rows, first.numeric, first.genres), (vec![5], vec![1994.0, 6.5, 120.0], vec![0.0, 1.0]));
        let bare = columns.features(&catalogue, 1, &[0]);
        assert!(bare.numeric[0].is_nan() && bare.numeric[1].is_nan());
        assert_eq!((bare.numeric[2], bare.genres), (0.0, vec![0.0, 0.0]));
    }
}
