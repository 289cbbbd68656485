//! The small data set that the tests of this room share: two camps, who love movies 10 to 30 and 40 to 60 in turn.

use std::sync::Arc;

use super::{EmbeddingText, NearestNeighbors, PairScorer, PortError, TextEncoder, embedding_text};
use crate::domain::{
    Catalogue, Embedding, EmbeddingSpace, Interaction, ItemIdx, Movie, MovieId, Query, Rating, RatingMatrix, UserId,
};
use crate::math::top_k;

/// Six rated movies (ids 10 to 60) and one (70) that nobody rated.
pub(crate) fn movies_and_ratings() -> (Arc<Catalogue>, Arc<RatingMatrix>) {
    let texts = [
        (10, "Robots in Space", "Science Fiction", "Robots fly a spaceship to a distant planet."),
        (20, "Return of the Robots", "Science Fiction", "The robots come back from the planet."),
        (30, "A Planet Alone", "Science Fiction|Drama", "One astronaut keeps a lonely watch."),
        (40, "Wedding in June", "Romance|Comedy", "Two families prepare a wedding and fall out."),
        (50, "The Summer House", "Romance", "Old lovers meet again by the sea."),
        (60, "Letters", "Romance|Drama", "A teacher writes letters and never sends them."),
        (70, "Unseen", "", ""),
    ];
    let movies: Vec<Movie> = texts
        .into_iter()
        .map(|(id, title, genres, overview)| {
            let mut movie = Movie::new(MovieId(id), title);
            movie.genres = genres.split('|').filter(|genre| !genre.is_empty()).map(str::to_owned).collect();
            movie.overview = (!overview.is_empty()).then(|| overview.to_owned());
            movie
        })
        .collect();
    let vocabulary = Catalogue::vocabulary_of(&movies);
    let ratings = Arc::new(RatingMatrix::new(&vocabulary, events()));
    (Arc::new(Catalogue::new(movies, &ratings)), ratings)
}

fn events() -> Vec<Interaction> {
    let mut events = Vec::new();
    for user in 1..=72_u32 {
        let first_camp = user % 2 == 0;
        for (position, movie) in (0_u32..).zip([10, 20, 30, 40, 50, 60]) {
            let loves = (position < 3) == first_camp;
            // The further down its camp's list, the fewer have seen a movie; a third looks at the other camp's first.
            let seen = if loves { user % 3 + 1 >= position % 3 } else { position % 3 < 2 && user % 3 == 0 };
            if !seen || (movie == 60 && user > 16) {
                continue;
            }
            let (best, mild) = (user % 3 == 1, user % 4 == 0);
            let value = if loves { 4.0 + f32::from(u8::from(best)) } else { 1.0 + f32::from(u8::from(mild)) };
            events.push(Interaction {
                user: UserId(user),
                movie: MovieId(movie),
                rating: Rating::new(value).unwrap(),
                timestamp: i64::from(user) * 1_000 + i64::from(position),
            });
        }
    }
    events
}

/// A catalogue without movies and its ratings.
pub(crate) fn empty() -> (Arc<Catalogue>, Arc<RatingMatrix>) {
    let ratings = Arc::new(RatingMatrix::new(&Catalogue::vocabulary_of(&[]), Vec::new()));
    (Arc::new(Catalogue::new(Vec::new(), &ratings)), ratings)
}

/// Movies that nobody rated.
pub(crate) fn unrated() -> (Arc<Catalogue>, Arc<RatingMatrix>) {
    let movies = vec![Movie::new(MovieId(1), "One"), Movie::new(MovieId(2), "Two")];
    let ratings = Arc::new(RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new()));
    (Arc::new(Catalogue::new(movies, &ratings)), ratings)
}

/// A stand-in for encoder and index: the embedding of a text counts its letters.
pub(crate) struct Spelling {
    space: EmbeddingSpace,
    vectors: Vec<(MovieId, Embedding)>,
}

impl Spelling {
    /// The space with the embeddings of a catalogue; a movie without text has none.
    pub(crate) fn of(catalogue: &Catalogue) -> Self {
        let texts = catalogue.movies().iter().map(|movie| (movie.id, embedding_text(movie, EmbeddingText::default())));
        let vectors = texts.filter(|(_, text)| !text.is_empty()).map(|(id, text)| (id, letters(&text))).collect();
        Self { space: EmbeddingSpace { encoder: "spelling".to_owned(), dim: 27 }, vectors }
    }
}

fn letters(text: &str) -> Embedding {
    let mut counts = vec![0.0; 27];
    counts[26] = 0.1;
    for byte in text.bytes().filter(u8::is_ascii_alphabetic) {
        counts[usize::from(byte.to_ascii_lowercase() - b'a')] += 1.0;
    }
    Embedding::new(counts).unwrap()
}

impl TextEncoder for Spelling {
    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn encode(&self, texts: &[String]) -> Result<Vec<Embedding>, PortError> {
        Ok(texts.iter().map(|text| letters(text)).collect())
    }
}

impl NearestNeighbors for Spelling {
    fn nearest(&self, query: &Embedding, k: usize) -> Result<Vec<(MovieId, f32)>, PortError> {
        let cosine = |other: &Embedding| query.components().iter().zip(other.components()).map(|(x, y)| x * y).sum();
        let all: Vec<(MovieId, f32)> = self.vectors.iter().map(|(movie, vector)| (*movie, cosine(vector))).collect();
        Ok(top_k(all, k, |left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))))
    }

    fn embedding(&self, movie: MovieId) -> Option<Embedding> {
        self.vectors.iter().find(|(id, _)| *id == movie).map(|(_, vector)| vector.clone())
    }

    fn len(&self) -> usize {
        self.vectors.len()
    }
}

/// A stand-in for the rating network: users and movies are numbers that agree or not.
pub(crate) struct Arithmetic;

impl PairScorer for Arithmetic {
    fn predict(&self, query: &Query, items: &[ItemIdx]) -> Result<Vec<f32>, PortError> {
        let user = query.user.map_or(0, |user| user.0 % 5);
        Ok(items.iter().map(|item| 1.0 + ((item.0 + user) % 5) as f32).collect())
    }
}
