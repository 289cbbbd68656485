//! JSON of `/v1/models`.

use serde::Serialize;

use crate::engine::{CanaryReport, ModelChecks, ModelChoice, ModelReport, ShadowReport};

/// A model of `/v1/models`.
#[derive(Serialize)]
pub(super) struct ModelJson<'a> {
    id: Option<&'a str>,
    kind: Option<&'a str>,
    folder: &'a str,
    created: Option<&'a str>,
    state: &'static str,
    reason: Option<&'a str>,
    done: Option<usize>,
    total: Option<usize>,
    checks: ChecksJson,
}

#[derive(Serialize)]
struct ChecksJson {
    memory_mib: Option<u64>,
    known_movies: Option<Share>,
    known_users: Option<Share>,
    canaries: Option<CanariesJson>,
    shadow: Option<ShadowJson>,
}

#[derive(Serialize)]
struct Share {
    known: usize,
    all: usize,
}

#[derive(Serialize)]
struct CanariesJson {
    questions: usize,
    overlap: Option<f32>,
    lowest: Option<f32>,
    highest: Option<f32>,
    serving_lowest: Option<f32>,
    serving_highest: Option<f32>,
}

#[derive(Serialize)]
struct ShadowJson {
    requests: u64,
    failures: u64,
    mean_difference: f64,
    agreement: f64,
}

/// What is to serve of a kind.
#[derive(Serialize)]
pub(super) struct ChoiceJson {
    kind: &'static str,
    pinned: Option<String>,
    serving: Option<String>,
}

impl<'a> From<&'a ModelReport> for ModelJson<'a> {
    fn from(model: &'a ModelReport) -> Self {
        Self {
            id: model.id.as_deref(),
            kind: model.kind.as_deref(),
            folder: &model.folder,
            created: model.created.as_deref(),
            state: model.state.name(),
            reason: model.state.reason(),
            done: model.state.progress().map(|(done, _)| done),
            total: model.state.progress().map(|(_, total)| total),
            checks: (&model.checks).into(),
        }
    }
}

impl From<&ModelChecks> for ChecksJson {
    fn from(checks: &ModelChecks) -> Self {
        let share = |(known, all)| Share { known, all };
        Self {
            memory_mib: checks.memory_mib,
            known_movies: checks.known_movies.map(share),
            known_users: checks.known_users.map(share),
            canaries: checks.canaries.map(CanariesJson::from),
            shadow: checks.shadow.map(ShadowJson::from),
        }
    }
}

impl From<CanaryReport> for CanariesJson {
    fn from(CanaryReport { questions, overlap, range, serving_range }: CanaryReport) -> Self {
        Self {
            questions,
            overlap,
            lowest: range.map(|(lowest, _)| lowest),
            highest: range.map(|(_, highest)| highest),
            serving_lowest: serving_range.map(|(lowest, _)| lowest),
            serving_highest: serving_range.map(|(_, highest)| highest),
        }
    }
}

impl From<ShadowReport> for ShadowJson {
    fn from(ShadowReport { requests, failures, mean_difference, agreement }: ShadowReport) -> Self {
        Self { requests, failures, mean_difference, agreement }
    }
}

impl From<ModelChoice> for ChoiceJson {
    fn from(ModelChoice { kind, pinned, serving }: ModelChoice) -> Self {
        Self { kind: kind.as_str(), pinned, serving }
    }
}
