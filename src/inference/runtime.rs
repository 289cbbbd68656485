//! ONNX Runtime: finding its shared library, loading it once, making sessions of verified graphs.
//!
//! The binding panics or hangs when it looks for a library that is not there, so the file is checked before the first
//! call, and every call that could panic is fenced. A process has one environment; it is never freed.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fmt};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::{DynValue, Tensor};

use super::{InferenceError, fenced};
use crate::artifact::{Artifact, ByteTable};

/// Version that tools fetch into the cache folder.
const CACHED_VERSION: &str = "1.32.0";
/// Name of the library in every place.
const LIBRARY_NAME: &str = "libonnxruntime.so";
/// Larger graphs are not read into memory before they are loaded.
const IN_MEMORY_LIMIT_BYTES: u64 = 64 << 20;
/// Smaller tables are not worth a place of their own. What is multiplied with is smaller, and better left to each session,
/// which packs it and frees what it packed.
const LEAST_SHARED_BYTES: u64 = 8 << 20;
/// Folders of installed copies.
const INSTALLED: [&str; 2] = ["/usr/lib/marquee", "/usr/local/lib/marquee"];

static STARTED: Mutex<Option<Arc<Runtime>>> = Mutex::new(None);

/// Tables that all sessions of a graph look up in one copy.
#[derive(Default)]
pub(super) struct SharedTables(Vec<(String, Arc<DynValue>)>);

impl SharedTables {
    /// The graph's own: the words' vectors of an 8-bit text encoder, a fifth of what a session of it takes.
    pub(super) fn of(artifact: &Artifact, file: &str) -> Result<Self, InferenceError> {
        let share = |table: ByteTable| -> ort::Result<(String, Arc<DynValue>)> {
            Ok((table.name, Arc::new(Tensor::from_array((table.dims, table.values))?.into_dyn())))
        };
        let tables = artifact.byte_tables(file, LEAST_SHARED_BYTES)?;
        let failed = |reason: String| InferenceError::Load { file: file.to_owned(), reason };
        let shared = fenced(|| tables.into_iter().map(share).collect::<ort::Result<_>>()).map_err(failed)?;
        Ok(Self(shared.map_err(|error| failed(error.to_string()))?))
    }
}

/// The loaded library with its environment.
pub struct Runtime {
    environment: Environment,
    library: PathBuf,
    threads: usize,
}

impl Runtime {
    /// Loads the library. `threads` bounds the threads of each session. A second call gives the same runtime, or an
    /// error when it asks for another library.
    pub fn start(library: &Path, threads: usize) -> Result<Arc<Self>, InferenceError> {
        let unusable = |reason: String| InferenceError::LibraryUnusable { path: library.to_path_buf(), reason };
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        let path = library.canonicalize().map_err(|error| unusable(error.to_string()))?;
        if let Some(runtime) = &*started {
            if runtime.library == path {
                return Ok(Arc::clone(runtime));
            }
            return Err(InferenceError::LibraryDiffers { running: runtime.library.clone(), asked: path });
        }
        check_library(&path).map_err(unusable)?;
        let environment = fenced(|| start_environment(&path)).and_then(|result| result).map_err(unusable)?;
        let runtime = Arc::new(Self { environment, library: path, threads: threads.max(1) });
        *started = Some(Arc::clone(&runtime));
        Ok(runtime)
    }

    /// Where the library is: the configured path if there is one; else `ORT_DYLIB_PATH`; else the first that exists of
    /// the places of an installation and the cache folder of the tools.
    pub fn find_library(configured: Option<&Path>) -> Result<PathBuf, InferenceError> {
        let named = env::var_os("ORT_DYLIB_PATH").filter(|value| !value.is_empty()).map(PathBuf::from);
        let places = match configured.map(Path::to_path_buf).or(named) {
            // Who names a path means it: there is no silent fallback.
            Some(path) => vec![path],
            None => known_places(),
        };
        match places.iter().find(|path| path.is_file()) {
            Some(path) => Ok(path.clone()),
            None => Err(InferenceError::LibraryNotFound(places)),
        }
    }

    /// Makes a session of an artifact's graph, with tables that it shares with others of the same graph. A small graph from memory, from bytes whose hash was compared as they were
    /// read. A large one from its file: for a graph of 436 MB the peak was 536 MB instead of 951; its hash is compared once
    /// more afterwards. External data, which only a file could pull in, was refused when the artifact was verified.
    pub(super) fn session(
        &self,
        artifact: &Artifact,
        file: &str,
        (threads, shared): (usize, &SharedTables),
    ) -> Result<Session, InferenceError> {
        if artifact.size_of(file)? <= IN_MEMORY_LIMIT_BYTES {
            let bytes = artifact.read(file)?;
            return self.session_of(file, (threads, shared), |builder| builder.commit_from_memory(&bytes));
        }
        let path = artifact.checked_path(file)?;
        let session = self.session_of(file, (threads, shared), |builder| builder.commit_from_file(path))?;
        artifact.check_again(file)?;
        Ok(session)
    }

    fn session_of(
        &self,
        file: &str,
        (threads, shared): (usize, &SharedTables),
        commit: impl FnOnce(&mut SessionBuilder) -> ort::Result<Session>,
    ) -> Result<Session, InferenceError> {
        let load = || -> ort::Result<Session> {
            // Spinning threads take the processor from everything else on the host.
            let mut builder = Session::builder(&self.environment)?
                // Its own pool of memory rounds up and gives nothing back: a tenth of a session, and 20 MB after long
                // texts.
                .with_execution_providers([ort::ep::CPU::default().build()])?
                .with_intra_threads(threads.clamp(1, self.threads))?
                .with_inter_threads(1)?
                .with_intra_op_spinning(false)?
                .with_inter_op_spinning(false)?;
            for (name, values) in &shared.0 {
                builder = builder.with_initializer(name, Arc::clone(values))?;
            }
            commit(&mut builder)
        };
        let failed = |reason: String| InferenceError::Load { file: file.to_owned(), reason };
        fenced(load).map_err(failed)?.map_err(|error| failed(error.to_string()))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("library", &self.library).finish_non_exhaustive()
    }
}

fn known_places() -> Vec<PathBuf> {
    let executable = env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent).and_then(Path::parent);
    let cache = env_path("MARQUEE_CACHE")
        .or_else(|| env_path("XDG_CACHE_HOME").map(|cache| cache.join("marquee")))
        .or_else(|| env_path("HOME").map(|home| home.join(".cache/marquee")));
    let mut places = Vec::new();
    places.extend(beside.map(|prefix| prefix.join("lib/marquee").join(LIBRARY_NAME)));
    places.extend(INSTALLED.iter().map(|folder| Path::new(folder).join(LIBRARY_NAME)));
    places.extend(cache.map(|cache| cache.join("onnxruntime").join(CACHED_VERSION).join(LIBRARY_NAME)));
    places
}

fn env_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Whether the file can be a shared library, told before the loader is asked.
fn check_library(path: &Path) -> Result<(), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    if !file.metadata().map_err(|error| error.to_string())?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut head = [0_u8; 4];
    file.read_exact(&mut head).map_err(|error| error.to_string())?;
    if cfg!(target_os = "linux") && head != *b"\x7fELF" {
        return Err("it is not a shared library (no ELF header)".to_owned());
    }
    Ok(())
}

fn start_environment(path: &Path) -> Result<Environment, String> {
    let builder = ort::init_from(path).map_err(|error| error.to_string())?;
    let logger = |level: LogLevel, category: &str, _id: &str, location: &str, message: &str| {
        // What goes wrong also comes back as an error, which is logged where it is handled.
        tracing::debug!(?level, category, location, message, "ONNX Runtime");
    };
    let environment = builder
        .with_name("marquee")
        .with_telemetry(false)
        .with_logger(Arc::new(logger))
        .build()
        .map_err(|error| error.to_string())?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The runtime of all tests.
    pub(in super::super) fn runtime() -> Arc<Runtime> {
        Runtime::start(&Runtime::find_library(None).unwrap(), 2).unwrap()
    }

    #[test]
    fn starting_twice_gives_the_same_runtime_and_no_second_library() {
        let first = runtime();
        assert!(Arc::ptr_eq(&first, &runtime()));
        let other = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(Runtime::start(other.path(), 1), Err(InferenceError::LibraryDiffers { .. })));
    }

    #[test]
    fn a_configured_library_that_is_missing_is_named() {
        let missing = Path::new("/nowhere/libonnxruntime.so");
        let error = Runtime::find_library(Some(missing)).unwrap_err();
        assert!(error.to_string().contains("/nowhere/libonnxruntime.so"), "{error}");
        assert!(matches!(Runtime::start(missing, 1), Err(InferenceError::LibraryUnusable { .. })));
    }

    #[test]
    fn what_is_no_shared_library_is_refused_before_loading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LIBRARY_NAME);
        std::fs::write(&path, "text").unwrap();
        assert!(check_library(&path).unwrap_err().contains("ELF"));
        std::fs::write(&path, "x").unwrap();
        assert!(check_library(&path).is_err());
        assert!(check_library(folder.path()).unwrap_err().contains("regular file"));
    }

    #[test]
    fn bytes_that_are_no_graph_are_an_error() {
        let commit = |builder: &mut SessionBuilder| builder.commit_from_memory(b"not a graph");
        let error = runtime().session_of("bad.onnx", (1, &SharedTables::default()), commit).unwrap_err();
        assert!(error.to_string().starts_with("bad.onnx cannot be loaded"), "{error}");
    }
}
