//! Settings, checked once: a [`Config`] cannot hold a bad value.
//!
//! `config.toml` of the repository is compiled in as the defaults and documents every setting.

mod changes;
mod file;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use file::ConfigFile;

use crate::artifact::ArtifactKind;
use crate::recommend::{EmbeddingText, MAX_QUESTIONS};

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by `--config` cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("the configuration is wrong: {0}")]
    Invalid(String),
    /// A value outside its bounds.
    #[error("the configuration is wrong: {key} is {value}, and {must}")]
    OutOfBounds {
        /// Section and key.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        must: String,
    },
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of everything the daemon keeps.
    pub data_dir: PathBuf,
    /// Memory for cached database pages, in bytes.
    pub store_cache_bytes: usize,
    /// Whether to verify the database when opening it.
    pub store_check_on_open: bool,
    /// Watching for trained models.
    pub artifacts: ArtifactsConfig,
    /// Running models.
    pub inference: InferenceConfig,
    /// What is embedded of each movie.
    pub embedding_text: EmbeddingText,
    /// What predicts ratings.
    pub predicted_rating: RatingPredictor,
    /// How often what people changed is taken into the fitted methods; `None`: at the next start.
    pub refit_interval: Option<Duration>,
    /// Whether answers are made before anybody asks.
    pub prepare_answers: bool,
    /// The server.
    pub http: HttpConfig,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written.
    pub log_filter: String,
}

/// What predicts ratings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatingPredictor {
    /// The model fitted from the store.
    Model,
    /// The trained network, or neighbours.
    Network,
}

/// Watching for trained models.
#[derive(Clone, Debug)]
pub struct ArtifactsConfig {
    /// The folder, when it is not models/ in the data folder.
    dir: Option<PathBuf>,
    /// How long nothing may have changed before the folder is looked at.
    pub quiet: Duration,
    /// How often the folder is looked at anyway.
    pub poll: Duration,
    /// Kinds without which the daemon does not call itself ready.
    pub required: Vec<ArtifactKind>,
    /// What a model must keep to.
    pub rules: ModelRules,
}

/// What a trained model must keep to before it serves, and what becomes of those that are good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelRules {
    /// Whether each model is first loaded and probed in a process of its own.
    pub separate_process: bool,
    /// Most memory that process may take, in MiB.
    pub max_model_mib: u64,
    /// Most processor time that process may take.
    pub max_load: Duration,
    /// Least share of the catalogue's rated movies that a rating network must know.
    pub min_known_movies: f64,
    /// Least share of the store's users that a rating network must know.
    pub min_known_users: f64,
    /// Least share of the canaries' best ten that must be those of the serving model.
    pub min_canary_overlap: f64,
    /// Whether a newer model that keeps to the rules serves without being asked to.
    pub auto_promote: bool,
    /// How much worse than the serving one its own measured value may be to do so, as a share.
    pub max_metric_loss: f64,
    /// Share of the requests on which a rating network that waits is tried beside the serving one.
    pub shadow_share: f64,
    /// How many older versions of a kind stay in the models folder; `None`: all.
    pub keep_versions: Option<usize>,
}

/// Running models.
#[derive(Clone, Debug, PartialEq)]
pub struct InferenceConfig {
    /// ONNX Runtime's shared library, when it is not to be searched for.
    pub library: Option<PathBuf>,
    /// Threads per model run.
    pub threads: usize,
    /// Requests that may wait for a model.
    pub queue_length: usize,
    /// Share of the time that is spent on embedding while requests come in.
    pub embedding_share: f64,
}

/// The server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Names a request may be addressed to when listening on loopback, besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Open connections at once.
    pub max_connections: usize,
    /// Requests worked on at once.
    pub max_requests: usize,
    /// File of the API keys; without one, only loopback may change anything.
    pub keys_file: Option<PathBuf>,
    /// Longest request body, in bytes.
    pub max_body_bytes: usize,
    /// Longest request head, in bytes.
    pub max_head_bytes: usize,
    /// Longest text of a query, in bytes.
    pub max_text_bytes: usize,
    /// Most results one request may ask for.
    pub max_top_k: usize,
    /// Time for a request head to arrive.
    pub head_timeout: Duration,
    /// Time for a request to be answered.
    pub request_timeout: Duration,
    /// Time for a client to take an answer.
    pub write_timeout: Duration,
    /// Time for requests in flight after SIGTERM.
    pub drain_timeout: Duration,
}

/// What the command line says over the files.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
}

/// Where settings come from, so that they can be read again.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// What the command line says over the files.
    pub overrides: Overrides,
}

impl Source {
    /// Reads and checks them.
    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.file.as_deref(), &self.overrides)
    }
}

impl Config {
    /// Defaults, then `file`, then the environment, then the command line.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        // A name or value that is not Unicode cannot be a setting of ours.
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut config = Self::check(file::read(file, environment)?)?;
        if let Some(data_dir) = &overrides.data_dir {
            config.data_dir.clone_from(data_dir);
        }
        config.http.listen = overrides.listen.unwrap_or(config.http.listen);
        Ok(config)
    }

    /// The store's file.
    pub fn store_path(&self) -> PathBuf {
        self.index_dir().join("marquee.redb")
    }

    /// Folder of the vector index files.
    pub fn index_dir(&self) -> PathBuf {
        self.data_dir.join("store")
    }

    /// Folder watched for trained models.
    pub fn artifacts_dir(&self) -> PathBuf {
        self.artifacts.dir.clone().unwrap_or_else(|| self.data_dir.join("models"))
    }

    fn check(raw: ConfigFile) -> Result<Self, ConfigError> {
        let (store, artifacts, inference) = (raw.store, raw.artifacts, raw.inference);
        if store.data_dir.is_empty() {
            return Err(out_of_bounds("store.data_dir", "empty", "it must name a folder"));
        }
        Ok(Self {
            data_dir: PathBuf::from(store.data_dir),
            store_cache_bytes: bounded("store.cache_mib", store.cache_mib, 1, 65_536)? << 20,
            store_check_on_open: store.check_on_open,
            artifacts: check_artifacts(artifacts)?,
            inference: InferenceConfig {
                library: path_unless_empty(inference.library),
                threads: match bounded("inference.threads", inference.threads, 0, 256)? {
                    0 => std::thread::available_parallelism().map_or(1, usize::from),
                    threads => threads,
                },
                queue_length: bounded("inference.queue_length", inference.queue_length, 1, 65_536)?,
                embedding_share: share("inference.embedding_share", inference.embedding_share, 0.05)?,
            },
            embedding_text: EmbeddingText::from_name(&raw.search.embedding_text).ok_or_else(|| {
                let must = "it must be \"overview\", \"genres-overview\" or \"title-genres-overview\"";
                out_of_bounds("search.embedding_text", &raw.search.embedding_text, must)
            })?,
            predicted_rating: match raw.recommend.predicted_rating.as_str() {
                "rating-model" => RatingPredictor::Model,
                "rating-network" => RatingPredictor::Network,
                other => {
                    let must = "it must be \"rating-model\" or \"rating-network\"";
                    return Err(out_of_bounds("recommend.predicted_rating", other, must));
                }
            },
            refit_interval: match bounded("recommend.refit_minutes", raw.recommend.refit_minutes, 0, 527_040)? {
                0 => None,
                minutes => Some(Duration::from_secs(60 * minutes as u64)),
            },
            prepare_answers: raw.recommend.prepare_answers,
            http: check_http(&raw.http)?,
            log_format: match raw.log.format.as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                other => return Err(out_of_bounds("log.format", other, "it must be \"text\" or \"json\"")),
            },
            log_filter: if raw.log.filter.trim().is_empty() {
                return Err(out_of_bounds("log.filter", "empty", "it must name a level, such as \"info\""));
            } else {
                raw.log.filter
            },
        })
    }
}

fn check_artifacts(raw: file::ArtifactsSection) -> Result<ArtifactsConfig, ConfigError> {
    let kinds = raw.required.iter().filter(|kind| !kind.is_empty());
    Ok(ArtifactsConfig {
        rules: check_rules(&raw)?,
        quiet: milliseconds("artifacts.quiet_ms", raw.quiet_ms, 1, 60_000)?,
        poll: Duration::from_secs(bounded("artifacts.poll_s", raw.poll_s, 1, 86_400)? as u64),
        required: kinds.map(|kind| artifact_kind(kind)).collect::<Result<_, _>>()?,
        dir: path_unless_empty(raw.dir),
    })
}

fn check_rules(raw: &file::ArtifactsSection) -> Result<ModelRules, ConfigError> {
    Ok(ModelRules {
        separate_process: raw.separate_process,
        max_model_mib: bounded("artifacts.max_model_mib", raw.max_model_mib, 64, 1 << 20)? as u64,
        max_load: Duration::from_secs(bounded("artifacts.max_load_s", raw.max_load_s, 1, 3600)? as u64),
        min_known_movies: share("artifacts.min_known_movies", raw.min_known_movies, 0.0)?,
        min_known_users: share("artifacts.min_known_users", raw.min_known_users, 0.0)?,
        min_canary_overlap: share("artifacts.min_canary_overlap", raw.min_canary_overlap, 0.0)?,
        auto_promote: raw.auto_promote,
        max_metric_loss: share("artifacts.max_metric_loss", raw.max_metric_loss, 0.0)?,
        shadow_share: share("artifacts.shadow_share", raw.shadow_share, 0.0)?,
        keep_versions: match bounded("artifacts.keep_versions", raw.keep_versions, 0, 1000)? {
            0 => None,
            n => Some(n),
        },
    })
}

fn check_http(raw: &file::HttpSection) -> Result<HttpConfig, ConfigError> {
    let listen = raw.listen.parse().map_err(|_| {
        out_of_bounds("http.listen", &raw.listen, "it must be an address and a port, such as 127.0.0.1:8000")
    })?;
    Ok(HttpConfig {
        listen,
        hosts: raw
            .hosts
            .iter()
            .filter(|name| !name.is_empty())
            .map(|name| host_name(name))
            .collect::<Result<_, _>>()?,
        max_connections: bounded("http.max_connections", raw.max_connections, 1, 65_536)?,
        max_requests: bounded("http.max_requests", raw.max_requests, 1, MAX_QUESTIONS)?,
        keys_file: path_unless_empty(raw.keys_file.clone()),
        max_body_bytes: bounded("http.max_body_bytes", raw.max_body_bytes, 1_024, 1 << 30)?,
        max_head_bytes: bounded("http.max_head_bytes", raw.max_head_bytes, 8_192, 1 << 20)?,
        max_text_bytes: bounded("http.max_text_bytes", raw.max_text_bytes, 1, 32_768)?,
        max_top_k: bounded("http.max_top_k", raw.max_top_k, 1, 10_000)?,
        head_timeout: milliseconds("http.head_timeout_ms", raw.head_timeout_ms, 10, 3_600_000)?,
        request_timeout: milliseconds("http.request_timeout_ms", raw.request_timeout_ms, 10, 3_600_000)?,
        write_timeout: milliseconds("http.write_timeout_ms", raw.write_timeout_ms, 10, 3_600_000)?,
        drain_timeout: milliseconds("http.drain_timeout_ms", raw.drain_timeout_ms, 0, 3_600_000)?,
    })
}

fn host_name(name: &str) -> Result<String, ConfigError> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        Ok(name.to_owned())
    } else {
        Err(out_of_bounds("http.hosts", name, "each must be a host name without a port"))
    }
}

fn artifact_kind(name: &str) -> Result<ArtifactKind, ConfigError> {
    ArtifactKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| out_of_bounds("artifacts.required", name, &format!("known are {}", ArtifactKind::list())))
}

fn out_of_bounds(key: &'static str, value: &str, must: &str) -> ConfigError {
    ConfigError::OutOfBounds { key, value: value.to_owned(), must: must.to_owned() }
}

fn bounded(key: &'static str, value: u64, least: usize, most: usize) -> Result<usize, ConfigError> {
    usize::try_from(value)
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| out_of_bounds(key, &value.to_string(), &format!("it must be between {least} and {most}")))
}

fn share(key: &'static str, value: f64, least: f64) -> Result<f64, ConfigError> {
    if (least..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(out_of_bounds(key, &value.to_string(), &format!("it must be between {least} and 1")))
    }
}

fn milliseconds(key: &'static str, value: u64, least: usize, most: usize) -> Result<Duration, ConfigError> {
    Ok(Duration::from_millis(bounded(key, value, least, most)? as u64))
}

fn path_unless_empty(path: String) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Config::check(file::read(Some(&path), environment)?)
    }

    #[test]
    fn the_documented_defaults_are_valid() {
        let config = with("", &[]).unwrap();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(config.artifacts_dir(), Path::new("data/models"));
        assert!(config.inference.threads >= 1);
    }

    #[test]
    fn the_file_wins_over_defaults_and_the_environment_over_the_file() {
        let file = "[http]\nlisten = \"127.0.0.1:1\"\nmax_top_k = 7\n";
        let environment =
            [("MARQUEE_HTTP__LISTEN", "127.0.0.1:2"), ("MARQUEE_CACHE", "/somewhere"), ("HTTP__MAX_TOP_K", "9")];
        let config = with(file, &environment).unwrap();
        assert_eq!((config.http.listen.port(), config.http.max_top_k), (2, 7));
    }

    #[test]
    fn values_of_the_environment_are_read_as_what_the_key_wants() {
        let environment = [
            ("MARQUEE_STORE__DATA_DIR", "007"),
            ("MARQUEE_ARTIFACTS__DIR", "1e5"),
            ("MARQUEE_SEARCH__EMBEDDING_TEXT", "overview"),
            ("MARQUEE_STORE__CHECK_ON_OPEN", "true"),
            ("MARQUEE_STORE__CACHE_MIB", "5"),
            ("MARQUEE_ARTIFACTS__REQUIRED", "rating-network, text-encoder"),
        ];
        let config = with("", &environment).unwrap();
        assert_eq!((config.data_dir.as_path(), config.artifacts_dir()), (Path::new("007"), PathBuf::from("1e5")));
        assert_eq!((config.store_check_on_open, config.store_cache_bytes), (true, 5 << 20));
        assert_eq!(config.artifacts.required, [ArtifactKind::RatingNetwork, ArtifactKind::TextEncoder]);
        assert!(with("", &[("MARQUEE_ARTIFACTS__REQUIRED", "")]).unwrap().artifacts.required.is_empty());
    }

    #[test]
    fn mistakes_are_refused_with_the_key() {
        for (file, environment, expected) in [
            ("[http]\nlisen = \"x\"", None, "lisen"),
            ("[http]\nlisten = \"localhost\"", None, "http.listen"),
            ("[http]\nmax_top_k = 0", None, "http.max_top_k is 0, and it must be between 1 and 10000"),
            ("[http]\nmax_top_k = \"many\"", None, "max_top_k"),
            ("[http]\nhosts = [\"films.example:80\"]", None, "http.hosts is films.example:80"),
            ("[log]\nformat = \"xml\"", None, "log.format"),
            ("[artifacts]\nrequired = [\"cat\"]", None, "artifacts.required is cat"),
            ("[search]\nembedding_text = \"poster\"", None, "search.embedding_text"),
            ("[recommend]\npredicted_rating = \"dice\"", None, "recommend.predicted_rating"),
            ("not toml", None, "configuration is wrong"),
            ("[http]\nmax_requests = 513", None, "http.max_requests is 513, and it must be between 1 and 512"),
            ("[log]\nfilter = \" \"", None, "log.filter is empty"),
            ("", Some(("MARQUEE_HTTP__LISEN", "x")), "lisen"),
            ("", Some(("MARQUEE_HTTP__MAX_TOP_K", "many")), "max_top_k"),
            ("", Some(("MARQUEE_ARTIFACTS__REQUIRED", "cat")), "artifacts.required is cat"),
        ] {
            let error = with(file, environment.as_slice()).unwrap_err().to_string();
            assert!(error.contains(expected), "{file} gave {error}");
        }
        let missing = file::read(Some(Path::new("no/such/file.toml")), std::iter::empty()).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read the configuration no/such/file.toml"));
    }
}
