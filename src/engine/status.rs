//! What the daemon knows about its own parts and models: for `/readyz`, `/v1/models`, logs and the progress display.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::artifact::{Age, ArtifactKind};

/// The parts that answers depend on, in the order they come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Movies and ratings, read from the store.
    Catalogue,
    /// The methods fitted on them.
    Recommenders,
    /// The signals and the ranker fitted from the ratings.
    Hybrid,
    /// The rating model fitted from the ratings.
    RatingModel,
    /// The rating network.
    RatingNetwork,
    /// The trained ranker.
    RankingModel,
    /// The lists of a trained item–item model.
    ItemItemModel,
    /// The text encoder.
    TextEncoder,
    /// Embeddings of all overviews.
    Embeddings,
    /// The index over the embeddings.
    VectorIndex,
}

impl Part {
    const ALL: [Self; 10] = [
        Self::Catalogue,
        Self::Recommenders,
        Self::Hybrid,
        Self::RatingModel,
        Self::RatingNetwork,
        Self::RankingModel,
        Self::ItemItemModel,
        Self::TextEncoder,
        Self::Embeddings,
        Self::VectorIndex,
    ];

    /// Public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Recommenders => "recommenders",
            Self::Hybrid => "hybrid",
            Self::RatingModel => "rating-model",
            Self::RatingNetwork => "rating-network",
            Self::RankingModel => "ranking-model",
            Self::ItemItemModel => "item-item-model",
            Self::TextEncoder => "text-encoder",
            Self::Embeddings => "embeddings",
            Self::VectorIndex => "vector-index",
        }
    }

    /// The parts that come out of an artifact of this kind.
    pub(super) fn of_kind(kind: ArtifactKind) -> &'static [Self] {
        match kind {
            ArtifactKind::RatingNetwork => &[Self::RatingNetwork],
            ArtifactKind::RankingModel => &[Self::RankingModel],
            ArtifactKind::ItemItemModel => &[Self::ItemItemModel],
            ArtifactKind::TextEncoder => &[Self::TextEncoder, Self::Embeddings, Self::VectorIndex],
        }
    }
}

/// How far a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartState {
    /// Its turn has not come.
    Waiting,
    /// In work.
    Building {
        /// What is done, in words.
        what: &'static str,
        /// Steps done and steps in all, where they are counted.
        progress: Option<(usize, usize)>,
    },
    /// In use; the words describe it.
    Ready(String),
    /// There is nothing to make it of.
    Absent {
        /// What is missing and how to provide it.
        why: String,
        /// Whether the daemon counts as ready without it.
        required: bool,
    },
    /// It could not be made.
    Failed(String),
}

impl PartState {
    /// Public name of the state.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Building { .. } => "building",
            Self::Ready(_) => "ready",
            Self::Absent { .. } => "absent",
            Self::Failed(_) => "failed",
        }
    }

    /// The words that go with it.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Waiting => None,
            Self::Building { what, .. } => Some(what),
            Self::Ready(why) | Self::Failed(why) | Self::Absent { why, .. } => Some(why),
        }
    }

    /// Steps done and steps in all.
    pub fn progress(&self) -> Option<(usize, usize)> {
        if let Self::Building { progress, .. } = self { *progress } else { None }
    }

    /// Whether the daemon may call itself ready, as far as this part goes.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_) | Self::Absent { required: false, .. })
    }
}

/// What became of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelState {
    /// Being verified, loaded, probed, or waiting for what depends on it.
    Loading {
        /// What is done, in words.
        what: &'static str,
        /// Steps done and steps in all, where they are counted.
        progress: Option<(usize, usize)>,
    },
    /// In use; a note says what became of other contents that were put into its folder since.
    Serving(Option<String>),
    /// Valid, newer than what serves, and not asked to serve; the words say why it waits.
    Ready(String),
    /// Valid as far as is known, but a newer one serves.
    Superseded,
    /// Refused, with the reason; tried again when its files change.
    Rejected(String),
}

impl ModelState {
    /// Public name of the state.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Loading { .. } => "loading",
            Self::Serving(_) => "serving",
            Self::Ready(_) => "ready",
            Self::Superseded => "superseded",
            Self::Rejected(_) => "rejected",
        }
    }

    /// Why it was rejected, what it is busy with, or what else is to be said.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected(reason) | Self::Ready(reason) => Some(reason),
            Self::Serving(note) => note.as_deref(),
            Self::Loading { what, .. } => Some(what),
            Self::Superseded => None,
        }
    }

    /// Steps done and steps in all, while it is loading.
    pub fn progress(&self) -> Option<(usize, usize)> {
        if let Self::Loading { progress, .. } = self { *progress } else { None }
    }
}

/// What a model was found to be when it was tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelChecks {
    /// Most memory that loading it took, in MiB.
    pub memory_mib: Option<u64>,
    /// Rated movies of the catalogue that it knows, and how many there are.
    pub known_movies: Option<(usize, usize)>,
    /// Users of the store that it knows, and how many there are.
    pub known_users: Option<(usize, usize)>,
    /// What it answered to questions on the store's own data.
    pub canaries: Option<CanaryReport>,
    /// How it did beside the serving model on live requests.
    pub shadow: Option<ShadowReport>,
}

/// Questions on the store's own data, asked of a model and of the one that served then.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CanaryReport {
    /// Questions it answered.
    pub questions: usize,
    /// Share of the serving model's best ten that are among its own best ten.
    pub overlap: Option<f32>,
    /// Its lowest and highest score.
    pub range: Option<(f32, f32)>,
    /// The same of the model that served.
    pub serving_range: Option<(f32, f32)>,
}

/// A rating network on live requests beside the one that serves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ShadowReport {
    /// Requests on which both were asked.
    pub requests: u64,
    /// Requests on which it failed.
    pub failures: u64,
    /// Mean absolute difference of the predicted ratings.
    pub mean_difference: f64,
    /// Share of pairs of movies that both put in the same order.
    pub agreement: f64,
}

/// An artifact folder and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelReport {
    /// Folder, relative to the models folder.
    pub folder: String,
    /// Kind, when the manifest can be read.
    pub kind: Option<String>,
    /// Identifier, once verified.
    pub id: Option<String>,
    /// When it was made, when the manifest can be read.
    pub created: Option<String>,
    /// How new it is among those of its kind, when the manifest can be read.
    pub age: Option<Age>,
    /// What is known of it beyond its manifest.
    pub checks: ModelChecks,
    /// What became of it.
    pub state: ModelState,
}

/// The notice board. Parts and models are written by the loaders and read by anybody.
#[derive(Debug)]
pub struct Status {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: BTreeMap<Part, PartState>,
    models: BTreeMap<String, ModelReport>,
}

impl Default for Status {
    fn default() -> Self {
        let parts = Part::ALL.into_iter().map(|part| (part, PartState::Waiting)).collect();
        Self { inner: Mutex::new(Inner { parts, models: BTreeMap::new() }) }
    }
}

impl Status {
    /// All parts with their state.
    pub fn parts(&self) -> Vec<(Part, PartState)> {
        self.lock().parts.iter().map(|(part, state)| (*part, state.clone())).collect()
    }

    /// State of one part.
    pub fn part(&self, part: Part) -> PartState {
        self.lock().parts.get(&part).cloned().unwrap_or(PartState::Waiting)
    }

    /// Whether every part is ready.
    pub fn is_ready(&self) -> bool {
        self.lock().parts.values().all(PartState::is_ready)
    }

    /// All artifact folders, by name.
    pub fn models(&self) -> Vec<ModelReport> {
        self.lock().models.values().cloned().collect()
    }

    pub(super) fn set_part(&self, part: Part, state: PartState) {
        self.lock().parts.insert(part, state);
    }

    pub(super) fn set_model(&self, report: ModelReport) {
        self.lock().models.insert(report.folder.clone(), report);
    }

    /// What is known of a model, if it was reported.
    pub(super) fn checks(&self, id: &str) -> Option<ModelChecks> {
        let inner = self.lock();
        inner.models.values().find(|report| report.id.as_deref() == Some(id)).map(|report| report.checks.clone())
    }

    /// Changes what is known of a model, wherever it lies.
    pub(super) fn update_checks(&self, id: &str, change: impl Fn(&mut ModelChecks)) {
        let mut inner = self.lock();
        let reports = inner.models.values_mut().filter(|report| report.id.as_deref() == Some(id));
        reports.for_each(|report| change(&mut report.checks));
    }

    /// Notes that another model took a folder's place.
    pub(super) fn supersede(&self, folder: &str) {
        if let Some(report) = self.lock().models.get_mut(folder) {
            report.state = ModelState::Superseded;
        }
    }

    /// Forgets reports that are not to be kept.
    pub(super) fn retain_models(&self, keep: impl Fn(&ModelReport) -> bool) {
        self.lock().models.retain(|_, report| keep(report));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a single insertion, so a panicking writer leaves nothing half-done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
