//! The methods: each scores movies for a [`Query`]; what is excluded, how many are returned and how ties break is
//! decided once, in [`rank`].

mod baseline;
mod bm25;
mod candidates;
#[cfg(test)]
mod contract;
mod diversify;
mod item_item;
mod item_knn;
mod measure;
mod neighbors;
mod neural_cf;
mod popularity;
mod ports;
mod profile_knn;
mod prompt_search;
pub mod ranking;
mod rating;
#[cfg(test)]
pub(crate) mod sample;
mod semantic;
pub mod signals;
mod similar;
mod term_weights;
mod tfidf;

pub use baseline::RatingBaseline;
pub use bm25::Bm25;
pub use candidates::{Scores, rank, recommend, recommend_in_turn};
pub use diversify::{HouseholdRule, diversify, range};
pub use item_item::ItemItem;
pub use item_knn::ItemKnn;
pub use measure::Similarity;
pub use neighbors::{DEFAULT_NEIGHBORS, ItemNeighbors, LONGEST_HISTORY};
pub use neural_cf::NeuralCf;
pub use popularity::{PopularityBaseline, PopularityKind};
pub use ports::{MAX_QUESTIONS, NearestNeighbors, PairScorer, PortError, Ranker, TextEncoder};
pub use profile_knn::{ProfileKnn, ProfileWeights};
pub use prompt_search::{Newcomer, PromptReasons, PromptSearch};
pub use rating::{RatingFacts, RatingModel, RatingOptions};
pub use semantic::{EmbeddingText, Semantic, embedding_text};
pub use similar::HybridSimilar;
pub use tfidf::{TfIdf, document_text};

use crate::domain::{Catalogue, Query, RankedList};

/// Why a method could not score.
#[derive(Debug, thiserror::Error)]
pub enum RecommendError {
    /// The query lacks what the method needs, such as a text or a seed movie.
    #[error("{method} needs {needs}")]
    NothingToGoBy {
        /// Name of the method.
        method: &'static str,
        /// What is missing, as a phrase.
        needs: &'static str,
    },
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A method that gives movies a score. Fitted on one catalogue, immutable afterwards.
///
/// Contract (held by one test suite for all methods): one slot per movie of the catalogue, every score finite, the same
/// query gives the same scores, ids it does not know are ignored, a query without what the method needs is
/// [`RecommendError::NothingToGoBy`].
pub trait Scorer: Send + Sync {
    /// Public name of the method, as in answers and settings.
    fn name(&self) -> &'static str;

    /// Scores the catalogue for a query. Movies the method knows nothing about stay absent.
    fn score(&self, query: &Query) -> Result<Scores, RecommendError>;

    /// The best movies by these scores, see [`rank`]. A method that scores few movies of many need not look at all.
    fn ranked(&self, catalogue: &Catalogue, query: &Query) -> Result<RankedList, RecommendError> {
        Ok(rank(&self.score(query)?, catalogue, query))
    }
}
