//! The catalogue in the order of the rating network's predictions for one person.
//!
//! The highest predicted rating is not the best recommendation: little-known films with few, high ratings come first.
//! So this is one signal among others and an explicit choice (`rank_by=predicted_rating`), not the default order.

use std::sync::Arc;

use super::{PairScorer, RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Query};

/// Ranks by predicted rating.
#[derive(Clone)]
pub struct NeuralCf {
    catalogue: Arc<Catalogue>,
    network: Arc<dyn PairScorer>,
}

impl NeuralCf {
    /// Joins a catalogue and the network prepared for it.
    pub fn fit(catalogue: Arc<Catalogue>, network: Arc<dyn PairScorer>) -> Self {
        Self { catalogue, network }
    }
}

impl Scorer for NeuralCf {
    fn name(&self) -> &'static str {
        "rating-network"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        if query.user.is_none() {
            return Err(RecommendError::NothingToGoBy { method: self.name(), needs: "a user" });
        }
        let items: Vec<ItemIdx> = (0..self.catalogue.len() as u32).map(ItemIdx).collect();
        let mut scores = Scores::absent(items.len());
        for (&item, rating) in items.iter().zip(self.network.predict(query, &items)?) {
            scores.set(item, rating);
        }
        Ok(scores)
    }
}
