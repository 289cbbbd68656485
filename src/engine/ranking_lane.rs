//! Makes a trained ranker serve.

use std::sync::Arc;

use super::loading::{Load, LoadError, ModelLoader, Models};
use super::rehearsal::{Rehearsal, RowRecorder};
use super::snapshot::{Base, RankingModel};
use super::status::{CanaryReport, ModelChecks, Part, PartState};
use super::{Shared, canary};
use crate::artifact::ArtifactKind;
use crate::inference::OnnxRankingModel;
use crate::recommend::{Ranker, Scorer};

pub(super) struct RankingLane {
    shared: Arc<Shared>,
}

impl RankingLane {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl RankingLane {
    /// Until the signals are fitted there are no candidates to put in order; the probe has to do then.
    fn ask_canaries(&self, load: &Load<'_>, ranker: &Arc<dyn Ranker>) -> Result<Option<CanaryReport>, LoadError> {
        let Some(snapshot) = self.shared.cell.load() else { return Ok(None) };
        let serving = snapshot.hybrid();
        let Some(candidate) = snapshot.hybrid_with(Arc::clone(ranker)) else { return Ok(None) };
        let serving = serving.as_ref().map(|hybrid| hybrid as &dyn Scorer);
        canary::ask((&candidate, serving), (load.base, load.rules), &canary::people(load.base)).map(Some)
    }

    /// Whether candidates will come, so that it is worth waiting for them.
    fn will_be_fitted(&self, base: &Base) -> bool {
        !base.ratings.is_empty() && !matches!(self.shared.status.part(Part::Hybrid), PartState::Failed(_))
    }
}

impl ModelLoader for RankingLane {
    type Model = RankingModel;

    fn kind(&self) -> ArtifactKind {
        ArtifactKind::RankingModel
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The rows of the people that canaries ask about. Before the signals are fitted the ranker would not be used.
    fn rehearsal(&self, base: &Base) -> Result<Rehearsal, LoadError> {
        let recorder = Arc::new(RowRecorder::default());
        let recording: Arc<dyn Ranker> = recorder.clone();
        let hybrid = self.shared.cell.load().and_then(|snapshot| snapshot.hybrid_with(recording));
        let Some(hybrid) = hybrid else {
            let waits = LoadError::NotYet("waiting for the signals to be fitted, to be tried on their candidates");
            return if self.will_be_fitted(base) { Err(waits) } else { Ok(Rehearsal::Nothing) };
        };
        for question in canary::people(base) {
            // A question that finds no candidates has no rows.
            let _ = hybrid.score(&question);
        }
        Ok(Rehearsal::of_rows(&recorder.rows()))
    }

    fn load(&mut self, load: &Load<'_>) -> Result<Models<RankingModel>, LoadError> {
        let settings = &self.shared.settings;
        let runtime = self.shared.runtime.get(&settings.inference)?;
        let ranker: Arc<dyn Ranker> = Arc::new(OnnxRankingModel::load(load.artifact, &runtime)?);
        let id = load.artifact.id().clone();
        let words = id.to_string();
        let canaries = self.ask_canaries(load, &ranker)?;
        let model = RankingModel { id, ranker };
        let checks = ModelChecks { canaries, ..ModelChecks::default() };
        Ok(Models { model, parts: vec![(Part::RankingModel, words)], checks })
    }

    fn swap(&mut self, model: RankingModel) -> bool {
        let model = Arc::new(model);
        self.shared.cell.update(|snapshot| snapshot.ranking_model = Some(model));
        true
    }

    fn advice(&self) -> &'static str {
        "it is optional; tools/train ranking-model makes one. Without it a linear ranker fitted from the store serves"
    }
}
