//! The neighbours of a whole history as a signal: see [`ProfileKnn`](crate::recommend::ProfileKnn) for the method.

use std::sync::Arc;

use super::{Profile, Signal};
use crate::recommend::ItemNeighbors;

/// Sums preference × similarity over a neighbour table.
#[derive(Clone, Debug)]
pub struct NeighborSignal {
    neighbors: Arc<ItemNeighbors>,
}

impl NeighborSignal {
    /// Reads this table.
    pub fn new(neighbors: Arc<ItemNeighbors>) -> Self {
        Self { neighbors }
    }
}

impl Signal for NeighborSignal {
    fn name(&self) -> &'static str {
        "item-knn"
    }

    fn add_scores(&self, profile: &Profile, scores: &mut [f32]) {
        for rated in &profile.items {
            for (other, similarity) in self.neighbors.of(rated.item) {
                scores[other.row()] += rated.preference * similarity;
            }
        }
    }
}
