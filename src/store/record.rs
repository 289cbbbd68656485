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

/// A rating as stored; who and what are the key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RatingRecord {
    value: f32,
    timestamp: i64,
}

impl From<Interaction> for RatingRecord {
    fn from(interaction: Interaction) -> Self {
        Self { value: interaction.rating.value(), timestamp: interaction.timestamp }
    }
}

impl RatingRecord {
    fn check_time(&self) -> Result<(), String> {
        if (0..=MAX_TIMESTAMP_S).contains(&self.timestamp) { Ok(()) } else { Err(out_of_bounds("time")) }
    }

    pub(super) fn into_interaction(self, user: u32, movie: u32) -> Result<Interaction, String> {
        let rating = Rating::new(self.value).map_err(|error| error.to_string())?;
        self.check_time()?;
        Ok(Interaction { user: UserId(user), movie: MovieId(movie), rating, timestamp: self.timestamp })
    }
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

/// Encodes a rating, whose time must be such that it can be read again.
pub(super) fn encode_rating(rating: Interaction) -> Result<Vec<u8>, StoreError> {
    let what = || format!("the rating of movie {}", rating.movie);
    let record = RatingRecord::from(rating);
    record.check_time().map_err(|reason| StoreError::Unfit { what: what(), reason })?;
    encode(&record, what)
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

    #[test]
    fn stored_ratings_are_checked() {
        for (value, timestamp) in [(99.0, 0), (1.0, i64::MIN), (1.0, -1), (1.0, MAX_TIMESTAMP_S + 1)] {
            let bytes = encode(&RatingRecord { value, timestamp }, String::new).unwrap();
            assert!(decode::<RatingRecord>(&bytes).unwrap().into_interaction(1, 1).is_err(), "{value} {timestamp}");
        }
        let rating = Rating::new(1.0).unwrap();
        let event = |timestamp| Interaction { user: UserId(1), movie: MovieId(1), rating, timestamp };
        assert!(encode_rating(event(MAX_TIMESTAMP_S)).is_ok());
        assert!(encode_rating(event(-1)).is_err());
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<MovieRecord>(&bytes);
            let _ = decode::<RatingRecord>(&bytes);
            let _ = decode::<StoredEmbedding>(&bytes);
        }
    }
}
