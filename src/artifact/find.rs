//! Looks below the models folder for artifacts, and tells cheaply whether a folder changed since it was looked at.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::digest::{Sha256Hex, sha256};
use super::manifest::MANIFEST_LIMIT_BYTES;
use super::{ArtifactError, ArtifactId, MANIFEST_NAME, Manifest};

/// How far [`find`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Folders below the models folder, one within the other.
    pub depth: usize,
    /// Folders looked at in all.
    pub folders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 4, folders: 1000 }
    }
}

/// State of a folder: equal as long as the manifest's bytes and the sizes and times of its files are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(Sha256Hex);

/// A folder that has a manifest, or claims to.
#[derive(Debug)]
pub struct Candidate {
    /// The folder.
    pub folder: PathBuf,
    /// Its state when it was found.
    pub fingerprint: Fingerprint,
    /// Who it claims to be, when its manifest can be read.
    pub id: Option<ArtifactId>,
    /// Its manifest, or what is wrong with it.
    pub manifest: Result<Manifest, ArtifactError>,
}

impl Candidate {
    /// Newest first; what cannot be read comes last; the folder's name breaks ties.
    fn order(&self, other: &Self) -> Ordering {
        let age = |candidate: &Self| candidate.manifest.as_ref().ok().map(Manifest::age);
        age(other).cmp(&age(self)).then_with(|| self.folder.cmp(&other.folder))
    }
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Found {
    /// The artifacts, newest first.
    pub candidates: Vec<Candidate>,
    /// What kept parts of the folder from being looked at, as sentences.
    pub troubles: Vec<String>,
}

/// Lists the artifacts below a folder, newest first, without reading more than their manifests.
///
/// Hidden names are passed over (writers use them while they write), symbolic links are not followed: one that stands
/// for an artifact is listed with the reason for its refusal. A folder that is not there holds no artifacts; a
/// sub-folder that cannot be read is passed over, with a word in `troubles`. Model files that lie in the folder itself are
/// refused, because only one model could.
pub fn find(folder: &Path, limits: Limits) -> Result<Found, ArtifactError> {
    let mut found = Found::default();
    let mut open = vec![(folder.to_path_buf(), 0_usize)];
    let mut n_folders = 0_usize;
    while let Some((folder, depth)) = open.pop() {
        n_folders += 1;
        if n_folders > limits.folders {
            let limit = limits.folders;
            found.troubles.push(format!("the models folder has over {limit} folders; the rest is not looked at"));
            break;
        }
        let below = match list(&folder) {
            Ok(below) => below,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if depth == 0 => return Err(ArtifactError::io(&folder, error)),
            Err(error) => {
                found.troubles.push(format!("the folder {} cannot be read: {error}", folder.display()));
                continue;
            }
        };
        if below.has_manifest && depth > 0 {
            found.candidates.push(candidate(folder));
            continue;
        }
        if below.has_manifest {
            found.candidates.push(misplaced(folder));
        }
        for link in below.links {
            if link.join(MANIFEST_NAME).exists() {
                found.candidates.push(refused_link(link));
            }
        }
        if depth < limits.depth {
            open.extend(below.folders.into_iter().map(|folder| (folder, depth + 1)));
        }
    }
    found.candidates.sort_by(Candidate::order);
    Ok(found)
}

/// Deletes a model's folder: the manifest first, so that the model is gone as a whole, then the files it lists. What it
/// does not list stays, and the folder with it.
pub fn delete(folder: &Path, manifest: &Manifest) -> Result<(), ArtifactError> {
    let remove = |path: &Path| match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ArtifactError::io(path, error)),
        _ => Ok(()),
    };
    remove(&folder.join(MANIFEST_NAME))?;
    for file in &manifest.files {
        let path = folder.join(&file.path);
        remove(&path)?;
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != folder) {
            // Only an empty folder goes.
            let _ = fs::remove_dir(parent);
        }
    }
    let _ = fs::remove_dir(folder);
    Ok(())
}

/// State of a folder. Never fails: what cannot be read is part of the state.
fn fingerprint(folder: &Path, manifest: &Result<Vec<u8>, ArtifactError>) -> Fingerprint {
    let mut state = String::new();
    match manifest {
        Ok(bytes) => {
            let _ = writeln!(state, "{}", sha256(bytes));
            if let Ok(manifest) = Manifest::parse(bytes) {
                for file in &manifest.files {
                    let _ = writeln!(state, "{} {}", file.path, file_state(&folder.join(&file.path)));
                }
            }
        }
        Err(error) => {
            let _ = writeln!(state, "{error}");
        }
    }
    Fingerprint(sha256(state.as_bytes()))
}

/// The bytes of a folder's manifest, which must be a regular file of bounded size.
pub(super) fn read_manifest(folder: &Path) -> Result<Vec<u8>, ArtifactError> {
    let path = folder.join(MANIFEST_NAME);
    let kind = fs::symlink_metadata(&path).map_err(|error| ArtifactError::io(&path, error))?.file_type();
    if !kind.is_file() {
        let found = if kind.is_symlink() { "a symbolic link" } else { "not a regular file" };
        return Err(ArtifactError::NotPlain { path: path.display().to_string(), found });
    }
    let file = fs::File::open(&path).map_err(|error| ArtifactError::io(&path, error))?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the parser sees that it is too large.
    file.take(MANIFEST_LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(|error| ArtifactError::io(&path, error))?;
    Ok(bytes)
}

/// Files of a model that were put beside the folders of models.
fn misplaced(folder: PathBuf) -> Candidate {
    let fingerprint = fingerprint(&folder, &read_manifest(&folder));
    Candidate { folder, fingerprint, id: None, manifest: Err(ArtifactError::Misplaced) }
}

fn candidate(folder: PathBuf) -> Candidate {
    let bytes = read_manifest(&folder);
    let fingerprint = fingerprint(&folder, &bytes);
    let read = bytes.and_then(|bytes| {
        let manifest = Manifest::parse(&bytes)?;
        Ok((ArtifactId::new(&manifest, &sha256(&bytes)), manifest))
    });
    let (id, manifest) = match read {
        Ok((id, manifest)) => (Some(id), Ok(manifest)),
        Err(error) => (None, Err(error)),
    };
    Candidate { folder, fingerprint, id, manifest }
}

fn refused_link(link: PathBuf) -> Candidate {
    let path = link.display().to_string();
    let fingerprint = Fingerprint(sha256(format!("symbolic link {path}").as_bytes()));
    let manifest = Err(ArtifactError::NotPlain { path, found: "a symbolic link" });
    Candidate { folder: link, fingerprint, id: None, manifest }
}

#[derive(Default)]
struct Below {
    has_manifest: bool,
    folders: Vec<PathBuf>,
    links: Vec<PathBuf>,
}

fn list(folder: &Path) -> io::Result<Below> {
    let mut below = Below::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        if name == MANIFEST_NAME {
            below.has_manifest = true;
        } else if kind.is_dir() {
            below.folders.push(entry.path());
        } else if kind.is_symlink() {
            below.links.push(entry.path());
        }
    }
    below.folders.sort();
    below.links.sort();
    Ok(below)
}

fn file_state(path: &Path) -> String {
    match fs::symlink_metadata(path) {
        Ok(metadata) => {
            let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            format!("{} {:?} {}", metadata.len(), changed, metadata.file_type().is_file())
        }
        Err(error) => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn lists_newest_first_and_passes_over_hidden_names() {
        let models = tempfile::tempdir().unwrap();
        let root = models.path();
        fixture::write(&root.join("a/old"), |manifest| manifest["created"] = "2026-01-01T00:00:00Z".into());
        fixture::write(&root.join("new"), |manifest| manifest["created"] = "2026-02-01T00:00:00Z".into());
        fixture::write(&root.join(".tmp-half"), |_| {});
        fixture::write(&root.join("broken"), |manifest| manifest["format"] = 7.into());
        fs::create_dir(root.join("empty")).unwrap();
        let found = find(root, Limits::default()).unwrap().candidates;
        let names: Vec<_> = found.iter().map(|c| c.folder.strip_prefix(root).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["new", "a/old", "broken"]);
        assert!(found[2].manifest.as_ref().unwrap_err().to_string().contains("format 1"));
        assert_eq!(find(root, Limits { depth: 1, folders: 1000 }).unwrap().candidates.len(), 2);
        assert_eq!(find(root, Limits { depth: 4, folders: 1 }).unwrap().candidates.len(), 0);
        assert!(find(&root.join("nowhere"), Limits::default()).unwrap().candidates.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_folder_is_refused_not_followed() {
        let models = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fixture::write(&elsewhere.path().join("model"), |_| {});
        std::os::unix::fs::symlink(elsewhere.path().join("model"), models.path().join("link")).unwrap();
        let found = find(models.path(), Limits::default()).unwrap().candidates;
        assert_eq!(found.len(), 1);
        assert!(matches!(found[0].manifest, Err(ArtifactError::NotPlain { .. })));
    }

    #[test]
    fn the_fingerprint_changes_with_manifest_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let fingerprint = |path: &Path| fingerprint(path, &read_manifest(path));
        assert_eq!(fingerprint(&path), fingerprint(&path));
        let absent = fingerprint(&path);
        fixture::write(&path, |_| {});
        let first = fingerprint(&path);
        assert_ne!(first, absent);
        assert_eq!(first, fingerprint(&path));
        fs::write(path.join("probe.json"), "{} ").unwrap();
        assert_ne!(first, fingerprint(&path));
    }
}
