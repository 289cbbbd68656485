//! What a model folder must look like: a manifest, files with size and SHA-256, a probe. The contract is written in
//! `schema/`; tools write such folders, this room finds and verifies them. Owns the hash crate.
//!
//! Nothing here runs a model. A folder is data from outside: every path, size and number is checked, and no byte
//! reaches a native loader before its hash was compared.

mod content;
mod digest;
mod find;
#[cfg(test)]
mod fixture;
mod manifest;
mod neighbors;
mod onnx;
mod tables;
mod tensor;
mod verify;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use content::{EncoderProbe, NetworkProbe, NetworkVocabulary, ProbeHistory, RankingProbe, VocabularyMovie};
pub use digest::{Sha256Hex, sha256};
pub use find::{Candidate, Fingerprint, Found, Limits, delete, find};
pub use manifest::{
    Age, FileEntry, HistoryInput, ItemItemModel, Manifest, ManifestContent, NumericFeature, Probe, RankingModel,
    RatingNetwork, TextEncoder, Training,
};
pub use neighbors::NeighborLists;
pub use tables::ByteTable;
pub use verify::verify;

/// Name of the file that makes a folder an artifact.
pub const MANIFEST_NAME: &str = "manifest.json";

/// Why a folder is not a usable artifact. Each message is a sentence for the person who made the folder.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// What was read.
        path: String,
        /// The reason given by the system.
        source: io::Error,
    },
    /// A symbolic link, a folder or a device stands where a regular file or a folder must be.
    #[error("{path} is {found}; an artifact consists of plain folders and regular files only")]
    NotPlain {
        /// What was looked at.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// A file is larger than this program reads.
    #[error("{file} has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The manifest, the vocabulary or the probe is not the JSON that the contract asks for.
    #[error("{file} cannot be read: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// A value is outside what the contract allows.
    #[error("{file}: `{field}` {problem}")]
    Value {
        /// The file.
        file: String,
        /// The key, with its section.
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The files of a model lie in the models folder itself.
    #[error("the files of a model lie in the models folder itself; move them into a folder of their own there")]
    Misplaced,
    /// A listed file is not there.
    #[error("{file} is listed in manifest.json but is not in the folder")]
    Missing {
        /// The file.
        file: String,
    },
    /// A file has another size than the manifest says.
    #[error("{file} has {found} bytes where manifest.json says {expected}; was it copied completely?")]
    SizeDiffers {
        /// The file.
        file: String,
        /// Size in the manifest.
        expected: u64,
        /// Size found.
        found: u64,
    },
    /// A file has other contents than the manifest says.
    #[error("{file} has the SHA-256 {found} where manifest.json says {expected}; export or copy it again")]
    HashDiffers {
        /// The file.
        file: String,
        /// Hash in the manifest.
        expected: String,
        /// Hash found.
        found: String,
    },
    /// A graph keeps tensors outside of its file.
    #[error("{file} keeps tensor data in other files (ONNX external data); export it as one file")]
    ExternalData {
        /// The graph.
        file: String,
    },
    /// A graph has weights that no training meant.
    #[error("{file} has weights that are no numbers or not all there: the tensor \"{tensor}\" has {problem}")]
    Weights {
        /// The graph.
        file: String,
        /// Name of the tensor.
        tensor: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A graph is not a readable ONNX file.
    #[error("{file} is not a readable ONNX graph: {reason} at byte {position}")]
    Graph {
        /// The graph.
        file: String,
        /// What is wrong.
        reason: &'static str,
        /// Where.
        position: u64,
    },
    /// A model without a graph computes something else than its maker recorded.
    #[error("the golden probe failed: {0}")]
    Probe(String),
    /// The artifact is of another kind than what it was asked for.
    #[error("the artifact is a {found}, not a {expected}")]
    Kind {
        /// What is needed.
        expected: ArtifactKind,
        /// What it is.
        found: ArtifactKind,
    },
}

impl ArtifactError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }

    pub(crate) fn value(file: &str, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value { file: file.to_owned(), field: field.into(), problem: problem.into() }
    }
}

impl ArtifactError {
    /// Whether the reason may go away by itself because somebody is still copying.
    pub fn is_incomplete(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::SizeDiffers { .. } => true,
            // The folder was moved while it was looked at.
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArtifactKind {
    /// Turns texts into embeddings.
    TextEncoder,
    /// Predicts ratings.
    RatingNetwork,
    /// Orders candidates.
    RankingModel,
    /// Lists movies like a movie.
    ItemItemModel,
}

impl ArtifactKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::TextEncoder, Self::RatingNetwork, Self::RankingModel, Self::ItemItemModel];

    /// The word of the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TextEncoder => "text-encoder",
            Self::RatingNetwork => "rating-network",
            Self::RankingModel => "ranking-model",
            Self::ItemItemModel => "item-item-model",
        }
    }

    /// Whether it is made of graphs, which want a runtime; else of plain numbers.
    pub fn has_graphs(self) -> bool {
        self != Self::ItemItemModel
    }

    /// The words of all kinds, for messages.
    pub fn list() -> String {
        let [first, second, third, fourth] = Self::ALL;
        format!("{first}, {second}, {third} and {fourth}")
    }
}

impl fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `kind/name@version#` and the first twelve hexadecimal digits of the manifest's SHA-256. The manifest holds the hash
/// of every file, so equal ids mean equal contents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactId(String);

impl ArtifactId {
    fn new(manifest: &Manifest, manifest_hash: &Sha256Hex) -> Self {
        let digits = &manifest_hash.as_str()[..12];
        Self(format!("{}/{}@{}#{digits}", manifest.kind(), manifest.name, manifest.version))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A verified folder: every listed file was there with the listed size and hash.
#[derive(Clone, Debug)]
pub struct Artifact {
    id: ArtifactId,
    manifest: Manifest,
    folder: PathBuf,
}

impl Artifact {
    /// Who it is.
    pub fn id(&self) -> &ArtifactId {
        &self.id
    }

    /// What its manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The section of a text encoder.
    pub fn text_encoder(&self) -> Result<&TextEncoder, ArtifactError> {
        match &self.manifest.content {
            ManifestContent::TextEncoder(section) => Ok(section),
            _ => Err(self.is_no(ArtifactKind::TextEncoder)),
        }
    }

    /// The section of a rating network.
    pub fn rating_network(&self) -> Result<&RatingNetwork, ArtifactError> {
        match &self.manifest.content {
            ManifestContent::RatingNetwork(section) => Ok(section),
            _ => Err(self.is_no(ArtifactKind::RatingNetwork)),
        }
    }

    /// The section of a ranking model.
    pub fn ranking_model(&self) -> Result<&RankingModel, ArtifactError> {
        match &self.manifest.content {
            ManifestContent::RankingModel(section) => Ok(section),
            _ => Err(self.is_no(ArtifactKind::RankingModel)),
        }
    }

    /// The section of an item–item model.
    pub fn item_item_model(&self) -> Result<&ItemItemModel, ArtifactError> {
        match &self.manifest.content {
            ManifestContent::ItemItemModel(section) => Ok(section),
            _ => Err(self.is_no(ArtifactKind::ItemItemModel)),
        }
    }

    fn is_no(&self, expected: ArtifactKind) -> ArtifactError {
        ArtifactError::Kind { expected, found: self.manifest.kind() }
    }
}
