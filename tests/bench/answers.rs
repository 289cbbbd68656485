//! Latency of everything but the encoder, on a synthetic catalogue of 9,010 films: `cargo bench --bench answers`. What a
//! person is recommended is asked of one as large as MovieLens 100K, too; there it is measured in its parts: candidates
//! with features, the same ordered by the linear ranker, predicted ratings of ten films.
//!
//! Goals: a prompt or a title under 2 ms; suggestions under 1 ms with 100,000 titles; a person under 0.5 ms. Printed, not
//! asserted.

#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up ends")]

use std::sync::{Arc, LazyLock};

use divan::{Bencher, black_box};
use marquee::domain::{
    Catalogue, Embedding, EmbeddingSpace, Interaction, ItemIdx, Movie, MovieId, Query, Rating, RatingMatrix, UserId,
    UserIdx,
};
use marquee::recommend::ranking::{FittedSignals, Hybrid, LinearRanker, RankingExamples, SignalOptions};
use marquee::recommend::{
    Bm25, HybridSimilar, ItemKnn, NearestNeighbors, PortError, PromptSearch, RatingModel, RatingOptions, Semantic,
    Similarity, TextEncoder, recommend,
};
use marquee::understand::{PromptReader, TitleResolver, TitleSuggester};
use marquee::vector::VectorIndex;

const N_MOVIES: u32 = 9_010;
const N_TITLES: u32 = 100_000;
const DIM: usize = 768;
const TOP_K: usize = 10;

fn main() {
    divan::main();
}

/// A generator of numbers that repeat from run to run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % n
    }

    /// A word; the first ones are frequent, as in language.
    fn word(&mut self) -> String {
        let rank = self.below(90) * self.below(90);
        let syllables = ["ka", "lo", "mi", "ne", "ru", "sta", "ven", "tor", "bel", "quo"];
        let mut word = String::new();
        for place in 0..4 {
            word.push_str(syllables[(rank as usize / 10_usize.pow(place)) % syllables.len()]);
        }
        word
    }

    fn words(&mut self, n: u64) -> String {
        (0..n).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn embedding(&mut self) -> Embedding {
        Embedding::new((0..DIM).map(|_| self.below(2_001) as f32 / 1_000.0 - 1.0).collect()).unwrap()
    }
}

/// Stands in for the encoder: every text has the same vector, at once.
struct Fixed {
    space: EmbeddingSpace,
    vector: Embedding,
}

impl TextEncoder for Fixed {
    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn encode(&self, texts: &[String]) -> Result<Vec<Embedding>, PortError> {
        Ok(texts.iter().map(|_| self.vector.clone()).collect())
    }
}

struct Fitted {
    catalogue: Arc<Catalogue>,
    ratings: Arc<RatingMatrix>,
    titles: TitleResolver,
    prompts: PromptReader,
    item_knn: Arc<ItemKnn>,
    search: PromptSearch,
    semantic: Semantic,
}

fn movies(n: u32, numbers: &mut Numbers) -> Vec<Movie> {
    let genres = ["Action", "Comedy", "Drama", "Horror", "Romance", "Science Fiction", "Thriller", "Western"];
    let movie = |id| {
        let n_words = numbers.below(4) + 1;
        let mut movie = Movie::new(MovieId(id), numbers.words(n_words));
        movie.year = Some(1950 + numbers.below(68) as u16);
        movie.genres = (0..2).map(|_| genres[numbers.below(8) as usize].to_owned()).collect();
        movie.overview = Some(numbers.words(60));
        movie
    };
    (1..=n).map(movie).collect()
}

/// The movies, and 100,000 ratings of which some movies have many.
fn rated(movies: Vec<Movie>, n_users: u64, numbers: &mut Numbers) -> (Arc<Catalogue>, Arc<RatingMatrix>) {
    let n_movies = movies.len() as u32;
    let events = (0..100_000).map(|timestamp| Interaction {
        user: UserId(numbers.below(n_users) as u32),
        movie: MovieId((numbers.below(95) * numbers.below(95)) as u32 % n_movies + 1),
        rating: Rating::new(numbers.below(5) as f32 + 1.0).unwrap(),
        timestamp,
    });
    let ratings = Arc::new(RatingMatrix::new(&Catalogue::vocabulary_of(&movies), events.collect()));
    (Arc::new(Catalogue::new(movies, &ratings)), ratings)
}

/// What answers for people, and a question of each of them.
struct People {
    catalogue: Arc<Catalogue>,
    hybrid: Hybrid,
    rating_model: RatingModel,
    queries: Vec<Query>,
}

impl People {
    fn fit(n_movies: u32, n_users: u64) -> Self {
        let mut numbers = Numbers(5);
        let movies = movies(n_movies, &mut numbers);
        let (catalogue, ratings) = rated(movies, n_users, &mut numbers);
        let query = |user: usize| {
            let row = UserIdx(user as u32);
            let history = ratings.rated_movies(row, catalogue.vocabulary());
            let user = Some(ratings.users().id_at(user));
            Query { user, history, n: TOP_K, asked_at: Some(ratings.newest()), ..Query::default() }
        };
        let queries = (0..ratings.users().len()).map(query).collect();
        let signals = FittedSignals::fit(Arc::clone(&catalogue), Arc::clone(&ratings), SignalOptions::default());
        let ranker = Arc::new(LinearRanker::fit(&RankingExamples::default()));
        let options = RatingOptions { stack_fits: 0, ..RatingOptions::default() };
        Self {
            hybrid: Hybrid::new(Arc::new(signals), ranker),
            rating_model: RatingModel::fit(Arc::clone(&catalogue), ratings, options),
            catalogue,
            queries,
        }
    }

    fn of(n_movies: u32) -> &'static Self {
        static SMALL: LazyLock<People> = LazyLock::new(|| People::fit(1_682, 943));
        static LARGE: LazyLock<People> = LazyLock::new(|| People::fit(N_MOVIES, 671));
        if n_movies == N_MOVIES { &LARGE } else { &SMALL }
    }

    /// Asks for one person after the other.
    fn bench<T>(&'static self, bencher: Bencher<'_, '_>, ask: impl Fn(&'static Self, &'static Query) -> T) {
        let mut people = self.queries.iter().cycle();
        bencher.with_inputs(move || people.next().unwrap()).bench_local_values(|query| ask(self, black_box(query)));
    }
}

#[divan::bench(args = [1_682, N_MOVIES], sample_count = 1_000)]
fn person_candidates(bencher: Bencher<'_, '_>, n_movies: u32) {
    People::of(n_movies).bench(bencher, |people, query| people.hybrid.signals().candidates(query, &[]));
}

#[divan::bench(args = [1_682, N_MOVIES], sample_count = 1_000)]
fn person_ranked(bencher: Bencher<'_, '_>, n_movies: u32) {
    People::of(n_movies).bench(bencher, |people, query| recommend(&people.hybrid, &people.catalogue, query).unwrap());
}

#[divan::bench(args = [1_682, N_MOVIES], sample_count = 1_000)]
fn person_predicted_ratings(bencher: Bencher<'_, '_>, n_movies: u32) {
    let items: Vec<ItemIdx> = (0..TOP_K as u32).map(ItemIdx).collect();
    People::of(n_movies).bench(bencher, |people, query| people.rating_model.predict(query, &items));
}

static FITTED: LazyLock<Fitted> = LazyLock::new(|| {
    let mut numbers = Numbers(7);
    let movies = movies(N_MOVIES, &mut numbers);
    let (catalogue, ratings) = rated(movies, 671, &mut numbers);
    let space = EmbeddingSpace { encoder: "synthetic".to_owned(), dim: DIM };
    let vectors: Vec<Embedding> = (0..N_MOVIES).map(|_| numbers.embedding()).collect();
    let with_ids = (1..).map(MovieId).zip(vectors.iter().map(Embedding::components));
    let index = VectorIndex::build(space.clone(), with_ids, &|_| {}).unwrap();
    let index: Arc<dyn NearestNeighbors> = Arc::new(index.with_scan((1..=N_MOVIES).map(MovieId)));
    let encoder: Arc<dyn TextEncoder> = Arc::new(Fixed { space, vector: numbers.embedding() });
    let item_knn = Arc::new(ItemKnn::fit(Arc::clone(&catalogue), Arc::clone(&ratings), Similarity::default()));
    let lexical = Arc::new(Bm25::fit(Arc::clone(&catalogue)));
    let semantic = Some((Arc::clone(&encoder), Arc::clone(&index)));
    Fitted {
        titles: TitleResolver::fit(&catalogue),
        prompts: PromptReader::fit(&catalogue),
        search: PromptSearch::fit(Arc::clone(&catalogue), lexical, Arc::clone(&item_knn), semantic),
        semantic: Semantic::fit(Arc::clone(&catalogue), encoder, index),
        item_knn,
        catalogue,
        ratings,
    }
});

/// A well-known film's title.
fn title() -> &'static str {
    &FITTED.catalogue.movies()[0].title
}

fn prompt(bencher: Bencher<'_, '_>, text: &str) {
    let Fitted { titles, prompts, search, .. } = &*FITTED;
    bencher.bench(|| {
        let understood = prompts.read(black_box(text), titles);
        search.search(&understood, &Query { n: TOP_K, ..Query::default() }, &[]).unwrap()
    });
}

#[divan::bench]
fn prompt_without_encoder(bencher: Bencher<'_, '_>) {
    prompt(bencher, &format!("a comedy from the 80s about {}, not horror", Numbers(3).words(12)));
}

#[divan::bench]
fn comparison_without_encoder(bencher: Bencher<'_, '_>) {
    prompt(bencher, &format!("like {} but funny", title()));
}

#[divan::bench]
fn title_to_similar(bencher: Bencher<'_, '_>) {
    let Fitted { catalogue, ratings, titles, item_knn, semantic, .. } = &*FITTED;
    bencher.bench(|| {
        let movie = titles.resolve(black_box(title())).unwrap().movie;
        let hybrid = HybridSimilar::new(catalogue, ratings, (item_knn, semantic));
        recommend(&hybrid, catalogue, &Query { seeds: vec![movie], n: TOP_K, ..Query::default() }).unwrap()
    });
}

#[divan::bench]
fn misspelt_title(bencher: Bencher<'_, '_>) {
    let long = FITTED.catalogue.movies().iter().map(|movie| &movie.title).max_by_key(|title| title.len()).unwrap();
    let misspelt = long.replacen('o', "u", 1);
    bencher.bench(|| FITTED.titles.resolve(black_box(&misspelt)));
}

#[divan::bench(args = ["k", "kalo", "mine", "kalom"])]
fn suggestions_of_100k_titles(bencher: Bencher<'_, '_>, typed: &str) {
    static SUGGESTER: LazyLock<TitleSuggester> = LazyLock::new(|| {
        let mut movies = movies(N_TITLES, &mut Numbers(11));
        for movie in &mut movies {
            movie.overview = None;
        }
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
        TitleSuggester::fit(&Catalogue::new(movies, &ratings))
    });
    bencher.bench(|| SUGGESTER.suggest(black_box(typed), TOP_K));
}
