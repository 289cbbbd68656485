use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::config::{Config, ModelRules, Overrides};
use crate::domain::{Catalogue, RatingMatrix};
use crate::engine::cell::SnapshotCell;
use crate::engine::loader::{self, RuntimeSlot};
use crate::engine::prepare::Preparation;
use crate::engine::refit::Refit;
use crate::engine::rehearsal::Rehearsal;
use crate::engine::rejection::RejectionFiles;
use crate::engine::shadow::Shadow;
use crate::engine::snapshot::Snapshot;
use crate::engine::status::Status;
use crate::engine::throttle::Requests;
use crate::engine::versions::Choices;
use crate::engine::{Settings, Shared};
use crate::store::{Store, StoreOptions};

/// What a load comes to.
type Answer = Arc<Mutex<fn() -> Result<(), LoadError>>>;

/// Answers loads as told, and writes down which artifacts it was given.
struct FakeLoader {
    shared: Arc<Shared>,
    loaded: Arc<Mutex<Vec<String>>>,
    answer: Answer,
}

impl ModelLoader for FakeLoader {
    type Model = ();

    fn kind(&self) -> ArtifactKind {
        ArtifactKind::RatingNetwork
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn rehearsal(&self, _: &Base) -> Result<Rehearsal, LoadError> {
        Ok(Rehearsal::Nothing)
    }

    fn load(&mut self, load: &Load<'_>) -> Result<Models<()>, LoadError> {
        self.loaded.lock().unwrap().push(load.artifact.id().to_string());
        let answer = *self.answer.lock().unwrap();
        let parts = vec![(Part::RatingNetwork, load.artifact.id().to_string())];
        answer().map(|()| Models { model: (), parts, checks: ModelChecks::default() })
    }

    fn swap(&mut self, (): ()) -> bool {
        true
    }

    fn advice(&self) -> &'static str {
        "train one"
    }
}

/// A models folder and a looker on it.
struct Bench {
    folder: tempfile::TempDir,
    looker: Looker<FakeLoader>,
    loaded: Arc<Mutex<Vec<String>>>,
    answer: Answer,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::load(None, &Overrides::default()).unwrap();
        // No process of its own: this program is the test.
        let rules = ModelRules { separate_process: false, ..config.artifacts.rules };
        let store = Store::open(&folder.path().join("store.redb"), StoreOptions::default()).unwrap();
        let shared = Arc::new(Shared {
            cell: SnapshotCell::default(),
            status: Status::default(),
            store,
            settings: Settings {
                predicted_rating: crate::config::RatingPredictor::Network,
                artifacts_dir: folder.path().join("models"),
                index_dir: folder.path().to_path_buf(),
                required: vec![ArtifactKind::RatingNetwork],
                inference: config.inference,
                embedding_text: crate::recommend::EmbeddingText::default(),
                request_timeout: Duration::from_secs(1),
                refit_interval: None,
            },
            runtime: RuntimeSlot::default(),
            catalogue_changes: Mutex::default(),
            refit: Refit::default(),
            preparation: Preparation::default(),
            rules: Mutex::new(rules),
            choices: Choices::default(),
            rejections: RejectionFiles::new(folder.path().join("models"), folder.path()),
            shadow: Shadow::default(),
            trial: Mutex::default(),
            requests: Requests::default(),
        });
        let ratings = Arc::new(RatingMatrix::new(&Catalogue::vocabulary_of(&[]), Vec::new()));
        let catalogue = Arc::new(Catalogue::new(Vec::new(), &ratings));
        let (base, interim) = loader::fit(&catalogue, &ratings);
        shared.cell.fill(Snapshot::first(Arc::new(base), interim));
        let ids = Arc::new(Mutex::new(Vec::new()));
        let answer: Answer = Arc::new(Mutex::new(|| Ok(())));
        let loader = FakeLoader { shared, loaded: Arc::clone(&ids), answer: Arc::clone(&answer) };
        Self { folder, looker: Looker::new(loader), loaded: ids, answer }
    }

    fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    /// Drops the miniature network under a name, made at a time of day.
    fn drop_model(&self, name: &str, hour: u32) {
        let target = if name == "." { self.models() } else { self.models().join(name) };
        std::fs::create_dir_all(&target).unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/artifacts/tiny-network");
        for entry in std::fs::read_dir(fixture).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, target.join(path.file_name().unwrap())).unwrap();
        }
        let manifest = target.join("manifest.json");
        let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
        json["created"] = format!("2026-01-01T{hour:02}:00:00Z").into();
        json["version"] = format!("v{name}").into();
        std::fs::write(manifest, json.to_string()).unwrap();
    }

    fn look(&mut self) {
        self.looker.look(&Stop::default());
    }

    fn n_loads(&self) -> usize {
        self.loaded.lock().unwrap().len()
    }

    fn state(&self, folder: &str) -> Option<ModelState> {
        let models = self.looker.loader.shared.status.models();
        models.into_iter().find(|model| model.folder == folder).map(|model| model.state)
    }

    fn part(&self) -> PartState {
        self.looker.loader.shared.status.part(Part::RatingNetwork)
    }
}

#[test]
fn the_newest_serves_and_the_older_is_superseded() {
    let mut bench = Bench::new();
    bench.look();
    assert!(matches!(bench.part(), PartState::Absent { required: true, .. }));
    bench.drop_model("old", 1);
    bench.look();
    assert_eq!(bench.state("old"), Some(ModelState::Serving(None)));
    bench.drop_model("new", 2);
    bench.drop_model("ancient", 0);
    bench.look();
    assert_eq!(bench.state("new"), Some(ModelState::Serving(None)));
    assert_eq!(bench.state("old"), Some(ModelState::Superseded));
    assert_eq!(bench.state("ancient"), Some(ModelState::Superseded));
    assert_eq!(bench.n_loads(), 2);
    assert!(matches!(bench.part(), PartState::Ready(words) if words.contains("@vnew#")));
    bench.look();
    assert_eq!(bench.n_loads(), 2, "what serves is not loaded again");
}

#[test]
fn a_folder_that_vanishes_unloads_nothing() {
    let mut bench = Bench::new();
    bench.drop_model("a", 1);
    bench.look();
    std::fs::remove_dir_all(bench.models()).unwrap();
    bench.look();
    assert_eq!(bench.state("a"), Some(ModelState::Serving(None)));
    assert!(bench.part().is_ready());
}

#[test]
fn what_was_refused_is_tried_again_only_when_it_changes() {
    let mut bench = Bench::new();
    *bench.answer.lock().unwrap() = || Err(LoadError::Artifact("it is no good".to_owned()));
    bench.drop_model("a", 1);
    bench.look();
    bench.look();
    assert_eq!(bench.n_loads(), 1);
    assert_eq!(bench.state("a"), Some(ModelState::Rejected("it is no good".to_owned())));
    assert_eq!(bench.part(), PartState::Failed("it is no good".to_owned()));
    *bench.answer.lock().unwrap() = || Ok(());
    bench.drop_model("a", 2);
    bench.look();
    assert_eq!(bench.state("a"), Some(ModelState::Serving(None)));
}

#[test]
fn what_failed_for_the_machine_is_tried_again() {
    let mut bench = Bench::new();
    *bench.answer.lock().unwrap() = || Err(LoadError::Environment("the disk is full".to_owned()));
    bench.drop_model("a", 1);
    bench.look();
    bench.look();
    assert_eq!(bench.n_loads(), 2);
    assert_eq!(bench.state("a"), Some(ModelState::Rejected("the disk is full".to_owned())));
    *bench.answer.lock().unwrap() = || Ok(());
    bench.look();
    assert_eq!(bench.state("a"), Some(ModelState::Serving(None)));
}

#[test]
fn a_model_whose_turn_has_not_come_is_loading_and_no_refusal() {
    let mut bench = Bench::new();
    *bench.answer.lock().unwrap() = || Err(LoadError::NotYet("waiting for the others"));
    bench.drop_model("a", 1);
    bench.look();
    let waiting = ModelState::Loading { what: "waiting for the others", progress: None };
    assert_eq!(bench.state("a"), Some(waiting));
    assert_eq!(bench.part(), PartState::Building { what: "waiting for the others", progress: None });
    assert!(!bench.models().join("a.rejected.txt").exists());
    *bench.answer.lock().unwrap() = || Ok(());
    bench.look();
    assert_eq!(bench.state("a"), Some(ModelState::Serving(None)));
    // Newer ones wait the same way, and vanish without a trace.
    *bench.answer.lock().unwrap() = || Err(LoadError::NotYet("waiting for the others"));
    bench.drop_model("b", 2);
    bench.look();
    assert!(matches!(bench.state("b"), Some(ModelState::Loading { .. })) && bench.part().is_ready());
    std::fs::remove_dir_all(bench.models().join("b")).unwrap();
    bench.look();
    assert_eq!(bench.state("b"), None);
}

#[test]
fn a_defect_in_loading_is_a_refusal() {
    let mut bench = Bench::new();
    *bench.answer.lock().unwrap() = || panic!("a defect");
    bench.drop_model("a", 1);
    bench.look();
    assert!(matches!(bench.state("a"), Some(ModelState::Rejected(reason)) if reason.contains("defect")));
}

#[test]
fn a_broken_copy_over_the_serving_folder_is_noted_and_the_old_one_goes_on() {
    let mut bench = Bench::new();
    bench.drop_model("a", 1);
    bench.look();
    let scorer = bench.models().join("a/scorer.onnx");
    let mut bytes = std::fs::read(&scorer).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&scorer, bytes).unwrap();
    bench.look();
    bench.look();
    assert!(matches!(bench.state("a"), Some(ModelState::Serving(Some(note))) if note.contains("SHA-256")));
    assert!(bench.part().is_ready());
    assert_eq!(bench.n_loads(), 1);
}

#[test]
fn a_damaged_model_is_rejected_with_the_reason_however_old_it_is() {
    let mut bench = Bench::new();
    bench.drop_model("serving", 2);
    bench.look();
    for (name, hour) in [("older", 1), ("equal", 2)] {
        bench.drop_model(name, hour);
        let scorer = bench.models().join(name).join("scorer.onnx");
        let mut bytes = std::fs::read(&scorer).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&scorer, bytes).unwrap();
        bench.look();
        let state = bench.state(name);
        assert!(
            matches!(&state, Some(ModelState::Rejected(reason)) if reason.contains("SHA-256")),
            "{name}: {state:?}"
        );
    }
    assert_eq!(bench.state("serving"), Some(ModelState::Serving(None)));
}

#[test]
fn a_copy_in_progress_is_waited_for_and_then_refused() {
    let mut bench = Bench::new();
    bench.drop_model("a", 1);
    let scorer = bench.models().join("a/scorer.onnx");
    let whole = std::fs::read(&scorer).unwrap();
    std::fs::remove_file(&scorer).unwrap();
    bench.look();
    assert!(bench.looker.refused.values().all(|refusal| !refusal.is_final));
    std::fs::write(&scorer, &whole[..10]).unwrap();
    bench.look();
    assert!(bench.looker.refused.values().all(|refusal| !refusal.is_final));
    bench.look();
    assert!(bench.looker.refused.values().all(|refusal| refusal.is_final), "nothing changed any more");
    std::fs::write(&scorer, whole).unwrap();
    bench.look();
    assert_eq!(bench.state("a"), Some(ModelState::Serving(None)));
}

#[test]
fn files_in_the_models_folder_itself_are_refused_and_hide_nothing() {
    let mut bench = Bench::new();
    bench.drop_model(".", 2);
    bench.drop_model("a", 1);
    bench.look();
    assert_eq!(bench.state("a"), Some(ModelState::Serving(None)));
    assert!(matches!(bench.state("."), Some(ModelState::Rejected(reason)) if reason.contains("folder of their own")));
}
