//! Decides what to do about the artifacts of one kind that a look at the models folder finds.
//!
//! The newest valid one serves, unless somebody chose another. What was refused is tried again only when its files
//! change, when the reason lay with the machine and not with the files, or when somebody asks for it. A folder that
//! vanishes unloads nothing. What becomes of the models that do not serve is in [`waiting`].

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lane::Stop;
use super::loading::{Load, LoadError, ModelLoader, Models};
use super::promotion::why_it_waits;
use super::reporter::{InPlace, Reporter};
use super::snapshot::Base;
use super::status::{ModelChecks, ModelState, Part, PartState};
use crate::artifact::{self, Age, Artifact, ArtifactId, ArtifactKind, Candidate, Fingerprint, Found, Manifest};

/// Models whose refusal is remembered by their contents; the others are tried again when their files are touched.
const REFUSED_LIMIT: usize = 256;

struct Serving {
    id: ArtifactId,
    folder: PathBuf,
    fingerprint: Fingerprint,
    manifest: Manifest,
    checks: ModelChecks,
}

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
    /// The same for models whose files were in order: the same contents are no better in another folder.
    refused_models: HashMap<ArtifactId, String>,
    /// Models that do not serve and whose files were found in order, and whether they have been tried.
    intact: HashMap<PathBuf, (Fingerprint, bool)>,
    serving: Option<Serving>,
    /// Folders whose model was loaded, or refused, during the look in work.
    considered: HashSet<PathBuf>,
    /// Whether the turn of a model has not come yet, in the look in work.
    is_waiting: bool,
    /// What was said of the models folder itself, so that it is said once.
    troubles: Vec<String>,
}

impl<L: ModelLoader> Looker<L> {
    pub(super) fn new(loader: L) -> Self {
        Self {
            loader,
            refused: HashMap::new(),
            refused_models: HashMap::new(),
            intact: HashMap::new(),
            serving: None,
            considered: HashSet::new(),
            is_waiting: false,
            troubles: Vec::new(),
        }
    }

    /// One look at the models folder.
    pub(super) fn look(&mut self, stop: &Stop) {
        let shared = Arc::clone(self.loader.shared());
        // Nothing can be prepared for a catalogue that is not there; its loader asks for a look when it is.
        let Some(base) = shared.cell.load().map(|snapshot| Arc::clone(&snapshot.base)) else { return };
        if shared.choices.take_retry(self.loader.kind()) {
            self.refused.clear();
            self.refused_models.clear();
        }
        let found = match artifact::find(&shared.settings.artifacts_dir, artifact::Limits::default()) {
            Ok(found) => found,
            Err(error) => {
                self.say_once(vec![format!("the models folder cannot be read: {error}")]);
                self.fail_unless_serving(&error.to_string());
                return;
            }
        };
        let Found { candidates, mut troubles } = found;
        self.considered.clear();
        self.is_waiting = false;
        self.forget_vanished(&candidates);
        for candidate in &candidates {
            if let Err(error) = &candidate.manifest {
                self.refuse(candidate, None, LoadError::Artifact(error.to_string()));
            }
        }
        let mine: Vec<Known<'_>> = candidates
            .iter()
            .filter_map(Known::of)
            .filter(|known| known.manifest.kind() == self.loader.kind())
            .collect();
        self.choose(&mine, (&base, stop), &mut troubles);
        self.say_once(troubles);
        self.attend_waiting(&mine, (&base, stop));
        if !stop.is_asked() {
            self.report_absence();
        }
    }

    /// Loads what is to serve, if that does not serve yet.
    fn choose(&mut self, mine: &[Known<'_>], context: (&Arc<Base>, &Stop), troubles: &mut Vec<String>) {
        let shared = Arc::clone(self.loader.shared());
        let kind = self.loader.kind();
        let named = |id: &Option<String>| mine.iter().find(|known| Some(known.id.as_str()) == id.as_deref());
        let pinned = shared.choices.pinned(kind);
        match (&pinned, named(&pinned)) {
            (Some(_), Some(known)) => self.consider(known, context),
            (Some(id), None) if self.serving.as_ref().is_none_or(|serving| serving.id.as_str() != id) => {
                troubles.push(format!("the model {id} is pinned, and is not in the models folder"));
            }
            _ => {}
        }
        if pinned.is_some() && self.serving.is_some() {
            return;
        }
        // What served before a restart is what newer ones are measured by.
        if self.serving.is_none()
            && let Some(known) = named(&shared.choices.served(kind))
        {
            self.consider(known, context);
        }
        for known in mine {
            if context.1.is_asked() {
                return;
            }
            if self.is_newer(known) && self.why_it_waits(known).is_none() {
                self.consider(known, context);
            }
        }
    }

    /// Newer than what serves, or put in its place.
    fn is_newer(&self, known: &Known<'_>) -> bool {
        self.serving.as_ref().is_none_or(|serving| {
            let in_place = serving.folder == known.candidate.folder;
            if in_place {
                serving.fingerprint != known.candidate.fingerprint
            } else {
                known.age() > serving.manifest.age()
            }
        })
    }

    fn why_it_waits(&self, known: &Known<'_>) -> Option<String> {
        let rules = self.loader.shared().rules();
        self.serving.as_ref().and_then(|serving| why_it_waits(known.manifest, &serving.manifest, &rules))
    }

    fn is_serving(&self, candidate: &Candidate) -> bool {
        let is_same =
            |serving: &Serving| serving.folder == candidate.folder && serving.fingerprint == candidate.fingerprint;
        self.serving.as_ref().is_some_and(is_same)
    }

    fn is_refused(&self, candidate: &Candidate) -> bool {
        let refusal = self.refused.get(&candidate.folder);
        refusal.is_some_and(|refusal| refusal.is_final && refusal.fingerprint == candidate.fingerprint)
    }

    /// Loads a model, unless it serves already or was refused as it is.
    fn consider(&mut self, known: &Known<'_>, context: (&Arc<Base>, &Stop)) {
        if self.is_serving(known.candidate) || self.is_refused(known.candidate) {
            return;
        }
        self.considered.insert(known.candidate.folder.clone());
        match self.verify_and_load(known, context) {
            Ok((checks, parts)) => self.now_serves(known, checks, parts),
            Err(_) if context.1.is_asked() => {}
            Err(error) => self.refuse(known.candidate, Some(known.id), error),
        }
    }

    fn verify_and_load(
        &mut self,
        known: &Known<'_>,
        context: (&Arc<Base>, &Stop),
    ) -> Result<(ModelChecks, Vec<(Part, String)>), LoadError> {
        // The same bytes under another time stamp or in another folder need no loading.
        if let Some(serving) = self.serving.as_ref().filter(|serving| serving.id == *known.id) {
            let checks = serving.checks.clone();
            artifact::verify(&known.candidate.folder)?;
            return Ok((checks, Vec::new()));
        }
        // At most two models of a kind live at once.
        self.loader.end_shadow();
        let (model, parts, checks) = self.load(known, context)?;
        if !self.loader.swap(model) {
            return Err(LoadError::fitted_meanwhile());
        }
        Ok((checks, parts))
    }

    #[expect(clippy::type_complexity, reason = "the parts of a loaded model, taken apart at once")]
    fn load(
        &mut self,
        known: &Known<'_>,
        (base, stop): (&Arc<Base>, &Stop),
    ) -> Result<(L::Model, Vec<(Part, String)>, ModelChecks), LoadError> {
        let shared = Arc::clone(self.loader.shared());
        let (artifact, memory_mib) = self.examine(known, (base, stop))?;
        let reporter = self.reporter(known.candidate, Some(known.id));
        let progress = |part, what, steps: Option<(usize, usize)>| reporter.tell(&shared, (part, what, steps));
        for part in Part::of_kind(self.loader.kind()) {
            progress(*part, "loading and probing the model", None);
        }
        let rules = shared.rules();
        let load = Load { artifact: &artifact, base, progress: &progress, stop, rules: &rules };
        let loaded = catch_unwind(AssertUnwindSafe(|| self.loader.load(&load)))
            .unwrap_or_else(|_| Err(LoadError::Artifact("loading it broke off with a defect".to_owned())));
        let loaded = self.remember_refusal(known.id, loaded)?;
        let Models { model, parts, checks } = loaded;
        Ok((model, parts, ModelChecks { memory_mib, ..checks }))
    }

    /// Verifies the files, then tries the model in a process of its own, unless it has been tried.
    fn examine(
        &mut self,
        known: &Known<'_>,
        (base, stop): (&Arc<Base>, &Stop),
    ) -> Result<(Artifact, Option<u64>), LoadError> {
        self.report(
            known.candidate,
            Some(known.id),
            ModelState::Loading { what: "verifying the files", progress: None },
        );
        let artifact = artifact::verify(&known.candidate.folder)?;
        if artifact.id() != known.id {
            let reason = "its manifest changed while it was looked at; there will be another look";
            return Err(LoadError::Environment(reason.to_owned()));
        }
        if let Some(reason) = self.refused_models.get(known.id) {
            return Err(LoadError::Artifact(reason.clone()));
        }
        let what = "loading and probing the model in a process of its own";
        self.report(known.candidate, Some(known.id), ModelState::Loading { what, progress: None });
        let tried = self.loader.shared().try_model(&artifact, || self.loader.rehearsal(base), stop);
        let memory_mib = self.remember_refusal(known.id, tried)?;
        Ok((artifact, memory_mib))
    }

    /// A model whose files are in order and that is to blame all the same is no better in another folder.
    fn remember_refusal<T>(&mut self, id: &ArtifactId, outcome: Result<T, LoadError>) -> Result<T, LoadError> {
        if let Err(LoadError::Artifact(reason)) = &outcome {
            self.refused_models.insert(id.clone(), reason.clone());
        }
        outcome
    }

    fn now_serves(&mut self, known: &Known<'_>, checks: ModelChecks, parts: Vec<(Part, String)>) {
        let kind = self.loader.kind();
        let (candidate, id) = (known.candidate, known.id);
        let shared = Arc::clone(self.loader.shared());
        if !parts.is_empty() {
            let n_skipped = self.refused.len();
            tracing::info!(model = %id, n_skipped, "serving");
            metrics::counter!("marquee_model_loads_total", "kind" => kind.as_str(), "outcome" => "ok").increment(1);
        }
        for (part, words) in parts {
            shared.status.set_part(part, PartState::Ready(words));
        }
        let (folder, fingerprint) = (candidate.folder.clone(), candidate.fingerprint.clone());
        let serving = Serving { id: id.clone(), folder, fingerprint, manifest: known.manifest.clone(), checks };
        if let Some(previous) = self.serving.replace(serving).filter(|serving| serving.folder != candidate.folder) {
            shared.status.supersede(&self.name(&previous.folder));
        }
        self.report(candidate, Some(id), ModelState::Serving(None));
        self.refused.remove(&candidate.folder);
        self.intact.remove(&candidate.folder);
        shared.rejections.remove(&self.name(&candidate.folder));
        if let Err(error) = shared.choices.set_served(&shared.store, kind, id) {
            tracing::warn!(%error, "what serves is not remembered");
        }
    }

    fn refuse(&mut self, candidate: &Candidate, id: Option<&ArtifactId>, error: LoadError) {
        let before = self.refused.get(&candidate.folder);
        let is_unchanged = before.is_some_and(|before| before.fingerprint == candidate.fingerprint);
        if is_unchanged && before.is_some_and(|before| before.is_final) {
            return;
        }
        let (reason, is_final, is_said) = match error {
            LoadError::NotYet(what) => return self.wait(candidate, id, what),
            LoadError::Artifact(reason) => (reason, true, true),
            LoadError::Environment(reason) => (reason, false, true),
            LoadError::Incomplete(reason) => (reason, is_unchanged, is_unchanged),
        };
        let is_news = before.is_none_or(|before| before.reason != reason || before.is_final != is_final);
        let kind = candidate.manifest.as_ref().ok().map(|manifest| manifest.kind());
        // A manifest that cannot be read is seen by every lane; one of them speaks of it.
        if kind.is_some() || self.loader.kind() == ArtifactKind::RatingNetwork {
            let folder = self.name(&candidate.folder);
            if is_said && is_news {
                tracing::warn!(folder, reason, "model refused; what serves goes on serving");
                let kind = kind.map_or("unknown", ArtifactKind::as_str);
                metrics::counter!("marquee_model_loads_total", "kind" => kind, "outcome" => "rejected").increment(1);
            }
            if is_final {
                self.loader.shared().rejections.write(&folder, id.map(ArtifactId::as_str), &reason);
            }
            self.report(candidate, id, ModelState::Rejected(reason.clone()));
        }
        if kind.is_some() {
            self.fail_unless_serving(&reason);
        }
        let fingerprint = candidate.fingerprint.clone();
        self.refused.insert(candidate.folder.clone(), Refusal { fingerprint, reason, is_final });
    }

    /// Reports a model whose turn has not come.
    fn wait(&mut self, candidate: &Candidate, id: Option<&ArtifactId>, what: &'static str) {
        self.is_waiting = true;
        self.refused.remove(&candidate.folder);
        self.report(candidate, id, ModelState::Loading { what, progress: None });
        if self.serving.is_none() {
            for part in Part::of_kind(self.loader.kind()) {
                self.loader.shared().status.set_part(*part, PartState::Building { what, progress: None });
            }
        }
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
        if troubles != self.troubles {
            let speaks_for_all = self.loader.kind() == ArtifactKind::RatingNetwork;
            for reason in troubles.iter().filter(|reason| speaks_for_all || reason.contains("is pinned")) {
                tracing::warn!(reason, "looking for models");
            }
        }
        self.troubles = troubles;
    }

    /// Folders that are gone are not reported any more; one that serves stays.
    fn forget_vanished(&mut self, candidates: &[Candidate]) {
        let is_there = |folder: &PathBuf| candidates.iter().any(|candidate| candidate.folder == *folder);
        let rejections = &self.loader.shared().rejections;
        for folder in self.refused.keys().filter(|folder| !is_there(folder)) {
            rejections.remove(&self.name(folder));
        }
        self.refused.retain(|folder, _| is_there(folder));
        self.intact.retain(|folder, _| is_there(folder));
        if self.refused_models.len() > REFUSED_LIMIT {
            self.refused_models.clear();
        }
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
        if self.serving.is_some()
            || self.is_waiting
            || (!self.refused.is_empty() && Part::of_kind(kind).iter().any(is_failed))
        {
            return;
        }
        let required = shared.settings.required.contains(&kind);
        let why = format!("there is no {kind} in the models folder: {}", self.loader.advice());
        for part in Part::of_kind(kind) {
            shared.status.set_part(*part, PartState::Absent { why: why.clone(), required });
        }
    }

    fn report(&self, candidate: &Candidate, id: Option<&ArtifactId>, state: ModelState) {
        self.reporter(candidate, id).report(self.loader.shared(), state);
    }

    fn reporter(&self, candidate: &Candidate, id: Option<&ArtifactId>) -> Reporter {
        let manifest = candidate.manifest.as_ref().ok();
        let in_place = self.serving.as_ref().filter(|serving| serving.folder == candidate.folder);
        let shared = self.loader.shared();
        let own = self.serving.as_ref().filter(|serving| Some(&serving.id) == id).map(|serving| serving.checks.clone());
        let tried = || id.and_then(|id| shared.choices.tried(id));
        let in_shadow = || id.and_then(|id| shared.status.checks(id.as_str()));
        Reporter {
            folder: self.name(&candidate.folder),
            kind: manifest.map(|manifest| manifest.kind().to_string()),
            id: id.map(ToString::to_string),
            created: manifest.map(|manifest| manifest.created.clone()),
            age: manifest.map(Manifest::age),
            checks: own
                .or_else(in_shadow)
                .unwrap_or_else(|| ModelChecks { memory_mib: tried(), ..ModelChecks::default() }),
            serving_in_place: in_place.map(|serving| InPlace {
                id: serving.id.clone(),
                kind: self.loader.kind().to_string(),
                age: serving.manifest.age(),
                checks: serving.checks.clone(),
            }),
            nothing_serves: self.serving.is_none(),
        }
    }

    /// The folder as reports name it: relative to the models folder.
    fn name(&self, folder: &Path) -> String {
        let name = folder.strip_prefix(&self.loader.shared().settings.artifacts_dir).unwrap_or(folder);
        if name.as_os_str().is_empty() { ".".to_owned() } else { name.display().to_string() }
    }
}

/// A candidate whose manifest can be read.
struct Known<'a> {
    candidate: &'a Candidate,
    id: &'a ArtifactId,
    manifest: &'a Manifest,
}

impl<'a> Known<'a> {
    fn of(candidate: &'a Candidate) -> Option<Self> {
        Some(Self { candidate, id: candidate.id.as_ref()?, manifest: candidate.manifest.as_ref().ok()? })
    }

    fn age(&self) -> Age {
        self.manifest.age()
    }
}

mod waiting;

#[cfg(test)]
mod tests;
