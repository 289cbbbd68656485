//! Makes a trained ranker serve.

use std::sync::Arc;

use super::loading::{Load, LoadError, ModelLoader, Models};
use super::snapshot::{RankingModel, Snapshot};
use super::status::{CanaryReport, ModelChecks, Part};
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
    fn ask_canaries(&self, load: &Load<'_>, model: &RankingModel) -> Result<Option<CanaryReport>, LoadError> {
        let Some(mut snapshot) = self.shared.cell.load().map(|snapshot| Snapshot::clone(&snapshot)) else {
            return Ok(None);
        };
        let serving = snapshot.hybrid();
        snapshot.ranking_model =
            Some(Arc::new(RankingModel { id: model.id.clone(), ranker: Arc::clone(&model.ranker) }));
        let Some(candidate) = snapshot.hybrid() else { return Ok(None) };
        let serving = serving.as_ref().map(|hybrid| hybrid as &dyn Scorer);
        canary::ask((&candidate, serving), (load.base, load.rules), &canary::people(load.base)).map(Some)
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

    fn load(&mut self, load: &Load<'_>) -> Result<Models<RankingModel>, LoadError> {
        let settings = &self.shared.settings;
        let runtime = self.shared.runtime.get(&settings.inference)?;
        let ranker: Arc<dyn Ranker> = Arc::new(OnnxRankingModel::load(load.artifact, &runtime)?);
        let id = load.artifact.id().clone();
        let words = id.to_string();
        let model = RankingModel { id, ranker };
        let canaries = self.ask_canaries(load, &model)?;
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
