//! From the store to the base of a snapshot, and the one model runtime of the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::loading::LoadError;
use super::snapshot::Base;
use super::status::{Part, PartState, Status};
use crate::config::InferenceConfig;
use crate::domain::{Catalogue, RatingMatrix};
use crate::inference::{InferenceError, Runtime};
use crate::recommend::{
    Bm25, DEFAULT_NEIGHBORS, ItemKnn, ItemNeighbors, PopularityBaseline, PopularityKind, ProfileKnn, ProfileWeights,
    PromptSearch, RatingBaseline, Similarity, TfIdf,
};
use crate::store::{ReadView, Store, StoreError};
use crate::understand::{PromptReader, TitleResolver, TitleSuggester};

/// Reads movies and ratings and fits everything that is fitted from them.
pub(super) fn load_base(store: &Store, status: &Status) -> Result<Base, StoreError> {
    let started = Instant::now();
    status.set_part(Part::Catalogue, PartState::Building { what: "reading the store", progress: None });
    let (movies, interactions) = store.read(|view: &ReadView<'_>| Ok((view.movies()?, view.ratings()?)))?;
    let vocabulary = Catalogue::vocabulary_of(&movies);
    let ratings = Arc::new(RatingMatrix::new(&vocabulary, interactions));
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
    let base = fit(catalogue, ratings);
    status.set_part(
        Part::Recommenders,
        PartState::Ready("popularity, item-based CF, multi-item CF, TF-IDF, titles".to_owned()),
    );
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(n_movies, n_users, n_ratings, seconds, "catalogue read and recommenders fitted");
    Ok(base)
}

pub(super) fn fit(catalogue: Arc<Catalogue>, ratings: Arc<RatingMatrix>) -> Base {
    let similarity = Similarity::default();
    let bm25 = Arc::new(Bm25::fit(Arc::clone(&catalogue)));
    let item_knn = Arc::new(ItemKnn::fit(Arc::clone(&catalogue), Arc::clone(&ratings), similarity));
    let prompt_search = PromptSearch::fit(Arc::clone(&catalogue), Arc::clone(&bm25), Arc::clone(&item_knn), None);
    let neighbors = Arc::new(ItemNeighbors::fit(&ratings, DEFAULT_NEIGHBORS, similarity));
    Base {
        titles: TitleResolver::fit(&catalogue),
        suggester: TitleSuggester::fit(&catalogue),
        popularity: PopularityBaseline::fit(&catalogue, &ratings, PopularityKind::AllTime),
        trending: PopularityBaseline::fit(&catalogue, &ratings, PopularityKind::Recent),
        item_knn,
        pearson: ItemKnn::fit(Arc::clone(&catalogue), Arc::clone(&ratings), Similarity::Pearson),
        profile_knn: ProfileKnn::fit(Arc::clone(&catalogue), &ratings, neighbors, ProfileWeights::default()),
        baseline: RatingBaseline::fit(Arc::clone(&catalogue), &ratings, DEFAULT_NEIGHBORS),
        tfidf: TfIdf::fit(Arc::clone(&catalogue), None),
        bm25,
        prompts: PromptReader::fit(&catalogue),
        prompt_search,
        catalogue,
        ratings,
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
