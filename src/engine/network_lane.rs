//! Makes a rating network serve.

use std::sync::Arc;

use super::loading::{Load, LoadError, ModelLoader, Models};
use super::rehearsal::Rehearsal;
use super::snapshot::{Base, Network};
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

    fn rehearsal(&self, base: &Base) -> Result<Rehearsal, LoadError> {
        Ok(Rehearsal::of_people(base))
    }

    fn load(&mut self, load: &Load<'_>) -> Result<Models<Network>, LoadError> {
        let settings = &self.shared.settings;
        let runtime = self.shared.runtime.get(&settings.inference)?;
        // One request scores few movies: a second thread costs more than it brings.
        let options =
            WorkerOptions { threads: 1, queue: settings.inference.queue_length, patience: settings.request_timeout };
        let network = Arc::new(OnnxRatingNetwork::load(load.artifact, &runtime, options)?);
        let users = load.base.ratings.users().ids();
        let n_known = users.iter().filter(|&&user| network.knows_user(user)).count();
        check_floor("users", (n_known, users.len()), ("min_known_users", load.rules.min_known_users))?;
        let id = load.artifact.id().clone();
        let (model, coverage) = prepare((id, &network), load.base, load.rules.min_known_movies)?;
        let Coverage { known, rated } = coverage;
        let serving = self.shared.cell.load().and_then(|snapshot| snapshot.network.clone());
        let serving = serving.as_ref().map(|network| &network.ranking as &dyn Scorer);
        let questions = canary::people(load.base);
        let canaries = canary::ask((&model.ranking, serving), (load.base, load.rules), &questions)?;
        let words = format!("{}, knows {known} of {rated} rated movies", model.id);
        let checks = ModelChecks {
            known_movies: Some((known, rated)),
            known_users: Some((n_known, users.len())),
            canaries: Some(canaries),
            ..ModelChecks::default()
        };
        Ok(Models { model, parts: vec![(Part::RatingNetwork, words)], checks })
    }

    fn swap(&mut self, model: Network) -> bool {
        let base = model.base.clone();
        let network = Arc::new(model);
        self.shared.cell.update_for(&base, |snapshot| snapshot.network = Some(network))
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
        self.shared.shadow.start(id, model, Arc::downgrade(&self.shared));
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

/// A network made ready for a catalogue, of whose rated movies it must know a share, and how many it knows.
pub(super) fn prepare(
    (id, model): (ArtifactId, &Arc<OnnxRatingNetwork>),
    base: &Arc<Base>,
    least_known: f64,
) -> Result<(Network, Coverage), LoadError> {
    let prepared = model.prepare(&base.catalogue, least_known)?;
    let coverage = prepared.coverage();
    let predictions: Arc<dyn PairScorer> = Arc::new(prepared);
    let ranking = NeuralCf::fit(Arc::clone(&base.catalogue), Arc::clone(&predictions));
    let (model, base) = (Arc::clone(model), Arc::downgrade(base));
    Ok((Network { id, base, model, predictions, ranking }, coverage))
}
