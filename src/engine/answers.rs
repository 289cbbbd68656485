//! What the answers have in common: synchronous code that reads one snapshot.

use std::ops::Range;
use std::sync::Arc;

use super::EngineError;
use super::desk::Desk;
use super::list::{Row, Source, SourceKind, asked_at, histories, list};
use super::list_memory::{Asked, Cursor, Kept, Prediction, SHORT_LIST};
use super::question::{LONGEST_LIST, Page, Question, Recommendations, RecommendedMovie};
use super::reasons::explain;
use super::search::ReadPrompt;
use super::snapshot::{Base, Snapshot};
use crate::domain::{Embedding, ItemIdx, MovieId, Query, RatedMovie, ScoredItem, UserId};
use crate::recommend::{PortError, RecommendError, Scorer, recommend_in_turn};

/// Movies for a question.
pub(super) fn recommend(desk: &Desk, question: &Question, page: &Page) -> Result<Recommendations, EngineError> {
    let asked = asked(desk, question, LONGEST_LIST);
    let (kept, start) = match &page.cursor {
        None => (list_for(desk, asked)?, 0),
        Some(cursor) => further(desk, &asked, cursor)?,
    };
    let n_rows = kept.list.rows.len();
    let start = start.min(n_rows);
    let end = start.saturating_add(page.n).min(n_rows);
    let cursor = Cursor { generation: desk.snapshot.generation, key: kept.key, start: end };
    let next = (end < n_rows).then(|| cursor.to_string());
    Ok(Recommendations { next, ..answer(desk, &kept, (start..end, page.explain))? })
}

/// The same for the first `n` alone, without further pages.
pub(super) fn recommend_first(
    desk: &Desk,
    question: &Question,
    (n, explained): (usize, bool),
) -> Result<Recommendations, EngineError> {
    let length = if n <= SHORT_LIST { SHORT_LIST } else { LONGEST_LIST };
    let kept = list_for(desk, asked(desk, question, length))?;
    answer(desk, &kept, (0..n.min(kept.list.rows.len()), explained))
}

/// Makes what a person is answered who asks for nothing in particular; whether it was not there yet.
pub(super) fn prepare(desk: &Desk, user: UserId) -> Result<bool, EngineError> {
    let asked = asked(desk, &Question { people: vec![user], ..Question::default() }, SHORT_LIST);
    let histories = histories(desk, &asked.question)?;
    let key = asked.key(&histories);
    if desk.snapshot.lists.get(key, &asked).is_some() {
        return Ok(false);
    }
    let kept = make(desk, (key, asked), histories)?;
    predictions(desk, &kept, 0..kept.list.rows.len())?;
    Ok(true)
}

/// A question as it is told apart from others.
fn asked(desk: &Desk, question: &Question, length: usize) -> Asked {
    let asked_at = asked_at(desk, question);
    let is_now = asked_at == desk.snapshot.base.ratings.newest();
    let usual = Question { people: question.people.clone(), asked_at: question.asked_at, ..Question::default() };
    let is_usual = is_now && question.people.len() == 1 && *question == usual;
    Asked { question: Question { asked_at: Some(asked_at), ..question.clone() }, length, is_usual }
}

/// The list that this generation made before for the same question and histories; else a new one.
fn list_for(desk: &Desk, asked: Asked) -> Result<Arc<Kept>, EngineError> {
    let histories = histories(desk, &asked.question)?;
    let key = asked.key(&histories);
    let known = desk.snapshot.lists.get(key, &asked);
    let outcome = if known.is_some() { "hit" } else { "miss" };
    metrics::counter!("marquee_remembered_answers_total", "outcome" => outcome).increment(1);
    known.map_or_else(|| make(desk, (key, asked), histories), Ok)
}

fn make(desk: &Desk, (key, asked): (u64, Asked), histories: Vec<Vec<RatedMovie>>) -> Result<Arc<Kept>, EngineError> {
    let work = || list(desk, &asked.question, (asked.length, histories));
    // What waits for the encoder, which takes several texts at once, holds none of the threads.
    let list = if asked.question.prompt.is_some() { work() } else { desk.threads.run(work) }?;
    Ok(desk.snapshot.lists.keep(key, asked, list))
}

/// The list that a further page is asked of, and where the page begins.
fn further(desk: &Desk, asked: &Asked, cursor: &str) -> Result<(Arc<Kept>, usize), EngineError> {
    let unfit = |why: &str| EngineError::Unfit(why.to_owned());
    let cursor = Cursor::parse(cursor).ok_or_else(|| unfit("The cursor is not one of this daemon's."))?;
    let is_current = cursor.generation == desk.snapshot.generation;
    let kept = desk.snapshot.lists.long(cursor.key).filter(|_| is_current).ok_or(EngineError::CursorExpired)?;
    if kept.asked != *asked {
        return Err(unfit("The cursor belongs to another question; send it with the question that gave it."));
    }
    Ok((kept, cursor.start))
}

/// Rows of a list as an answer.
fn answer(desk: &Desk, kept: &Kept, (shown, explained): (Range<usize>, bool)) -> Result<Recommendations, EngineError> {
    let (snapshot, list) = (&desk.snapshot, &kept.list);
    let rows = &list.rows[shown.clone()];
    let mut reasons = if explained { explain(desk, list, rows)?.into_iter() } else { Vec::new().into_iter() };
    let mut movies = Vec::with_capacity(rows.len());
    for (row, predicted_rating) in rows.iter().zip(predictions(desk, kept, shown)?) {
        let reasons = reasons.next();
        let found = RecommendedMovie::find(snapshot, row.movie, (row.score, row.method));
        movies.extend(found.map(|found| RecommendedMovie { predicted_rating, reasons, ..found }));
    }
    let prompt = list.asked.clone().map(|understood| {
        let wishes = understood.wishes(&snapshot.base.catalogue);
        ReadPrompt { understood, wishes }
    });
    Ok(Recommendations { movies, cold_start: list.cold_start, prompt, next: None })
}

/// Predicted ratings of rows, which the list keeps.
fn predictions(desk: &Desk, kept: &Kept, shown: Range<usize>) -> Result<Vec<Prediction>, EngineError> {
    let snapshot = &desk.snapshot;
    kept.predictions(shown, |rows| {
        // A list that is ordered by predicted rating shows the ratings that order it.
        let (low, high) = snapshot.base.ratings.scale();
        let ordering = |row: &Row| {
            let is_ordered = matches!(&*row.sources, [Source { kind: SourceKind::Prediction, .. }]);
            is_ordered.then(|| (row.score.clamp(low, high), row.method))
        };
        let mut predictions: Vec<Prediction> = rows.iter().map(ordering).collect();
        if let [taste] = kept.list.tastes.as_slice() {
            let item = |row: &Row| snapshot.base.catalogue.item_idx(row.movie);
            let unrated = predictions.iter_mut().zip(rows).filter(|(prediction, _)| prediction.is_none());
            let (unrated, items): (Vec<&mut Prediction>, Vec<ItemIdx>) =
                unrated.filter_map(|(prediction, row)| Some((prediction, item(row)?))).unzip();
            if !items.is_empty() {
                let (ratings, by) = desk.threads.run(|| predicted(snapshot, &taste.query, &items))?;
                for (prediction, rating) in unrated.into_iter().zip(ratings) {
                    *prediction = Some((rating, by));
                }
            }
        }
        Ok(predictions)
    })
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
