//! Content by meaning: nearest embeddings to a text, to given movies, or to both.
//!
//! The query vector is the mean of the text's embedding and the seeds' own, scaled to unit length. Only the nearest
//! movies get a score; how many are asked for follows from the query, so that enough remain after exclusion.

use std::sync::Arc;

use super::{NearestNeighbors, RecommendError, Scorer, Scores, TextEncoder};
use crate::domain::{Catalogue, Embedding, Movie, Query};

/// Asked for beyond what the query needs: the index may know movies that the catalogue has lost.
const SLACK: usize = 50;

/// What of a movie is embedded. Part of an embedding space's identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EmbeddingText {
    /// The overview alone.
    Overview,
    /// Genres, then the overview.
    #[default]
    GenresOverview,
    /// Title, genres, then the overview.
    TitleGenresOverview,
}

impl EmbeddingText {
    /// All recipes.
    pub const ALL: [Self; 3] = [Self::Overview, Self::GenresOverview, Self::TitleGenresOverview];

    /// Stable name, as in settings and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::GenresOverview => "genres-overview",
            Self::TitleGenresOverview => "title-genres-overview",
        }
    }

    /// The recipe of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|recipe| recipe.name() == name)
    }
}

/// The text to embed for a movie: the recipe's parts with a space between, absent parts left out; the synopsis comes with
/// the overview. May be empty.
pub fn embedding_text(movie: &Movie, recipe: EmbeddingText) -> String {
    let genres = movie.genres.join(" ");
    let overview = movie.description();
    let parts = match recipe {
        EmbeddingText::Overview => vec![&overview],
        EmbeddingText::GenresOverview => vec![&genres, &overview],
        EmbeddingText::TitleGenresOverview => vec![&movie.title, &genres, &overview],
    };
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Semantic search over one embedding space.
#[derive(Clone)]
pub struct Semantic {
    catalogue: Arc<Catalogue>,
    encoder: Arc<dyn TextEncoder>,
    neighbors: Arc<dyn NearestNeighbors>,
}

impl Semantic {
    /// Joins a catalogue, an encoder and the index of the catalogue's embeddings in that encoder's space.
    pub fn fit(catalogue: Arc<Catalogue>, encoder: Arc<dyn TextEncoder>, neighbors: Arc<dyn NearestNeighbors>) -> Self {
        Self { catalogue, encoder, neighbors }
    }

    fn query_vector(&self, query: &Query) -> Result<Option<Embedding>, RecommendError> {
        let mut vectors: Vec<Embedding> =
            query.seeds.iter().filter_map(|&movie| self.neighbors.embedding(movie)).collect();
        if let Some(text) = query.text.as_ref().filter(|text| !text.trim().is_empty()) {
            vectors.extend(self.encoder.encode_queries(std::slice::from_ref(text))?);
        }
        if vectors.len() < 2 {
            return Ok(vectors.pop());
        }
        let mut sum = vec![0.0; vectors[0].components().len()];
        for vector in &vectors {
            for (total, component) in sum.iter_mut().zip(vector.components()) {
                *total += component;
            }
        }
        // Opposite vectors cancel out: then there is no direction to go.
        Ok(Embedding::new(sum).ok())
    }
}

impl Scorer for Semantic {
    fn name(&self) -> &'static str {
        "semantic"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        let Some(vector) = self.query_vector(query)? else {
            return Err(RecommendError::NothingToGoBy {
                method: self.name(),
                needs: "a text or a movie to start from",
            });
        };
        let left_out = query.history.len() + query.seeds.len() + query.excluded.len();
        let mut k = query.n.saturating_add(left_out).saturating_add(SLACK).min(self.neighbors.len());
        loop {
            let mut scores = Scores::absent(self.catalogue.len());
            let mut n_fit = 0;
            for (movie, similarity) in self.neighbors.nearest(&vector, k)? {
                let Some(item) = self.catalogue.item_idx(movie) else { continue };
                if query.filter.accepts(self.catalogue.movie(item), self.catalogue.popularity(item)) {
                    scores.set(item, similarity);
                    n_fit += 1;
                }
            }
            // A strict filter needs a longer list, down to the whole catalogue.
            if query.filter.is_open() || n_fit >= query.n.saturating_add(left_out) || k >= self.neighbors.len() {
                return Ok(scores);
            }
            k = k.saturating_mul(4).min(self.neighbors.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MovieId;
    use crate::recommend::sample::{self, Spelling};
    use crate::recommend::{PortError, recommend};

    fn semantic() -> (Semantic, Arc<Catalogue>) {
        let (catalogue, _) = sample::movies_and_ratings();
        let space = Arc::new(Spelling::of(&catalogue));
        (Semantic::fit(catalogue.clone(), space.clone(), space), catalogue)
    }

    #[test]
    fn a_text_or_a_seed_finds_the_nearest() {
        let (semantic, catalogue) = semantic();
        let first = |query| recommend(&semantic, &catalogue, &query).unwrap().items()[0].movie;
        let text =
            embedding_text(catalogue.movie(catalogue.item_idx(MovieId(40)).unwrap()), EmbeddingText::GenresOverview);
        assert_eq!(first(Query { text: Some(text), n: 1, ..Query::default() }), MovieId(40));
        let seeded = first(Query { seeds: vec![MovieId(40)], n: 1, ..Query::default() });
        assert_ne!(seeded, MovieId(40));
    }

    #[test]
    fn a_port_that_fails_is_reported() {
        struct Full(crate::domain::EmbeddingSpace);
        impl TextEncoder for Full {
            fn space(&self) -> &crate::domain::EmbeddingSpace {
                &self.0
            }
            fn encode(&self, _texts: &[String]) -> Result<Vec<Embedding>, PortError> {
                Err(PortError::Busy("the encoder"))
            }
        }
        let (_, catalogue) = semantic();
        let space = Arc::new(Spelling::of(&catalogue));
        let semantic = Semantic::fit(catalogue, Arc::new(Full(space.space().clone())), space);
        let query = Query { text: Some("robots".to_owned()), n: 1, ..Query::default() };
        assert!(matches!(semantic.score(&query), Err(RecommendError::Port(PortError::Busy(_)))));
    }

    #[test]
    fn recipes_have_stable_names_and_leave_out_what_is_absent() {
        for recipe in EmbeddingText::ALL {
            assert_eq!(EmbeddingText::from_name(recipe.name()), Some(recipe));
        }
        let mut movie = Movie::new(MovieId(1), "Heat");
        assert_eq!(embedding_text(&movie, EmbeddingText::GenresOverview), "");
        assert_eq!(embedding_text(&movie, EmbeddingText::TitleGenresOverview), "Heat");
        movie.genres = vec!["Crime".to_owned(), "Drama".to_owned()];
        movie.overview = Some(" A last job. ".to_owned());
        assert_eq!(embedding_text(&movie, EmbeddingText::Overview), "A last job.");
        movie.synopsis = Some("A thief and a policeman.".to_owned());
        assert_eq!(embedding_text(&movie, EmbeddingText::Overview), "A last job. A thief and a policeman.");
        movie.synopsis = None;
        assert_eq!(embedding_text(&movie, EmbeddingText::TitleGenresOverview), "Heat Crime Drama A last job.");
    }
}
