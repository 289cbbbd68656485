//! Trained models: what became of them, and which version is to serve.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use crate::engine::{EngineError, ModelChoice, ModelKind};
use crate::http::error::{ErrorCode, HttpError};
use crate::http::model_wire::{ChoiceJson, ModelJson};
use crate::http::respond::{Reply, json_reply};
use crate::http::route::Call;
use crate::http::server::Door;

/// Every trained model that was found, and what became of it.
pub(in crate::http) fn models(door: &Arc<Door>) -> Result<Reply, HttpError> {
    let models = door.engine.status().models();
    let models: Vec<ModelJson<'_>> = models.iter().map(ModelJson::from).collect();
    let kinds: Vec<ChoiceJson> = door.engine.choices().into_iter().map(ChoiceJson::from).collect();
    json_reply(StatusCode::OK, &json!({"generation": door.engine.generation(), "kinds": kinds, "models": models}))
}

/// A named model serves, whatever else comes.
pub(in crate::http) async fn pin(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let kind = kind(call)?;
    let model =
        call.params.text("model").ok_or_else(|| HttpError::bad_request("The parameter model must name a model."))?;
    chosen(door.engine.pin(kind, model.to_owned()).await)
}

/// The newest valid model serves again.
pub(in crate::http) async fn unpin(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    chosen(door.engine.unpin(kind(call)?).await)
}

/// The newest older one is pinned.
pub(in crate::http) async fn roll_back(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    chosen(door.engine.roll_back(kind(call)?).await)
}

/// The models folder is looked at now, and what was refused is tried again.
pub(in crate::http) fn reload(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let kind = kind(call)?;
    door.engine.reload(kind);
    let choice = door.engine.choices().into_iter().find(|choice| choice.kind == kind);
    json_reply(StatusCode::ACCEPTED, &choice.map(ChoiceJson::from))
}

fn chosen(choice: Result<ModelChoice, EngineError>) -> Result<Reply, HttpError> {
    json_reply(StatusCode::ACCEPTED, &ChoiceJson::from(choice?))
}

fn kind(call: &Call) -> Result<ModelKind, HttpError> {
    let name = call.path.text("kind");
    let known = ModelKind::ALL.into_iter().find(|kind| Some(kind.as_str()) == name);
    known.ok_or_else(|| {
        HttpError::new(ErrorCode::NotFound, format!("There is no such kind of model; known are {}.", ModelKind::list()))
    })
}
