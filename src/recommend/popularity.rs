//! What most people like: the baseline every other method is compared with, and the cold-start answer.
//!
//! score = √reach × quality, both from 0 to 1.
//! * quality: damped mean (Σ ratings + 20 × prior) / (n + 20), where the prior is the movie's vote average from metadata,
//!   itself damped towards the mean of the catalogue in the same way; scaled from the lowest rating to the highest.
//! * reach: number of ratings, each counting 2^(−age / half-life) for the recent kind, relative to the movie with most;
//!   and votes (popularity for the recent kind) from metadata likewise. Where both sources exist √reach is the mean of
//!   the two roots.
//!
//! Metadata alone, ratings alone, or neither will do; with neither all movies score 0. No part of the query counts.
//! The age is measured from the newest rating: another time of asking multiplies all scores by one factor.

use super::{RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Movie, Query, RatingMatrix, UserIdx};

/// So many ratings at the prior are added to a movie's own.
const DAMPING: f64 = 20.0;

/// Half-life of a rating's weight in [`PopularityKind::Recent`], in seconds (14 days).
const RECENT_HALF_LIFE_S: f64 = 14.0 * 86_400.0;

/// Which ratings count towards reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PopularityKind {
    /// All alike.
    #[default]
    AllTime,
    /// The newer the more, half after 14 days.
    Recent,
}

/// A score per movie, the same for every query.
#[derive(Clone, Debug)]
pub struct PopularityBaseline {
    kind: PopularityKind,
    scores: Scores,
}

impl PopularityBaseline {
    /// Computes the scores.
    pub fn fit(catalogue: &Catalogue, ratings: &RatingMatrix, kind: PopularityKind) -> Self {
        let counted = count(catalogue, ratings, kind);
        let quality = qualities(catalogue, ratings);
        let rated = roots(counted);
        let voted = roots(catalogue.movies().iter().map(|movie| metadata_reach(movie, kind)).collect());
        let mut scores = Scores::absent(catalogue.len());
        for (row, quality) in quality.into_iter().enumerate() {
            let root = match (&rated, &voted) {
                (Some(rated), Some(voted)) => f64::midpoint(rated[row], voted[row]),
                (Some(only), None) | (None, Some(only)) => only[row],
                (None, None) => 0.0,
            };
            scores.set(ItemIdx(row as u32), (root * quality) as f32);
        }
        Self { kind, scores }
    }
}

impl Scorer for PopularityBaseline {
    fn name(&self) -> &'static str {
        match self.kind {
            PopularityKind::AllTime => "popularity",
            PopularityKind::Recent => "recent-popularity",
        }
    }

    fn score(&self, _query: &Query) -> Result<Scores, RecommendError> {
        Ok(self.scores.clone())
    }
}

/// Ratings of each movie, weighed by age for the recent kind.
fn count(catalogue: &Catalogue, ratings: &RatingMatrix, kind: PopularityKind) -> Vec<f64> {
    let newest = ratings.newest();
    let mut counted = vec![0.0; catalogue.len()];
    for user in (0..ratings.users().len() as u32).map(UserIdx) {
        for (item, _, time) in ratings.history(user) {
            counted[item.row()] += match kind {
                PopularityKind::AllTime => 1.0,
                PopularityKind::Recent => (-(newest as f64 - time as f64) / RECENT_HALF_LIFE_S).exp2(),
            };
        }
    }
    counted
}

fn metadata_reach(movie: &Movie, kind: PopularityKind) -> f64 {
    match kind {
        PopularityKind::AllTime => movie.votes.map_or(0.0, |votes| f64::from(votes.count)),
        PopularityKind::Recent => movie.popularity.filter(|value| value.is_finite()).map_or(0.0, f64::from).max(0.0),
    }
}

/// √(value / highest), or nothing when no value is above zero.
fn roots(values: Vec<f64>) -> Option<Vec<f64>> {
    let highest = values.iter().copied().fold(0.0, f64::max);
    (highest > 0.0).then(|| values.into_iter().map(|value| (value / highest).sqrt()).collect())
}

/// The damped means, from 0 (lowest rating in use) to 1 (highest).
fn qualities(catalogue: &Catalogue, ratings: &RatingMatrix) -> Vec<f64> {
    let (low, high) = if ratings.is_empty() { (0.0, 10.0) } else { ratings.scale() };
    // Where all ratings are equal they are taken to start from zero.
    let low = if high > low { low } else { 0.0 };
    let (low, span) = (f64::from(low), f64::from(high - low).max(f64::MIN_POSITIVE));
    let to_unit = |rating: f64| ((rating - low) / span).clamp(0.0, 1.0);
    let votes = |movie: &Movie| {
        movie.votes.filter(|votes| votes.average.is_finite() && votes.count > 0).map(|votes| {
            // Votes are on the scale 0 to 10, whose top is the highest rating.
            (to_unit(f64::from(votes.average) / 10.0 * f64::from(high)), f64::from(votes.count))
        })
    };
    let (sum, count) = catalogue
        .movies()
        .iter()
        .filter_map(votes)
        .fold((0.0, 0.0), |(sum, count), (average, n)| (sum + average * n, count + n));
    let mean_vote = if count > 0.0 { sum / count } else { 0.5 };
    let mean_rating = if ratings.is_empty() { mean_vote } else { to_unit(f64::from(ratings.mean())) };
    let prior = |movie: &Movie| match votes(movie) {
        // People of this data set and voters elsewhere may differ in level, so only the deviation is taken over.
        Some((average, n)) => mean_rating + (average - mean_vote) * n / (n + DAMPING),
        None => mean_rating,
    };
    let quality = |(row, movie): (usize, &Movie)| {
        let values = ratings.by_item().row(row).1;
        let sum: f64 = values.iter().map(|&value| to_unit(f64::from(value))).sum();
        ((sum + DAMPING * prior(movie)) / (values.len() as f64 + DAMPING)).clamp(0.0, 1.0)
    };
    catalogue.movies().iter().enumerate().map(quality).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Interaction, MovieId, Rating, UserId, Votes};

    fn score(catalogue: &Catalogue, ratings: &RatingMatrix, kind: PopularityKind) -> Vec<f32> {
        let scores = PopularityBaseline::fit(catalogue, ratings, kind).score(&Query::default()).unwrap();
        scores.present().map(|(_, score)| score.value()).collect()
    }

    fn movies(votes: &[Option<(f32, u32)>]) -> Vec<Movie> {
        let with_votes = |(id, votes): (usize, &Option<(f32, u32)>)| {
            let mut movie = Movie::new(MovieId(id as u32), format!("Movie {id}"));
            movie.votes = votes.map(|(average, count)| Votes { average, count });
            movie
        };
        votes.iter().enumerate().map(with_votes).collect()
    }

    fn unrated(movies: Vec<Movie>) -> (Catalogue, RatingMatrix) {
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
        (Catalogue::new(movies, &ratings), ratings)
    }

    #[test]
    fn votes_alone_rank_by_number_and_height() {
        let (catalogue, ratings) =
            unrated(movies(&[Some((9.0, 1_000)), Some((9.9, 1)), Some((5.0, 1_000)), None, Some((f32::NAN, 10))]));
        let scores = score(&catalogue, &ratings, PopularityKind::AllTime);
        assert_eq!(scores.len(), 5);
        assert!(scores[0] > scores[2] && scores[2] > scores[1] && scores[1] > scores[3], "{scores:?}");
        assert_eq!(scores[3], 0.0);
    }

    #[test]
    fn nothing_known_is_zero_for_all() {
        let (catalogue, ratings) = unrated(movies(&[None, None]));
        assert_eq!(score(&catalogue, &ratings, PopularityKind::AllTime), [0.0, 0.0]);
        assert_eq!(score(&catalogue, &ratings, PopularityKind::Recent), [0.0, 0.0]);
    }

    #[test]
    fn recent_ratings_count_more_when_asked_to() {
        let movies = movies(&[None, None]);
        let day = 86_400;
        let event = |user, movie, timestamp| Interaction {
            user: UserId(user),
            movie: MovieId(movie),
            rating: Rating::new(4.0).unwrap(),
            timestamp,
        };
        let events =
            vec![event(1, 0, 0), event(2, 0, 0), event(3, 0, day), event(1, 1, 90 * day), event(2, 1, 90 * day)];
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), events);
        let catalogue = Catalogue::new(movies, &ratings);
        let all_time = score(&catalogue, &ratings, PopularityKind::AllTime);
        let recent = score(&catalogue, &ratings, PopularityKind::Recent);
        assert!(all_time[0] >= all_time[1] && recent[1] > recent[0], "{all_time:?} {recent:?}");
    }
}
