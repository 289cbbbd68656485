//! Makes a rating network serve.

use std::sync::Arc;

use super::loading::{Load, LoadError, ModelLoader, Models};
use super::snapshot::Network;
use super::status::{ModelChecks, Part};
use super::{Shared, canary};
use crate::artifact::{ArtifactId, ArtifactKind};
use crate::inference::{Coverage, OnnxRatingNetwork, WorkerOptions};
use crate::recommend::{NeuralCf, PairScorer, Scorer};

pub(super) struct NetworkLane {
    shared: Arc<Shared>,
}

impl NetworkLane {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Drop for NetworkLane {
    fn drop(&mut self) {
        // Its thread must not outlive the lane.
        self.shared.shadow.end();
    }
}

impl ModelLoader for NetworkLane {
    type Model = Network;

    fn kind(&self) -> ArtifactKind {
        ArtifactKind::RatingNetwork
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn load(&mut self, load: &Load<'_>) -> Result<Models<Network>, LoadError> {
        let settings = &self.shared.settings;
        let runtime = self.shared.runtime.get(&settings.inference)?;
        // One request scores few movies: a second thread costs more than it brings.
        let options =
            WorkerOptions { threads: 1, queue: settings.inference.queue_length, patience: settings.request_timeout };
        let network = OnnxRatingNetwork::load(load.artifact, &runtime, options)?;
        let catalogue = &load.base.catalogue;
        let users = load.base.ratings.users().ids();
        let n_known = users.iter().filter(|&&user| network.knows_user(user)).count();
        check_floor("users", (n_known, users.len()), ("min_known_users", load.rules.min_known_users))?;
        let prepared = network.prepare(catalogue, load.rules.min_known_movies)?;
        let Coverage { known, rated } = prepared.coverage();
        let predictions: Arc<dyn PairScorer> = Arc::new(prepared);
        let ranking = NeuralCf::fit(Arc::clone(catalogue), Arc::clone(&predictions));
        let serving = self.shared.cell.load().and_then(|snapshot| snapshot.network.clone());
        let serving = serving.as_ref().map(|network| &network.ranking as &dyn Scorer);
        let questions = canary::people(load.base);
        let canaries = canary::ask((&ranking, serving), (load.base, load.rules), &questions)?;
        let id = load.artifact.id().clone();
        let words = format!("{id}, knows {known} of {rated} rated movies");
        let checks = ModelChecks {
            known_movies: Some((known, rated)),
            known_users: Some((n_known, users.len())),
            canaries: Some(canaries),
            ..ModelChecks::default()
        };
        let model = Network { id, predictions, ranking };
        Ok(Models { model, parts: vec![(Part::RatingNetwork, words)], checks })
    }

    fn swap(&mut self, model: Network) {
        let network = Arc::new(model);
        self.shared.cell.update(|snapshot| snapshot.network = Some(network));
    }

    fn advice(&self) -> &'static str {
        "train one with tools/train and drop its folder there; until then ratings are predicted from neighbours"
    }

    fn has_shadow(&self) -> bool {
        true
    }

    fn is_in_shadow(&self, id: &ArtifactId) -> bool {
        self.shared.shadow.is_of(id)
    }

    fn shadow(&mut self, id: &ArtifactId, model: Network) {
        self.shared.shadow.start(id, model.predictions, Arc::downgrade(&self.shared));
    }

    fn end_shadow(&mut self) {
        self.shared.shadow.end();
    }
}

/// Of this store's users a network may have to know a share.
fn check_floor(what: &str, (known, all): (usize, usize), (setting, least): (&str, f64)) -> Result<(), LoadError> {
    if known as f64 >= least * all as f64 {
        return Ok(());
    }
    Err(LoadError::Artifact(format!(
        "the rating network knows {known} of the store's {all} {what}; the setting artifacts.{setting} asks for {:.0} %",
        100.0 * least
    )))
}
