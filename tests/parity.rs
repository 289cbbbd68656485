//! Parity with pandas, scikit-learn and LensKit: the fixtures in `tests/fixtures/golden` were computed by them.
//!
//! The MovieLens 100K ratings are read from the cache folder that `tools/` fills (`$MARQUEE_CACHE`, else
//! `$XDG_CACHE_HOME/marquee`, else `~/.cache/marquee`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that cannot be read fails the test")]

#[path = "it/support/cache.rs"]
mod cache;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use marquee::domain::{Catalogue, Interaction, Movie, MovieId, Query, RatedMovie, Rating, RatingMatrix, UserId};
use marquee::eval::ListMetrics;
use marquee::recommend::{
    ItemKnn, ItemNeighbors, ProfileKnn, ProfileWeights, Scorer, Similarity, TfIdf, document_text, recommend,
};
use serde_json::Value;

const TOLERANCE: f64 = 1e-5;

fn golden(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// `[[id, value], …]` in the order of the fixture.
fn pairs(value: &Value) -> Vec<(u32, f64)> {
    let pair = |pair: &Value| (id(&pair[0]), pair[1].as_f64().unwrap());
    value.as_array().unwrap().iter().map(pair).collect()
}

fn id(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

/// The rated movies of MovieLens 100K and their ratings.
fn movielens() -> (Arc<Catalogue>, Arc<RatingMatrix>) {
    let path = cache::cached("data/ml-100k/ml-100k.inter");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; tools/test fetches it", path.display()));
    let events: Vec<Interaction> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            Interaction {
                user: UserId(fields[0].parse().unwrap()),
                movie: MovieId(fields[1].parse().unwrap()),
                rating: Rating::new(fields[2].parse().unwrap()).unwrap(),
                timestamp: fields[3].parse::<f64>().unwrap() as i64,
            }
        })
        .collect();
    assert_eq!(events.len(), 100_000);
    let mut ids: Vec<MovieId> = events.iter().map(|event| event.movie).collect();
    ids.sort_unstable();
    ids.dedup();
    let movies = ids.into_iter().map(|id| Movie::new(id, format!("Movie {id}"))).collect();
    build(movies, events)
}

fn build(movies: Vec<Movie>, events: Vec<Interaction>) -> (Arc<Catalogue>, Arc<RatingMatrix>) {
    let ratings = Arc::new(RatingMatrix::new(&Catalogue::vocabulary_of(&movies), events));
    (Arc::new(Catalogue::new(movies, &ratings)), ratings)
}

/// All scores of a query by movie id.
fn scores(scorer: &dyn Scorer, catalogue: &Catalogue, query: &Query) -> BTreeMap<u32, f64> {
    let slots = scorer.score(query).unwrap();
    slots.present().map(|(item, score)| (catalogue.movie(item).id.0, f64::from(score.value()))).collect()
}

/// The expected list, best first, is what is recommended: the same scores at every rank and for every movie.
fn assert_same_ranking(scorer: &dyn Scorer, (catalogue, query): (&Catalogue, &Query), expected: &[(u32, f64)]) {
    let query = Query { n: expected.len(), ..query.clone() };
    let list = recommend(scorer, catalogue, &query).unwrap();
    assert_eq!(list.items().len(), expected.len(), "{query:?}");
    let all = scores(scorer, catalogue, &query);
    for (item, &(movie, value)) in list.items().iter().zip(expected) {
        let found = f64::from(item.score.value());
        assert!((found - value).abs() <= TOLERANCE * value.abs().max(1.0), "{query:?}: {found} at the rank of {movie}");
        assert!((all[&movie] - value).abs() <= TOLERANCE * value.abs().max(1.0), "{query:?}: {movie}");
        // Equal within the tolerance, movies may change places.
        if item.movie.0 != movie {
            assert!((all[&item.movie.0] - value).abs() <= TOLERANCE * value.abs().max(1.0), "{query:?}: {movie}");
        }
    }
}

#[test]
fn pearson_is_that_of_pandas() {
    let (catalogue, ratings) = movielens();
    let knn = ItemKnn::fit(catalogue.clone(), ratings, Similarity::Pearson);
    for movie in golden("pearson.json")["movies"].as_array().unwrap() {
        let seed = id(&movie["movie_id"]);
        let expected = pairs(&movie["neighbours"]);
        let found = scores(&knn, &catalogue, &Query { seeds: vec![MovieId(seed)], ..Query::default() });
        assert_eq!(found.len(), expected.len(), "movie {seed}");
        for (other, value) in expected {
            assert!((found[&other] - value).abs() <= TOLERANCE, "{seed} and {other}: {} {value}", found[&other]);
        }
    }
}

#[test]
fn the_weighted_profile_is_that_of_pandas() {
    let (catalogue, ratings) = movielens();
    let neighbors = Arc::new(ItemNeighbors::fit(&ratings, catalogue.len(), Similarity::Pearson));
    let knn = ProfileKnn::fit(catalogue.clone(), &ratings, neighbors, ProfileWeights::RatingMinusTwo);
    for profile in golden("weighted_profile.json")["profiles"].as_array().unwrap() {
        let rated = pairs(&profile["rated"]).into_iter();
        let history = rated
            .map(|(movie, rating)| RatedMovie {
                movie: MovieId(movie),
                rating: Rating::new(rating as f32).unwrap(),
                timestamp: 0,
            })
            .collect();
        let query = Query { history, ..Query::default() };
        assert_same_ranking(&knn, (&catalogue, &query), &pairs(&profile["top"]));
    }
}

#[test]
fn tfidf_is_that_of_scikit_learn() {
    let golden = golden("tfidf.json");
    let documents = golden["documents"].as_array().unwrap();
    // The fixture counts documents from 0; here that is their id. A space joins genres and overview, as in the text.
    let movies: Vec<Movie> = (0_u32..)
        .zip(documents)
        .map(|(place, document)| {
            let (genre, overview) = document["text"].as_str().unwrap().split_once(' ').unwrap();
            let mut movie = Movie::new(MovieId(place), format!("Movie {place}"));
            movie.genres = vec![genre.to_owned()];
            movie.overview = Some(overview.to_owned());
            assert_eq!(document_text(&movie), document["text"].as_str().unwrap());
            movie
        })
        .collect();
    let (catalogue, _) = build(movies, Vec::new());
    for case in golden["cases"].as_array().unwrap() {
        let tfidf = TfIdf::fit(catalogue.clone(), Some(id(&case["max_features"]) as usize));
        assert_eq!(tfidf.n_features(), id(&case["vocabulary_size"]) as usize);
        for query in case["queries"].as_array().unwrap() {
            let text = Some(query["text"].as_str().unwrap().to_owned());
            assert_same_ranking(&tfidf, (&catalogue, &Query { text, ..Query::default() }), &pairs(&query["top"]));
        }
        for neighbours in case["neighbours"].as_array().unwrap() {
            let seeds = vec![MovieId(id(&neighbours["document"]))];
            assert_same_ranking(&tfidf, (&catalogue, &Query { seeds, ..Query::default() }), &pairs(&neighbours["top"]));
        }
    }
}

#[test]
fn list_metrics_are_those_of_lenskit() {
    let cases = golden("list_metrics.json");
    for case in cases.as_array().unwrap() {
        let movies = |name: &str| case[name].as_array().unwrap().iter().map(|movie| MovieId(id(movie)));
        let list: Vec<MovieId> = movies("list").collect();
        let metrics = ListMetrics::of(&list, &movies("relevant").collect());
        for (name, ours) in [
            ("ndcg_10", metrics.ndcg_10),
            ("recall_10", metrics.recall_10),
            ("recall_20", metrics.recall_20),
            ("hit_10", metrics.hit_10),
            ("mrr_10", metrics.mrr_10),
        ] {
            let theirs = case[name].as_f64().unwrap();
            assert!((ours - theirs).abs() < 1e-9, "{name}: {ours}, LensKit says {theirs}: {case}");
        }
    }
}
