//! A small artifact folder for tests, sound until a test changes it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::sha256;

/// Writes a text encoder's folder whose manifest was changed by `change`.
pub(super) fn write(folder: &Path, change: impl FnOnce(&mut Value)) {
    write_files(folder, &[0x08, 0x08], change);
}

/// Writes a text encoder's folder with this graph.
pub(super) fn write_with_graph(folder: &Path, graph: &[u8]) {
    write_files(folder, graph, |_| {});
}

fn write_files(folder: &Path, graph: &[u8], change: impl FnOnce(&mut Value)) {
    fs::create_dir_all(folder).unwrap();
    let files = [("encoder.onnx", graph), ("tokenizer.json", &b"{}"[..]), ("probe.json", &b"{}"[..])];
    let mut manifest = text_encoder();
    for (position, (path, bytes)) in files.into_iter().enumerate() {
        fs::write(folder.join(path), bytes).unwrap();
        manifest["files"][position] = json!({"path": path, "size": bytes.len(), "sha256": sha256(bytes).as_str()});
    }
    change(&mut manifest);
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

/// A sound manifest of a text encoder; the hashes are those of no file.
pub(super) fn text_encoder() -> Value {
    let file = |path: &str| json!({"path": path, "size": 2, "sha256": "0".repeat(64)});
    json!({
        "format": 1, "kind": "text-encoder", "name": "small", "version": "1",
        "created": "2026-11-23T03:00:00Z", "license": "Apache-2.0",
        "files": [file("encoder.onnx"), file("tokenizer.json"), file("probe.json")],
        "text_encoder": {"graph": "encoder.onnx", "tokenizer": "tokenizer.json", "dim": 8, "max_tokens": 16,
                         "pad_id": 1, "pad_token": "<pad>"},
        "probe": {"file": "probe.json", "tolerance": 1e-4},
    })
}

/// A sound manifest of a rating network; the hashes are those of no file.
pub(super) fn rating_network() -> Value {
    let file = |path: &str| json!({"path": path, "size": 2, "sha256": "0".repeat(64)});
    let mut manifest = text_encoder();
    manifest["kind"] = "rating-network".into();
    manifest["files"] = json!([file("tower.onnx"), file("scorer.onnx"), file("vocabulary.json"), file("probe.json")]);
    manifest.as_object_mut().unwrap().remove("text_encoder");
    manifest["rating_network"] = json!({
        "movie_tower": "tower.onnx", "scorer": "scorer.onnx", "vocabulary": "vocabulary.json",
        "n_movies": 2, "n_users": 1, "vector_dim": 4, "numeric": ["vote_average", "vote_count", "popularity"],
        "genres": ["Action", "Drama"], "rating_scale": [1.0, 5.0], "history": {"max_length": 3},
    });
    manifest
}

/// A sound manifest of an item–item model; the hashes are those of no file.
pub(super) fn item_item_model() -> Value {
    let file = |path: &str| json!({"path": path, "size": 2, "sha256": "0".repeat(64)});
    let mut manifest = text_encoder();
    manifest["kind"] = "item-item-model".into();
    manifest["files"] = json!([file("neighbours.safetensors"), file("vocabulary.json"), file("probe.json")]);
    manifest.as_object_mut().unwrap().remove("text_encoder");
    manifest["item_item_model"] = json!({
        "neighbours": "neighbours.safetensors", "vocabulary": "vocabulary.json", "n_movies": 2, "max_neighbours": 1,
    });
    manifest
}

/// A sound manifest of a ranking model; the hashes are those of no file.
pub(super) fn ranking_model() -> Value {
    let file = |path: &str| json!({"path": path, "size": 2, "sha256": "0".repeat(64)});
    let mut manifest = text_encoder();
    manifest["kind"] = "ranking-model".into();
    manifest["files"] = json!([file("ranking.onnx"), file("probe.json")]);
    manifest.as_object_mut().unwrap().remove("text_encoder");
    manifest["ranking_model"] = json!({"graph": "ranking.onnx", "features": ["ease", "als"]});
    manifest
}
