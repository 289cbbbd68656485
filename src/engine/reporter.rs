//! Writes the report of one model folder.

use super::Shared;
use super::status::{ModelChecks, ModelReport, ModelState, Part, PartState};
use crate::artifact::{Age, ArtifactId};

pub(super) struct Reporter {
    pub(super) folder: String,
    pub(super) kind: Option<String>,
    pub(super) id: Option<String>,
    pub(super) created: Option<String>,
    pub(super) age: Option<Age>,
    pub(super) checks: ModelChecks,
    /// The model that serves from this folder, when other contents were put into it since.
    pub(super) serving_in_place: Option<InPlace>,
    pub(super) nothing_serves: bool,
}

pub(super) struct InPlace {
    pub(super) id: ArtifactId,
    pub(super) kind: String,
    pub(super) age: Age,
    pub(super) checks: ModelChecks,
}

impl Reporter {
    /// While a model of the same folder serves, the report goes on saying that it does, and what became of the new
    /// contents as a note.
    pub(super) fn report(&self, shared: &Shared, state: ModelState) {
        let mut report = ModelReport {
            folder: self.folder.clone(),
            kind: self.kind.clone(),
            id: self.id.clone(),
            created: self.created.clone(),
            age: self.age.clone(),
            checks: self.checks.clone(),
            state,
        };
        if let Some(serving) = &self.serving_in_place {
            let note = match report.state {
                ModelState::Serving(note) => note,
                ModelState::Loading { what, .. } => Some(format!("its folder has new contents: {what}")),
                ModelState::Ready(why) => Some(format!("its folder has new contents, and {why}")),
                ModelState::Rejected(reason) => {
                    Some(format!("its folder has new contents, which were rejected: {reason}"))
                }
                ModelState::Superseded => None,
            };
            if !(note.is_none() && report.id.is_some()) {
                report.id = Some(serving.id.to_string());
                report.age = Some(serving.age.clone());
                report.checks = serving.checks.clone();
            }
            report.kind = Some(serving.kind.clone());
            report.state = ModelState::Serving(note);
        }
        shared.status.set_model(report);
    }

    /// Progress goes to the model's report, and to the part as long as nothing else serves in its place.
    pub(super) fn tell(&self, shared: &Shared, (part, what, progress): (Part, &'static str, Option<(usize, usize)>)) {
        self.report(shared, ModelState::Loading { what, progress });
        if self.nothing_serves {
            shared.status.set_part(part, PartState::Building { what, progress });
        }
    }
}
