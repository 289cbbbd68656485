//! The miniature artifacts of the tests, as they are and changed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::artifact::{Artifact, sha256, verify};

const ARTIFACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/artifacts");

/// A miniature artifact as it is.
pub(super) fn artifact(name: &str) -> Artifact {
    verify(&Path::new(ARTIFACTS).join(name)).unwrap()
}

/// A copy of a miniature artifact in a folder, verified after it was changed.
pub(super) fn changed(name: &str, folder: &Path, change: impl FnOnce(&Path)) -> Artifact {
    for entry in fs::read_dir(Path::new(ARTIFACTS).join(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    change(folder);
    verify(folder).unwrap()
}

/// Changes the manifest.
pub(super) fn edit_manifest(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("manifest.json");
    let mut manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, manifest.to_string()).unwrap();
}

/// Changes a JSON file, and the manifest with it.
pub(super) fn edit_json(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
    change(&mut value);
    replace(folder, file, value.to_string().as_bytes());
}

/// Replaces a file, and its entry in the manifest.
pub(super) fn replace(folder: &Path, file: &str, bytes: &[u8]) {
    fs::write(folder.join(file), bytes).unwrap();
    edit_manifest(folder, |manifest| {
        for entry in manifest["files"].as_array_mut().unwrap() {
            if entry["path"] == file {
                entry["size"] = bytes.len().into();
                entry["sha256"] = sha256(bytes).as_str().into();
            }
        }
    });
}
