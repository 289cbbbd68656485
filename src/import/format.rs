//! Which layouts there are, and which files of a folder belong to one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::ImportError;

/// A layout the importer reads; `schema/import.md` describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// MovieLens 100K: `u.item`, `u.data`, `u.genre`.
    MovieLens100k,
    /// MovieLens 1M (and 10M): `movies.dat`, `ratings.dat`.
    MovieLens1m,
    /// MovieLens latest, 20M, 25M, 32M, and what Marquee exports: `movies.csv`, `ratings.csv`, `links.csv`.
    MovieLensCsv,
    /// RecBole atomic files: `NAME.item`, `NAME.inter`.
    Recbole,
    /// Kaggle "The Movies Dataset": `movies_metadata.csv`, `links.csv`, `ratings.csv`.
    Tmdb,
}

/// A format name that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {0:?}; there are {all}", all = all_names())]
pub struct UnknownFormat(pub String);

impl Format {
    /// All formats in the order in which a folder is tried: the one that knows most about its movies first.
    pub const ALL: [Self; 5] = [Self::Tmdb, Self::MovieLensCsv, Self::MovieLens100k, Self::MovieLens1m, Self::Recbole];

    fn name(self) -> &'static str {
        match self {
            Self::MovieLens100k => "ml-100k",
            Self::MovieLens1m => "ml-1m",
            Self::MovieLensCsv => "ml-csv",
            Self::Recbole => "recbole",
            Self::Tmdb => "tmdb",
        }
    }

    fn looked_for(self) -> &'static str {
        match self {
            Self::MovieLens100k => "u.item (u.data, u.genre)",
            Self::MovieLens1m => "movies.dat (ratings.dat)",
            Self::MovieLensCsv => "movies.csv (ratings.csv, links.csv)",
            Self::Recbole => "NAME.item (NAME.inter)",
            Self::Tmdb => "movies_metadata*.csv and links*.csv (ratings*.csv)",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

fn all_names() -> String {
    Format::ALL.map(Format::name).join(", ")
}

/// Finds out the format of a folder by its file names. Where several fit, the first of [`Format::ALL`] is taken.
pub fn detect(dir: &Path) -> Result<Format, ImportError> {
    let folder = Folder::list(dir)?;
    Format::ALL.into_iter().find(|&format| folder.layout(format).is_some()).ok_or_else(|| ImportError::UnknownLayout {
        dir: dir.to_owned(),
        looked_for: Format::ALL.map(|format| format!("{format}: {}", format.looked_for())).join("; "),
        found: folder.found(),
    })
}

/// The files to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) movies: PathBuf,
    pub(super) ratings: Option<PathBuf>,
    pub(super) links: Option<PathBuf>,
    /// `u.genre`, or `movies.csv` beside `movies_metadata.csv`.
    pub(super) extra: Option<PathBuf>,
    pub(super) overviews: Option<PathBuf>,
    pub(super) id_space: String,
}

impl Layout {
    /// The files of a folder in a given format.
    pub(super) fn of(dir: &Path, format: Format) -> Result<Self, ImportError> {
        let folder = Folder::list(dir)?;
        folder.layout(format).ok_or_else(|| ImportError::UnknownLayout {
            dir: dir.to_owned(),
            looked_for: format!("{format}: {}", format.looked_for()),
            found: folder.found(),
        })
    }

    /// All files, in reading order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let optional = [&self.overviews, &self.links, &self.extra, &self.ratings];
        optional.into_iter().flatten().chain([&self.movies])
    }
}

struct Folder {
    dir: PathBuf,
    /// Sorted, so that every choice is the same on every machine.
    names: Vec<String>,
}

impl Folder {
    fn list(dir: &Path) -> Result<Self, ImportError> {
        let failed = |source| ImportError::read(dir, source);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let (true, Ok(name)) = (entry.path().is_file(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(Self { dir: dir.to_owned(), names })
    }

    fn found(&self) -> String {
        const SHOWN: usize = 20;
        let more = self.names.len().saturating_sub(SHOWN);
        let shown = self.names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        match (self.names.is_empty(), more) {
            (true, _) => "no files".to_owned(),
            (_, 0) => shown,
            _ => format!("{shown} and {more} more"),
        }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.names.iter().any(|known| known == name).then(|| self.dir.join(name))
    }

    /// `STEM.csv`, else `STEM_small.csv`, else the first by name that begins with `STEM`.
    fn variant(&self, stem: &str) -> Option<PathBuf> {
        let fits = |name: &&String| {
            name.strip_prefix(stem)
                .and_then(|rest| rest.strip_suffix(".csv"))
                .is_some_and(|middle| middle.is_empty() || middle.starts_with(['_', '-']))
        };
        self.file(&format!("{stem}.csv"))
            .or_else(|| self.file(&format!("{stem}_small.csv")))
            .or_else(|| self.names.iter().find(fits).map(|name| self.dir.join(name)))
    }

    fn layout(&self, format: Format) -> Option<Layout> {
        let overviews = self.file("overviews.csv");
        let layout = match format {
            Format::MovieLens100k => Layout {
                movies: self.file("u.item")?,
                ratings: self.file("u.data"),
                extra: self.file("u.genre"),
                id_space: "movielens-100k".to_owned(),
                ..Layout::default()
            },
            Format::MovieLens1m => Layout {
                movies: self.file("movies.dat")?,
                ratings: self.file("ratings.dat"),
                id_space: "movielens-1m".to_owned(),
                ..Layout::default()
            },
            Format::MovieLensCsv => Layout {
                movies: self.file("movies.csv")?,
                ratings: self.variant("ratings"),
                links: self.variant("links"),
                id_space: "movielens".to_owned(),
                ..Layout::default()
            },
            Format::Recbole => self.recbole()?,
            Format::Tmdb => Layout {
                movies: self.variant("movies_metadata")?,
                links: Some(self.variant("links")?),
                ratings: self.variant("ratings"),
                extra: self.file("movies.csv"),
                id_space: "movielens".to_owned(),
                ..Layout::default()
            },
        };
        Some(Layout { overviews, ..layout })
    }

    /// The set called like the folder, else the first by name that has ratings, else the first.
    fn recbole(&self) -> Option<Layout> {
        let folder_name = self.dir.canonicalize().ok();
        let folder_name = folder_name.as_ref().and_then(|dir| dir.file_name()).unwrap_or_default();
        let sets: Vec<&str> = self.names.iter().filter_map(|name| name.strip_suffix(".item")).collect();
        let has_ratings = |name: &str| self.file(&format!("{name}.inter")).is_some();
        let name = sets
            .iter()
            .find(|&&name| name == folder_name)
            .or_else(|| sets.iter().find(|name| has_ratings(name)))
            .or(sets.first())?;
        let id_space = match *name {
            "ml-100k" => "movielens-100k".to_owned(),
            "ml-1m" => "movielens-1m".to_owned(),
            other => format!("recbole-{other}"),
        };
        Some(Layout {
            movies: self.file(&format!("{name}.item"))?,
            ratings: self.file(&format!("{name}.inter")),
            id_space,
            ..Layout::default()
        })
    }
}
