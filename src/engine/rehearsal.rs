//! What a model is asked on the store's own data in the process that tries it, before the daemon loads it: one that
//! crashes or never ends on real data, although its probe holds, takes only that process along. The questions go there
//! as JSON on its standard input.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::canary;
use super::snapshot::Base;
use crate::domain::{Catalogue, Movie, MovieId, Popularity, Query, RatedMovie, Rating, UserId};
use crate::inference::{OnnxRankingModel, OnnxRatingNetwork, OnnxTextEncoder};
use crate::recommend::ranking::Row;
use crate::recommend::{NeuralCf, PairScorer, PortError, Ranker, Scorer, TextEncoder};

/// Movies a network is asked about, spread evenly where there are more.
const MOVIES_LIMIT: usize = 100_000;
/// Texts an encoder is asked besides those of the canaries: the longest there are.
const N_LONGEST: usize = 8;
/// Rows a ranking model is asked about: candidates of some questions.
const ROWS_LIMIT: usize = 20_000;
/// Most bytes that are read: a hundred thousand movies are some 20 MB.
const LIMIT_BYTES: u64 = 256 << 20;

/// Questions for one kind of model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rehearsal {
    /// There is nothing to ask: the probe has to do.
    #[default]
    Nothing,
    /// What movies are about, for an encoder.
    Texts(Vec<String>),
    /// Movies and people who rated some of them, for a network.
    People(Vec<RealMovie>, Vec<RealPerson>),
    /// Features of candidates, for a ranking model. JSON has no word for what is no number (NaN): `None`.
    Rows(Vec<Vec<Option<f32>>>),
}

/// What a network is told of a movie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealMovie {
    id: u32,
    title: String,
    year: Option<u16>,
    genres: Vec<String>,
    vote_average: Option<f32>,
    vote_count: u32,
    popularity: f32,
}

/// Somebody, and what they rated when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealPerson {
    user: u32,
    history: Vec<(u32, f32, i64)>,
}

impl Rehearsal {
    /// Texts of the canaries, and the longest.
    pub(super) fn of_texts(base: &Base) -> Self {
        let mut texts: Vec<String> = canary::texts(base).into_iter().filter_map(|query| query.text).collect();
        let mut longest: Vec<&String> =
            base.catalogue.movies().iter().filter_map(|movie| movie.overview.as_ref()).collect();
        longest.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.extend(longest.into_iter().take(N_LONGEST).cloned());
        if texts.is_empty() { Self::Nothing } else { Self::Texts(texts) }
    }

    /// People of the canaries, and the movies.
    pub(super) fn of_people(base: &Base) -> Self {
        let catalogue = &base.catalogue;
        let step = catalogue.len().div_ceil(MOVIES_LIMIT).max(1);
        let movies = catalogue.movies().iter().step_by(step).filter_map(|movie| {
            let Popularity { vote_average, vote_count, popularity } =
                catalogue.popularity(catalogue.item_idx(movie.id)?);
            let (title, genres) = (movie.title.clone(), movie.genres.clone());
            Some(RealMovie { id: movie.id.0, title, year: movie.year, genres, vote_average, vote_count, popularity })
        });
        let rated = |rated: RatedMovie| (rated.movie.0, rated.rating.value(), rated.timestamp);
        let person = |query: Query| {
            let history = query.history.into_iter().map(rated).collect();
            Some(RealPerson { user: query.user?.0, history })
        };
        let people: Vec<RealPerson> = canary::people(base).into_iter().filter_map(person).collect();
        if catalogue.is_empty() { Self::Nothing } else { Self::People(movies.collect(), people) }
    }

    /// Rows that came before a ranker.
    pub(super) fn of_rows(rows: &[Row]) -> Self {
        let rows: Vec<Vec<Option<f32>>> =
            rows.iter().take(ROWS_LIMIT).map(|row| row.iter().map(|&value| Some(value)).collect()).collect();
        if rows.is_empty() { Self::Nothing } else { Self::Rows(rows) }
    }

    /// Writes it for the process that tries the model.
    pub(super) fn write(&self, to: impl Write) -> std::io::Result<()> {
        Ok(serde_json::to_writer(to, self)?)
    }

    /// Reads what was written.
    pub fn read(from: impl Read) -> std::io::Result<Self> {
        Ok(serde_json::from_reader(std::io::BufReader::new(from.take(LIMIT_BYTES)))?)
    }

    /// Asks an encoder, each text alone and all together.
    pub fn ask_encoder(&self, encoder: &OnnxTextEncoder) -> Result<(), String> {
        let Self::Texts(texts) = self else { return Ok(()) };
        encoder.encode(texts).map_err(|error| error.to_string())?;
        for text in texts {
            encoder.encode(std::slice::from_ref(text)).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Asks a network, for each person about all movies. How many of them it must know is not decided here.
    pub fn ask_network(&self, network: &OnnxRatingNetwork) -> Result<(), String> {
        let Self::People(movies, people) = self else { return Ok(()) };
        let catalogue = Arc::new(catalogue_of(movies));
        let prepared = network.prepare(&catalogue, 0.0).map_err(|error| error.to_string())?;
        let predictions: Arc<dyn PairScorer> = Arc::new(prepared);
        let ranking = NeuralCf::fit(catalogue, predictions);
        for person in people {
            ranking.score(&person.query()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Asks a ranking model for the scores of the rows.
    pub fn ask_ranking_model(&self, model: &OnnxRankingModel) -> Result<(), String> {
        let Self::Rows(rows) = self else { return Ok(()) };
        let row = |row: &Vec<Option<f32>>| {
            Row::try_from(row.iter().map(|value| value.unwrap_or(f32::NAN)).collect::<Vec<f32>>()).ok()
        };
        let rows: Vec<Row> = rows.iter().filter_map(row).collect();
        model.score(&rows).map(|_| ()).map_err(|error| error.to_string())
    }
}

impl RealPerson {
    fn query(&self) -> Query {
        let rated = |&(movie, rating, timestamp): &(u32, f32, i64)| {
            Some(RatedMovie { movie: MovieId(movie), rating: Rating::new(rating).ok()?, timestamp })
        };
        let history = self.history.iter().filter_map(rated).collect();
        Query { user: Some(UserId(self.user)), history, ..Query::default() }
    }
}

fn catalogue_of(movies: &[RealMovie]) -> Catalogue {
    let rows = movies.iter().map(|real| {
        let mut movie = Movie::new(MovieId(real.id), real.title.clone());
        (movie.year, movie.genres) = (real.year, real.genres.clone());
        let RealMovie { vote_average, vote_count, popularity, .. } = *real;
        (movie, Popularity { vote_average, vote_count, popularity })
    });
    let (movies, figures) = rows.unzip();
    Catalogue::with_figures(movies, figures)
}

/// A ranker that remembers what it was asked.
#[derive(Default)]
pub(super) struct RowRecorder(Mutex<Vec<Row>>);

impl RowRecorder {
    pub(super) fn rows(&self) -> Vec<Row> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ranker for RowRecorder {
    fn name(&self) -> &'static str {
        "row-recorder"
    }

    fn score(&self, rows: &[Row]) -> Result<Vec<f32>, PortError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(rows);
        Ok(vec![0.0; rows.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::ranking::N_FEATURES;

    #[test]
    fn what_is_written_is_read_again() {
        let movie = RealMovie {
            id: 7,
            title: "Amélie".to_owned(),
            year: Some(2001),
            genres: vec!["Comedy".to_owned()],
            vote_average: None,
            vote_count: 3,
            popularity: 0.1,
        };
        let person = RealPerson { user: 9, history: vec![(7, 4.5, 1_000_000_000)] };
        for rehearsal in [
            Rehearsal::Nothing,
            Rehearsal::Texts(vec!["a \"robot\"\n".to_owned()]),
            Rehearsal::People(vec![movie], vec![person]),
            Rehearsal::of_rows(&[[1.5; N_FEATURES], [-0.0; N_FEATURES]]),
        ] {
            let mut bytes = Vec::new();
            rehearsal.write(&mut bytes).unwrap();
            assert_eq!(Rehearsal::read(&bytes[..]).unwrap(), rehearsal);
        }
        assert!(Rehearsal::read(&b"{\"Texts\":[1]}"[..]).is_err());
        // JSON has no word for it.
        let mut bytes = Vec::new();
        Rehearsal::of_rows(&[[f32::NAN; N_FEATURES]]).write(&mut bytes).unwrap();
        assert_eq!(Rehearsal::read(&bytes[..]).unwrap(), Rehearsal::Rows(vec![vec![None; N_FEATURES]]));
    }
}
