//! One immutable generation of everything an answer needs.

use std::sync::{Arc, Weak};

use super::list_memory::ListMemory;
use super::overlay::Overlay;
use super::similar_memory::SimilarMemory;
use crate::artifact::{ArtifactId, NeighborLists};
use crate::domain::{Catalogue, EmbeddingSpace, ItemIdx, MovieId, RatingMatrix};
use crate::inference::OnnxRatingNetwork;
use crate::recommend::ranking::{Cascade, FittedSignals, Hybrid};
use crate::recommend::{
    Bm25, ItemItem, ItemKnn, NearestNeighbors, NeuralCf, PairScorer, PopularityBaseline, ProfileKnn, PromptSearch,
    Ranker, RatingBaseline, RatingModel, Semantic, TextEncoder, TfIdf,
};
use crate::understand::{PromptReader, TitleResolver, TitleSuggester};

/// What is made from the store alone.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) ratings: Arc<RatingMatrix>,
    pub(super) titles: TitleResolver,
    pub(super) suggester: TitleSuggester,
    pub(super) popularity: PopularityBaseline,
    pub(super) trending: PopularityBaseline,
    pub(super) item_knn: Arc<ItemKnn>,
    pub(super) pearson: ItemKnn,
    pub(super) tfidf: TfIdf,
    pub(super) bm25: Arc<Bm25>,
    pub(super) prompts: PromptReader,
    /// Prompt search without an encoder.
    pub(super) prompt_search: PromptSearch,
}

/// A text encoder together with the index of its own embeddings.
pub(super) struct SemanticSearch {
    pub(super) id: ArtifactId,
    pub(super) space: EmbeddingSpace,
    pub(super) encoder: Arc<dyn TextEncoder>,
    pub(super) neighbors: Arc<dyn NearestNeighbors>,
    pub(super) scorer: Semantic,
    pub(super) prompt_search: PromptSearch,
}

/// A rating network prepared for the catalogue.
pub(super) struct Network {
    pub(super) id: ArtifactId,
    /// What it was prepared for.
    pub(super) base: Weak<Base>,
    pub(super) model: Arc<OnnxRatingNetwork>,
    pub(super) predictions: Arc<dyn PairScorer>,
    /// The same as a ranking of the whole catalogue.
    pub(super) ranking: NeuralCf,
}

/// A trained ranker of the candidates.
pub(super) struct RankingModel {
    pub(super) id: ArtifactId,
    pub(super) ranker: Arc<dyn Ranker>,
}

/// The lists of a trained item–item model, over the catalogue.
pub(super) struct ItemItemModel {
    pub(super) id: ArtifactId,
    /// What they were prepared for.
    pub(super) base: Weak<Base>,
    pub(super) lists: Arc<NeighborLists>,
    pub(super) scorer: ItemItem,
}

/// What knows people by their histories.
#[derive(Clone)]
pub(super) enum Tastes {
    /// Until the hybrid is fitted.
    Interim(Arc<Interim>),
    /// The signals have neighbour tables of their own: those of the interim go.
    Fitted(Arc<FittedHybrid>),
}

/// What is fitted quickly.
#[derive(Debug)]
pub(super) struct Interim {
    pub(super) profile_knn: ProfileKnn,
    pub(super) baseline: RatingBaseline,
}

/// The signals, and the ranker that was fitted with them.
pub(super) struct FittedHybrid {
    pub(super) signals: Arc<FittedSignals>,
    pub(super) ranker: Arc<dyn Ranker>,
}

/// One generation. Parts are shared with the generations before and after, as far as they did not change.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub(super) generation: u64,
    pub(super) base: Arc<Base>,
    /// What of the catalogue has changed since.
    pub(super) overlay: Arc<Overlay>,
    pub(super) semantic: Option<Arc<SemanticSearch>>,
    pub(super) network: Option<Arc<Network>>,
    pub(super) tastes: Tastes,
    pub(super) rating_model: Option<Arc<RatingModel>>,
    /// Without one, the ranker fitted from the store orders.
    pub(super) ranking_model: Option<Arc<RankingModel>>,
    pub(super) item_item: Option<Arc<ItemItemModel>>,
    /// Lists for people that this generation has made.
    pub(super) lists: Arc<ListMemory>,
    /// The same for movies.
    pub(super) similar: Arc<SimilarMemory>,
}

impl Snapshot {
    /// The first generation: no models yet.
    pub(super) fn first(base: Arc<Base>, interim: Interim) -> Self {
        Self {
            generation: 1,
            base,
            overlay: Arc::default(),
            semantic: None,
            network: None,
            tastes: Tastes::Interim(Arc::new(interim)),
            rating_model: None,
            ranking_model: None,
            item_item: None,
            lists: Arc::default(),
            similar: Arc::default(),
        }
    }
}

impl Snapshot {
    /// Where a movie is found as it is now.
    pub(super) fn find(&self, movie: MovieId) -> Option<(&Arc<Catalogue>, ItemIdx)> {
        if self.overlay.changes(movie) {
            return Some((&self.overlay.catalogue, self.overlay.catalogue.item_idx(movie)?));
        }
        Some((&self.base.catalogue, self.base.catalogue.item_idx(movie)?))
    }

    /// What predicts ratings without a model.
    pub(super) fn baseline(&self) -> &RatingBaseline {
        match &self.tastes {
            Tastes::Interim(interim) => &interim.baseline,
            Tastes::Fitted(fitted) => fitted.signals.rating_baseline(),
        }
    }

    /// Signals and ranker, once the signals are fitted.
    pub(super) fn hybrid(&self) -> Option<Hybrid> {
        self.tastes.fitted().map(|fitted| self.hybrid_of(fitted))
    }

    /// Signals and ranker: a trained ranker before the one fitted with the signals.
    pub(super) fn hybrid_of(&self, fitted: &FittedHybrid) -> Hybrid {
        match &self.ranking_model {
            Some(model) => fitted.with(Arc::clone(&model.ranker)),
            None => Hybrid::new(Arc::clone(&fitted.signals), Arc::clone(&fitted.ranker)),
        }
    }

    /// The same as if this trained ranker served.
    pub(super) fn hybrid_with(&self, trained: Arc<dyn Ranker>) -> Option<Hybrid> {
        self.tastes.fitted().map(|fitted| fitted.with(trained))
    }
}

impl Tastes {
    /// The hybrid, if it is fitted.
    pub(super) fn fitted(&self) -> Option<&FittedHybrid> {
        match self {
            Self::Interim(_) => None,
            Self::Fitted(fitted) => Some(fitted),
        }
    }
}

impl FittedHybrid {
    fn with(&self, trained: Arc<dyn Ranker>) -> Hybrid {
        Hybrid::new(Arc::clone(&self.signals), Arc::new(Cascade::new(Arc::clone(&self.ranker), trained)))
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation)
            .field("n_movies", &self.base.catalogue.len())
            .field("semantic", &self.semantic.as_ref().map(|semantic| &semantic.id))
            .field("network", &self.network.as_ref().map(|network| &network.id))
            .field("item_item", &self.item_item.as_ref().map(|model| &model.id))
            .field("ranking_model", &self.ranking_model.as_ref().map(|model| &model.id))
            .finish_non_exhaustive()
    }
}
