//! Questions on the store's own data, asked of a model before it serves and of the one that serves: whether it answers at
//! all, tells movies apart, and how far it agrees.

use std::collections::HashSet;

use super::loading::LoadError;
use super::snapshot::Base;
use super::status::CanaryReport;
use crate::config::ModelRules;
use crate::domain::{ItemIdx, MovieId, Query, RatedMovie, UserId};
use crate::recommend::{PortError, RecommendError, Scorer, rank};

/// Questions, spread evenly over the people or movies there are.
const N_QUESTIONS: usize = 16;
/// Movies of an answer that are compared.
const N_COMPARED: usize = 10;

/// What people would be recommended.
pub(super) fn people(base: &Base) -> Vec<Query> {
    let users = base.ratings.users().ids();
    let question = |&user| Query { user: Some(user), history: history(base, user), n: N_COMPARED, ..Query::default() };
    spread(users).map(question).collect()
}

/// Prompts made of what movies are about.
pub(super) fn texts(base: &Base) -> Vec<Query> {
    let overviews: Vec<&String> = base.catalogue.movies().iter().filter_map(|movie| movie.overview.as_ref()).collect();
    spread(&overviews).map(|text| Query { text: Some((*text).clone()), n: N_COMPARED, ..Query::default() }).collect()
}

/// Movies to find neighbours of, of those that the model knows.
pub(super) fn movies(base: &Base, is_known: impl Fn(ItemIdx) -> bool) -> Vec<Query> {
    let known = (0..base.catalogue.len() as u32).map(ItemIdx).filter(|&item| is_known(item));
    let known: Vec<MovieId> = known.map(|item| base.catalogue.movie(item).id).collect();
    spread(&known).map(|&movie| Query { seeds: vec![movie], n: N_COMPARED, ..Query::default() }).collect()
}

/// As of the fit: a canary need not be newer.
fn history(base: &Base, user: UserId) -> Vec<RatedMovie> {
    let row = base.ratings.user_idx(user);
    row.map(|row| base.ratings.rated_movies(row, base.catalogue.vocabulary())).unwrap_or_default()
}

fn spread<T>(all: &[T]) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(N_QUESTIONS).max(1))
}

/// Asks; an error says why the model is not to serve.
pub(super) fn ask(
    (candidate, serving): (&dyn Scorer, Option<&dyn Scorer>),
    (base, rules): (&Base, &ModelRules),
    questions: &[Query],
) -> Result<CanaryReport, LoadError> {
    let mut report = CanaryReport::default();
    let (mut n_common, mut n_best, mut tells_apart) = (0_usize, 0_usize, false);
    for question in questions {
        let Some(answer) = answer(candidate, base, question)? else { continue };
        report.questions += 1;
        tells_apart |= answer.lowest < answer.highest || answer.n_scored < 2;
        widen(&mut report.range, &answer);
        // The serving model's own failures are no reason to refuse another.
        if let Some(other) = serving.and_then(|serving| self::answer(serving, base, question).ok().flatten()) {
            widen(&mut report.serving_range, &other);
            n_common += answer.best.intersection(&other.best).count();
            n_best += other.best.len();
        }
    }
    if report.questions > 0 && !tells_apart {
        return Err(LoadError::Artifact("on this store's data it gives every movie the same score".to_owned()));
    }
    report.overlap = (n_best > 0).then(|| n_common as f32 / n_best as f32);
    let least = rules.min_canary_overlap;
    match report.overlap {
        Some(overlap) if f64::from(overlap) < least => Err(LoadError::Artifact(format!(
            "on this store's data {:.0} % of its best {N_COMPARED} are those of the serving model; the setting \
             artifacts.min_canary_overlap asks for {:.0} %",
            100.0 * overlap,
            100.0 * least
        ))),
        _ => Ok(report),
    }
}

struct Answer {
    best: HashSet<MovieId>,
    lowest: f32,
    highest: f32,
    n_scored: usize,
}

/// `None` where there is nothing to go by.
fn answer(method: &dyn Scorer, base: &Base, question: &Query) -> Result<Option<Answer>, LoadError> {
    let scores = match method.score(question) {
        Ok(scores) => scores,
        Err(RecommendError::NothingToGoBy { .. }) => return Ok(None),
        Err(error @ RecommendError::Port(PortError::Busy(_))) => {
            return Err(LoadError::Environment(error.to_string()));
        }
        Err(error) => return Err(LoadError::Artifact(format!("on this store's data it fails: {error}"))),
    };
    let best = rank(&scores, &base.catalogue, question);
    let values = || scores.present().map(|(_, score)| score.value());
    let n_scored = values().count();
    if n_scored == 0 && !base.catalogue.is_empty() {
        return Err(LoadError::Artifact("on this store's data it gives no movie a score".to_owned()));
    }
    Ok(Some(Answer {
        best: best.items().iter().map(|item| item.movie).collect(),
        lowest: values().fold(f32::INFINITY, f32::min),
        highest: values().fold(f32::NEG_INFINITY, f32::max),
        n_scored,
    }))
}

fn widen(range: &mut Option<(f32, f32)>, answer: &Answer) {
    if answer.n_scored > 0 {
        let (low, high) = range.unwrap_or((answer.lowest, answer.highest));
        *range = Some((low.min(answer.lowest), high.max(answer.highest)));
    }
}
