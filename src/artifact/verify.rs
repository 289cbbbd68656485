//! From a folder to an [`Artifact`]: paths, kinds, sizes and hashes of every listed file.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::digest::{sha256, sha256_stream};
use super::find::read_manifest;
use super::onnx::check_graph;
use super::{Artifact, ArtifactError, ArtifactId, FileEntry, Manifest};

/// How much of a graph is read at a time.
const GRAPH_BUFFER_BYTES: usize = 256 * 1024;

/// Verifies a folder: reads the manifest once, then every listed file to its end. Files that are not listed are never
/// read. Takes as long as hashing takes (about a second for 400 MB without hardware support).
pub fn verify(folder: &Path) -> Result<Artifact, ArtifactError> {
    require_folder(folder)?;
    let bytes = read_manifest(folder)?;
    let manifest = Manifest::parse(&bytes)?;
    let artifact = Artifact { id: ArtifactId::new(&manifest, &sha256(&bytes)), manifest, folder: folder.to_path_buf() };
    // All sizes before the first hash, so that a copy in progress costs little.
    for entry in &artifact.manifest.files {
        artifact.open(entry)?;
    }
    for entry in &artifact.manifest.files {
        artifact.check_bytes(entry)?;
    }
    for graph in artifact.manifest.graphs() {
        let entry = artifact.entry(graph)?;
        check_graph(graph, BufReader::with_capacity(GRAPH_BUFFER_BYTES, artifact.open(entry)?), entry.size)?;
    }
    Ok(artifact)
}

impl Artifact {
    /// The bytes of a listed file, compared with its hash once more: what a loader gets is what was verified, even
    /// when the folder changed in between.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, ArtifactError> {
        let entry = self.entry(path)?;
        let mut bytes = Vec::with_capacity(entry.size as usize);
        // One byte more than listed, so that a file that grew is noticed.
        let mut file = self.open(entry)?.take(entry.size + 1);
        file.read_to_end(&mut bytes).map_err(|error| io_error(entry, error))?;
        compare(entry, &sha256(&bytes), bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Where a listed file lies, after its kind and size were looked at once more: for loaders that read files
    /// themselves.
    pub fn checked_path(&self, path: &str) -> Result<PathBuf, ArtifactError> {
        let entry = self.entry(path)?;
        self.open(entry)?;
        Ok(self.folder.join(&entry.path))
    }

    /// Hashes a listed file once more: after a loader read it by itself, so that what was loaded is what was verified.
    pub fn check_again(&self, path: &str) -> Result<(), ArtifactError> {
        self.check_bytes(self.entry(path)?)
    }

    /// Size of a listed file.
    pub fn size_of(&self, path: &str) -> Result<u64, ArtifactError> {
        Ok(self.entry(path)?.size)
    }

    fn check_bytes(&self, entry: &FileEntry) -> Result<(), ArtifactError> {
        let (hash, length) = sha256_stream(self.open(entry)?).map_err(|error| io_error(entry, error))?;
        compare(entry, &hash, length)
    }

    fn entry(&self, path: &str) -> Result<&FileEntry, ArtifactError> {
        self.manifest.file(path).ok_or_else(|| ArtifactError::Missing { file: path.to_owned() })
    }

    /// Opens a listed file after every part of its path proved to be a plain folder or a regular file.
    fn open(&self, entry: &FileEntry) -> Result<File, ArtifactError> {
        let mut path = self.folder.clone();
        let mut parts = entry.path.split('/').peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            if parts.peek().is_some() {
                require_folder(&path)?;
            }
        }
        let metadata = fs::symlink_metadata(&path).map_err(|error| io_error(entry, error))?;
        if !metadata.is_file() {
            let found = if metadata.is_symlink() { "a symbolic link" } else { "not a regular file" };
            return Err(ArtifactError::NotPlain { path: entry.path.clone(), found });
        }
        if metadata.len() != entry.size {
            let (file, expected, found) = (entry.path.clone(), entry.size, metadata.len());
            return Err(ArtifactError::SizeDiffers { file, expected, found });
        }
        File::open(&path).map_err(|error| io_error(entry, error))
    }
}

fn io_error(entry: &FileEntry, error: io::Error) -> ArtifactError {
    match error.kind() {
        io::ErrorKind::NotFound => ArtifactError::Missing { file: entry.path.clone() },
        _ => ArtifactError::Io { path: entry.path.clone(), source: error },
    }
}

fn require_folder(path: &Path) -> Result<(), ArtifactError> {
    let kind = fs::symlink_metadata(path).map_err(|error| ArtifactError::io(path, error))?.file_type();
    if kind.is_dir() {
        return Ok(());
    }
    let found = if kind.is_symlink() { "a symbolic link" } else { "not a folder" };
    Err(ArtifactError::NotPlain { path: path.display().to_string(), found })
}

fn compare(entry: &FileEntry, hash: &super::Sha256Hex, length: u64) -> Result<(), ArtifactError> {
    let file = entry.path.clone();
    if length != entry.size {
        return Err(ArtifactError::SizeDiffers { file, expected: entry.size, found: length });
    }
    if *hash != entry.sha256 {
        let (expected, found) = (entry.sha256.to_string(), hash.to_string());
        return Err(ArtifactError::HashDiffers { file, expected, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn broken(change: impl FnOnce(&Path)) -> String {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("model");
        fixture::write(&folder, |_| {});
        assert!(verify(&folder).is_ok());
        change(&folder);
        verify(&folder).unwrap_err().to_string()
    }

    #[test]
    fn a_sound_folder_has_an_id_and_readable_files() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("model");
        fixture::write(&folder, |_| {});
        let artifact = verify(&folder).unwrap();
        let id = artifact.id().as_str();
        assert!(id.starts_with("text-encoder/small@1#") && id.len() == "text-encoder/small@1#".len() + 12, "{id}");
        assert_eq!(artifact.read("tokenizer.json").unwrap(), b"{}");
        assert!(artifact.read("manifest.json").is_err());
        fs::write(folder.join("tokenizer.json"), "[]").unwrap();
        assert!(matches!(artifact.read("tokenizer.json"), Err(ArtifactError::HashDiffers { .. })));
    }

    #[test]
    fn each_kind_of_damage_is_named() {
        let message = broken(|folder| fs::write(folder.join("encoder.onnx"), [0x08, 0x09]).unwrap());
        assert!(message.contains("encoder.onnx has the SHA-256"), "{message}");
        let message = broken(|folder| fs::write(folder.join("encoder.onnx"), [0x08]).unwrap());
        assert!(message.contains("encoder.onnx has 1 bytes where manifest.json says 2"), "{message}");
        let message = broken(|folder| fs::remove_file(folder.join("probe.json")).unwrap());
        assert!(message.contains("probe.json is listed"), "{message}");
        let message = broken(|folder| fs::remove_file(folder.join("manifest.json")).unwrap());
        assert!(message.contains("manifest.json"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        let message = broken(|folder| {
            fs::rename(folder.join("probe.json"), folder.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("elsewhere", folder.join("probe.json")).unwrap();
        });
        assert!(message.contains("probe.json is a symbolic link"), "{message}");
        let message = broken(|folder| {
            fs::rename(folder.join("manifest.json"), folder.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("elsewhere", folder.join("manifest.json")).unwrap();
        });
        assert!(message.contains("manifest.json is a symbolic link"), "{message}");
    }

    #[test]
    fn a_graph_with_external_data_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("model");
        // ModelProto.graph { initializer { data_location: EXTERNAL } }
        fixture::write_with_graph(&folder, &[0x3a, 4, 0x2a, 2, 0x70, 1]);
        assert!(matches!(verify(&folder), Err(ArtifactError::ExternalData { .. })));
    }
}
