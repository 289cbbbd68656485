//! Where the test data lies.

use std::path::{Path, PathBuf};

/// A path in the checkout.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A path below tests/fixtures.
pub(crate) fn fixture(path: &str) -> PathBuf {
    repository("tests/fixtures").join(path)
}

/// Copies a folder as a person would: file by file, the manifest not necessarily last.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
