//! Movies and ratings out again, as CSV that [`import`](super::import()) reads and training tools can use.
//!
//! Each file appears whole or not at all: written under a temporary name beside its target, synced, renamed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::ImportError;
use crate::domain::{Catalogue, ItemIdx, RatingMatrix, UserIdx};

/// Numbers of rows written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// Movies in `movies.csv`.
    pub movies: usize,
    /// Ratings in `ratings.csv`.
    pub ratings: usize,
}

/// Writes `movies.csv` and `ratings.csv` into a folder, which is made if need be. The ratings must be of this
/// catalogue.
pub fn export(dir: &Path, catalogue: &Catalogue, ratings: &RatingMatrix) -> Result<ExportReport, ImportError> {
    std::fs::create_dir_all(dir).map_err(|source| ImportError::write(dir, source))?;
    write_file(dir, "movies.csv", |file| write_movies(file, catalogue))?;
    write_file(dir, "ratings.csv", |file| write_ratings(file, catalogue, ratings))?;
    Ok(ExportReport { movies: catalogue.len(), ratings: ratings.len() })
}

fn write_movies(file: &mut dyn Write, catalogue: &Catalogue) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record([
        "movieId",
        "title",
        "year",
        "genres",
        "vote_average",
        "vote_count",
        "popularity",
        "overview",
        "synopsis",
    ])?;
    for (row, movie) in catalogue.movies().iter().enumerate() {
        let figures = catalogue.popularity(ItemIdx(row as u32));
        let genres: Vec<String> = movie.genres.iter().map(|genre| genre.replace('|', "/")).collect();
        csv.write_record([
            &movie.id.to_string(),
            &movie.title,
            &movie.year.map(|year| year.to_string()).unwrap_or_default(),
            &genres.join("|"),
            &figures.vote_average.map(|average| average.to_string()).unwrap_or_default(),
            &figures.vote_count.to_string(),
            &figures.popularity.to_string(),
            movie.overview.as_deref().unwrap_or_default(),
            movie.synopsis.as_deref().unwrap_or_default(),
        ])?;
    }
    csv.flush()
}

fn write_ratings(file: &mut dyn Write, catalogue: &Catalogue, ratings: &RatingMatrix) -> io::Result<()> {
    writeln!(file, "userId,movieId,rating,timestamp")?;
    for (row, user) in ratings.users().ids().iter().enumerate() {
        for (item, value, timestamp) in ratings.history(UserIdx(row as u32)) {
            writeln!(file, "{user},{},{value:?},{timestamp}", catalogue.movie(item).id)?;
        }
    }
    Ok(())
}

pub(super) fn write_file(
    dir: &Path,
    name: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), ImportError> {
    let target = dir.join(name);
    let temporary = dir.join(format!(".{name}.{}.tmp", std::process::id()));
    let outcome = write_synced(&temporary, write).and_then(|()| std::fs::rename(&temporary, &target));
    outcome.map_err(|source| {
        // The first failure is the one to report; what is left of the temporary file is only litter.
        let _ = std::fs::remove_file(&temporary);
        ImportError::write(&target, source)
    })
}

fn write_synced(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 18, File::create(path)?);
    write(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
