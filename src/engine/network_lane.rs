//! Makes a rating network serve.

use std::sync::Arc;

use super::Shared;
use super::looker::{Load, LoadError, ModelLoader};
use super::snapshot::{Base, Network};
use super::status::Part;
use crate::artifact::{ArtifactId, ArtifactKind};
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
        let network = Arc::new(OnnxRatingNetwork::load(load.artifact, &runtime, options)?);
        let (network, words) = prepare(load.artifact.id().clone(), &network, load.base)?;
        let network = Arc::new(network);
        if !self.shared.cell.update_for(load.base, |snapshot| snapshot.network = Some(network)) {
            return Err(LoadError::fitted_meanwhile());
        }
        Ok(vec![(Part::RatingNetwork, words)])
    }

    fn advice(&self) -> &'static str {
        "train one with tools/train and drop its folder there; until then ratings are predicted from neighbours"
    }
}

/// A network made ready for a catalogue, and what there is to say about that.
pub(super) fn prepare(
    id: ArtifactId,
    model: &Arc<OnnxRatingNetwork>,
    base: &Base,
) -> Result<(Network, String), LoadError> {
    let prepared = model.prepare(&base.catalogue)?;
    let coverage = prepared.coverage();
    let predictions: Arc<dyn PairScorer> = Arc::new(prepared);
    let ranking = NeuralCf::fit(Arc::clone(&base.catalogue), Arc::clone(&predictions));
    let words = format!("{id}, knows {} of {} rated movies", coverage.known, coverage.rated);
    Ok((Network { id, model: Arc::clone(model), predictions, ranking }, words))
}
