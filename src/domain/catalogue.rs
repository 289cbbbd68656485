//! The movies of one snapshot, with the figures every ranking may ask for.

use super::{ItemIdx, Movie, MovieId, RatingMatrix, Vocabulary};

/// How long ago a rating counts half towards popularity, in seconds (one year).
const POPULARITY_HALF_LIFE_S: f64 = 365.0 * 86_400.0;

/// Vote average, vote count and popularity of a movie: from its metadata where present, else derived from ratings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Popularity {
    /// Mean vote on the scale 0 to 10; `None` when nobody voted.
    pub vote_average: Option<f32>,
    /// Number of votes.
    pub vote_count: u32,
    /// Popularity, at least 0, in the unit of its source.
    pub popularity: f32,
}

/// Movies in the order of their vocabulary.
#[derive(Clone, Debug)]
pub struct Catalogue {
    vocabulary: Vocabulary<MovieId>,
    movies: Vec<Movie>,
    popularity: Vec<Popularity>,
}

impl Catalogue {
    /// The vocabulary that a catalogue of these movies will have, for building the rating matrix first.
    pub fn vocabulary_of(movies: &[Movie]) -> Vocabulary<MovieId> {
        Vocabulary::new(movies.iter().map(|movie| movie.id))
    }

    /// Builds the catalogue. Of several movies with one id the first counts.
    ///
    /// What metadata lacks is derived from the ratings R of the movie, on a data set whose highest rating is M and
    /// whose newest rating is at time T: `vote_count = |R|`, `vote_average = mean(R) × 10 / M`,
    /// `popularity = Σ 2^(−(T − t) / 1 year)`.
    pub fn new(mut movies: Vec<Movie>, ratings: &RatingMatrix) -> Self {
        movies.sort_by_key(|movie| movie.id);
        movies.dedup_by_key(|movie| movie.id);
        let vocabulary = Self::vocabulary_of(&movies);
        let popularity = derive_popularity(&movies, ratings);
        Self { vocabulary, movies, popularity }
    }

    /// A catalogue of movies whose figures are known, one for each movie; no id occurs twice.
    pub fn with_figures(movies: Vec<Movie>, figures: Vec<Popularity>) -> Self {
        let mut rows: Vec<(Movie, Popularity)> = movies.into_iter().zip(figures).collect();
        rows.sort_by_key(|(movie, _)| movie.id);
        let (movies, popularity): (Vec<Movie>, Vec<Popularity>) = rows.into_iter().unzip();
        Self { vocabulary: Self::vocabulary_of(&movies), movies, popularity }
    }

    /// Ids in row order.
    pub fn vocabulary(&self) -> &Vocabulary<MovieId> {
        &self.vocabulary
    }

    /// Row of a movie.
    pub fn item_idx(&self, id: MovieId) -> Option<ItemIdx> {
        self.vocabulary.index_of(id).map(|row| ItemIdx(row as u32))
    }

    /// All movies in row order.
    pub fn movies(&self) -> &[Movie] {
        &self.movies
    }

    /// A movie by row.
    pub fn movie(&self, item: ItemIdx) -> &Movie {
        &self.movies[item.row()]
    }

    /// Figures of a movie by row.
    pub fn popularity(&self, item: ItemIdx) -> Popularity {
        self.popularity[item.row()]
    }

    /// Number of movies.
    pub fn len(&self) -> usize {
        self.movies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.movies.is_empty()
    }
}

fn derive_popularity(movies: &[Movie], ratings: &RatingMatrix) -> Vec<Popularity> {
    let newest = ratings.newest();
    let (_, highest) = ratings.scale();
    let mut sums = vec![(0.0_f64, 0_u32, 0.0_f64); movies.len()];
    for (row, _) in ratings.users().ids().iter().enumerate() {
        for (item, value, time) in ratings.history(super::UserIdx(row as u32)) {
            let (sum, count, decayed) = &mut sums[item.row()];
            *sum += f64::from(value);
            *count += 1;
            *decayed += (-(newest as f64 - time as f64) / POPULARITY_HALF_LIFE_S).exp2();
        }
    }
    movies
        .iter()
        .zip(sums)
        .map(|(movie, (sum, count, decayed))| {
            let mean =
                (count > 0 && highest > 0.0).then(|| (sum / f64::from(count) * 10.0 / f64::from(highest)) as f32);
            Popularity {
                vote_average: movie.votes.map(|votes| votes.average).or(mean),
                vote_count: movie.votes.map_or(count, |votes| votes.count),
                popularity: movie.popularity.unwrap_or(decayed as f32),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Interaction, Rating, UserId, Votes};

    #[test]
    fn metadata_wins_and_ratings_fill_in() {
        let mut known = Movie::new(MovieId(2), "Known");
        known.votes = Some(Votes { average: 7.5, count: 900 });
        known.popularity = Some(3.25);
        let movies = vec![known, Movie::new(MovieId(1), "Derived"), Movie::new(MovieId(3), "Unrated")];
        let vocabulary = Catalogue::vocabulary_of(&movies);
        let year = 365 * 86_400;
        let event = |user, movie, value, timestamp| Interaction {
            user: UserId(user),
            movie: MovieId(movie),
            rating: Rating::new(value).unwrap(),
            timestamp,
        };
        let ratings =
            RatingMatrix::new(&vocabulary, vec![event(1, 1, 4.0, 0), event(2, 1, 5.0, year), event(1, 2, 1.0, 0)]);
        let catalogue = Catalogue::new(movies, &ratings);
        let figures = |id| catalogue.popularity(catalogue.item_idx(MovieId(id)).unwrap());
        assert_eq!(figures(1), Popularity { vote_average: Some(9.0), vote_count: 2, popularity: 1.5 });
        assert_eq!(figures(2), Popularity { vote_average: Some(7.5), vote_count: 900, popularity: 3.25 });
        assert_eq!(figures(3), Popularity { vote_average: None, vote_count: 0, popularity: 0.0 });
        assert_eq!(catalogue.movie(catalogue.item_idx(MovieId(3)).unwrap()).title, "Unrated");
    }
}
