//! Decides what to do about the artifacts of one kind that a look at the models folder finds.
//!
//! The newest valid one serves. What was refused is tried again only when its files change, or when the reason lay with
//! the machine and not with the files. A folder that vanishes unloads nothing.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use super::lane::Stop;
use super::snapshot::Base;
use super::status::{ModelReport, ModelState, Part, PartState};
use crate::artifact::{self, Artifact, ArtifactError, ArtifactId, ArtifactKind, Candidate, Fingerprint, Found};
use crate::inference::InferenceError;
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
}

impl LoadError {
    /// What is wrong, in words.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Artifact(reason) | Self::Incomplete(reason) | Self::Environment(reason) => reason,
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
        if error.is_incomplete() { Self::Incomplete(reason) } else { Self::Artifact(reason) }
    }
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> Self {
        Self::Environment(error.to_string())
    }
}

impl From<InferenceError> for LoadError {
    fn from(error: InferenceError) -> Self {
        let reason = error.to_string();
        // A model that does not answer in time has a busy machine around it.
        if matches!(error, InferenceError::Worker(_)) { Self::Environment(reason) } else { Self::Artifact(reason) }
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
}

/// Makes artifacts of one kind serve.
pub(super) trait ModelLoader: Send {
    /// The kind it takes.
    fn kind(&self) -> ArtifactKind;

    /// What the lanes share.
    fn shared(&self) -> &Arc<Shared>;

    /// Loads, probes, builds what depends on it, and swaps; returns a description per part. An error leaves everything
    /// as it was.
    fn load(&mut self, load: &Load<'_>) -> Result<Vec<(Part, String)>, LoadError>;

    /// How to provide an artifact of this kind.
    fn advice(&self) -> &'static str;
}

struct Serving {
    id: ArtifactId,
    folder: PathBuf,
    fingerprint: Fingerprint,
    age: Age,
}

/// Newer is greater: time, version, name.
type Age = (i64, String, String);

struct Refusal {
    fingerprint: Fingerprint,
    reason: String,
    /// Whether the same files are not to be tried again.
    is_final: bool,
}

/// What is remembered from look to look.
pub(super) struct Looker<L> {
    loader: L,
    refused: HashMap<PathBuf, Refusal>,
    /// Older models whose files were found in order.
    intact: HashMap<PathBuf, Fingerprint>,
    serving: Option<Serving>,
    /// What was said of the models folder itself, so that it is said once.
    troubles: Vec<String>,
}

impl<L: ModelLoader> Looker<L> {
    pub(super) fn new(loader: L) -> Self {
        Self { loader, refused: HashMap::new(), intact: HashMap::new(), serving: None, troubles: Vec::new() }
    }

    /// One look at the models folder.
    pub(super) fn look(&mut self, stop: &Stop) {
        let shared = Arc::clone(self.loader.shared());
        // Nothing can be prepared for a catalogue that is not there; its loader asks for a look when it is.
        let Some(base) = shared.cell.load().map(|snapshot| Arc::clone(&snapshot.base)) else { return };
        let found = match artifact::find(&shared.settings.artifacts_dir, artifact::Limits::default()) {
            Ok(found) => found,
            Err(error) => {
                self.say_once(vec![format!("the models folder cannot be read: {error}")]);
                self.fail_unless_serving(&error.to_string());
                return;
            }
        };
        let Found { candidates, troubles } = found;
        self.say_once(troubles);
        self.forget_vanished(&candidates);
        for candidate in &candidates {
            if stop.is_asked() {
                return;
            }
            match &candidate.manifest {
                Ok(manifest) if manifest.kind() == self.loader.kind() => {
                    let age = (manifest.created_ms, manifest.version.clone(), manifest.name.clone());
                    self.consider(candidate, age, (&base, stop));
                }
                Ok(_) => {}
                Err(error) => self.refuse(candidate, None, LoadError::Artifact(error.to_string())),
            }
        }
        self.report_absence();
    }

    /// Loads a candidate if it is newer than what serves, or stands where that stood with other contents.
    fn consider(&mut self, candidate: &Candidate, age: Age, (base, stop): (&Arc<Base>, &Stop)) {
        if let Some(serving) = &self.serving {
            let same_folder = serving.folder == candidate.folder;
            if same_folder && serving.fingerprint == candidate.fingerprint {
                return;
            }
            if age <= serving.age && !same_folder {
                self.check_superseded(candidate);
                return;
            }
        }
        let refusal = self.refused.get(&candidate.folder);
        if refusal.is_some_and(|refusal| refusal.is_final && refusal.fingerprint == candidate.fingerprint) {
            return;
        }
        match self.verify_and_load(candidate, (base, stop)) {
            Ok((id, parts)) => self.now_serves(candidate, id, (age, parts)),
            Err(_) if stop.is_asked() => {}
            Err((id, error)) => self.refuse(candidate, id.as_ref(), error),
        }
    }

    /// An older model is not loaded, but whoever dropped it is told when its files are damaged.
    fn check_superseded(&mut self, candidate: &Candidate) {
        let is_same = |seen: &Fingerprint| *seen == candidate.fingerprint;
        let is_refused = self
            .refused
            .get(&candidate.folder)
            .is_some_and(|refusal| refusal.is_final && is_same(&refusal.fingerprint));
        if is_refused || self.intact.get(&candidate.folder).is_some_and(is_same) {
            return;
        }
        match artifact::verify(&candidate.folder) {
            Ok(artifact) => {
                self.report(candidate, Some(artifact.id()), ModelState::Superseded);
                self.refused.remove(&candidate.folder);
                self.intact.insert(candidate.folder.clone(), candidate.fingerprint.clone());
            }
            Err(error) => self.refuse(candidate, None, error.into()),
        }
    }

    #[expect(clippy::type_complexity, reason = "an id may be known although the load failed")]
    fn verify_and_load(
        &mut self,
        candidate: &Candidate,
        (base, stop): (&Arc<Base>, &Stop),
    ) -> Result<(ArtifactId, Vec<(Part, String)>), (Option<ArtifactId>, LoadError)> {
        self.report(candidate, None, ModelState::Loading { what: "verifying the files", progress: None });
        let artifact = artifact::verify(&candidate.folder).map_err(|error| (None, error.into()))?;
        let id = artifact.id().clone();
        // The same bytes under another time stamp need no loading.
        if self.serving.as_ref().is_some_and(|serving| serving.id == id) {
            return Ok((id, Vec::new()));
        }
        let shared = Arc::clone(self.loader.shared());
        let reporter = self.reporter(candidate, &id);
        let progress = |part, what, steps: Option<(usize, usize)>| reporter.tell(&shared, (part, what, steps));
        for part in Part::of_kind(self.loader.kind()) {
            progress(*part, "loading and probing the model", None);
        }
        let load = Load { artifact: &artifact, base, progress: &progress, stop };
        match catch_unwind(AssertUnwindSafe(|| self.loader.load(&load))) {
            Ok(Ok(parts)) => Ok((id, parts)),
            Ok(Err(error)) => Err((Some(id), error)),
            Err(_) => Err((Some(id), LoadError::Artifact("loading it broke off with a defect".to_owned()))),
        }
    }

    fn now_serves(&mut self, candidate: &Candidate, id: ArtifactId, (age, parts): (Age, Vec<(Part, String)>)) {
        let kind = self.loader.kind();
        let shared = Arc::clone(self.loader.shared());
        if !parts.is_empty() {
            tracing::info!(model = %id, "serving");
            metrics::counter!("marquee_model_loads_total", "kind" => kind.as_str(), "outcome" => "ok").increment(1);
        }
        for (part, words) in parts {
            shared.status.set_part(part, PartState::Ready(words));
        }
        if let Some(previous) = self.serving.take().filter(|serving| serving.folder != candidate.folder) {
            shared.status.supersede(&self.name(&previous.folder));
        }
        self.report(candidate, Some(&id), ModelState::Serving(None));
        self.refused.remove(&candidate.folder);
        let (folder, fingerprint) = (candidate.folder.clone(), candidate.fingerprint.clone());
        self.serving = Some(Serving { id, folder, fingerprint, age });
    }

    fn refuse(&mut self, candidate: &Candidate, id: Option<&ArtifactId>, error: LoadError) {
        let before = self.refused.get(&candidate.folder);
        let is_unchanged = before.is_some_and(|before| before.fingerprint == candidate.fingerprint);
        if is_unchanged && before.is_some_and(|before| before.is_final) {
            return;
        }
        let (reason, is_final, is_said) = match error {
            LoadError::Artifact(reason) => (reason, true, true),
            LoadError::Environment(reason) => (reason, false, true),
            LoadError::Incomplete(reason) => (reason, is_unchanged, is_unchanged),
        };
        let is_news = before.is_none_or(|before| before.reason != reason || before.is_final != is_final);
        let kind = candidate.manifest.as_ref().ok().map(|manifest| manifest.kind());
        // A manifest that cannot be read is seen by every lane; one of them speaks of it.
        if kind.is_some() || self.loader.kind() == ArtifactKind::RatingNetwork {
            if is_said && is_news {
                let folder = self.name(&candidate.folder);
                tracing::warn!(folder, reason, "model refused; what serves goes on serving");
                let kind = kind.map_or("unknown", ArtifactKind::as_str);
                metrics::counter!("marquee_model_loads_total", "kind" => kind, "outcome" => "rejected").increment(1);
            }
            self.report(candidate, id, ModelState::Rejected(reason.clone()));
        }
        if kind.is_some() {
            self.fail_unless_serving(&reason);
        }
        let fingerprint = candidate.fingerprint.clone();
        self.refused.insert(candidate.folder.clone(), Refusal { fingerprint, reason, is_final });
    }

    fn fail_unless_serving(&self, reason: &str) {
        if self.serving.is_none() {
            for part in Part::of_kind(self.loader.kind()) {
                self.loader.shared().status.set_part(*part, PartState::Failed(reason.to_owned()));
            }
        }
    }

    /// Says what is wrong with the folder itself when that changes; one lane speaks for all.
    fn say_once(&mut self, troubles: Vec<String>) {
        if self.loader.kind() == ArtifactKind::RatingNetwork && troubles != self.troubles {
            for reason in &troubles {
                tracing::warn!(reason, "looking for models");
            }
        }
        self.troubles = troubles;
    }

    /// Folders that are gone are not reported any more; one that serves stays.
    fn forget_vanished(&mut self, candidates: &[Candidate]) {
        let is_there = |folder: &PathBuf| candidates.iter().any(|candidate| candidate.folder == *folder);
        self.refused.retain(|folder, _| is_there(folder));
        self.intact.retain(|folder, _| is_there(folder));
        let names: Vec<String> = candidates.iter().map(|candidate| self.name(&candidate.folder)).collect();
        self.loader
            .shared()
            .status
            .retain_models(|report| matches!(report.state, ModelState::Serving(_)) || names.contains(&report.folder));
    }

    /// Without any artifact of the kind, its parts say what to do about it.
    fn report_absence(&self) {
        let shared = self.loader.shared();
        let kind = self.loader.kind();
        let is_failed = |part: &Part| matches!(shared.status.part(*part), PartState::Failed(_));
        if self.serving.is_some() || (!self.refused.is_empty() && Part::of_kind(kind).iter().any(is_failed)) {
            return;
        }
        let required = shared.settings.required.contains(&kind);
        let why = format!("there is no {kind} in the models folder: {}", self.loader.advice());
        for part in Part::of_kind(kind) {
            shared.status.set_part(*part, PartState::Absent { why: why.clone(), required });
        }
    }

    /// Reports a folder. While a model of the same folder serves, the report goes on saying that it does, and what
    /// became of the new contents as a note.
    fn report(&self, candidate: &Candidate, id: Option<&ArtifactId>, state: ModelState) {
        self.reporter_for(candidate, id).report(self.loader.shared(), state);
    }

    fn reporter(&self, candidate: &Candidate, id: &ArtifactId) -> Reporter {
        self.reporter_for(candidate, Some(id))
    }

    fn reporter_for(&self, candidate: &Candidate, id: Option<&ArtifactId>) -> Reporter {
        let manifest = candidate.manifest.as_ref().ok();
        let in_place = self.serving.as_ref().filter(|serving| serving.folder == candidate.folder);
        Reporter {
            folder: self.name(&candidate.folder),
            kind: manifest.map(|manifest| manifest.kind().to_string()),
            id: id.map(ToString::to_string),
            created: manifest.map(|manifest| manifest.created.clone()),
            serving_in_place: in_place.map(|serving| (serving.id.to_string(), self.loader.kind().to_string())),
            nothing_serves: self.serving.is_none(),
        }
    }

    /// The folder as reports name it: relative to the models folder.
    fn name(&self, folder: &Path) -> String {
        let name = folder.strip_prefix(&self.loader.shared().settings.artifacts_dir).unwrap_or(folder);
        if name.as_os_str().is_empty() { ".".to_owned() } else { name.display().to_string() }
    }
}

/// Writes one folder's report.
struct Reporter {
    folder: String,
    kind: Option<String>,
    id: Option<String>,
    created: Option<String>,
    serving_in_place: Option<(String, String)>,
    nothing_serves: bool,
}

impl Reporter {
    fn report(&self, shared: &Shared, state: ModelState) {
        let (mut id, mut kind, mut state) = (self.id.clone(), self.kind.clone(), state);
        if let Some((serving, of_kind)) = &self.serving_in_place {
            let note = match state {
                ModelState::Serving(note) => note,
                ModelState::Loading { what, .. } => Some(format!("its folder has new contents: {what}")),
                ModelState::Rejected(reason) => {
                    Some(format!("its folder has new contents, which were rejected: {reason}"))
                }
                ModelState::Superseded => None,
            };
            if !(note.is_none() && id.is_some()) {
                id = Some(serving.clone());
            }
            kind = Some(of_kind.clone());
            state = ModelState::Serving(note);
        }
        let (folder, created) = (self.folder.clone(), self.created.clone());
        shared.status.set_model(ModelReport { folder, kind, id, created, state });
    }

    /// Progress goes to the model's report, and to the part as long as nothing else serves in its place.
    fn tell(&self, shared: &Shared, (part, what, progress): (Part, &'static str, Option<(usize, usize)>)) {
        self.report(shared, ModelState::Loading { what, progress });
        if self.nothing_serves {
            shared.status.set_part(part, PartState::Building { what, progress });
        }
    }
}

#[cfg(test)]
mod tests;
