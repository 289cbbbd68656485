//! What the answers have in common: synchronous code that reads one snapshot.

use std::sync::Arc;

use super::EngineError;
use super::answer_memory::Asked;
use super::desk::Desk;
use super::list::{List, Row, Source, SourceKind, Taste, list, tastes_of};
use super::question::{LONGEST_LIST, Page, Question, Recommendations, RecommendedMovie};
use super::reasons::explain;
use super::search::ReadPrompt;
use super::snapshot::{Base, Snapshot};
use crate::domain::{Embedding, ItemIdx, MovieId, Query, ScoredItem};
use crate::recommend::{PortError, RecommendError, Scorer, recommend_in_turn};

/// Movies for a question.
pub(super) fn recommend(desk: &Desk, question: &Question, page: &Page) -> Result<Recommendations, EngineError> {
    let tastes = || tastes_of(desk, question, LONGEST_LIST);
    let make_list = |tastes| list(desk, question, (LONGEST_LIST, tastes));
    if page.cursor.is_some() || page.explain {
        return cut(desk, (question, page), || make_list(tastes()?));
    }
    let make = |tastes| cut(desk, (question, page), || make_list(tastes));
    remembered(desk, (question, page.n, true), tastes()?, make)
}

/// A page of the list that `make` makes, unless it is kept.
fn cut(
    desk: &Desk,
    (question, page): (&Question, &Page),
    make: impl FnOnce() -> Result<List, EngineError>,
) -> Result<Recommendations, EngineError> {
    let cut = desk.shared.pages.cut(desk.snapshot.generation, (question, page), make)?;
    let recommended = answer(desk, &cut.list, (cut.rows(), page.explain))?;
    Ok(Recommendations { next: cut.next, ..recommended })
}

/// The same for the first `n` alone, which need not be kept for further pages.
pub(super) fn recommend_first(
    desk: &Desk,
    question: &Question,
    (n, explained): (usize, bool),
) -> Result<Recommendations, EngineError> {
    let make = |tastes| {
        let list = list(desk, question, (n, tastes))?;
        answer(desk, &list, (&list.rows, explained))
    };
    let tastes = tastes_of(desk, question, n)?;
    if explained { make(tastes) } else { remembered(desk, (question, n, false), tastes, make) }
}

/// The answer that this generation gave before to the same question and histories; else what `make` makes of them.
fn remembered(
    desk: &Desk,
    (question, n, has_pages): (&Question, usize, bool),
    tastes: Vec<Taste>,
    make: impl FnOnce(Vec<Taste>) -> Result<Recommendations, EngineError>,
) -> Result<Recommendations, EngineError> {
    let memory = &desk.snapshot.answers;
    let asked_at = tastes.first().and_then(|taste| taste.query.asked_at);
    let asked = Asked { question: Question { asked_at, ..question.clone() }, n, has_pages };
    let key = asked.key(tastes.iter().map(|taste| taste.query.history.as_slice()));
    // A first page is good as long as the next one can be had.
    let is_good = |known: &Recommendations| known.next.as_ref().is_none_or(|cursor| desk.shared.pages.keeps(cursor));
    if let Some(known) = memory.get(key, &asked).filter(is_good) {
        return Ok(known);
    }
    let answer = make(tastes)?;
    memory.keep(key, asked, &answer);
    Ok(answer)
}

fn answer(desk: &Desk, list: &List, (rows, explained): (&[Row], bool)) -> Result<Recommendations, EngineError> {
    let snapshot = &desk.snapshot;
    let found = |row: &Row| RecommendedMovie::find(snapshot, row.movie, (row.score, row.method));
    let (mut movies, rows): (Vec<RecommendedMovie>, Vec<Row>) =
        rows.iter().filter_map(|row| Some((found(row)?, row.clone()))).unzip();
    // A list that is ordered by predicted rating shows the ratings that order it.
    let (low, high) = snapshot.base.ratings.scale();
    for (movie, row) in movies.iter_mut().zip(&rows) {
        if let [Source { kind: SourceKind::Prediction, .. }] = row.sources.as_slice() {
            movie.predicted_rating = Some((row.score.clamp(low, high), row.method));
        }
    }
    if let [taste] = list.tastes.as_slice() {
        predict_ratings(snapshot, &taste.query, &mut movies)?;
    }
    if explained {
        for (movie, reasons) in movies.iter_mut().zip(explain(desk, list, &rows)?) {
            movie.reasons = Some(reasons);
        }
    }
    let prompt = list.asked.clone().map(|understood| {
        let wishes = understood.wishes(&snapshot.base.catalogue);
        ReadPrompt { understood, wishes }
    });
    Ok(Recommendations { movies, cold_start: list.cold_start, prompt, next: None })
}

pub(super) fn recommend_error(error: RecommendError) -> EngineError {
    match error {
        RecommendError::Port(PortError::Busy(_)) => EngineError::Overloaded,
        error => EngineError::Internal(error.to_string()),
    }
}

/// Asks the scorers in turn, see [`recommend_in_turn`].
pub(super) fn scored_in_turn(
    base: &Base,
    query: &Query,
    scorers: &[&dyn Scorer],
) -> Result<Vec<(MovieId, f32, &'static str)>, EngineError> {
    let found = recommend_in_turn(scorers, &base.catalogue, query).map_err(recommend_error)?;
    let plain = |(ScoredItem { movie, score }, name): (ScoredItem, &'static str)| (movie, score.value(), name);
    Ok(found.into_iter().map(plain).collect())
}

/// Ratings of the movies that have none yet and that the fitted models know.
fn predict_ratings(snapshot: &Snapshot, query: &Query, movies: &mut [RecommendedMovie]) -> Result<(), EngineError> {
    let base = &snapshot.base;
    let unrated = movies.iter_mut().filter(|movie| movie.predicted_rating.is_none());
    let known = unrated.filter_map(|movie| Some((base.catalogue.item_idx(movie.movie().id)?, movie)));
    let (items, known): (Vec<ItemIdx>, Vec<&mut RecommendedMovie>) = known.unzip();
    if items.is_empty() {
        return Ok(());
    }
    let (ratings, by) = predicted(snapshot, query, &items)?;
    for (movie, rating) in known.into_iter().zip(ratings) {
        movie.predicted_rating = Some((rating, by));
    }
    Ok(())
}

/// Ratings by the best there is: the model fitted from the store, unless the settings leave it out, the network, neighbours.
pub(super) fn predicted(
    snapshot: &Snapshot,
    query: &Query,
    items: &[ItemIdx],
) -> Result<(Vec<f32>, &'static str), EngineError> {
    if let Some(model) = &snapshot.rating_model {
        return Ok((model.predict(query, items), "rating-model"));
    }
    let Some(network) = &snapshot.network else {
        return Ok((snapshot.baseline().predict_many(&query.history, items), "neighbours"));
    };
    let ratings = network.predictions.predict(query, items).map_err(|error| recommend_error(error.into()))?;
    Ok((ratings, "rating-network"))
}

/// How alike movies are, from 0 to 1: the cosine of their embeddings where both have one, else the share of genres.
pub(super) struct Alikeness {
    movies: Vec<(Option<Embedding>, Vec<String>)>,
}

impl Alikeness {
    pub(super) fn of(desk: &Desk, movies: impl Iterator<Item = MovieId>) -> Self {
        let semantic = desk.snapshot.semantic.as_ref();
        let facts = |movie| {
            let vector = semantic.and_then(|semantic| semantic.neighbors.embedding(movie));
            let genres = desk.movie(movie).map(|(movie, _)| movie.genres.clone()).unwrap_or_default();
            (vector, genres)
        };
        Self { movies: movies.map(facts).collect() }
    }

    pub(super) fn between(&self, one: usize, other: usize) -> f32 {
        let ((left, of_left), (right, of_right)) = (&self.movies[one], &self.movies[other]);
        if let (Some(left), Some(right)) = (left, right) {
            return left.cosine(right).max(0.0);
        }
        let n_common = of_left.iter().filter(|genre| of_right.contains(genre)).count();
        let n_all = of_left.len() + of_right.len() - n_common;
        n_common as f32 / n_all.max(1) as f32
    }
}

/// The movies of scores as the catalogue has them now.
pub(super) fn found(
    snapshot: &Arc<Snapshot>,
    scored: impl IntoIterator<Item = (MovieId, f32, &'static str)>,
) -> Vec<RecommendedMovie> {
    let movie = |(movie, score, name)| RecommendedMovie::find(snapshot, movie, (score, name));
    scored.into_iter().filter_map(movie).collect()
}
