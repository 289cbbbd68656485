//! What it takes to make a model serve: the trait that each kind of model has an implementation of, and why it may fail.

use std::sync::{Arc, PoisonError};

use super::Shared;
use super::lane::Stop;
use super::rehearsal::Rehearsal;
use super::snapshot::Base;
use super::status::{ModelChecks, Part};
use super::trial::{Verdict, try_until};
use crate::artifact::{Artifact, ArtifactError, ArtifactId, ArtifactKind};
use crate::config::ModelRules;
use crate::inference::{InferenceError, Runtime};
use crate::store::StoreError;

/// Why a model does not serve.
#[derive(Debug)]
pub(super) enum LoadError {
    /// The files are to blame: not tried again until they change.
    Artifact(String),
    /// Files are missing or short, so it may be a copy in progress: refused when it is still so at the next look.
    Incomplete(String),
    /// The machine is to blame (no runtime, a full disk, a busy model): tried again at the next look.
    Environment(String),
    /// Its turn has not come: something that it is tried with is still being made. The words say what.
    NotYet(&'static str),
}

impl LoadError {
    /// What is wrong, in words.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Artifact(reason) | Self::Incomplete(reason) | Self::Environment(reason) => reason,
            Self::NotYet(what) => what,
        }
    }

    /// What was prepared is for a base that does not answer any more.
    pub(super) fn fitted_meanwhile() -> Self {
        Self::Environment("the catalogue was fitted anew meanwhile; it is tried again at the next look".to_owned())
    }
}

impl From<ArtifactError> for LoadError {
    fn from(error: ArtifactError) -> Self {
        let reason = error.to_string();
        match error {
            error if error.is_incomplete() => Self::Incomplete(reason),
            // A disk that fails, or rights that somebody will give.
            ArtifactError::Io { .. } => Self::Environment(reason),
            _ => Self::Artifact(reason),
        }
    }
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> Self {
        Self::Environment(error.to_string())
    }
}

impl From<InferenceError> for LoadError {
    fn from(error: InferenceError) -> Self {
        match error {
            InferenceError::Artifact(error) => error.into(),
            // A model that does not answer in time has a busy machine around it.
            InferenceError::Worker(_) => Self::Environment(error.to_string()),
            error => Self::Artifact(error.to_string()),
        }
    }
}

/// How a load tells how far it is: the part in work, what is done, and steps done and in all.
pub(super) type Progress<'a> = &'a dyn Fn(Part, &'static str, Option<(usize, usize)>);

/// What a load works with.
pub(super) struct Load<'a> {
    pub(super) artifact: &'a Artifact,
    pub(super) base: &'a Arc<Base>,
    pub(super) progress: Progress<'a>,
    pub(super) stop: &'a Stop,
    pub(super) rules: &'a ModelRules,
}

/// A model that is ready to serve, what to say of its parts, and what it was found to be.
pub(super) struct Models<M> {
    pub(super) model: M,
    pub(super) parts: Vec<(Part, String)>,
    pub(super) checks: ModelChecks,
}

/// Makes artifacts of one kind serve.
pub(super) trait ModelLoader: Send {
    /// What a load comes to.
    type Model;

    /// The kind it takes.
    fn kind(&self) -> ArtifactKind;

    /// What the lanes share.
    fn shared(&self) -> &Arc<Shared>;

    /// What a model is asked on the store's data in the process that tries it.
    fn rehearsal(&self, base: &Base) -> Result<Rehearsal, LoadError>;

    /// Loads, probes, builds what depends on it, and asks the canaries. Nothing serves differently yet.
    fn load(&mut self, load: &Load<'_>) -> Result<Models<Self::Model>, LoadError>;

    /// Lets it serve, and returns when nothing uses the one before any more; false when what it was made for has been
    /// fitted anew meanwhile.
    fn swap(&mut self, model: Self::Model) -> bool;

    /// How to provide an artifact of this kind.
    fn advice(&self) -> &'static str;

    /// Whether a model of this kind can run beside the one that serves.
    fn has_shadow(&self) -> bool {
        false
    }

    /// Whether this model runs beside the one that serves.
    fn is_in_shadow(&self, _id: &ArtifactId) -> bool {
        false
    }

    /// Runs a model beside the one that serves.
    fn shadow(&mut self, _id: &ArtifactId, _model: Self::Model) {}

    /// Lets go of the model beside the one that serves.
    fn end_shadow(&mut self) {}
}

/// Of this store's rated movies a model may have to know a share.
pub(super) fn check_known_movies(
    kind: ArtifactKind,
    (known, rated): (usize, usize),
    least: f64,
) -> Result<(), LoadError> {
    if known as f64 >= least * rated as f64 {
        return Ok(());
    }
    Err(LoadError::Artifact(format!(
        "the {kind} knows {known} of the catalogue's {rated} rated movies by id and title; at least {:.0} % are needed, so \
         it was probably trained on another data set",
        100.0 * least
    )))
}

impl Shared {
    /// Tries a model in a process of its own and remembers that it passed, if it was asked anything but its probe.
    /// Returns the memory that took in MiB; `None` where the settings leave it out.
    pub(super) fn try_model(
        &self,
        artifact: &Artifact,
        rehearsal: impl FnOnce() -> Result<Rehearsal, LoadError>,
        stop: &Stop,
    ) -> Result<Option<u64>, LoadError> {
        let rules = self.rules();
        if !rules.separate_process {
            return Ok(None);
        }
        if let Some(memory_mib) = self.choices.tried(artifact.id()) {
            return Ok(Some(memory_mib));
        }
        let rehearsal = rehearsal()?;
        // One at a time: each may take as much memory as the largest model.
        let _alone = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        let library = if artifact.manifest().kind().has_graphs() {
            let found = Runtime::find_library(self.settings.inference.library.as_deref());
            Some(found.map_err(|error| LoadError::Environment(error.to_string()))?)
        } else {
            None
        };
        match try_until((artifact.folder(), library.as_deref()), &rehearsal, &rules, stop) {
            Verdict::Sound { memory_mib } => {
                if rehearsal == Rehearsal::Nothing {
                    return Ok(Some(memory_mib));
                }
                if let Err(error) = self.choices.set_tried(&self.store, artifact.id(), memory_mib) {
                    tracing::warn!(%error, "that a model was tried is not remembered");
                }
                Ok(Some(memory_mib))
            }
            Verdict::Refused(reason) => Err(LoadError::Artifact(reason)),
            Verdict::Environment(reason) => Err(LoadError::Environment(reason)),
        }
    }
}
