//! Examples, ranker and hybrid together, on the sample.

use std::sync::Arc;

use super::*;
use crate::domain::{Catalogue, MovieId, Query, RatedMovie, Rating, RatingMatrix};
use crate::recommend::{Scorer, recommend, sample};

fn history(rated: &[(u32, f32)]) -> Query {
    let rated = rated.iter().zip(0..).map(|(&(movie, value), timestamp)| RatedMovie {
        movie: MovieId(movie),
        rating: Rating::new(value).unwrap(),
        timestamp,
    });
    Query { history: rated.collect(), n: 4, ..Query::default() }
}

fn examples(catalogue: &Arc<Catalogue>, ratings: &RatingMatrix) -> RankingExamples {
    RankingExamples::collect(catalogue, ratings, SignalOptions::default(), &|_, _| true).unwrap()
}

fn hybrid() -> (Hybrid, Arc<Catalogue>) {
    let (catalogue, ratings) = sample::movies_and_ratings();
    let ranker = Arc::new(LinearRanker::fit(&examples(&catalogue, &ratings)));
    let signals = FittedSignals::fit(catalogue.clone(), ratings, SignalOptions::default());
    (Hybrid::new(Arc::new(signals), ranker), catalogue)
}

#[test]
fn examples_hold_together_and_have_something_to_learn() {
    let (catalogue, ratings) = sample::movies_and_ratings();
    let examples = examples(&catalogue, &ratings);
    assert!(examples.n_queries() > 20);
    assert_eq!(examples.sizes.iter().sum::<usize>(), examples.rows.len());
    assert_eq!((examples.rows.len(), examples.n_queries()), (examples.liked.len(), examples.windows.len()));
    assert!(examples.windows.contains(&0) && examples.windows.iter().any(|&window| window > 0));
    let mut start = 0;
    for &size in &examples.sizes {
        assert!(examples.liked[start..start + size].contains(&true), "a query without a liked candidate");
        start += size;
    }
    assert!(examples.rows.iter().flatten().all(|value| value.is_finite()));
}

#[test]
fn stopping_ends_without_examples() {
    let (catalogue, ratings) = sample::movies_and_ratings();
    let stopped = RankingExamples::collect(&catalogue, &ratings, SignalOptions::default(), &|done, _| done < 2);
    assert!(stopped.is_none());
}

#[test]
fn nothing_to_learn_from_leaves_the_prior() {
    for (catalogue, ratings) in [sample::unrated(), sample::empty()] {
        let examples = examples(&catalogue, &ratings);
        assert_eq!(examples.n_queries(), 0);
        assert_eq!(LinearRanker::fit(&examples), LinearRanker::fit(&RankingExamples::default()));
    }
}

#[test]
fn the_hybrid_recommends_the_rest_of_the_camp() {
    let (hybrid, catalogue) = hybrid();
    let first = |rated: &[(u32, f32)]| recommend(&hybrid, &catalogue, &history(rated)).unwrap().items()[0].movie;
    assert_eq!(first(&[(10, 5.0), (30, 5.0), (40, 1.0)]), MovieId(20));
    assert_eq!(first(&[(40, 5.0), (60, 5.0), (10, 1.0)]), MovieId(50));
    assert!(hybrid.score(&history(&[])).is_err(), "without a history simpler methods answer");
}

#[test]
fn reasons_are_what_changes_the_score() {
    let (hybrid, catalogue) = hybrid();
    let query = history(&[(10, 5.0), (30, 4.0), (40, 1.0)]);
    let movies = [MovieId(20), MovieId(50)];
    let explanations = hybrid.explain(&query, &movies).unwrap();
    assert_eq!(explanations.iter().map(|explanation| explanation.movie).collect::<Vec<_>>(), movies);
    let score = |query: &Query, movie| {
        let item = catalogue.item_idx(movie).unwrap();
        hybrid.score(query).unwrap().get(item).unwrap().value()
    };
    for explanation in &explanations {
        assert!(explanation.signals.is_sorted_by(|left, right| left.1.abs() >= right.1.abs()));
        for &(film, effect) in &explanation.because_of {
            assert!(query.history.iter().any(|rated| rated.movie == film) && effect > 0.0);
            let mut without = query.clone();
            without.history.retain(|rated| rated.movie != film);
            without.excluded.insert(film);
            let difference = score(&query, explanation.movie) - score(&without, explanation.movie);
            assert!((difference - effect).abs() < 1e-4, "{film}: {difference} {effect}");
        }
    }
    assert!(explanations[0].because_of.iter().any(|&(film, _)| film == MovieId(10) || film == MovieId(30)));
    // A movie the person has rated is not a candidate, so there is nothing to explain.
    assert!(hybrid.explain(&query, &[MovieId(10)]).unwrap().is_empty());
}
