//! The folder of fetched assets; every test binary that reads them includes this file.

use std::path::PathBuf;

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
