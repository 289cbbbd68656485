//! A trained ranker: boosted trees that order candidates by their features.
//!
//! A question is some hundred rows and takes a fraction of a millisecond, so there is no worker with a queue: the asking
//! thread runs a session itself, one of a few that each serve one asker at a time. Who finds all of them in use waits;
//! the engine's permits bound how many that can be. Measured with 148 trees on a busy machine with two cores, 400
//! questions each, fastest / median / slowest twentieth: 100 rows 0.18 / 0.26 / 0.31 ms either way; 300 rows
//! 0.67 / 0.83 / 1.2 ms, over a queue 0.73 / 0.85 / 5.6 ms.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ort::session::Session;
use ort::value::TensorRef;

use super::runtime::SharedTables;
use super::session::{Port, check_signature, floats, run_error};
use super::{InferenceError, Runtime, check_probe, fenced};
use crate::artifact::Artifact;
use crate::recommend::ranking::{FEATURES, N_FEATURES, Row};
use crate::recommend::{PortError, Ranker};

/// Name of this port in errors.
const PORT: &str = "the ranking model";
/// Sessions at most: each keeps its own copy of the trees, some hundred kilobytes.
const MAX_SESSIONS: usize = 8;

/// The loaded ranker.
#[derive(Debug)]
pub struct OnnxRankingModel {
    /// One per core.
    sessions: Vec<Mutex<Session>>,
    /// Counts questions, so that askers begin at different sessions.
    turn: AtomicUsize,
}

impl OnnxRankingModel {
    /// Loads the artifact's ranker and holds it against its probe. One trained on other features is refused.
    pub fn load(artifact: &Artifact, runtime: &Runtime) -> Result<Self, InferenceError> {
        let section = artifact.ranking_model()?;
        check_features(&section.features)?;
        let n_sessions = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_SESSIONS);
        let session = || {
            let session = runtime.session(artifact, &section.graph, (1, &SharedTables::default()))?;
            let inputs = [Port::float32("features", [None, Some(N_FEATURES)])];
            check_signature(&section.graph, &session, &inputs, &[Port::float32("score", [None])])?;
            Ok(Mutex::new(session))
        };
        let sessions = (0..n_sessions).map(|_| session()).collect::<Result<_, InferenceError>>()?;
        let model = Self { sessions, turn: AtomicUsize::new(0) };
        model.probe(artifact)?;
        Ok(model)
    }

    /// Compares each session's scores of the probe's rows with the recorded ones.
    fn probe(&self, artifact: &Artifact) -> Result<(), InferenceError> {
        let probe = artifact.ranking_probe()?;
        let tolerance = artifact.manifest().probe.tolerance;
        // Widths were compared with the manifest, and its features with ours.
        let rows: Vec<Row> = probe.rows.iter().filter_map(|row| Row::try_from(row.as_slice()).ok()).collect();
        for session in &self.sessions {
            let scores = run(&mut lock(session), &rows)?;
            check_probe("the scores", (&scores, &probe.scores), tolerance)?;
        }
        Ok(())
    }

    /// A session nobody uses, or the next in turn when all are used.
    fn session(&self) -> MutexGuard<'_, Session> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = |step: usize| &self.sessions[first.wrapping_add(step) % self.sessions.len()];
        let free = (0..self.sessions.len()).find_map(|step| in_turn(step).try_lock().ok());
        free.unwrap_or_else(|| lock(in_turn(0)))
    }
}

impl Ranker for OnnxRankingModel {
    fn name(&self) -> &'static str {
        "ranking-model"
    }

    fn score(&self, rows: &[Row]) -> Result<Vec<f32>, PortError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        run(&mut self.session(), rows).map_err(|error| error.into_port(PORT))
    }
}

/// A run that panicked is of no consequence for the next.
fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(session: &mut Session, rows: &[Row]) -> Result<Vec<f32>, InferenceError> {
    let run = || {
        let features = ([rows.len(), N_FEATURES], rows.as_flattened());
        let inputs = ort::inputs! { "features" => TensorRef::from_array_view(features).map_err(run_error)? };
        let outputs = session.run(inputs).map_err(run_error)?;
        floats(&outputs, "score", rows.len())
    };
    fenced(run).map_err(InferenceError::Run)?
}

/// The model's features must be those of this program, in its order.
fn check_features(found: &[String]) -> Result<(), InferenceError> {
    let expected = FEATURES.map(|feature| feature.name);
    if found == expected {
        return Ok(());
    }
    let place = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    let name = |name: Option<&str>| name.map_or("none".to_owned(), |name| format!("{name:?}"));
    Err(InferenceError::Features {
        place: place + 1,
        found: name(found.get(place).map(String::as_str)),
        expected: name(expected.get(place).copied()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::runtime::tests::runtime;
    use super::*;
    use serde_json::{Value, json};

    fn load(artifact: &Artifact) -> Result<OnnxRankingModel, String> {
        OnnxRankingModel::load(artifact, &runtime()).map_err(|error| error.to_string())
    }

    /// What the fixture says of rows that differ in the first feature only.
    fn scores(first: &[f32]) -> Vec<f32> {
        let model = load(&fixture::artifact("tiny-ranking")).unwrap();
        let row = |&value: &f32| {
            let mut row = [0.0; N_FEATURES];
            row[0] = value;
            row
        };
        model.score(&first.iter().map(row).collect::<Vec<Row>>()).unwrap()
    }

    #[test]
    fn every_row_gets_its_score_and_thresholds_are_exact() {
        assert_eq!(scores(&[0.7, -0.5, 0.5, 0.5_f32.next_up()]), [1.5, -1.0, 0.25, 1.5]);
        assert_eq!(scores(&[]), [0.0_f32; 0]);
    }

    #[test]
    fn many_askers_at_once_get_the_same_scores() {
        let model = load(&fixture::artifact("tiny-ranking")).unwrap();
        let probe = fixture::artifact("tiny-ranking").ranking_probe().unwrap();
        let rows: Vec<Row> = probe.rows.iter().map(|row| Row::try_from(row.as_slice()).unwrap()).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 * MAX_SESSIONS {
                scope.spawn(|| assert_eq!(model.score(&rows).unwrap(), probe.scores));
            }
        });
    }

    #[test]
    fn a_model_of_other_features_is_refused_with_the_first_that_differs() {
        let refused = |change: &dyn Fn(&mut Vec<Value>)| {
            let folder = tempfile::tempdir().unwrap();
            let artifact = fixture::changed("tiny-ranking", folder.path(), |folder| {
                fixture::edit_manifest(folder, |manifest| {
                    change(manifest["ranking_model"]["features"].as_array_mut().unwrap());
                });
            });
            load(&artifact).unwrap_err()
        };
        let message = refused(&|features| features[1] = "luck".into());
        let second = format!(r#"number 2 is "luck" where this program has {:?}"#, FEATURES[1].name);
        assert!(message.contains(&second), "{message}");
        let message = refused(&|features| features.truncate(N_FEATURES - 1));
        let last = format!("number {N_FEATURES} is none where this program has {:?}", FEATURES[N_FEATURES - 1].name);
        assert!(message.contains(&last), "{message}");
        let message = refused(&|features| features.push("luck".into()));
        assert!(message.contains(r#"is "luck" where this program has none"#), "{message}");
    }

    #[test]
    fn a_model_that_differs_from_its_manifest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let artifact = fixture::changed("tiny-ranking", folder.path(), |folder| {
            fixture::edit_json(folder, "probe.json", |probe| probe["scores"][2] = json!(77.0));
        });
        let message = load(&artifact).unwrap_err();
        assert!(message.contains("golden probe failed: the scores"), "{message}");
        let folder = tempfile::tempdir().unwrap();
        let artifact = fixture::changed("tiny-ranking", folder.path(), |folder| {
            let other = fixture::artifact("tiny-network").read("scorer.onnx").unwrap();
            fixture::replace(folder, "ranking_model.onnx", &other);
        });
        let message = load(&artifact).unwrap_err();
        assert!(message.contains("another signature"), "{message}");
        assert!(load(&fixture::artifact("tiny-network")).unwrap_err().contains("not a ranking-model"));
    }
}
