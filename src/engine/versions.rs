//! Which version of a kind serves: the newest, or one that somebody chose. The choice is kept in the store, so that it
//! survives a restart; so is what served last and which models have been tried in a process of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::status::{ModelReport, ModelState};
use super::{Engine, EngineError};
use crate::artifact::{ArtifactId, ArtifactKind};
use crate::store::{SettingKey, Store, StoreError, Write as StoreWrite};

/// Models remembered as tried; the others are tried again.
const TRIED_LIMIT: usize = 64;

/// What is chosen and remembered.
#[derive(Debug, Default)]
pub(super) struct Choices {
    inner: Mutex<Inner>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Inner {
    kinds: BTreeMap<&'static str, OfKind>,
    /// Models that passed in a process of their own, with the memory that took in MiB. Of this version of the program:
    /// another one loads differently.
    tried: BTreeMap<String, u64>,
    /// Kinds of which everything refused is to be tried again.
    retry: BTreeSet<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OfKind {
    pinned: Option<String>,
    served: Option<String>,
}

/// What is to serve of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChoice {
    /// The kind.
    pub kind: ArtifactKind,
    /// The model that is to serve whatever else comes; `None`: the newest valid one.
    pub pinned: Option<String>,
    /// The model that serves.
    pub serving: Option<String>,
}

impl Choices {
    pub(super) fn load(store: &Store) -> Result<Self, StoreError> {
        let text = store.read(|view| view.setting(SettingKey::Models))?.unwrap_or_default();
        Ok(Self { inner: Mutex::new(Inner::parse(&text)) })
    }

    pub(super) fn pinned(&self, kind: ArtifactKind) -> Option<String> {
        self.lock().kinds.get(kind.as_str())?.pinned.clone()
    }

    /// What served last, in this life of the daemon or the one before.
    pub(super) fn served(&self, kind: ArtifactKind) -> Option<String> {
        self.lock().kinds.get(kind.as_str())?.served.clone()
    }

    pub(super) fn pin(&self, store: &Store, kind: ArtifactKind, id: Option<&str>) -> Result<(), StoreError> {
        self.change(store, |inner| inner.of(kind).pinned = id.map(str::to_owned))
    }

    pub(super) fn set_served(&self, store: &Store, kind: ArtifactKind, id: &ArtifactId) -> Result<(), StoreError> {
        self.change(store, |inner| inner.of(kind).served = Some(id.to_string()))
    }

    /// Memory that trying the model took in MiB, if it has been tried.
    pub(super) fn tried(&self, id: &ArtifactId) -> Option<u64> {
        self.lock().tried.get(id.as_str()).copied()
    }

    pub(super) fn set_tried(&self, store: &Store, id: &ArtifactId, memory_mib: u64) -> Result<(), StoreError> {
        self.change(store, |inner| {
            if inner.tried.len() >= TRIED_LIMIT {
                inner.tried.clear();
            }
            inner.tried.insert(id.to_string(), memory_mib);
        })
    }

    pub(super) fn ask_retry(&self, kind: ArtifactKind) {
        self.lock().retry.insert(kind.as_str());
    }

    /// Whether everything is to be tried again; says so once.
    pub(super) fn take_retry(&self, kind: ArtifactKind) -> bool {
        self.lock().retry.remove(kind.as_str())
    }

    /// Writes first, so that what is in memory was kept.
    fn change(&self, store: &Store, change: impl FnOnce(&mut Inner)) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let mut next = inner.clone();
        change(&mut next);
        if next != *inner {
            store.write(vec![StoreWrite::Setting(SettingKey::Models, next.to_text())])?;
            *inner = next;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A change is one assignment, so a panicking writer leaves nothing half-done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn of(&mut self, kind: ArtifactKind) -> &mut OfKind {
        self.kinds.entry(kind.as_str()).or_default()
    }

    /// A line each; names and versions have no blanks.
    fn to_text(&self) -> String {
        let mut text = String::new();
        for (kind, OfKind { pinned, served }) in &self.kinds {
            for (word, id) in [("pinned", pinned), ("served", served)] {
                if let Some(id) = id {
                    let _ = writeln!(text, "{word} {kind} {id}");
                }
            }
        }
        for (id, memory_mib) in &self.tried {
            let _ = writeln!(text, "tried {} {id} {memory_mib}", env!("CARGO_PKG_VERSION"));
        }
        text
    }

    /// Lines that mean nothing here, of a later version perhaps, are passed over.
    fn parse(text: &str) -> Self {
        let mut inner = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let kind = |name: &str| ArtifactKind::ALL.into_iter().find(|kind| kind.as_str() == name);
            match words[..] {
                ["tried", env!("CARGO_PKG_VERSION"), id, memory_mib] => {
                    inner.tried.insert(id.to_owned(), memory_mib.parse().unwrap_or(0));
                }
                ["pinned", name, id] => {
                    if let Some(kind) = kind(name) {
                        inner.of(kind).pinned = Some(id.to_owned());
                    }
                }
                ["served", name, id] => {
                    if let Some(kind) = kind(name) {
                        inner.of(kind).served = Some(id.to_owned());
                    }
                }
                _ => {}
            }
        }
        inner
    }
}

impl Engine {
    /// What is to serve of each kind.
    pub fn choices(&self) -> Vec<ModelChoice> {
        let models = self.shared.status.models();
        let choice = |kind: ArtifactKind| ModelChoice {
            kind,
            pinned: self.shared.choices.pinned(kind),
            serving: of_kind(&models, kind).find(|model| is_serving(model)).and_then(|model| model.id.clone()),
        };
        ArtifactKind::ALL.into_iter().map(choice).collect()
    }

    /// Lets this model serve, whatever else comes; it is named by its id, or by `name@version`.
    pub async fn pin(&self, kind: ArtifactKind, name: String) -> Result<ModelChoice, EngineError> {
        let models = self.shared.status.models();
        let fits = |id: &str| id == name || id.split_once('/').is_some_and(|(_, rest)| is_named(rest, &name));
        let mut fitting: Vec<String> =
            of_kind(&models, kind).filter(|model| is_valid(model)).filter_map(|model| model.id.clone()).collect();
        fitting.retain(|id| fits(id));
        fitting.dedup();
        match &fitting[..] {
            [] => {
                Err(EngineError::NoSuchModel(format!("There is no valid {kind} of that name; GET /v1/models tells.")))
            }
            [id] => self.choose(kind, Some(id.clone())).await,
            _ => Err(EngineError::NoSuchModel(format!("More than one {kind} has that name; give the whole id."))),
        }
    }

    /// Lets the newest valid model serve again.
    pub async fn unpin(&self, kind: ArtifactKind) -> Result<ModelChoice, EngineError> {
        self.choose(kind, None).await
    }

    /// Pins the newest valid model that is older than the one that serves.
    pub async fn roll_back(&self, kind: ArtifactKind) -> Result<ModelChoice, EngineError> {
        let models = self.shared.status.models();
        let serving = of_kind(&models, kind).find(|model| is_serving(model));
        let older = of_kind(&models, kind)
            .filter(|model| model.state == ModelState::Superseded && model.id.is_some())
            .filter(|model| serving.is_none_or(|serving| model.age < serving.age));
        let Some(target) = older.max_by(|left, right| left.age.cmp(&right.age)) else {
            return Err(EngineError::NoSuchModel(format!("There is no older valid {kind} to go back to.")));
        };
        self.choose(kind, target.id.clone()).await
    }

    /// Looks at the models folder now, and tries again what was refused.
    pub fn reload(&self, kind: ArtifactKind) {
        self.shared.choices.ask_retry(kind);
        self.look_again();
    }

    async fn choose(&self, kind: ArtifactKind, id: Option<String>) -> Result<ModelChoice, EngineError> {
        let shared = std::sync::Arc::clone(&self.shared);
        let pinned = id.clone();
        let written =
            tokio::task::spawn_blocking(move || shared.choices.pin(&shared.store, kind, pinned.as_deref())).await;
        let failed = |error: &dyn std::fmt::Display| EngineError::Internal(error.to_string());
        written.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        tracing::info!(kind = kind.as_str(), model = id, "another model was chosen");
        self.look_again();
        let choice = self.choices().into_iter().find(|choice| choice.kind == kind);
        choice.ok_or_else(|| EngineError::Internal(format!("the kind {kind} is not listed")))
    }
}

fn of_kind(models: &[ModelReport], kind: ArtifactKind) -> impl Iterator<Item = &ModelReport> {
    models.iter().filter(move |model| model.kind.as_deref() == Some(kind.as_str()))
}

fn is_serving(model: &ModelReport) -> bool {
    matches!(model.state, ModelState::Serving(_))
}

fn is_valid(model: &ModelReport) -> bool {
    matches!(model.state, ModelState::Serving(_) | ModelState::Ready(_) | ModelState::Superseded)
}

/// `name@version#digits` is named by all of it, or without the digits.
fn is_named(rest: &str, name: &str) -> bool {
    rest == name || rest.split_once('#').is_some_and(|(named, _)| named == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_read_again_and_strange_lines_are_passed_over() {
        let mut inner = Inner::default();
        inner.of(ArtifactKind::RatingNetwork).pinned = Some("rating-network/a@1#0123".to_owned());
        inner.of(ArtifactKind::TextEncoder).served = Some("text-encoder/b@2#4567".to_owned());
        inner.tried.insert("rating-network/a@1#0123".to_owned(), 71);
        let text = inner.to_text();
        assert_eq!(Inner::parse(&text), inner);
        let strange = format!("pinned oracle x\ntried 0.0.1 old 3\n\nnonsense\npinned\n{text}");
        assert_eq!(Inner::parse(&strange), inner);
    }

    #[test]
    fn a_model_is_named_with_or_without_its_digits() {
        for (name, expected) in [("a@1#0123", true), ("a@1", true), ("a", false), ("a@1#01", false)] {
            assert_eq!(is_named("a@1#0123", name), expected, "{name}");
        }
    }
}
