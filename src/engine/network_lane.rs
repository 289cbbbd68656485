//! Makes a rating network serve.

use std::sync::Arc;

use super::Shared;
use super::looker::{Load, LoadError, ModelLoader};
use super::snapshot::Network;
use super::status::Part;
use crate::artifact::ArtifactKind;
use crate::inference::{OnnxRatingNetwork, WorkerOptions};
use crate::recommend::{NeuralCf, PairScorer};

pub(super) struct NetworkLane {
    shared: Arc<Shared>,
}

impl NetworkLane {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl ModelLoader for NetworkLane {
    fn kind(&self) -> ArtifactKind {
        ArtifactKind::RatingNetwork
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn load(&mut self, load: &Load<'_>) -> Result<Vec<(Part, String)>, LoadError> {
        let settings = &self.shared.settings;
        let runtime = self.shared.runtime.get(&settings.inference)?;
        // One request scores few movies: a second thread costs more than it brings.
        let options =
            WorkerOptions { threads: 1, queue: settings.inference.queue_length, patience: settings.request_timeout };
        let network = OnnxRatingNetwork::load(load.artifact, &runtime, options)?;
        let catalogue = &load.base.catalogue;
        let prepared = network.prepare(catalogue)?;
        let coverage = prepared.coverage();
        let predictions: Arc<dyn PairScorer> = Arc::new(prepared);
        let ranking = NeuralCf::fit(Arc::clone(catalogue), Arc::clone(&predictions));
        let id = load.artifact.id().clone();
        let words = format!("{id}, knows {} of {} rated movies", coverage.known, coverage.rated);
        let network = Arc::new(Network { id, predictions, ranking });
        self.shared.cell.update(|snapshot| snapshot.network = Some(network));
        Ok(vec![(Part::RatingNetwork, words)])
    }

    fn advice(&self) -> &'static str {
        "train one with tools/train and drop its folder there; until then ratings are predicted from neighbours"
    }
}
