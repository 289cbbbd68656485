//! The neighbour lists of an item–item model: three tensors in one safetensors file, checked against the manifest and the
//! vocabulary. Plain numbers, so that no foreign code runs them.

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::{Artifact, ArtifactError, VocabularyMovie};

/// Seeds of a question and movies of an answer, at most, and questions of a probe.
const PROBE_LIMIT: usize = 64;

/// For every movie that the model knows, the movies nearest to it with their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct NeighborLists {
    movies: Vec<VocabularyMovie>,
    /// Where the list of each row begins; one more for the end.
    starts: Vec<u32>,
    rows: Vec<u32>,
    weights: Vec<f32>,
}

/// Questions with the answers that the model must give.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct NeighborProbe {
    /// Rows of the seeds of each question.
    seeds: Vec<Vec<u32>>,
    /// Rows of some movies of each answer.
    movies: Vec<Vec<u32>>,
    /// Their scores.
    scores: Vec<Vec<f32>>,
}

impl NeighborLists {
    /// Reads and checks the lists, then holds them against the probe.
    pub fn load(artifact: &Artifact) -> Result<Self, ArtifactError> {
        let section = artifact.item_item_model()?;
        let movies = artifact.item_vocabulary()?;
        let file = &section.neighbours;
        let fail = |field: &str, problem: String| ArtifactError::value(file, field, problem);
        let bytes = artifact.read(file)?;
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|error| ArtifactError::Syntax { file: file.clone(), reason: error.to_string() })?;
        let tensor = |name: &str, dtype, n: Option<usize>| {
            let view = tensors.tensor(name).map_err(|error| fail(name, format!("is not there: {error}")))?;
            let fits = view.dtype() == dtype && view.shape().len() == 1 && n.is_none_or(|n| view.shape() == [n]);
            if fits {
                return Ok(view.data());
            }
            let wanted = n.map_or("n".to_owned(), |n| n.to_string());
            let (found, shape) = (view.dtype(), view.shape());
            Err(fail(name, format!("is {found:?}{shape:?}; it must be {dtype:?}[{wanted}]")))
        };
        let starts = unsigned(tensor("starts", Dtype::U32, Some(movies.len() + 1))?);
        let rows = unsigned(tensor("rows", Dtype::U32, None)?);
        let weights = tensor("weights", Dtype::F32, Some(rows.len()))?;
        let weights = weights.chunks_exact(4).map(|bytes| f32::from_bits(word(bytes))).collect();
        let lists = Self { movies, starts, rows, weights };
        lists.check(section.max_neighbours).map_err(|(field, problem)| fail(field, problem))?;
        lists.probe(artifact)?;
        Ok(lists)
    }

    /// The movies in row order.
    pub fn movies(&self) -> &[VocabularyMovie] {
        &self.movies
    }

    /// The movies nearest to the one in a row, as rows that rise, and their weights.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        (&self.rows[range.clone()], &self.weights[range])
    }

    /// What of the numbers is not as it must be.
    fn check(&self, max_neighbours: usize) -> Result<(), (&'static str, String)> {
        let n_movies = self.movies.len();
        let ends = (self.starts.first(), self.starts.last().map(|&end| end as usize));
        if ends != (Some(&0), Some(self.rows.len())) || !self.starts.is_sorted() {
            return Err(("starts", format!("must rise from 0 to {}, the number of neighbours", self.rows.len())));
        }
        for row in 0..n_movies {
            let (neighbours, weights) = self.row(row);
            if neighbours.len() > max_neighbours {
                let n = neighbours.len();
                return Err(("rows", format!("has {n} neighbours of row {row}; the manifest allows {max_neighbours}")));
            }
            if let Some(outside) = neighbours.iter().find(|&&neighbour| neighbour as usize >= n_movies) {
                return Err(("rows", format!("has the row {outside}; rows are 0 to {}", n_movies - 1)));
            }
            if !neighbours.is_sorted_by(|left, right| left < right) {
                return Err(("rows", format!("has neighbours of row {row} that do not rise")));
            }
            if neighbours.binary_search(&(row as u32)).is_ok() {
                return Err(("rows", format!("has row {row} as its own neighbour")));
            }
            if let Some(weight) = weights.iter().find(|weight| !weight.is_finite()) {
                return Err(("weights", format!("has {weight} in row {row}; all must be finite numbers")));
            }
        }
        Ok(())
    }

    /// The mean weight from the seeds, a missing one counting 0.
    fn score(&self, seeds: &[u32], movie: u32) -> f32 {
        let weight = |&seed: &u32| {
            let (rows, weights) = self.row(seed as usize);
            rows.binary_search(&movie).map_or(0.0, |place| weights[place])
        };
        seeds.iter().map(weight).sum::<f32>() / seeds.len() as f32
    }

    fn probe(&self, artifact: &Artifact) -> Result<(), ArtifactError> {
        let probe: NeighborProbe = artifact.probe()?;
        let (file, tolerance) = (&artifact.manifest().probe.file, artifact.manifest().probe.tolerance);
        let n = probe.seeds.len();
        if !(1..=PROBE_LIMIT).contains(&n) || probe.movies.len() != n || probe.scores.len() != n {
            let problem = format!("must have 1 to {PROBE_LIMIT} entries, as `movies` and `scores`");
            return Err(ArtifactError::value(file, "seeds", problem));
        }
        let is_row = |&row: &u32| (row as usize) < self.movies.len();
        for (place, (seeds, movies)) in probe.seeds.iter().zip(&probe.movies).enumerate() {
            let scores = &probe.scores[place];
            let fits = |rows: &[u32]| (1..=PROBE_LIMIT).contains(&rows.len()) && rows.iter().all(is_row);
            if !fits(seeds) || !fits(movies) || scores.len() != movies.len() {
                let problem =
                    format!("number {} must be 1 to {PROBE_LIMIT} rows, with a score for each movie", place + 1);
                return Err(ArtifactError::value(file, "seeds", problem));
            }
            for (&movie, expected) in movies.iter().zip(scores) {
                let found = self.score(seeds, movie);
                let difference = (found - expected).abs();
                if difference.is_nan() || difference > tolerance {
                    let what = format!("question {} gives row {movie} the score {found}, not {expected}", place + 1);
                    return Err(ArtifactError::Probe(what));
                }
            }
        }
        Ok(())
    }
}

fn unsigned(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(word).collect()
}

/// Numbers of a safetensors file are little-endian and of known length.
fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MovieId;

    fn lists(starts: &[u32], rows: &[u32], weights: &[f32]) -> NeighborLists {
        let movie = |id: u32| VocabularyMovie { id: MovieId(id), title: format!("Film {id}"), year: None };
        let movies = (0..starts.len() as u32 - 1).map(movie).collect();
        NeighborLists { movies, starts: starts.to_vec(), rows: rows.to_vec(), weights: weights.to_vec() }
    }

    #[test]
    fn sound_lists_are_read_by_row() {
        let sound = lists(&[0, 2, 2, 3], &[1, 2, 0], &[0.5, -0.25, 1.0]);
        assert_eq!(sound.check(2), Ok(()));
        assert_eq!(sound.row(0), (&[1, 2][..], &[0.5, -0.25][..]));
        assert_eq!(sound.row(1), (&[][..], &[][..]));
        assert_eq!((sound.score(&[0, 2], 1), sound.score(&[1], 0)), (0.25, 0.0));
        assert_eq!(word(&[0x78, 0x56, 0x34, 0x12]), 0x1234_5678);
    }

    #[test]
    fn numbers_that_do_not_fit_are_named() {
        for (starts, rows, weights, expected) in [
            (&[1, 2, 3][..], &[1, 0, 1][..], &[1.0, 1.0, 1.0][..], "must rise from 0 to 3"),
            (&[0, 3, 2], &[1, 0], &[1.0, 1.0], "must rise"),
            (&[0, 1, 1], &[1, 0], &[1.0, 1.0], "must rise from 0 to 2"),
            (&[0, 1, 2], &[2, 0], &[1.0, 1.0], "has the row 2; rows are 0 to 1"),
            (&[0, 1, 2], &[1, 1], &[1.0, 1.0], "row 1 as its own neighbour"),
            (&[0, 2, 2, 2], &[2, 1], &[1.0, 1.0], "neighbours of row 0 that do not rise"),
            (&[0, 2, 2, 2], &[1, 1], &[1.0, 1.0], "neighbours of row 0 that do not rise"),
            (&[0, 3, 3, 3, 3], &[1, 2, 3], &[1.0, 1.0, 1.0], "has 3 neighbours of row 0; the manifest allows 2"),
            (&[0, 1, 2], &[1, 0], &[1.0, f32::NAN], "has NaN in row 1"),
            (&[0, 1, 2], &[1, 0], &[f32::NEG_INFINITY, 1.0], "has -inf in row 0"),
        ] {
            let (_, problem) = lists(starts, rows, weights).check(2).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
