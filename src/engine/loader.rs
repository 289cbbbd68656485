//! From the store to the base of a snapshot, and the one model runtime of the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::loading::LoadError;
use super::snapshot::{Base, Interim};
use super::status::{Part, PartState, Status};
use crate::config::InferenceConfig;
use crate::domain::{Catalogue, RatingMatrix, RatingMatrixBuilder};
use crate::inference::{InferenceError, Runtime};
use crate::recommend::{
    Bm25, DEFAULT_NEIGHBORS, ItemKnn, ItemNeighbors, PopularityBaseline, PopularityKind, ProfileKnn, ProfileWeights,
    PromptSearch, RatingBaseline, Similarity, TfIdf,
};
use crate::store::{ReadView, Store, StoreError};
use crate::understand::{PromptReader, TitleResolver, TitleSuggester};

/// Pairs of ratings by one person above which neighbour tables take longer than the first answers can wait. Neighbours
/// are then looked up on demand, until the signals of the hybrid are fitted, which have tables of their own.
const MAX_PAIRS: usize = 100_000_000;

/// Reads movies and ratings and fits everything that is fitted from them.
pub(super) fn load_base(store: &Store, status: &Status) -> Result<(Base, Interim), StoreError> {
    let started = Instant::now();
    status.set_part(Part::Catalogue, PartState::Building { what: "reading the store", progress: None });
    let (movies, ratings) = store.read(|view: &ReadView<'_>| {
        let movies = view.movies()?;
        let vocabulary = Catalogue::vocabulary_of(&movies);
        let mut ratings = RatingMatrixBuilder::new(&vocabulary);
        view.each_history(|history| ratings.add(history))?;
        Ok((movies, Arc::new(ratings.finish())))
    })?;
    let catalogue = Arc::new(Catalogue::new(movies, &ratings));
    let (n_movies, n_users, n_ratings) = (catalogue.len(), ratings.users().len(), ratings.len());
    status.set_part(
        Part::Catalogue,
        if catalogue.is_empty() {
            PartState::Absent {
                why: "the store has no movies: stop the daemon and run `marquee import DIR`".to_owned(),
                required: true,
            }
        } else {
            PartState::Ready(format!("{n_movies} movies, {n_users} users, {n_ratings} ratings"))
        },
    );
    status.set_part(Part::Recommenders, PartState::Building { what: "fitting", progress: None });
    let fitted = fit(&catalogue, &ratings);
    status.set_part(
        Part::Recommenders,
        PartState::Ready("popularity, item-based CF, multi-item CF, TF-IDF, titles".to_owned()),
    );
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(n_movies, n_users, n_ratings, seconds, "catalogue read and recommenders fitted");
    Ok(fitted)
}

/// Fits what needs no longer than the first answers can wait, texts and ratings side by side. What is learnt from ratings
/// with more patience comes from `background_fit`.
pub(super) fn fit(catalogue: &Arc<Catalogue>, ratings: &Arc<RatingMatrix>) -> (Base, Interim) {
    let of_texts = Arc::clone(catalogue);
    std::thread::scope(|scope| {
        let of_titles = Arc::clone(catalogue);
        let texts = scope.spawn(|| Texts::fit(of_texts));
        let titles = scope.spawn(move || Readers::fit(&of_titles));
        let (similarity, weights) = (Similarity::default(), ProfileWeights::default());
        let item_knn = Arc::new(ItemKnn::fit(Arc::clone(catalogue), Arc::clone(ratings), similarity));
        let popularity = PopularityBaseline::fit(catalogue, ratings, PopularityKind::AllTime);
        let trending = PopularityBaseline::fit(catalogue, ratings, PopularityKind::Recent);
        let pearson = ItemKnn::fit(Arc::clone(catalogue), Arc::clone(ratings), Similarity::Pearson);
        let (profile_knn, baseline) = if ItemNeighbors::n_pairs(ratings) > MAX_PAIRS {
            (
                ProfileKnn::on_demand(Arc::clone(catalogue), ratings, Arc::clone(&item_knn), weights),
                RatingBaseline::without_neighbors(Arc::clone(catalogue), ratings),
            )
        } else {
            let neighbors = Arc::new(ItemNeighbors::fit(ratings, DEFAULT_NEIGHBORS, similarity));
            (
                ProfileKnn::fit(Arc::clone(catalogue), ratings, neighbors, weights),
                RatingBaseline::fit(Arc::clone(catalogue), ratings, DEFAULT_NEIGHBORS),
            )
        };
        let Texts { tfidf, bm25 } = texts.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let Readers { titles, suggester, prompts } =
            titles.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let prompt_search = PromptSearch::fit(Arc::clone(catalogue), Arc::clone(&bm25), Arc::clone(&item_knn), None);
        let base = Base {
            titles,
            suggester,
            popularity,
            trending,
            item_knn,
            pearson,
            tfidf,
            bm25,
            prompts,
            prompt_search,
            catalogue: Arc::clone(catalogue),
            ratings: Arc::clone(ratings),
        };
        (base, Interim { profile_knn, baseline })
    })
}

/// What is made of the movies' texts alone.
struct Texts {
    tfidf: TfIdf,
    bm25: Arc<Bm25>,
}

impl Texts {
    fn fit(catalogue: Arc<Catalogue>) -> Self {
        Self { bm25: Arc::new(Bm25::fit(Arc::clone(&catalogue))), tfidf: TfIdf::fit(catalogue, None) }
    }
}

/// What understands what people type.
struct Readers {
    titles: TitleResolver,
    suggester: TitleSuggester,
    prompts: PromptReader,
}

impl Readers {
    fn fit(catalogue: &Catalogue) -> Self {
        Self {
            titles: TitleResolver::fit(catalogue),
            suggester: TitleSuggester::fit(catalogue),
            prompts: PromptReader::fit(catalogue),
        }
    }
}

/// The model runtime, started when the first model is loaded. A library that is missing is looked for again next time.
#[derive(Debug, Default)]
pub(super) struct RuntimeSlot(Mutex<Option<Arc<Runtime>>>);

impl RuntimeSlot {
    pub(super) fn get(&self, config: &InferenceConfig) -> Result<Arc<Runtime>, LoadError> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*slot {
            return Ok(Arc::clone(runtime));
        }
        let runtime = start_runtime(config).map_err(|error| LoadError::Environment(error.to_string()))?;
        Ok(Arc::clone(slot.insert(runtime)))
    }
}

fn start_runtime(config: &InferenceConfig) -> Result<Arc<Runtime>, InferenceError> {
    let library = Runtime::find_library(config.library.as_deref())?;
    let runtime = Runtime::start(&library, config.threads)?;
    tracing::info!(library = %library.display(), threads = config.threads, "model runtime started");
    Ok(runtime)
}
