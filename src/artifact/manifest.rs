//! `manifest.json`: its JSON form and the checks that turn it into a [`Manifest`]. Unknown keys, keys of another kind
//! and numbers outside their limits are refused, so that a wrong export is found by its first reader.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use super::digest::Sha256Hex;
use super::{ArtifactError, ArtifactKind, MANIFEST_NAME};

/// Most bytes a manifest may have.
pub(super) const MANIFEST_LIMIT_BYTES: u64 = 1024 * 1024;
/// Most files of one artifact: graphs, a tokenizer, a vocabulary and a probe are fewer than ten.
const FILES_LIMIT: usize = 64;
/// Most bytes of one file: an ONNX file ends at 2 GiB.
const FILE_LIMIT_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Widest vector.
const DIM_LIMIT: usize = 8192;
/// Longest text in tokens.
const TOKENS_LIMIT: usize = 8192;
/// Most known movies or users.
const IDS_LIMIT: usize = 50_000_000;
/// Most genre columns.
const GENRES_LIMIT: usize = 1000;
/// Most features of a ranking model.
const FEATURES_LIMIT: usize = 1000;
/// Longest list of neighbours.
const NEIGHBOURS_LIMIT: usize = 10_000;
/// Most bytes of a feature's name.
const FEATURE_NAME_LIMIT_BYTES: usize = 64;
/// Largest tolerance that still says something about a model.
const TOLERANCE_LIMIT: f32 = 0.1;
/// Longest history: what a scorer is given for every question.
const HISTORY_LIMIT: usize = 4096;

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the folder, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the contents.
    pub sha256: Sha256Hex,
}

/// What is special to a text encoder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextEncoder {
    /// File of the graph.
    pub graph: String,
    /// File of the tokenizer.
    pub tokenizer: String,
    /// Components of an embedding.
    pub dim: usize,
    /// Longer texts are cut to so many tokens.
    pub max_tokens: usize,
    /// Token that fills up short texts of a batch.
    pub pad_id: u32,
    /// The same token as text.
    pub pad_token: String,
}

/// A numeric feature of a movie, raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumericFeature {
    /// Mean vote on 0 to 10.
    VoteAverage,
    /// Number of votes.
    VoteCount,
    /// Popularity, at least 0.
    Popularity,
    /// Year of release.
    ReleaseYear,
}

/// What a scorer takes of a person's ratings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryInput {
    /// Most ratings, the newest.
    pub max_length: usize,
}

/// What is special to a rating network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatingNetwork {
    /// File of the graph that makes movie vectors.
    pub movie_tower: String,
    /// File of the graph that makes ratings of a user and movie vectors.
    pub scorer: String,
    /// File of the known ids.
    pub vocabulary: String,
    /// Known movies, row 0 not counted.
    pub n_movies: usize,
    /// Known users, row 0 not counted.
    pub n_users: usize,
    /// Components of a movie vector.
    pub vector_dim: usize,
    /// Numeric features in column order.
    pub numeric: Vec<NumericFeature>,
    /// Genres in column order.
    pub genres: Vec<String>,
    /// Lowest and highest rating.
    pub rating_scale: [f32; 2],
    /// What the scorer takes of a person's ratings; `None`: it knows people by row alone.
    pub history: Option<HistoryInput>,
}

/// What is special to a ranking model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingModel {
    /// File of the graph.
    pub graph: String,
    /// Names of the features in column order.
    pub features: Vec<String>,
}

/// What is special to an item–item model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemItemModel {
    /// File of the lists.
    pub neighbours: String,
    /// File of the known ids.
    pub vocabulary: String,
    /// Known movies.
    pub n_movies: usize,
    /// Most neighbours of a movie.
    pub max_neighbours: usize,
}

/// Inputs with the expected outputs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// File of the probe.
    pub file: String,
    /// Largest absolute difference allowed.
    pub tolerance: f32,
}

/// How the model was trained, for people.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Name of the data set.
    pub data_set: String,
    /// Measured values by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Anything else worth knowing.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// How new a model is: when it was made, its version, its name.
pub type Age = (i64, String, String);

/// The section of the manifest's kind.
#[derive(Clone, Debug, PartialEq)]
pub enum ManifestContent {
    /// A text encoder.
    TextEncoder(TextEncoder),
    /// A rating network.
    RatingNetwork(RatingNetwork),
    /// A ranking model.
    RankingModel(RankingModel),
    /// An item–item model.
    ItemItemModel(ItemItemModel),
}

/// A checked manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// When it was made, in milliseconds since 1970 (UTC).
    pub created_ms: i64,
    /// The same as it was written.
    pub created: String,
    /// Licence of the model.
    pub license: String,
    /// Every file but the manifest.
    pub files: Vec<FileEntry>,
    /// The section of its kind.
    pub content: ManifestContent,
    /// The probe.
    pub probe: Probe,
    /// Training facts, when given.
    pub training: Option<Training>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    format: u32,
    kind: String,
    name: String,
    version: String,
    created: String,
    license: String,
    files: Vec<RawFile>,
    text_encoder: Option<TextEncoder>,
    rating_network: Option<RatingNetwork>,
    ranking_model: Option<RankingModel>,
    item_item_model: Option<ItemItemModel>,
    probe: Probe,
    training: Option<Training>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    path: String,
    size: u64,
    sha256: String,
}

/// The one key a later format must keep, so that its refusal can say what is the matter.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Manifest {
    /// Reads and checks the bytes of a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ArtifactError> {
        if bytes.len() as u64 > MANIFEST_LIMIT_BYTES {
            let (size, limit) = (bytes.len() as u64, MANIFEST_LIMIT_BYTES);
            return Err(ArtifactError::TooLarge { file: MANIFEST_NAME.to_owned(), size, limit });
        }
        let syntax = |error: serde_json::Error| ArtifactError::Syntax {
            file: MANIFEST_NAME.to_owned(),
            reason: error.to_string(),
        };
        let FormatOnly { format } = serde_json::from_slice(bytes).map_err(syntax)?;
        require(format == 1, "format", || format!("is {format}; this program reads format 1"))?;
        let raw: RawManifest = serde_json::from_slice(bytes).map_err(syntax)?;
        debug_assert_eq!(raw.format, format);
        raw.check()
    }

    /// Greater is newer: time, then version, then name.
    pub fn age(&self) -> Age {
        (self.created_ms, self.version.clone(), self.name.clone())
    }

    /// What the model does.
    pub fn kind(&self) -> ArtifactKind {
        self.content.kind()
    }

    /// A listed file.
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The files that are ONNX graphs.
    pub fn graphs(&self) -> Vec<&str> {
        match &self.content {
            ManifestContent::TextEncoder(section) => vec![&section.graph],
            ManifestContent::RatingNetwork(section) => vec![&section.movie_tower, &section.scorer],
            ManifestContent::RankingModel(section) => vec![&section.graph],
            ManifestContent::ItemItemModel(_) => Vec::new(),
        }
    }
}

impl ManifestContent {
    fn kind(&self) -> ArtifactKind {
        match self {
            Self::TextEncoder(_) => ArtifactKind::TextEncoder,
            Self::RatingNetwork(_) => ArtifactKind::RatingNetwork,
            Self::RankingModel(_) => ArtifactKind::RankingModel,
            Self::ItemItemModel(_) => ArtifactKind::ItemItemModel,
        }
    }
}

impl RawManifest {
    fn check(self) -> Result<Manifest, ArtifactError> {
        require(is_name(&self.name, false), "name", || {
            format!(
                "is {:?}; it must be 1 to 64 of a-z, 0-9, '.', '_', '-' and begin with a letter or digit",
                self.name
            )
        })?;
        require(is_name(&self.version, true), "version", || {
            format!("is {:?}; it must be 1 to 64 letters, digits, '.', '_', '+', '-'", self.version)
        })?;
        let license_fits = (1..=200).contains(&self.license.len());
        require(license_fits, "license", || "must be 1 to 200 bytes long".to_owned())?;
        let created_ms = parse_created(&self.created)?;
        let files = check_files(self.files)?;
        let sections = [
            self.text_encoder.map(ManifestContent::TextEncoder),
            self.rating_network.map(ManifestContent::RatingNetwork),
            self.ranking_model.map(ManifestContent::RankingModel),
            self.item_item_model.map(ManifestContent::ItemItemModel),
        ];
        let content = one_section(&self.kind, sections.into_iter().flatten().collect())
            .map_err(|problem| ArtifactError::value(MANIFEST_NAME, "kind", problem))?;
        let (name, version, created, license) = (self.name, self.version, self.created, self.license);
        let (probe, training) = (self.probe, self.training);
        let manifest = Manifest { name, version, created_ms, created, license, files, content, probe, training };
        manifest.check_sections()?;
        Ok(manifest)
    }
}

fn one_section(kind: &str, mut sections: Vec<ManifestContent>) -> Result<ManifestContent, String> {
    if ArtifactKind::ALL.iter().all(|known| known.as_str() != kind) {
        return Err(format!("is {kind:?}; known are {}", ArtifactKind::list()));
    }
    match (sections.pop(), sections.pop()) {
        (Some(section), None) if section.kind().as_str() == kind => Ok(section),
        _ => Err(format!("is {kind:?}, so there must be that section and no other")),
    }
}

impl Manifest {
    fn check_sections(&self) -> Result<(), ArtifactError> {
        match &self.content {
            ManifestContent::TextEncoder(section) => {
                self.check_listed("text_encoder.graph", &section.graph)?;
                self.check_listed("text_encoder.tokenizer", &section.tokenizer)?;
                check_range("text_encoder.dim", section.dim, (1, DIM_LIMIT))?;
                check_range("text_encoder.max_tokens", section.max_tokens, (4, TOKENS_LIMIT))?;
                check_range("text_encoder.pad_token", section.pad_token.len(), (1, 64))?;
            }
            ManifestContent::RatingNetwork(section) => {
                self.check_listed("rating_network.movie_tower", &section.movie_tower)?;
                self.check_listed("rating_network.scorer", &section.scorer)?;
                self.check_listed("rating_network.vocabulary", &section.vocabulary)?;
                section.check()?;
            }
            ManifestContent::RankingModel(section) => {
                self.check_listed("ranking_model.graph", &section.graph)?;
                section.check()?;
            }
            ManifestContent::ItemItemModel(section) => {
                self.check_listed("item_item_model.neighbours", &section.neighbours)?;
                self.check_listed("item_item_model.vocabulary", &section.vocabulary)?;
                check_range("item_item_model.n_movies", section.n_movies, (1, IDS_LIMIT))?;
                check_range("item_item_model.max_neighbours", section.max_neighbours, (1, NEIGHBOURS_LIMIT))?;
            }
        }
        self.check_listed("probe.file", &self.probe.file)?;
        let tolerance = self.probe.tolerance;
        require(tolerance > 0.0 && tolerance <= TOLERANCE_LIMIT, "probe.tolerance", || {
            format!("is {tolerance}; it must be above 0 and at most {TOLERANCE_LIMIT}")
        })
    }

    fn check_listed(&self, field: &str, path: &str) -> Result<(), ArtifactError> {
        require(self.file(path).is_some(), field, || format!("names {path:?}, which is not among `files`"))
    }
}

impl RatingNetwork {
    fn check(&self) -> Result<(), ArtifactError> {
        check_range("rating_network.n_movies", self.n_movies, (1, IDS_LIMIT))?;
        check_range("rating_network.n_users", self.n_users, (0, IDS_LIMIT))?;
        check_range("rating_network.vector_dim", self.vector_dim, (1, DIM_LIMIT))?;
        require(!self.numeric.is_empty(), "rating_network.numeric", || "is empty".to_owned())?;
        let repeated = (1..self.numeric.len()).find(|&place| self.numeric[..place].contains(&self.numeric[place]));
        require(repeated.is_none(), "rating_network.numeric", || "has a feature twice".to_owned())?;
        check_range("rating_network.genres", self.genres.len(), (1, GENRES_LIMIT))?;
        let mut seen = HashSet::new();
        let repeated = self.genres.iter().find(|genre| !seen.insert(genre.to_lowercase()));
        require(repeated.is_none(), "rating_network.genres", || format!("has {repeated:?} twice"))?;
        if let Some(HistoryInput { max_length }) = self.history {
            check_range("rating_network.history.max_length", max_length, (1, HISTORY_LIMIT))?;
        }
        let [low, high] = self.rating_scale;
        require(0.0 <= low && low < high && high <= 10.0, "rating_network.rating_scale", || {
            format!("is [{low}, {high}]; it must be two rising numbers between 0 and 10")
        })
    }
}

impl RankingModel {
    fn check(&self) -> Result<(), ArtifactError> {
        let field = "ranking_model.features";
        check_range(field, self.features.len(), (1, FEATURES_LIMIT))?;
        let fits = |name: &String| (1..=FEATURE_NAME_LIMIT_BYTES).contains(&name.len());
        require(self.features.iter().all(fits), field, || {
            format!("has a name that is empty or longer than {FEATURE_NAME_LIMIT_BYTES} bytes")
        })?;
        let mut seen = HashSet::new();
        let repeated = self.features.iter().find(|name| !seen.insert(name.as_str()));
        require(repeated.is_none(), field, || format!("has {repeated:?} twice"))
    }
}

fn require(holds: bool, field: &str, problem: impl FnOnce() -> String) -> Result<(), ArtifactError> {
    if holds { Ok(()) } else { Err(ArtifactError::value(MANIFEST_NAME, field, problem())) }
}

fn check_range(field: &str, value: usize, (low, high): (usize, usize)) -> Result<(), ArtifactError> {
    require((low..=high).contains(&value), field, || {
        format!("is (or has a length of) {value}; it must be between {low} and {high}")
    })
}

fn is_name(text: &str, is_version: bool) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || (is_version && byte.is_ascii_uppercase());
    let inner = |byte: u8| letter(byte) || matches!(byte, b'.' | b'_' | b'-') || (is_version && byte == b'+');
    text.len() <= 64 && text.bytes().next().is_some_and(letter) && text.bytes().all(inner)
}

fn parse_created(text: &str) -> Result<i64, ArtifactError> {
    let plain = text.len() <= 40 && text.ends_with('Z');
    let time = plain.then(|| text.parse::<jiff::Timestamp>().ok()).flatten();
    time.map(jiff::Timestamp::as_millisecond).ok_or_else(|| {
        let problem = format!("is {text:?}; it must be a UTC time such as 2026-11-23T03:00:00Z");
        ArtifactError::value(MANIFEST_NAME, "created", problem)
    })
}

fn check_files(raw: Vec<RawFile>) -> Result<Vec<FileEntry>, ArtifactError> {
    check_range("files", raw.len(), (1, FILES_LIMIT))?;
    let mut seen = HashSet::new();
    let mut files = Vec::with_capacity(raw.len());
    for RawFile { path, size, sha256 } in raw {
        require(is_plain_path(&path), "files.path", || {
            format!("is {path:?}; it must be a plain relative path of letters, digits, '.', '_', '+', '-'")
        })?;
        require(path != MANIFEST_NAME, "files.path", || "lists the manifest itself".to_owned())?;
        require(seen.insert(path.clone()), "files.path", || format!("lists {path:?} twice"))?;
        require(size <= FILE_LIMIT_BYTES, "files.size", || {
            format!("of {path} is {size}; at most {FILE_LIMIT_BYTES} bytes are read")
        })?;
        let Some(sha256) = Sha256Hex::parse(&sha256) else {
            let problem = format!("of {path} must be 64 lower-case hexadecimal digits");
            return Err(ArtifactError::value(MANIFEST_NAME, "files.sha256", problem));
        };
        files.push(FileEntry { path, size, sha256 });
    }
    Ok(files)
}

/// No absolute path, no `..`, no hidden part, no backslash: the parts are names, at most four of them.
fn is_plain_path(path: &str) -> bool {
    let name = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-');
        !part.is_empty() && part.len() <= 128 && !part.starts_with('.') && part.bytes().all(plain)
    };
    path.split('/').count() <= 4 && path.split('/').all(name)
}

#[cfg(test)]
mod tests;
