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

/// A fetched asset; the message says how to get it.
pub(crate) fn cached(path: &str) -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("MARQUEE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("marquee")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/marquee")))
        .expect("one of MARQUEE_CACHE, XDG_CACHE_HOME and HOME is set");
    let path = cache.join(path);
    assert!(path.exists(), "{} is missing: run tools/test, which fetches it", path.display());
    path
}

/// Copies a folder as a person would: file by file, the manifest not necessarily last.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
