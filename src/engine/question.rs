//! The one question that carries every signal, and its answer.

use std::sync::Arc;

use super::search::ReadPrompt;
use super::snapshot::Snapshot;
use crate::domain::{Catalogue, ItemIdx, Movie, MovieFilter, MovieId, Popularity, UserId};
use crate::recommend::HouseholdRule;

/// People that one question may name as a household.
pub const MAX_PEOPLE: usize = 8;
/// Ratings, liked and disliked movies that a question may bring along.
pub const MAX_GIVEN: usize = 1_000;
/// Movies that a question may exclude by name.
pub const MAX_EXCLUDED: usize = 10_000;
/// Longest list that pages are cut from.
pub const LONGEST_LIST: usize = 1_000;

/// What orders the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RankBy {
    /// The score of the recommender.
    #[default]
    Score,
    /// The predicted rating, over the whole catalogue.
    PredictedRating,
    /// How well known and liked movies are, whoever asks.
    Popularity,
    /// The same by what people rated lately.
    Trending,
}

/// Whose taste, which words, under which conditions. Everything may be absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// For whom; several are a household.
    pub people: Vec<UserId>,
    /// Movies with a rating on the data set's scale, beside what is stored.
    pub rated: Vec<(MovieId, f32)>,
    /// Movies that count as rated highest.
    pub liked: Vec<MovieId>,
    /// Movies that count as rated lowest.
    pub disliked: Vec<MovieId>,
    /// A description in words.
    pub prompt: Option<String>,
    /// Keys of wishes in the prompt that are not to count (see [`Wish`](crate::understand::Wish)).
    pub ignored: Vec<String>,
    /// What every result must be like.
    pub filter: MovieFilter,
    /// Movies to leave out.
    pub excluded: Vec<MovieId>,
    /// Whether movies that somebody of the people rated may come back.
    pub include_seen: bool,
    /// What orders the answer.
    pub rank_by: RankBy,
    /// How several people's wishes become one.
    pub household: HouseholdRule,
    /// From 0 (the best) to 1 (the most varied).
    pub diversity: f32,
    /// The time of asking, in seconds since 1970 (UTC); `None`: now.
    pub asked_at: Option<i64>,
}

/// Which part of the list is wanted.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most so many movies.
    pub n: usize,
    /// Where the page before ended; `None`: the first page.
    pub cursor: Option<String>,
    /// Whether to say why each movie is there.
    pub explain: bool,
}

/// A movie in an answer. It keeps what it was found in alive, so that nothing is copied.
#[derive(Clone, Debug)]
pub struct RecommendedMovie {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) item: ItemIdx,
    /// The score by which it was ranked.
    pub score: f32,
    /// The method that gave the score.
    pub method: &'static str,
    /// A predicted rating on the data set's own scale, and what predicted it.
    pub predicted_rating: Option<(f32, &'static str)>,
    /// Why it is there, where that was asked for.
    pub reasons: Option<Reasons>,
}

impl RecommendedMovie {
    /// A movie as it is now; `None` when it is gone.
    pub(super) fn find(snapshot: &Snapshot, movie: MovieId, (score, method): (f32, &'static str)) -> Option<Self> {
        let (catalogue, item) = snapshot.find(movie)?;
        let catalogue = Arc::clone(catalogue);
        Some(Self { catalogue, item, score, method, predicted_rating: None, reasons: None })
    }

    /// The movie.
    pub fn movie(&self) -> &Movie {
        self.catalogue.movie(self.item)
    }

    /// Its figures.
    pub fn popularity(&self) -> Popularity {
        self.catalogue.popularity(self.item)
    }
}

/// Why a movie stands where it stands: `baseline` and the effects of the contributions sum to its score.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasons {
    /// The same for people to read.
    pub sentence: String,
    /// The score without anything that speaks for or against the movie.
    pub baseline: f32,
    /// What adds to it or takes from it, strongest first.
    pub contributions: Vec<Contribution>,
    /// What films that people rated change in it, strongest first.
    pub because_of: Vec<FilmEffect>,
    /// Words of the prompt that the movie's texts have, strongest first.
    pub words: Vec<String>,
    /// What each of several people would give it, from 0 to 1.
    pub people: Vec<(UserId, f32)>,
}

/// A part of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// What it comes from.
    pub source: &'static str,
    /// Whose taste it is, where several people ask.
    pub user: Option<UserId>,
    /// What it adds.
    pub effect: f32,
}

/// A film of somebody's history that raises a movie.
#[derive(Clone, Debug, PartialEq)]
pub struct FilmEffect {
    /// The film.
    pub movie: MovieId,
    /// Its title.
    pub title: String,
    /// Who rated it, where several people ask.
    pub user: Option<UserId>,
    /// The score minus the score as if it had not been rated.
    pub effect: f32,
}

/// A page of movies.
#[derive(Clone, Debug)]
pub struct Recommendations {
    /// Best first.
    pub movies: Vec<RecommendedMovie>,
    /// Whether nothing is known of the people, so that the answer is what most like.
    pub cold_start: bool,
    /// What was understood of the prompt.
    pub prompt: Option<ReadPrompt>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<String>,
}
