//! The contract of [`Scorer`](super::Scorer), held for every method by one suite.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::ranking::{self, FittedSignals, LinearRanker, RankingExamples, SignalOptions};
use super::sample::{self, Arithmetic, Spelling};
use super::{
    HybridSimilar, ItemItem, ItemKnn, ItemNeighbors, NeuralCf, PopularityBaseline, PopularityKind, ProfileKnn,
    ProfileWeights, RatingBaseline, RatingModel, RatingOptions, RecommendError, Scorer, Scores, Semantic, Similarity,
    TfIdf, rank, recommend,
};
use crate::domain::{Catalogue, ItemIdx, MovieFilter, MovieId, Query, RatedMovie, Rating, RatingMatrix, UserId};

/// [`HybridSimilar`] with what it borrows.
struct Hybrid {
    catalogue: Arc<Catalogue>,
    ratings: Arc<RatingMatrix>,
    item_knn: ItemKnn,
    content: TfIdf,
}

impl Scorer for Hybrid {
    fn name(&self) -> &'static str {
        "hybrid"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        HybridSimilar::new(&self.catalogue, &self.ratings, (&self.item_knn, &self.content)).score(query)
    }
}

type Fitted = (Arc<Catalogue>, Vec<Box<dyn Scorer>>);

/// Every method, fitted on one data set.
fn all_methods((catalogue, ratings): (Arc<Catalogue>, Arc<RatingMatrix>)) -> Fitted {
    let spelling = Arc::new(Spelling::of(&catalogue));
    let mut methods: Vec<Box<dyn Scorer>> = vec![
        Box::new(RatingBaseline::fit(catalogue.clone(), &ratings, 3)),
        Box::new(ranking::Hybrid::new(
            Arc::new(FittedSignals::fit(catalogue.clone(), ratings.clone(), SignalOptions::default())),
            Arc::new(LinearRanker::fit(&RankingExamples::default())),
        )),
        Box::new(RatingModel::fit(catalogue.clone(), ratings.clone(), RatingOptions::default())),
        Box::new(TfIdf::fit(catalogue.clone(), None)),
        Box::new(TfIdf::fit(catalogue.clone(), Some(4))),
        Box::new(Semantic::fit(catalogue.clone(), spelling.clone(), spelling)),
        Box::new(NeuralCf::fit(catalogue.clone(), Arc::new(Arithmetic))),
        Box::new(ItemItem::fit(catalogue.clone(), |item| {
            vec![(ItemIdx(item.0 / 2), 0.5), (ItemIdx(item.0 + 1), -1.0)]
        })),
    ];
    for kind in [PopularityKind::AllTime, PopularityKind::Recent] {
        methods.push(Box::new(PopularityBaseline::fit(&catalogue, &ratings, kind)));
    }
    for similarity in [Similarity::Pearson, Similarity::Cosine] {
        methods.push(Box::new(ItemKnn::fit(catalogue.clone(), ratings.clone(), similarity)));
        let neighbors = Arc::new(ItemNeighbors::fit(&ratings, 3, similarity));
        for weights in [ProfileWeights::Centred, ProfileWeights::RatingMinusTwo] {
            methods.push(Box::new(ProfileKnn::fit(catalogue.clone(), &ratings, neighbors.clone(), weights)));
        }
    }
    methods.push(Box::new(Hybrid {
        item_knn: ItemKnn::fit(catalogue.clone(), ratings.clone(), Similarity::default()),
        content: TfIdf::fit(catalogue.clone(), None),
        catalogue: catalogue.clone(),
        ratings,
    }));
    (catalogue, methods)
}

/// Asks twice, checks what holds for every answer, and returns how many movies were recommended, or nothing when the
/// method has nothing to go by.
fn check(method: &dyn Scorer, catalogue: &Catalogue, query: &Query) -> Option<usize> {
    let name = method.name();
    let scores = match method.score(query) {
        Ok(scores) => scores,
        Err(RecommendError::NothingToGoBy { method, .. }) => {
            assert_eq!(method, name);
            return None;
        }
        Err(error) => panic!("{name}: {error}"),
    };
    assert_eq!(scores.len(), catalogue.len(), "{name}: one slot per movie");
    assert!(scores.present().all(|(_, score)| score.value().is_finite()), "{name}: finite");
    assert_eq!(method.score(query).unwrap(), scores, "{name}: the same query gives the same scores");
    let list = recommend(method, catalogue, query).unwrap();
    assert_eq!(list, rank(&scores, catalogue, query), "{name}: the list follows the scores");
    assert!(list.items().len() <= query.n, "{name}: at most n");
    let movies: HashSet<MovieId> = list.items().iter().map(|item| item.movie).collect();
    assert_eq!(movies.len(), list.items().len(), "{name}: no movie twice");
    let left_out = query.history.iter().map(|rated| &rated.movie).chain(&query.seeds).chain(&query.excluded);
    for movie in left_out {
        assert!(!movies.contains(movie), "{name}: {movie} was to be left out");
    }
    for item in movies.iter().filter_map(|&movie| catalogue.item_idx(movie)) {
        let (movie, figures) = (catalogue.movie(item), catalogue.popularity(item));
        assert!(query.filter.accepts(movie, figures), "{name}: {} does not pass the filter", movie.title);
    }
    Some(list.items().len())
}

/// A query with everything in it.
fn rich_query() -> Query {
    let rated = |movie, value| RatedMovie { movie: MovieId(movie), rating: Rating::new(value).unwrap(), timestamp: 0 };
    Query {
        user: Some(UserId(3)),
        history: vec![rated(10, 5.0), rated(40, 1.0)],
        include_seen: false,
        filter: MovieFilter { no_genres: vec!["Romance".to_owned()], ..MovieFilter::default() },
        seeds: vec![MovieId(20)],
        text: Some("robots on a planet, alone".to_owned()),
        excluded: HashSet::from([MovieId(50)]),
        asked_at: Some(50_000),
        n: 3,
    }
}

#[test]
fn answers_a_query_that_gives_everything() {
    let (catalogue, methods) = all_methods(sample::movies_and_ratings());
    for method in &methods {
        let found = check(method.as_ref(), &catalogue, &rich_query());
        assert!(found.is_some_and(|found| found > 0), "{} found nothing", method.name());
    }
}

#[test]
fn names_are_known_words() {
    let (_, methods) = all_methods(sample::movies_and_ratings());
    for method in &methods {
        assert!(method.name().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", method.name());
    }
}

#[test]
fn a_cold_start_is_answered_or_declined() {
    for data in [sample::movies_and_ratings(), sample::unrated(), sample::empty()] {
        let (catalogue, methods) = all_methods(data);
        for method in &methods {
            check(method.as_ref(), &catalogue, &Query { n: 5, ..Query::default() });
            check(method.as_ref(), &catalogue, &Query { text: Some(String::new()), n: 5, ..Query::default() });
        }
    }
}

#[test]
fn no_ratings_and_no_movies_are_data_sets_too() {
    for data in [sample::unrated(), sample::empty()] {
        let (catalogue, methods) = all_methods(data);
        for method in &methods {
            check(method.as_ref(), &catalogue, &rich_query());
        }
    }
}

#[test]
fn unknown_ids_change_nothing() {
    let (catalogue, methods) = all_methods(sample::movies_and_ratings());
    let query = rich_query();
    let mut with_unknown = query.clone();
    with_unknown.seeds.push(MovieId(4_000_000_000));
    with_unknown.excluded.insert(MovieId(0));
    for method in &methods {
        let list = |query| recommend(method.as_ref(), &catalogue, query).unwrap();
        assert_eq!(list(&with_unknown), list(&query), "{}", method.name());
    }
    let strangers = Query {
        user: Some(UserId(u32::MAX)),
        history: vec![RatedMovie { movie: MovieId(999), rating: Rating::new(3.0).unwrap(), timestamp: 0 }],
        seeds: vec![MovieId(999)],
        n: 5,
        ..Query::default()
    };
    for method in &methods {
        check(method.as_ref(), &catalogue, &strangers);
    }
}

fn any_query() -> impl Strategy<Value = Query> {
    // Known ids are 10, 20 … 70; the others are strangers.
    let movie = || (0_u32..10).prop_map(|id| MovieId(id * 10));
    let rated = (movie(), 0_u8..=10).prop_map(|(movie, value)| RatedMovie {
        movie,
        rating: Rating::new(f32::from(value)).unwrap(),
        timestamp: 0,
    });
    let text = prop_oneof!["\\PC{0,30}", "(robots|wedding|the|sea| ){0,5}"];
    (
        proptest::option::of(0_u32..40),
        proptest::collection::vec(rated, 0..6),
        proptest::collection::vec(movie(), 0..4),
        proptest::option::of(text),
        proptest::collection::hash_set(movie(), 0..4),
        proptest::option::of(0_i64..100_000),
        0_usize..12,
    )
        .prop_map(|(user, history, seeds, text, excluded, asked_at, n)| Query {
            user: user.map(UserId),
            history,
            include_seen: false,
            filter: MovieFilter::default(),
            seeds,
            text,
            excluded,
            asked_at,
            n,
        })
}

#[test]
fn holds_for_any_query() {
    let (catalogue, methods) = all_methods(sample::movies_and_ratings());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(query in any_query())| {
        for method in &methods {
            check(method.as_ref(), &catalogue, &query);
        }
    });
}
