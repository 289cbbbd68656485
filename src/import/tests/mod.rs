//! Whole folders through the importer.

#[cfg(test)]
mod folders;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod hostile;

use std::path::{Path, PathBuf};

use super::*;
use crate::domain::MovieId;

/// Keeps everything, and checks the order of calls.
#[derive(Default)]
struct Collected {
    movies: Vec<Movie>,
    ratings: Vec<Interaction>,
    progress: Vec<ImportProgress>,
}

impl ImportSink for Collected {
    fn movie(&mut self, movie: Movie) -> Result<(), SinkError> {
        assert!(self.ratings.is_empty(), "movies come before ratings");
        self.movies.push(movie);
        Ok(())
    }

    fn rating(&mut self, rating: Interaction) -> Result<(), SinkError> {
        self.ratings.push(rating);
        Ok(())
    }

    fn progress(&mut self, progress: ImportProgress) {
        self.progress.push(progress);
    }
}

impl Collected {
    fn movie_of(&self, id: u32) -> &Movie {
        self.movies.iter().find(|movie| movie.id == MovieId(id)).unwrap()
    }

    fn ids(&self) -> Vec<u32> {
        self.movies.iter().map(|movie| movie.id.0).collect()
    }

    fn triples(&self) -> Vec<(u32, u32, f32)> {
        self.ratings.iter().map(|rating| (rating.user.0, rating.movie.0, rating.rating.value())).collect()
    }
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Imports a folder in the format it is detected to have; whatever comes out, the counts must agree.
fn imported(dir: &Path, options: &ImportOptions) -> (ImportReport, Collected) {
    let mut sink = Collected::default();
    let report = import(dir, detect(dir).unwrap(), options, &mut sink).unwrap();
    for file in &report.files {
        assert_eq!(file.rows, file.kept + file.skipped(), "{}", file.name);
        for (reason, &count) in &file.reasons {
            let examples = report.problems.iter().filter(|found| found.file == file.name && found.reason == *reason);
            assert_eq!(examples.count() as u64, count.min(session::MAX_PROBLEMS as u64));
        }
    }
    assert_eq!((report.movies, report.ratings), (sink.movies.len() as u64, sink.ratings.len() as u64));
    let last = sink.progress.last().unwrap();
    assert_eq!(last.bytes_read, last.bytes_total, "everything was read");
    assert!(sink.progress.is_sorted_by_key(|progress| progress.bytes_read));
    (report, sink)
}

fn fixture(format: Format) -> (ImportReport, Collected) {
    let dir = project("tests/fixtures/import").join(format.to_string());
    assert_eq!(detect(&dir).unwrap(), format);
    imported(&dir, &ImportOptions::default())
}

/// Rows, kept rows and reasons of one file.
fn check_file(report: &ImportReport, name: &str, (rows, kept): (u64, u64), reasons: &[(Reason, u64)]) {
    let file = report.files.iter().find(|file| file.name == name).unwrap();
    assert_eq!((file.rows, file.kept), (rows, kept), "{name}: {:?}", file.reasons);
    let found: Vec<_> = file.reasons.iter().map(|(&reason, &count)| (reason, count)).collect();
    assert_eq!(found, reasons, "{name}");
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}
