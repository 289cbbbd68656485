//! Runs models: the text encoder, the rating network and the ranking model. The only room that knows ort and tokenizers.
//!
//! ONNX Runtime is a shared library that is loaded once per process ([`Runtime`]). A session is owned by one thread;
//! those of a model work off one bounded queue ([`Worker`]); a full queue is said at once. A model is ready only after
//! its signature agreed with the contract and its golden probe gave the expected numbers. Native code and tokenizers are
//! fenced: a panic becomes an error.

#[cfg(test)]
mod fixture;
mod movie_features;
mod ranking_model;
mod rating_network;
mod runtime;
mod session;
mod text_encoder;
mod worker;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

pub use ranking_model::OnnxRankingModel;
pub use rating_network::{Coverage, OnnxRatingNetwork, PreparedNetwork};
pub use runtime::Runtime;
pub use text_encoder::{EncoderOptions, OnnxTextEncoder};
pub use worker::{Ticket, Worker, WorkerError};

use crate::artifact::ArtifactError;
use crate::recommend::PortError;

/// Why a model could not be loaded or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// ONNX Runtime is in none of the places it is looked for.
    #[error(
        "the ONNX Runtime library was not found; looked at {}. Run tools/run once to fetch it, or set its path in the \
         configuration or in ORT_DYLIB_PATH",
        list(.0)
    )]
    LibraryNotFound(Vec<PathBuf>),
    /// The library is there but cannot be used.
    #[error("the ONNX Runtime library {path} cannot be used: {reason}")]
    LibraryUnusable {
        /// The library.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A process can load one library only.
    #[error("ONNX Runtime was already started from {running}; {asked} needs a restart")]
    LibraryDiffers {
        /// The library in use.
        running: PathBuf,
        /// The library asked for.
        asked: PathBuf,
    },
    /// The artifact cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The runtime or the tokenizer refused a file.
    #[error("{file} cannot be loaded: {reason}")]
    Load {
        /// The file.
        file: String,
        /// What was said.
        reason: String,
    },
    /// A graph has other inputs or outputs than the contract says.
    #[error("{file} has another signature than the contract: {problem}")]
    Signature {
        /// The graph.
        file: String,
        /// What differs.
        problem: String,
    },
    /// The model computes something else than its maker recorded.
    #[error("the golden probe failed: {what} differs by {difference} where {tolerance} is allowed")]
    Probe {
        /// Which number.
        what: String,
        /// Largest difference found.
        difference: f32,
        /// Difference allowed.
        tolerance: f32,
    },
    /// A run failed or gave something unusable.
    #[error("the model did not run: {0}")]
    Run(String),
    /// The network was trained on another catalogue.
    #[error(
        "the rating network knows {known} of the catalogue's {rated} rated movies by id and title; at least \
         {least_percent:.0} % are needed, so it was probably trained on another data set"
    )]
    VocabularyMismatch {
        /// Rated movies that it knows.
        known: usize,
        /// Rated movies of the catalogue.
        rated: usize,
        /// Share that is needed, in percent.
        least_percent: f64,
    },
    /// The ranking model was trained on other features.
    #[error(
        "the ranking model was trained on other features: number {place} is {found} where this program has {expected}; \
         train it again on what this program exports"
    )]
    Features {
        /// Number of the first that differs, from 1.
        place: usize,
        /// Its name in the model.
        found: String,
        /// Its name here.
        expected: String,
    },
    /// The worker did not answer.
    #[error("{0}")]
    Worker(#[from] WorkerError),
}

impl InferenceError {
    fn into_port(self, port: &'static str) -> PortError {
        match self {
            Self::Worker(WorkerError::Busy | WorkerError::TimedOut) => PortError::Busy(port),
            other => PortError::Failed(port, other.to_string()),
        }
    }
}

/// How a model's worker is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Threads that compute, of all sessions together.
    pub threads: usize,
    /// Jobs that may wait; one more is refused.
    pub queue: usize,
    /// How long an asker waits; then its job is given up, and dropped unrun if it has not begun.
    pub patience: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { threads: 1, queue: 64, patience: Duration::from_secs(30) }
    }
}

/// Runs foreign code; a panic becomes its message.
fn fenced<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panic_message(&*panic))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("without a message"))
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Compares computed with expected numbers; a difference that is not a number is the largest.
fn check_probe(what: &str, pairs: (&[f32], &[f32]), tolerance: f32) -> Result<(), InferenceError> {
    let (computed, expected) = pairs;
    let distances = computed.iter().zip(expected).map(|(left, right)| (left - right).abs());
    let difference = distances.fold(
        0.0,
        |largest: f32, distance| {
            if distance.is_nan() { f32::INFINITY } else { largest.max(distance) }
        },
    );
    if computed.len() == expected.len() && difference <= tolerance {
        return Ok(());
    }
    let what = if computed.len() == expected.len() { what.to_owned() } else { format!("the length of {what}") };
    Err(InferenceError::Probe { what, difference, tolerance })
}
