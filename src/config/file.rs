//! The raw form: what TOML files and the environment say, before it is checked. Unknown keys are refused.

use std::collections::HashMap;
use std::path::Path;

use config::{ConfigError as SourceError, Environment, File, FileFormat};
use serde::Deserialize;

use super::ConfigError;

/// The defaults, with their documentation.
pub(super) const DEFAULTS: &str = include_str!("../../config.toml");

const ENVIRONMENT_PREFIX: &str = "MARQUEE_";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub(super) store: StoreSection,
    pub(super) artifacts: ArtifactsSection,
    pub(super) inference: InferenceSection,
    pub(super) search: SearchSection,
    pub(super) recommend: RecommendSection,
    pub(super) http: HttpSection,
    pub(super) log: LogSection,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreSection {
    pub(super) data_dir: String,
    pub(super) cache_mib: u64,
    pub(super) check_on_open: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArtifactsSection {
    pub(super) dir: String,
    pub(super) quiet_ms: u64,
    pub(super) poll_s: u64,
    pub(super) required: Vec<String>,
    pub(super) separate_process: bool,
    pub(super) max_model_mib: u64,
    pub(super) max_load_s: u64,
    pub(super) min_known_movies: f64,
    pub(super) min_known_users: f64,
    pub(super) min_canary_overlap: f64,
    pub(super) auto_promote: bool,
    pub(super) max_metric_loss: f64,
    pub(super) shadow_share: f64,
    pub(super) keep_versions: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InferenceSection {
    pub(super) library: String,
    pub(super) threads: u64,
    pub(super) queue_length: u64,
    pub(super) embedding_share: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchSection {
    pub(super) embedding_text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecommendSection {
    pub(super) predicted_rating: String,
    pub(super) refit_minutes: u64,
    pub(super) prepare_answers: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpSection {
    pub(super) listen: String,
    pub(super) hosts: Vec<String>,
    pub(super) max_connections: u64,
    pub(super) max_requests: u64,
    pub(super) keys_file: String,
    pub(super) max_body_bytes: u64,
    pub(super) max_head_bytes: u64,
    pub(super) max_text_bytes: u64,
    pub(super) max_top_k: u64,
    pub(super) head_timeout_ms: u64,
    pub(super) request_timeout_ms: u64,
    pub(super) write_timeout_ms: u64,
    pub(super) drain_timeout_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogSection {
    pub(super) format: String,
    pub(super) filter: String,
}

/// Lays file and environment over the defaults.
pub(super) fn read(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<ConfigFile, ConfigError> {
    let mut layers = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some(path) = file {
        // Read here, so that a missing file is told apart from a wrong one.
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_path_buf(), source })?;
        layers = layers.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let describe = |error: SourceError| ConfigError::Invalid(error.to_string());
    let mut settings = environment_settings(environment);
    // The lists; of all other values the text is kept until the type is known, so that a folder may be called 007.
    for key in ["artifacts.required", "http.hosts"] {
        if let Some(entries) = settings.remove(&key.replace('.', "__")) {
            let entries: Vec<&str> = entries.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
            layers = layers.set_override(key, entries).map_err(describe)?;
        }
    }
    let layer = Environment::default().separator("__").source(Some(settings));
    layers.add_source(layer).build().map_err(describe)?.try_deserialize().map_err(describe)
}

/// Only names with `__` are settings: MARQUEE_CACHE and the like mean something else.
fn environment_settings(environment: impl Iterator<Item = (String, String)>) -> HashMap<String, String> {
    environment
        .filter_map(|(name, value)| Some((name.strip_prefix(ENVIRONMENT_PREFIX)?.to_ascii_lowercase(), value)))
        .filter(|(name, _)| name.contains("__"))
        .collect()
}
