//! Stored forms of domain values, and the one codec: bincode 2 with serde, little-endian, fixed-width integers.
//!
//! Decoding has a size limit (without one, twelve bytes can ask for gigabytes) and checks every value by building the
//! domain type. bincode carries an unmaintained notice (RUSTSEC-2025-0141); it is confined to this file so that it can
//! be replaced.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::StoreError;
use crate::domain::{Interaction, MAX_TIMESTAMP_S, Movie, MovieId, Rating, UserId, Votes};

/// No stored value is larger: an embedding of 16,384 components, or a movie with the longest accepted texts.
const MAX_RECORD_BYTES: usize = 128 << 10;

fn codec() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<MAX_RECORD_BYTES>()
}

/// No history is larger: far more ratings than a person can give, or movies there are.
const MAX_HISTORY_BYTES: usize = 64 << 20;

/// Histories have many small numbers, so theirs are of variable width.
fn history_codec() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_HISTORY_BYTES>()
}

/// A movie as stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MovieRecord {
    title: String,
    alternative_titles: Vec<String>,
    year: Option<u16>,
    genres: Vec<String>,
    overview: Option<String>,
    synopsis: Option<String>,
    imdb_id: Option<u32>,
    tmdb_id: Option<u32>,
    language: Option<String>,
    runtime_minutes: Option<u16>,
    poster_path: Option<String>,
    votes: Option<(f32, u32)>,
    popularity: Option<f32>,
}

impl From<Movie> for MovieRecord {
    fn from(movie: Movie) -> Self {
        Self {
            title: movie.title,
            alternative_titles: movie.alternative_titles,
            year: movie.year,
            genres: movie.genres,
            overview: movie.overview,
            synopsis: movie.synopsis,
            imdb_id: movie.imdb_id,
            tmdb_id: movie.tmdb_id,
            language: movie.language,
            runtime_minutes: movie.runtime_minutes,
            poster_path: movie.poster_path,
            votes: movie.votes.map(|votes| (votes.average, votes.count)),
            popularity: movie.popularity,
        }
    }
}

impl MovieRecord {
    pub(super) fn into_movie(self, id: MovieId) -> Result<Movie, String> {
        let movie = Movie {
            id,
            title: self.title,
            alternative_titles: self.alternative_titles,
            year: self.year,
            genres: self.genres,
            overview: self.overview,
            synopsis: self.synopsis,
            imdb_id: self.imdb_id,
            tmdb_id: self.tmdb_id,
            language: self.language,
            runtime_minutes: self.runtime_minutes,
            poster_path: self.poster_path,
            votes: self.votes.map(|(average, count)| Votes { average, count }),
            popularity: self.popularity,
        };
        movie.check_figures().map_err(out_of_bounds)?;
        Ok(movie)
    }
}

/// What one person rated, as stored; who is the key. Movies ascend and are stored as differences, so are times, in the
/// order of the movies; a value is stored in tenths where that is exact and as the bits of the `f32` elsewhere.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HistoryRecord(Vec<(u32, u32, i64)>);

/// Highest value that is stored in tenths. So few bits are no `f32` that anybody means.
const MAX_TENTHS: u32 = 100;

impl HistoryRecord {
    /// Of ratings by ascending movie.
    fn of(ratings: &[Interaction]) -> Self {
        let mut before = (0, 0);
        let entry = |rating: &Interaction| {
            let (movie, time) = (rating.movie.0, rating.timestamp);
            let entry = (movie - before.0, value_code(rating.rating), time - before.1);
            before = (movie, time);
            entry
        };
        Self(ratings.iter().map(entry).collect())
    }

    /// Puts the ratings in place of what `ratings` holds.
    fn read_into(self, user: UserId, ratings: &mut Vec<Interaction>) -> Result<(), String> {
        ratings.clear();
        let mut before: Option<(u32, i64)> = None;
        for (movie_step, value, time_step) in self.0 {
            let value = if value <= MAX_TENTHS { value as f32 / 10.0 } else { f32::from_bits(value) };
            let rating = Rating::new(value).map_err(|error| error.to_string())?;
            let (last, time) = before.unwrap_or((0, 0));
            let movie = last.checked_add(movie_step).filter(|&movie| before.is_none() || movie > last);
            let movie = movie.ok_or_else(|| "its movies are not in order".to_owned())?;
            let time = time.checked_add(time_step).filter(|time| (0..=MAX_TIMESTAMP_S).contains(time));
            let timestamp = time.ok_or_else(|| out_of_bounds("time"))?;
            before = Some((movie, timestamp));
            ratings.push(Interaction { user, movie: MovieId(movie), rating, timestamp });
        }
        Ok(())
    }
}

fn value_code(rating: Rating) -> u32 {
    let value = rating.value();
    let tenths = (value * 10.0).round();
    if tenths / 10.0 == value || value.to_bits() <= MAX_TENTHS { tenths as u32 } else { value.to_bits() }
}

/// A movie's embedding, with the hash of the text it was made from, so that a changed text is noticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredEmbedding {
    /// Hash of the embedded text.
    pub text_hash: [u8; 16],
    /// Components, unit length.
    pub components: Vec<f32>,
}

impl StoredEmbedding {
    /// Refuses numbers that no encoder gives.
    pub(super) fn checked(self) -> Result<Self, String> {
        if self.components.iter().all(|component| component.is_finite()) {
            Ok(self)
        } else {
            Err(out_of_bounds("component"))
        }
    }
}

fn out_of_bounds(what: &str) -> String {
    format!("its {what} is out of bounds")
}

/// Encodes a movie, whose figures must be such that they can be read again.
pub(super) fn encode_movie(movie: &Movie) -> Result<Vec<u8>, StoreError> {
    let what = || format!("movie {}", movie.id);
    movie.check_figures().map_err(|figure| StoreError::Unfit { what: what(), reason: out_of_bounds(figure) })?;
    encode(&MovieRecord::from(movie.clone()), what)
}

/// Refuses a rating that could not be read again.
pub(super) fn check_rating(rating: &Interaction) -> Result<(), StoreError> {
    if (0..=MAX_TIMESTAMP_S).contains(&rating.timestamp) {
        return Ok(());
    }
    let what = format!("the rating of movie {}", rating.movie);
    Err(StoreError::Unfit { what, reason: out_of_bounds("time") })
}

/// Encodes what one person rated: checked, by ascending movie, each movie once.
pub(super) fn encode_history(ratings: &[Interaction]) -> Result<Vec<u8>, StoreError> {
    let encoded = bincode::serde::encode_to_vec(HistoryRecord::of(ratings), history_codec());
    encoded.map_err(|error| StoreError::Unfit {
        what: format!("a history of {} ratings", ratings.len()),
        reason: error.to_string(),
    })
}

/// Decodes what one person rated into a buffer.
pub(super) fn decode_history(bytes: &[u8], user: UserId, ratings: &mut Vec<Interaction>) -> Result<(), String> {
    let (history, n_read): (HistoryRecord, usize) =
        bincode::serde::decode_from_slice(bytes, history_codec()).map_err(|error| error.to_string())?;
    if n_read != bytes.len() {
        return Err(format!("{} bytes too many", bytes.len() - n_read));
    }
    history.read_into(user, ratings)
}

/// Encodes a record; `what` names it in an error.
pub(super) fn encode(record: &impl Serialize, what: impl FnOnce() -> String) -> Result<Vec<u8>, StoreError> {
    bincode::serde::encode_to_vec(record, codec())
        .map_err(|error| error.to_string())
        .and_then(
            |bytes| {
                if bytes.len() > MAX_RECORD_BYTES { Err(format!("{} bytes", bytes.len())) } else { Ok(bytes) }
            },
        )
        .map_err(|reason| StoreError::Unfit { what: what(), reason: format!("it is too large, {reason}") })
}

/// Decodes a record that must fill the bytes exactly.
pub(super) fn decode<Record: DeserializeOwned>(bytes: &[u8]) -> Result<Record, String> {
    let (record, used) = bincode::serde::decode_from_slice(bytes, codec()).map_err(|error| error.to_string())?;
    if used == bytes.len() { Ok(record) } else { Err(format!("{} bytes too many", bytes.len() - used)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn full_movie() -> Movie {
        let mut movie = Movie::new(MovieId(1), "Toy Story");
        movie.alternative_titles = vec!["La historia".to_owned()];
        movie.year = Some(1995);
        movie.genres = vec!["Animation".to_owned(), "Comedy".to_owned()];
        movie.overview = Some("Toys live.".to_owned());
        movie.votes = Some(Votes { average: 7.5, count: 3 });
        movie.popularity = Some(1.25);
        movie
    }

    #[test]
    fn movies_survive_a_round_trip() {
        let bytes = encode(&MovieRecord::from(full_movie()), String::new).unwrap();
        assert_eq!(decode::<MovieRecord>(&bytes).unwrap().into_movie(MovieId(1)).unwrap(), full_movie());
    }

    #[test]
    fn figures_that_are_no_numbers_are_neither_stored_nor_read() {
        let mut votes = full_movie();
        votes.votes = Some(Votes { average: f32::NAN, count: 1 });
        let mut popularity = full_movie();
        popularity.popularity = Some(f32::INFINITY);
        for movie in [votes, popularity] {
            assert!(matches!(encode_movie(&movie), Err(StoreError::Unfit { .. })));
            let bytes = encode(&MovieRecord::from(movie), String::new).unwrap();
            assert!(decode::<MovieRecord>(&bytes).unwrap().into_movie(MovieId(1)).is_err());
        }
        let embedding = StoredEmbedding { text_hash: [0; 16], components: vec![0.0, f32::NAN] };
        assert!(embedding.checked().is_err());
    }

    #[test]
    fn a_length_that_lies_does_not_allocate() {
        let lie = [0xff; 12];
        assert!(decode::<MovieRecord>(&lie).is_err());
        assert!(decode::<StoredEmbedding>(&[[0; 16].as_slice(), &[0xff; 8]].concat()).is_err());
    }

    #[test]
    fn a_record_over_the_limit_is_refused() {
        let embedding = StoredEmbedding { text_hash: [0; 16], components: vec![0.0; 40_000] };
        let error = encode(&embedding, || "the embedding of movie 7".to_owned()).unwrap_err();
        assert!(error.to_string().starts_with("the embedding of movie 7 cannot be stored: it is too large"), "{error}");
    }

    fn event(movie: u32, value: f32, timestamp: i64) -> Interaction {
        Interaction { user: UserId(1), movie: MovieId(movie), rating: Rating::new(value).unwrap(), timestamp }
    }

    #[test]
    fn stored_histories_are_checked() {
        let read = |entries: Vec<(u32, u32, i64)>| {
            let bytes = bincode::serde::encode_to_vec(HistoryRecord(entries), history_codec()).unwrap();
            let mut ratings = Vec::new();
            decode_history(&bytes, UserId(1), &mut ratings).map(|()| ratings)
        };
        assert_eq!(read(vec![(0, 35, 9), (7, 10, -9)]).unwrap(), [event(0, 3.5, 9), event(7, 1.0, 0)]);
        for refused in [
            vec![(1, 99.0_f32.to_bits(), 0)],
            vec![(1, f32::NAN.to_bits(), 0)],
            vec![(1, 10, i64::MIN)],
            vec![(1, 10, -1)],
            vec![(1, 10, MAX_TIMESTAMP_S + 1)],
            vec![(1, 10, 5), (1, 10, i64::MAX)],
            vec![(1, 10, 0), (0, 10, 0)],
            vec![(1, 10, 0), (u32::MAX, 10, 0)],
        ] {
            assert!(read(refused.clone()).is_err(), "{refused:?}");
        }
        assert!(check_rating(&event(1, 1.0, MAX_TIMESTAMP_S)).is_ok());
        assert!(check_rating(&event(1, 1.0, -1)).is_err());
    }

    #[test]
    fn a_history_takes_a_few_bytes_a_rating() {
        let ratings: Vec<Interaction> = (0..1_000).map(|n| event(3 * n, 3.5, i64::from(n) * 30)).collect();
        assert!(encode_history(&ratings).unwrap().len() < 4_000);
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<MovieRecord>(&bytes);
            let _ = decode_history(&bytes, UserId(1), &mut Vec::new());
            let _ = decode::<StoredEmbedding>(&bytes);
        }

        #[test]
        fn histories_survive_a_round_trip(
            rated in proptest::collection::btree_map(any::<u32>(), (0.001_f32..=10.0, 0..=MAX_TIMESTAMP_S), 0..40),
            tenths in proptest::collection::btree_map(any::<u32>(), (0_u8..=100, 0..=MAX_TIMESTAMP_S), 0..40),
        ) {
            let tenths = tenths.into_iter().map(|(movie, (value, time))| (movie, (f32::from(value) / 10.0, time)));
            for rated in [rated.into_iter().collect::<Vec<_>>(), tenths.collect()] {
                let rated: Vec<Interaction> =
                    rated.into_iter().map(|(movie, (value, time))| event(movie, value, time)).collect();
                let mut read = vec![event(1, 1.0, 1)];
                decode_history(&encode_history(&rated).unwrap(), UserId(1), &mut read).unwrap();
                prop_assert_eq!(read, rated);
            }
        }
    }
}
