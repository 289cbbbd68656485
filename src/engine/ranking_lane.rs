//! Makes a trained ranker serve.

use std::sync::Arc;

use super::Shared;
use super::looker::{Load, LoadError, ModelLoader};
use super::snapshot::RankingModel;
use super::status::Part;
use crate::artifact::ArtifactKind;
use crate::inference::OnnxRankingModel;
use crate::recommend::Ranker;

pub(super) struct RankingLane {
    shared: Arc<Shared>,
}

impl RankingLane {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl ModelLoader for RankingLane {
    fn kind(&self) -> ArtifactKind {
        ArtifactKind::RankingModel
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn load(&mut self, load: &Load<'_>) -> Result<Vec<(Part, String)>, LoadError> {
        let settings = &self.shared.settings;
        let runtime = self.shared.runtime.get(&settings.inference)?;
        let ranker: Arc<dyn Ranker> = Arc::new(OnnxRankingModel::load(load.artifact, &runtime)?);
        let id = load.artifact.id().clone();
        let words = id.to_string();
        let model = Arc::new(RankingModel { id, ranker });
        self.shared.cell.update(|snapshot| snapshot.ranking_model = Some(model));
        Ok(vec![(Part::RankingModel, words)])
    }

    fn advice(&self) -> &'static str {
        "it is optional; tools/train ranking-model makes one. Without it a linear ranker fitted from the store serves"
    }
}
