//! The answers: synchronous code that reads one snapshot.

use std::sync::Arc;

use super::EngineError;
use super::snapshot::{Base, Snapshot};
use crate::domain::{ItemIdx, Movie, MovieId, Popularity, Query, RankedList, RatedMovie, Rating, UserId};
use crate::recommend::{self, PortError, RecommendError, Scorer};
use crate::understand::Understood;

/// What orders a user's recommendations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankBy {
    /// The score of the recommender.
    Score,
    /// The predicted rating, over the whole catalogue.
    PredictedRating,
}

/// How to take a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMode {
    /// As a title if it is one, else as a prompt.
    Auto,
    /// As a title.
    Title,
    /// As a prompt.
    Prompt,
}

/// What answers a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptMethod {
    /// Meaning, words and a prior together, under the wishes that were understood.
    Fused,
    /// Meaning alone, the prompt as it stands.
    Semantic,
    /// Words alone by BM25, the prompt as it stands.
    Bm25,
    /// Words alone by TF-IDF, the prompt as it stands.
    TfIdf,
}

/// A text and how to take it.
#[derive(Clone, Debug)]
pub struct TextQuestion {
    /// The text.
    pub text: String,
    /// Title or prompt.
    pub mode: TextMode,
    /// What answers a prompt.
    pub method: PromptMethod,
    /// At most so many movies.
    pub top_k: usize,
}

/// A movie in an answer. It keeps what it was found in alive, so that nothing is copied.
#[derive(Clone, Debug)]
pub struct RecommendedMovie {
    base: Arc<Base>,
    item: ItemIdx,
    /// The score by which it was ranked.
    pub score: f32,
    /// The method that gave the score.
    pub method: &'static str,
    /// A predicted rating on the data set's own scale, and what predicted it.
    pub predicted_rating: Option<(f32, &'static str)>,
}

impl RecommendedMovie {
    /// The movie.
    pub fn movie(&self) -> &Movie {
        self.base.catalogue.movie(self.item)
    }

    /// Its figures.
    pub fn popularity(&self) -> Popularity {
        self.base.catalogue.popularity(self.item)
    }
}

/// Recommendations for a user.
#[derive(Clone, Debug)]
pub struct Recommendations {
    /// Best first.
    pub movies: Vec<RecommendedMovie>,
    /// Whether nothing is known of the user, so that the answer is what most people like.
    pub cold_start: bool,
}

/// What a text was found to name.
#[derive(Clone, Debug)]
pub struct ResolvedTitle {
    /// The movie.
    pub movie: MovieId,
    /// How sure that is.
    pub confidence: &'static str,
    /// Other movies the text may mean.
    pub alternatives: Vec<MovieId>,
}

/// Movies for a text.
#[derive(Clone, Debug)]
pub struct Found {
    /// Best first.
    pub movies: Vec<RecommendedMovie>,
    /// The title the text was taken for; `None` when it was taken for a prompt.
    pub title: Option<ResolvedTitle>,
    /// The method that answered first.
    pub method: &'static str,
    /// What was understood of a prompt, where the method reads it.
    pub understood: Option<Understood>,
}

/// A title that somebody may be typing.
#[derive(Clone, Debug)]
pub struct SuggestedTitle {
    base: Arc<Base>,
    item: ItemIdx,
    /// How it fits what was typed.
    pub kind: &'static str,
}

impl SuggestedTitle {
    /// The movie.
    pub fn movie(&self) -> &Movie {
        self.base.catalogue.movie(self.item)
    }
}

/// Titles that begin as typed, the likeliest first.
pub(super) fn suggest(snapshot: &Snapshot, typed: &str, n: usize) -> Vec<SuggestedTitle> {
    let base = &snapshot.base;
    let suggested = base.suggester.suggest(typed, n).into_iter();
    suggested
        .filter_map(|suggestion| {
            let item = base.catalogue.item_idx(suggestion.movie)?;
            Some(SuggestedTitle { base: Arc::clone(base), item, kind: suggestion.kind.name() })
        })
        .collect()
}

/// Movies the user has not rated, ranked by the user's history; a user without history gets what most people like.
pub(super) fn recommend(
    snapshot: &Snapshot,
    user: UserId,
    rank_by: RankBy,
    top_k: usize,
) -> Result<Recommendations, EngineError> {
    let base = &snapshot.base;
    let history = history(base, user);
    let cold_start = history.is_empty();
    let query = Query { user: Some(user), history, n: top_k, ..Query::default() };
    let mut movies = match (rank_by, &snapshot.network) {
        (RankBy::Score, _) => gather(base, &query, &[&base.profile_knn, &base.popularity])?,
        (RankBy::PredictedRating, Some(network)) => gather(base, &query, &[&network.ranking])?,
        (RankBy::PredictedRating, None) => gather(base, &query, &[&base.baseline])?,
    };
    predict_ratings(snapshot, &query, &mut movies)?;
    Ok(Recommendations { movies, cold_start })
}

/// Movies like the one the text names, or movies that fit the text.
pub(super) fn title_or_prompt(snapshot: &Snapshot, question: &TextQuestion) -> Result<Found, EngineError> {
    let TextQuestion { text, mode, method, top_k } = question;
    let base = &snapshot.base;
    let found = if *mode == TextMode::Prompt { None } else { base.titles.resolve(text) };
    let semantic = snapshot.semantic.as_ref().map(|semantic| &semantic.scorer as &dyn Scorer);
    if let Some(found) = found {
        let query = Query { seeds: vec![found.movie], n: *top_k, ..Query::default() };
        // A film nobody has rated still has neighbours by content.
        let mut scorers: Vec<&dyn Scorer> = vec![&base.item_knn];
        scorers.extend(semantic);
        scorers.push(&base.tfidf);
        let movies = gather(base, &query, &scorers)?;
        let title =
            ResolvedTitle { movie: found.movie, confidence: found.confidence.name(), alternatives: found.alternatives };
        let method = first_method(&movies, base.item_knn.name());
        return Ok(Found { method, movies, title: Some(title), understood: None });
    }
    if *mode == TextMode::Title {
        return Ok(Found { movies: Vec::new(), title: None, method: "title", understood: None });
    }
    let scorer: &dyn Scorer = match method {
        PromptMethod::Fused => return fused(snapshot, text, *top_k),
        PromptMethod::Semantic => semantic.ok_or(EngineError::NotReady("semantic search"))?,
        PromptMethod::Bm25 => &*base.bm25,
        PromptMethod::TfIdf => &base.tfidf,
    };
    let query = Query { text: Some(text.clone()), n: *top_k, ..Query::default() };
    let movies = gather(base, &query, &[scorer])?;
    Ok(Found { method: scorer.name(), movies, title: None, understood: None })
}

fn fused(snapshot: &Snapshot, text: &str, top_k: usize) -> Result<Found, EngineError> {
    let base = &snapshot.base;
    let understood = base.prompts.read(text, &base.titles);
    let search = snapshot.semantic.as_ref().map_or(&base.prompt_search, |semantic| &semantic.prompt_search);
    let ranked = search.search(&understood, top_k).map_err(recommend_error)?;
    let movies = with_method(base, &ranked, search.name()).collect();
    Ok(Found { method: search.name(), movies, title: None, understood: Some(understood) })
}

fn recommend_error(error: RecommendError) -> EngineError {
    match error {
        RecommendError::Port(PortError::Busy(_)) => EngineError::Overloaded,
        error => EngineError::Internal(error.to_string()),
    }
}

fn first_method(movies: &[RecommendedMovie], default: &'static str) -> &'static str {
    movies.first().map_or(default, |movie| movie.method)
}

/// Asks the scorers in turn until there are `query.n` movies; each only adds what the ones before did not find.
fn gather(base: &Arc<Base>, query: &Query, scorers: &[&dyn Scorer]) -> Result<Vec<RecommendedMovie>, EngineError> {
    let mut query = query.clone();
    let mut movies: Vec<RecommendedMovie> = Vec::with_capacity(query.n);
    for &scorer in scorers {
        let ranked = match recommend::recommend(scorer, &base.catalogue, &query) {
            Ok(ranked) => ranked,
            Err(RecommendError::NothingToGoBy { .. }) => continue,
            Err(error) => return Err(recommend_error(error)),
        };
        query.excluded.extend(ranked.items().iter().map(|item| item.movie));
        query.n -= ranked.items().len();
        movies.extend(with_method(base, &ranked, scorer.name()));
        if query.n == 0 {
            break;
        }
    }
    Ok(movies)
}

fn with_method<'a>(
    base: &'a Arc<Base>,
    ranked: &'a RankedList,
    method: &'static str,
) -> impl Iterator<Item = RecommendedMovie> + 'a {
    ranked.items().iter().filter_map(move |scored| {
        Some(RecommendedMovie {
            item: base.catalogue.item_idx(scored.movie)?,
            base: Arc::clone(base),
            score: scored.score.value(),
            method,
            predicted_rating: None,
        })
    })
}

fn history(base: &Base, user: UserId) -> Vec<RatedMovie> {
    let Some(user) = base.ratings.user_idx(user) else { return Vec::new() };
    let rated = base.ratings.history(user).filter_map(|(item, value, timestamp)| {
        Some(RatedMovie { movie: base.catalogue.movie(item).id, rating: Rating::new(value).ok()?, timestamp })
    });
    rated.collect()
}

fn predict_ratings(snapshot: &Snapshot, query: &Query, movies: &mut [RecommendedMovie]) -> Result<(), EngineError> {
    let items: Vec<ItemIdx> = movies.iter().map(|movie| movie.item).collect();
    let (ratings, by) = predicted(snapshot, query, &items)?;
    for (movie, rating) in movies.iter_mut().zip(ratings) {
        movie.predicted_rating = Some((rating, by));
    }
    Ok(())
}

/// Ratings by the network, or from neighbours as long as there is none.
fn predicted(snapshot: &Snapshot, query: &Query, items: &[ItemIdx]) -> Result<(Vec<f32>, &'static str), EngineError> {
    let Some(network) = &snapshot.network else {
        let baseline = &snapshot.base.baseline;
        return Ok((baseline.predict_many(&query.history, items), "neighbours"));
    };
    let ratings = network.predictions.predict(query, items).map_err(|error| recommend_error(error.into()))?;
    Ok((ratings, "rating-network"))
}
