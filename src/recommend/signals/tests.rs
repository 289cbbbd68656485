//! What all signals have in common, and what is special to some.

use std::sync::Arc;

use super::*;
use crate::domain::{Catalogue, Interaction, ItemIdx, MovieId, Query, RatedMovie, Rating, RatingMatrix, UserId};
use crate::recommend::{DEFAULT_NEIGHBORS, ItemNeighbors, Similarity, sample};

const DAY_S: i64 = 86_400;

fn all(catalogue: &Catalogue, ratings: &RatingMatrix) -> Vec<Box<dyn Signal>> {
    let preferences = Arc::new(Preferences::fit(ratings, usize::MAX));
    vec![
        Box::new(Ease::fit(&preferences, 100)),
        Box::new(Als::fit(&preferences)),
        Box::new(NeighborSignal::new(Arc::new(ItemNeighbors::fit(ratings, DEFAULT_NEIGHBORS, Similarity::Cosine)))),
        Box::new(Rp3Beta::fit(&preferences)),
        Box::new(UserKnn::fit(Arc::clone(&preferences))),
        Box::new(GenreProfile::fit(catalogue)),
        Box::new(Recent::new(Arc::new(Ease::fit(&preferences, 100)), "ease-recent")),
        Box::new(SequentialRules::fit(ratings, usize::MAX)),
    ]
}

fn rated(movie: u32, value: f32) -> RatedMovie {
    RatedMovie { movie: MovieId(movie), rating: Rating::new(value).unwrap(), timestamp: 0 }
}

fn scores(signal: &dyn Signal, catalogue: &Catalogue, ratings: &RatingMatrix, history: Vec<RatedMovie>) -> Vec<f32> {
    let profile = Profile::of(&Query { history, ..Query::default() }, catalogue, ratings);
    let mut scores = vec![0.0; catalogue.len()];
    signal.add_scores(&profile, &mut scores);
    scores
}

#[test]
fn ratings_until_a_time_are_counted_whatever_the_checkpoints() {
    let movies = vec![crate::domain::Movie::new(MovieId(1), "One"), crate::domain::Movie::new(MovieId(2), "Two")];
    let event = |user: u32| Interaction {
        user: UserId(user),
        movie: MovieId(1 + user % 3 / 2),
        rating: Rating::new(4.0).unwrap(),
        timestamp: i64::from(user / 4 * 10),
    };
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), (0..1_000).map(event).collect());
    let timeline = Timeline::fit(&ratings, usize::MAX);
    for time in [-1, 0, 5, 10, 11, 395, 1_250, 2_489, 2_490, 9_999] {
        for (item, movie) in [(0, MovieId(1)), (1, MovieId(2))] {
            let expected =
                (0..1_000).map(event).filter(|event| event.movie == movie && event.timestamp <= time).count();
            assert_eq!(timeline.n_until(ItemIdx(item), time), expected, "{movie:?} until {time}");
        }
    }
}

#[test]
fn who_loves_one_camp_gets_its_other_films() {
    let (catalogue, ratings) = sample::movies_and_ratings();
    let row = |id| catalogue.item_idx(MovieId(id)).unwrap().row();
    for signal in all(&catalogue, &ratings) {
        // What people do next does not depend on how they liked what they did before.
        let hated = (signal.name() != "sequential-rules").then(|| rated(40, 1.0));
        let history = [rated(10, 5.0)].into_iter().chain(hated).collect();
        let scores = scores(&*signal, &catalogue, &ratings, history);
        assert!(scores[row(20)] > scores[row(50)], "{}: {scores:?}", signal.name());
        assert!(scores.iter().all(|score| score.is_finite()), "{}", signal.name());
    }
}

#[test]
fn nothing_known_and_nobody_at_all_score_nothing() {
    for (catalogue, ratings) in [sample::movies_and_ratings(), sample::unrated(), sample::empty()] {
        for signal in all(&catalogue, &ratings) {
            let scores = scores(&*signal, &catalogue, &ratings, vec![rated(999, 5.0)]);
            assert!(scores.iter().all(|&score| score == 0.0), "{}: {scores:?}", signal.name());
        }
    }
}

#[test]
fn what_is_recent_weighs_half_after_four_later_ratings() {
    let (catalogue, ratings) = sample::movies_and_ratings();
    let preferences = Preferences::fit(&ratings, usize::MAX);
    let ease: Arc<dyn Signal> = Arc::new(Ease::fit(&preferences, 100));
    let recent = Recent::new(Arc::clone(&ease), "ease-recent");
    let at = |movie, value, timestamp| RatedMovie { timestamp, ..rated(movie, value) };
    let of = |signal: &dyn Signal, history| scores(signal, &catalogue, &ratings, history);
    // Of ratings of the same second none is later, and one that is not known counts for nobody.
    let together = vec![at(10, 5.0, 3), at(40, 1.0, 3), at(999, 5.0, 9)];
    assert_eq!(of(&recent, together.clone()), of(&*ease, together));
    let movies = catalogue.movies().iter().zip(0..);
    let history: Vec<RatedMovie> = movies.map(|(movie, time)| at(movie.id.0, 4.0, time)).collect();
    let mut expected = vec![0.0; catalogue.len()];
    for (rating, n_later) in history.iter().zip((0..history.len()).rev()) {
        let share = 0.5_f32.powf(n_later as f32 / 4.0);
        for (sum, score) in expected.iter_mut().zip(of(&*ease, vec![*rating])) {
            *sum += share * score;
        }
    }
    for (score, expected) in of(&recent, history).into_iter().zip(expected) {
        assert!((score - expected).abs() < 1e-5, "{score} {expected}");
    }
    assert_eq!(recent.name(), "ease-recent");
}

/// The definition, pair by pair: nothing is bounded in a data set as small as this.
#[test]
fn sequential_rules_are_the_closed_form() {
    let movies: Vec<_> = (1..=4).map(|id| crate::domain::Movie::new(MovieId(id), "Film")).collect();
    // User, movie, rating, time: users 1 and 2 go from 1 on to 2; of what user 3 rated in one second each follows the other.
    let events = [
        (1, 1, 5.0, 1),
        (1, 3, 1.0, 2),
        (1, 2, 5.0, 3),
        (2, 1, 1.0, 7),
        (2, 2, 3.0, 8),
        (3, 2, 4.0, 5),
        (3, 4, 5.0, 5),
    ];
    let rating = |value| Rating::new(value).unwrap();
    let interactions = events.map(|(user, movie, value, timestamp)| Interaction {
        user: UserId(user),
        movie: MovieId(movie),
        rating: rating(value),
        timestamp,
    });
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), interactions.to_vec());
    let catalogue = Catalogue::new(movies, &ratings);
    let scale = PreferenceScale::of(&ratings);
    let rules = SequentialRules::fit(&ratings, usize::MAX);
    let n_ratings = |movie| events.iter().filter(|event| event.1 == movie).count() as f32;
    for from in 1..=4 {
        let mut expected = [0.0_f32; 4];
        for &(user, _, _, begun) in events.iter().filter(|event| event.1 == from) {
            for &(_, movie, value, time) in events.iter().filter(|event| event.0 == user && event.1 != from) {
                let between =
                    events.iter().filter(|event| event.0 == user && event.3 >= begun && event.3 < time).count();
                let norm = ((n_ratings(from) + 10.0) * (n_ratings(movie) + 10.0)).sqrt();
                if time >= begun {
                    expected[movie as usize - 1] +=
                        scale.preference(value) * 0.5_f32.powf(between as f32 / 20.0) / norm;
                }
            }
        }
        let got = scores(&rules, &catalogue, &ratings, vec![rated(from, 5.0)]);
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "from {from}: {got} {expected}");
        }
    }
}

/// The definition: with all ratings equal, EASE is the ridge regression of each column on the others. For two movies,
/// rated together by 2 people and alone by 1 each, XᵀX = [[3, 2], [2, 3]].
#[test]
fn ease_is_the_closed_form() {
    let movies = vec![crate::domain::Movie::new(MovieId(1), "One"), crate::domain::Movie::new(MovieId(2), "Two")];
    let event = |user, movie| Interaction {
        user: UserId(user),
        movie: MovieId(movie),
        rating: Rating::new(4.0).unwrap(),
        timestamp: 0,
    };
    let events = vec![event(1, 1), event(1, 2), event(2, 1), event(2, 2), event(3, 1), event(4, 2)];
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), events);
    let ease = Ease::fit(&Preferences::fit(&ratings, usize::MAX), 10);
    // Equal ratings weigh 1; the off-diagonal of −P / P_ii is 2 / (3 + λ), rounded to the eight bits of a bfloat16.
    assert!((ease.weight(0, 1) * 103.0 / 2.0 - 1.0).abs() < 1.0 / 256.0, "{}", ease.weight(0, 1));
    assert_eq!(ease.weight(0, 0), 0.0);
}

#[test]
fn the_timeline_answers_any_time() {
    let movies = vec![crate::domain::Movie::new(MovieId(1), "One"), crate::domain::Movie::new(MovieId(2), "Two")];
    let event = |user, movie, day: i64| Interaction {
        user: UserId(user),
        movie: MovieId(movie),
        rating: Rating::new(4.0).unwrap(),
        timestamp: day * DAY_S,
    };
    let events = vec![event(1, 1, 0), event(2, 1, 3), event(1, 2, 3), event(3, 2, 9)];
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), events);
    let timeline = Timeline::fit(&ratings, usize::MAX);
    let early = timeline.at(4 * DAY_S);
    assert_eq!(early.counts, [2, 1]);
    // After three days half is forgotten: 1.5 and 1 on day 3, both faded alike on day 4.
    assert!((early.decayed[0][1] - 1.0 / 1.5).abs() < 1e-6 && early.decayed[0][0] == 1.0);
    // Only person 1 came back.
    assert_eq!(early.returning, [0.0, 1.0]);
    assert_eq!(timeline.at(-DAY_S).counts, [0, 0]);
    assert_eq!(timeline.at(1_000 * DAY_S).decayed, timeline.at(9 * DAY_S).decayed);
    assert_eq!(timeline.n_until(ItemIdx(1), 8 * DAY_S), 1);
    assert_eq!(timeline.first_rated(ItemIdx(1)), Some(3 * DAY_S));
}

#[test]
fn preferences_are_bounded_and_stretch_to_any_scale() {
    let (_, ratings) = sample::movies_and_ratings();
    let scale = PreferenceScale::of(&ratings);
    assert_eq!((scale.preference(5.0), scale.preference(1.0)), (1.0, 0.25 / 3.0));
    assert!(scale.is_liked(4.0) && !scale.is_liked(3.5));
    let some = Preferences::fit(&ratings, ratings.len() / 2);
    let n_kept = some.by_user().values().len();
    assert!(n_kept > 0 && n_kept < ratings.len(), "a sample of the people");
    for row in 0..some.by_user().n_rows() {
        let rated: Vec<u32> = ratings.history(some.person(row)).map(|(item, ..)| item.0).collect();
        assert_eq!(some.by_user().row(row).0, rated, "row {row}");
    }
}
