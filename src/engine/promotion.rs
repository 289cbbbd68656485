//! Whether a newer model serves without being asked to, by the rules of the settings.

use crate::artifact::{ArtifactKind, Manifest};
use crate::config::ModelRules;

/// Why a newer model waits; `None`: it is to serve.
pub(super) fn why_it_waits(candidate: &Manifest, serving: &Manifest, rules: &ModelRules) -> Option<String> {
    if !rules.auto_promote {
        return Some("it waits until somebody pins it: the setting artifacts.auto_promote is off".to_owned());
    }
    let (metric, lower_is_better) = metric_of(candidate.kind())?;
    let (new, old) = (candidate.training.as_ref()?, serving.training.as_ref()?);
    // Values on different data say nothing about each other.
    if new.data_set != old.data_set {
        return None;
    }
    let (new, old) = (*new.metrics.get(metric)?, *old.metrics.get(metric)?);
    let loss = if lower_is_better { new - old } else { old - new };
    // A value that is no number is as bad as any.
    let is_acceptable = loss <= rules.max_metric_loss * old.abs();
    (!is_acceptable).then(|| {
        format!(
            "it waits until somebody pins it: its {metric} is {new}, that of the serving model {old}, and more than \
             {} % is lost (setting artifacts.max_metric_loss)",
            100.0 * rules.max_metric_loss
        )
    })
}

/// The value of the manifest that tells how good a model of a kind is, and whether lower is better.
fn metric_of(kind: ArtifactKind) -> Option<(&'static str, bool)> {
    match kind {
        ArtifactKind::RatingNetwork => Some(("rmse", true)),
        ArtifactKind::RankingModel | ArtifactKind::ItemItemModel => Some(("ndcg_at_10", false)),
        ArtifactKind::TextEncoder => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Training;
    use std::collections::BTreeMap;

    fn manifest(name: &str, data_set: &str, metric: Option<(&str, f64)>) -> Manifest {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/artifacts").join(name);
        let mut manifest = Manifest::parse(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        manifest.training = metric.map(|(name, value)| Training {
            data_set: data_set.to_owned(),
            metrics: BTreeMap::from([(name.to_owned(), value)]),
            settings: serde_json::Map::new(),
        });
        manifest
    }

    #[test]
    fn a_newer_model_waits_only_when_it_says_itself_that_it_is_worse() {
        let config = crate::config::Config::load(None, &crate::config::Overrides::default()).unwrap();
        let rules = config.artifacts.rules;
        let network = |value: f64| manifest("tiny-network", "a", Some(("rmse", value)));
        let ranker = |value: f64| manifest("tiny-ranking", "a", Some(("ndcg_at_10", value)));
        for (candidate, serving, waits) in [
            (network(0.9), network(0.9), false),
            (network(0.94), network(0.9), false),
            (network(0.96), network(0.9), true),
            (network(0.5), network(0.9), false),
            (network(f64::NAN), network(0.9), true),
            (ranker(0.28), ranker(0.30), true),
            (ranker(0.29), ranker(0.30), false),
            (manifest("tiny-network", "b", Some(("rmse", 2.0))), network(0.9), false),
            (manifest("tiny-network", "a", None), network(0.9), false),
            (manifest("tiny-encoder", "a", Some(("rmse", 2.0))), network(0.9), false),
        ] {
            let why = why_it_waits(&candidate, &serving, &rules);
            assert_eq!(why.is_some(), waits, "{:?}: {why:?}", candidate.training);
        }
        let manual = ModelRules { auto_promote: false, ..rules };
        assert!(why_it_waits(&network(0.5), &network(0.9), &manual).unwrap().contains("auto_promote"));
    }
}
