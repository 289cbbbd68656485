//! The model as a whole.

use std::sync::Arc;

use super::*;
use crate::domain::{Interaction, Movie, MovieId, Rating, UserId, UserIdx};
use crate::math::Random;
use crate::recommend::{DEFAULT_NEIGHBORS, sample};

fn rated(movie: u32, value: f32) -> RatedMovie {
    RatedMovie { movie: MovieId(movie), rating: Rating::new(value).unwrap(), timestamp: 0 }
}

/// What a stranger with this history is expected to give a movie.
fn predict(model: &RatingModel, history: &[RatedMovie], movie: u32) -> f32 {
    let item = model.catalogue.item_idx(MovieId(movie)).unwrap();
    model.predict(&Query { history: history.to_vec(), ..Query::default() }, &[item])[0]
}

fn fit((catalogue, ratings): (Arc<Catalogue>, Arc<RatingMatrix>)) -> RatingModel {
    RatingModel::fit(catalogue, ratings, RatingOptions::default())
}

#[test]
fn a_baseline_that_is_there_already_is_taken_and_predicts_the_same() {
    let (catalogue, ratings) = sample::movies_and_ratings();
    let own = fit((catalogue.clone(), ratings.clone()));
    let with = |baseline: RatingBaseline| {
        let fitted_on = (catalogue.clone(), ratings.clone());
        RatingModel::fit_unless_stopped(fitted_on, Some(baseline), RatingOptions::default(), &|| true).unwrap()
    };
    let same = RatingBaseline::fit(catalogue.clone(), &ratings, DEFAULT_NEIGHBORS).for_many_movies();
    let features = |model: &RatingModel| {
        let items = [ItemIdx(1), ItemIdx(4)];
        model.predictors.baseline.predict_many(&[rated(10, 5.0), rated(40, 1.0)], &items)
    };
    assert_eq!(features(&with(same)), features(&own));
    let biases = RatingBaseline::without_neighbors(catalogue.clone(), &ratings);
    assert_ne!(features(&with(biases)), features(&own));
}

#[test]
fn taste_and_level_of_the_history_decide() {
    let model = fit(sample::movies_and_ratings());
    let (first_camp, second_camp) = ([rated(10, 5.0), rated(40, 1.0)], [rated(10, 1.0), rated(40, 5.0)]);
    assert!(predict(&model, &first_camp, 20) > predict(&model, &second_camp, 20) + 0.5);
    assert!(predict(&model, &second_camp, 50) > predict(&model, &first_camp, 50) + 0.5);
    let (mild, strict) = ([rated(10, 5.0), rated(40, 5.0)], [rated(10, 2.0), rated(40, 2.0)]);
    assert!(predict(&model, &mild, 70) > predict(&model, &strict, 70));
}

#[test]
fn predictions_stay_on_the_scale() {
    let model = fit(sample::movies_and_ratings());
    for value in [0.0, 10.0] {
        let history = [rated(10, value), rated(20, value), rated(20, 5.0), rated(40, value), rated(999, value)];
        for movie in [10, 20, 30, 40, 50, 60, 70] {
            let rating = predict(&model, &history, movie);
            assert!((1.0..=5.0).contains(&rating), "{rating}");
        }
    }
}

#[test]
fn a_known_history_is_answered_as_a_strangers() {
    let (catalogue, ratings) = sample::movies_and_ratings();
    let model = fit((catalogue.clone(), ratings.clone()));
    let history: Vec<RatedMovie> = ratings
        .history(UserIdx(3))
        .map(|(item, value, timestamp)| RatedMovie { timestamp, ..rated(catalogue.movie(item).id.0, value) })
        .collect();
    let items: Vec<ItemIdx> = (0..7).map(ItemIdx).collect();
    let mut query = Query { user: Some(ratings.users().id_at(3)), history, ..Query::default() };
    assert!(model.known(&query).is_some());
    let known = model.predict(&query, &items);
    query.user = None;
    assert_eq!(known, model.predict(&query, &items));
    query.user = Some(ratings.users().id_at(3));
    query.history.pop();
    assert!(model.known(&query).is_none(), "the history is no longer what it was");
}

#[test]
fn without_ratings_it_is_the_middle() {
    assert!(fit(sample::empty()).score(&Query::default()).unwrap().is_empty());
    let model = fit(sample::unrated());
    let rating = predict(&model, &[], model.catalogue.movies()[0].id.0);
    assert_eq!((rating, model.facts().n_held_out), (5.0, 0));
}

/// People whose mood lasts for a visit of three pages of four movies: the ratings but for every tenth, and those.
fn moody() -> (Arc<Catalogue>, Vec<Interaction>, Vec<Interaction>) {
    let mut random = Random::new(2);
    let movies: Vec<Movie> = (0..60).map(|id| Movie::new(MovieId(id), format!("Movie {id}"))).collect();
    let (mut kept, mut held) = (Vec::new(), Vec::new());
    for user in 0..150 {
        let mut mood = 0.0;
        for position in 0..36_u32 {
            if position % 12 == 0 {
                mood = 0.7 * random.normal();
            }
            let timestamp = 1_000 + i64::from(position / 12) * 86_400 + i64::from(position / 4 % 3) * 60;
            let rating = Rating::new((5.0 + mood + 0.5 * random.normal()) as f32).unwrap();
            let movie = MovieId((user * 7 + position) % 60);
            let event = Interaction { user: UserId(user), movie, rating, timestamp };
            if random.below(10) == 0 { &mut held } else { &mut kept }.push(event);
        }
    }
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
    (Arc::new(Catalogue::new(movies, &ratings)), kept, held)
}

#[test]
fn the_stack_learns_how_long_a_mood_lasts() {
    let (catalogue, kept, held) = moody();
    let ratings = Arc::new(RatingMatrix::new(catalogue.vocabulary(), kept.clone()));
    let rmse = |model: &RatingModel, hindsight| {
        let error = |event: &Interaction| {
            let of_user = kept.iter().filter(|kept| kept.user == event.user);
            let history =
                of_user.map(|kept| RatedMovie { movie: kept.movie, rating: kept.rating, timestamp: kept.timestamp });
            let query = Query { history: history.collect(), asked_at: Some(event.timestamp), ..Query::default() };
            let items = [catalogue.item_idx(event.movie).unwrap()];
            let predicted =
                if hindsight { model.predict_in_hindsight(&query, &items) } else { model.predict(&query, &items) };
            (event.rating.value() - predicted[0]).powi(2)
        };
        (held.iter().map(error).sum::<f32>() / held.len() as f32).sqrt()
    };
    let fit = |stack_fits| RatingModel::fit(catalogue.clone(), ratings.clone(), RatingOptions { seed: 1, stack_fits });
    let (plain, stacked) = (fit(0), fit(2));
    let (without, back, hindsight) = (rmse(&plain, false), rmse(&stacked, false), rmse(&stacked, true));
    assert!(back < without - 0.015 && hindsight < back - 0.005, "{without} {back} {hindsight}");
    assert!(stacked.facts().n_held_out > 1_000 && plain.facts().n_held_out == 0);
}
