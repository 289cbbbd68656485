//! Trained models for an evaluation, loaded as the daemon loads them.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::artifact::{self, Artifact, ArtifactKind, Limits};
use crate::config::Config;
use crate::domain::Catalogue;
use crate::inference::{OnnxRankingModel, OnnxRatingNetwork, Runtime, WorkerOptions};
use crate::recommend::{PairScorer, Ranker};

/// The newest valid model of each kind in a folder.
#[derive(Default)]
pub(super) struct Models {
    pub(super) ranker: Option<Arc<dyn Ranker>>,
    pub(super) network: Option<Arc<dyn PairScorer>>,
}

impl Models {
    /// Loads what the folder has; a model that cannot be loaded is an error.
    pub(super) fn load(config: &Config, dir: Option<&Path>, catalogue: &Catalogue) -> anyhow::Result<Self> {
        let Some(dir) = dir else { return Ok(Self::default()) };
        let library = Runtime::find_library(config.inference.library.as_deref())?;
        let runtime = Runtime::start(&library, config.inference.threads)?;
        let mut models = Self::default();
        if let Some(artifact) = newest(dir, ArtifactKind::RankingModel)? {
            models.ranker = Some(Arc::new(OnnxRankingModel::load(&artifact, &runtime)?));
        }
        if let Some(artifact) = newest(dir, ArtifactKind::RatingNetwork)? {
            let network = OnnxRatingNetwork::load(&artifact, &runtime, WorkerOptions::default())?;
            models.network = Some(Arc::new(network.prepare(catalogue, config.artifacts.rules.min_known_movies)?));
        }
        Ok(models)
    }
}

fn newest(dir: &Path, kind: ArtifactKind) -> anyhow::Result<Option<Artifact>> {
    let found = artifact::find(dir, Limits::default())?;
    let mut fitting = Vec::new();
    for candidate in found.candidates {
        let artifact = artifact::verify(&candidate.folder)
            .with_context(|| format!("the model in {}", candidate.folder.display()))?;
        if artifact.manifest().kind() == kind {
            fitting.push(artifact);
        }
    }
    Ok(fitting.into_iter().max_by_key(|artifact| artifact.manifest().created_ms))
}
