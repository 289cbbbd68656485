//! Saves an index as a file with a sidecar, and opens it again only when both are what was written.
//!
//! The name is derived from the space and the catalogue's fingerprint. The sidecar is written last and holds the hash
//! of the file; the very bytes that were hashed are handed to usearch. The index is derived from the store: whatever
//! is wrong with its file, the answer is to build it again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::builder::{CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH, SCALAR, native, new_index, reserve};
use super::{VectorError, VectorIndex};
use crate::artifact::sha256;
use crate::domain::EmbeddingSpace;

/// Number of the form of file and sidecar. Another number: build again.
const FORMAT: u32 = 1;
/// Largest sidecar that is read.
const SIDECAR_LIMIT_BYTES: u64 = 64 * 1024;
/// Extension of index files.
const INDEX_EXTENSION: &str = "usearch";
/// Extension of sidecars.
const SIDECAR_EXTENSION: &str = "json";

/// What a file was made of and how.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    format: u32,
    usearch: String,
    encoder: String,
    dim: usize,
    fingerprint: String,
    n_vectors: usize,
    scalar: String,
    connectivity: usize,
    expansion_add: usize,
    size: u64,
    sha256: String,
}

impl VectorIndex {
    /// Saves the index into a folder; `fingerprint` names the catalogue it was built from.
    pub fn save(&self, folder: &Path, fingerprint: &str) -> Result<(), VectorError> {
        let mut bytes = vec![0_u8; self.index.serialized_length()];
        self.index.save_to_buffer(&mut bytes).map_err(|error| native("save the index", &error))?;
        let mut sidecar = expected_sidecar(&self.space, fingerprint);
        sidecar.n_vectors = self.len;
        sidecar.size = bytes.len() as u64;
        sidecar.sha256 = sha256(&bytes).to_string();
        let described = serde_json::to_vec_pretty(&sidecar).map_err(|error| native("describe the index", &error))?;
        let name = file_name(&self.space, fingerprint);
        write_whole(&folder.join(&name), &bytes)?;
        write_whole(&folder.join(name).with_extension(SIDECAR_EXTENSION), &described)
    }

    /// Opens the index that was saved for this space and catalogue. Any error means: build it again.
    pub fn open(folder: &Path, space: &EmbeddingSpace, fingerprint: &str) -> Result<Self, VectorError> {
        let path = folder.join(file_name(space, fingerprint));
        let sidecar = read_sidecar(&path.with_extension(SIDECAR_EXTENSION))?;
        let unusable = |reason: &str| {
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            VectorError::Unusable { file, reason: reason.to_owned() }
        };
        let mut expected = expected_sidecar(space, fingerprint);
        expected.n_vectors = sidecar.n_vectors;
        expected.size = sidecar.size;
        expected.sha256.clone_from(&sidecar.sha256);
        if sidecar != expected {
            return Err(unusable("it was made for another catalogue, by other parameters or another version"));
        }
        let size = fs::metadata(&path).map_err(|error| io_error(&path, error))?.len();
        if size != sidecar.size {
            return Err(unusable(&format!("it has {size} bytes where {} were written", sidecar.size)));
        }
        let bytes = fs::read(&path).map_err(|error| io_error(&path, error))?;
        if sha256(&bytes).as_str() != sidecar.sha256 {
            return Err(unusable("its contents are not what was written"));
        }
        let index = new_index(space.dim)?;
        index.load_from_buffer(&bytes).map_err(|error| native("load the index", &error))?;
        if index.size() != sidecar.n_vectors || index.dimensions() != space.dim {
            return Err(unusable("it holds another number of vectors than was written"));
        }
        // Neither the threads nor the width of the search are part of the file.
        index.change_expansion_search(EXPANSION_SEARCH);
        reserve(&index, sidecar.n_vectors)?;
        Ok(Self { index, space: space.clone(), len: sidecar.n_vectors, scan: None })
    }
}

/// Removes the files of other spaces and catalogues, and what an interrupted writer left. Returns how many.
pub fn remove_others(folder: &Path, space: &EmbeddingSpace, fingerprint: &str) -> Result<usize, VectorError> {
    let kept = PathBuf::from(file_name(space, fingerprint));
    let kept = kept.file_stem().unwrap_or_default();
    let mut removed = 0;
    for entry in fs::read_dir(folder).map_err(|error| io_error(folder, error))? {
        let path = entry.map_err(|error| io_error(folder, error))?.path();
        if is_ours(&path) && path.file_stem() != Some(kept) {
            fs::remove_file(&path).map_err(|error| io_error(&path, error))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Whether the name is one that [`file_name`] makes, or a temporary form of it: 16 hexadecimal digits.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_prefix(".tmp-").unwrap_or(&name);
    let Some((stem, extension)) = name.split_once('.') else { return false };
    stem.len() == 16
        && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
        && matches!(extension, INDEX_EXTENSION | SIDECAR_EXTENSION)
}

fn file_name(space: &EmbeddingSpace, fingerprint: &str) -> String {
    // The parts are separated by a byte that none of them contains.
    let source = format!("{}\0{}\0{fingerprint}", space.encoder, space.dim);
    format!("{}.{INDEX_EXTENSION}", &sha256(source.as_bytes()).as_str()[..16])
}

fn expected_sidecar(space: &EmbeddingSpace, fingerprint: &str) -> Sidecar {
    Sidecar {
        format: FORMAT,
        usearch: usearch::version().to_owned(),
        encoder: space.encoder.clone(),
        dim: space.dim,
        fingerprint: fingerprint.to_owned(),
        n_vectors: 0,
        scalar: SCALAR.to_owned(),
        connectivity: CONNECTIVITY,
        expansion_add: EXPANSION_ADD,
        size: 0,
        sha256: String::new(),
    }
}

fn read_sidecar(path: &Path) -> Result<Sidecar, VectorError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(VectorError::Absent),
        Err(error) => return Err(io_error(path, error)),
    };
    let unusable = |reason: String| VectorError::Unusable { file: path.display().to_string(), reason };
    if metadata.len() > SIDECAR_LIMIT_BYTES {
        return Err(unusable(format!("its sidecar has {} bytes", metadata.len())));
    }
    let bytes = fs::read(path).map_err(|error| io_error(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))
}

/// Writes a file so that it appears whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), VectorError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".tmp-{name}"));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| io_error(path, error))
}

fn io_error(path: &Path, source: io::Error) -> VectorError {
    VectorError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::recommend::NearestNeighbors;

    #[test]
    fn an_opened_index_answers_as_the_saved_one_also_from_many_threads() {
        let folder = tempfile::tempdir().unwrap();
        let (space, vectors) = sample::clustered(400, 24);
        let built = VectorIndex::build(space.clone(), sample::pairs(&vectors), &|_| {}).unwrap();
        built.save(folder.path(), "catalogue 1").unwrap();
        let opened = VectorIndex::open(folder.path(), &space, "catalogue 1").unwrap();
        assert_eq!(opened.len(), 400);
        std::thread::scope(|scope| {
            for thread in 0..32 {
                let (built, opened, vectors) = (&built, &opened, &vectors);
                scope.spawn(move || {
                    for (_, query) in vectors.iter().skip(thread).step_by(40) {
                        assert_eq!(opened.nearest(query, 10).unwrap(), built.nearest(query, 10).unwrap());
                    }
                });
            }
        });
    }

    #[test]
    fn what_does_not_match_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (space, vectors) = sample::clustered(40, 8);
        let index = VectorIndex::build(space.clone(), sample::pairs(&vectors), &|_| {}).unwrap();
        index.save(folder.path(), "one").unwrap();
        let open = || VectorIndex::open(folder.path(), &space, "one").map(|index| index.len());
        let other = EmbeddingSpace { encoder: "other".into(), dim: 8 };
        assert!(matches!(VectorIndex::open(folder.path(), &other, "one"), Err(VectorError::Absent)));
        assert!(matches!(VectorIndex::open(folder.path(), &space, "two"), Err(VectorError::Absent)));

        let path = folder.path().join(file_name(&space, "one"));
        let sound = fs::read(&path).unwrap();
        let mut flipped = sound.clone();
        flipped[sound.len() / 2] ^= 0x40;
        for damaged in [&flipped[..], &sound[..sound.len() - 1], &[]] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(open(), Err(VectorError::Unusable { .. })));
        }
        fs::remove_file(&path).unwrap();
        assert!(open().is_err());
        fs::write(&path, &sound).unwrap();
        assert_eq!(open().unwrap(), 40);

        let sidecar = path.with_extension(SIDECAR_EXTENSION);
        let text = fs::read_to_string(&sidecar).unwrap();
        for damaged in [text.replace("\"format\": 1", "\"format\": 2"), text[..20].to_owned(), String::new()] {
            fs::write(&sidecar, damaged).unwrap();
            assert!(matches!(open(), Err(VectorError::Unusable { .. })));
        }
        fs::remove_file(&sidecar).unwrap();
        assert!(matches!(open(), Err(VectorError::Absent)));
    }

    #[test]
    fn old_files_are_removed_and_foreign_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (space, vectors) = sample::clustered(10, 8);
        let index = VectorIndex::build(space.clone(), sample::pairs(&vectors), &|_| {}).unwrap();
        index.save(folder.path(), "old").unwrap();
        index.save(folder.path(), "new").unwrap();
        fs::write(folder.path().join("marquee.redb"), "store").unwrap();
        fs::write(folder.path().join(".tmp-0123456789abcdef.usearch"), "half").unwrap();
        assert_eq!(remove_others(folder.path(), &space, "new").unwrap(), 3);
        assert!(VectorIndex::open(folder.path(), &space, "new").is_ok());
        assert!(folder.path().join("marquee.redb").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn an_empty_index_is_saved_and_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (space, _) = sample::clustered(0, 8);
        VectorIndex::build(space.clone(), std::iter::empty(), &|_| {}).unwrap().save(folder.path(), "x").unwrap();
        let opened = VectorIndex::open(folder.path(), &space, "x").unwrap();
        assert!(opened.is_empty());
        let query = crate::domain::Embedding::new(vec![1.0; 8]).unwrap();
        assert!(opened.nearest(&query, 5).unwrap().is_empty());
    }
}
