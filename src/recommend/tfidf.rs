//! Content by words: cosine of TF-IDF vectors over genres and overview, for a text or for given movies.
//!
//! Equal to scikit-learn's `TfidfVectorizer` + `cosine_similarity` with the same stop list (see [`super::term_weights`]
//! for the formula). An inverted index answers: only movies that share a word are touched, the others stay absent.
//! Several seeds, or seeds and a text, are answered by the mean of their cosines.

use std::sync::Arc;

use super::term_weights::TermWeights;
use super::{RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Movie, Query};
use crate::math::SparseRows;

/// TF-IDF vectors of the catalogue and their inverted index.
#[derive(Clone, Debug)]
pub struct TfIdf {
    catalogue: Arc<Catalogue>,
    weights: TermWeights,
    documents: SparseRows,
    postings: SparseRows,
}

/// The text by which a movie is found: genres and what is told of it.
pub fn document_text(movie: &Movie) -> String {
    format!("{} {}", movie.genres.join(" "), movie.description())
}

impl TfIdf {
    /// Learns words and vectors from the catalogue, keeping the `max_features` most frequent words.
    pub fn fit(catalogue: Arc<Catalogue>, max_features: Option<usize>) -> Self {
        let texts: Vec<String> = catalogue.movies().iter().map(document_text).collect();
        let (weights, documents) = TermWeights::fit(texts.iter().map(String::as_str), max_features);
        let postings = documents.transposed();
        Self { catalogue, weights, documents, postings }
    }

    /// Number of words kept.
    pub fn n_features(&self) -> usize {
        self.weights.n_features()
    }

    /// The unit vectors the query asks about; one that knows no word is empty.
    fn vectors(&self, query: &Query) -> Vec<Vec<(u32, f32)>> {
        let text = query.text.iter().map(|text| self.weights.vector(text));
        let mut seeds: Vec<ItemIdx> = query.seeds.iter().filter_map(|&movie| self.catalogue.item_idx(movie)).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let seeds = seeds.into_iter().map(|seed| {
            let (columns, values) = self.documents.row(seed.row());
            columns.iter().copied().zip(values.iter().copied()).collect()
        });
        text.chain(seeds).collect()
    }
}

impl Scorer for TfIdf {
    fn name(&self) -> &'static str {
        "tfidf"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        let vectors = self.vectors(query);
        if vectors.is_empty() {
            return Err(RecommendError::NothingToGoBy {
                method: self.name(),
                needs: "a text or a movie to start from",
            });
        }
        let mut cosines = vec![0.0; self.catalogue.len()];
        for &(column, weight) in vectors.iter().flatten() {
            self.postings.add_row(column as usize, weight, &mut cosines);
        }
        // Weights are above zero: where there is none, no word is shared.
        let shared = |sum: f32| if sum > 0.0 { sum / vectors.len() as f32 } else { f32::NAN };
        Ok(Scores::of(cosines.into_iter().map(shared)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MovieId;
    use crate::recommend::{recommend, sample};

    fn first(query: Query) -> Option<MovieId> {
        let (catalogue, _) = sample::movies_and_ratings();
        let tfidf = TfIdf::fit(catalogue.clone(), None);
        let list = recommend(&tfidf, &catalogue, &Query { n: 1, ..query }).unwrap();
        list.items().first().map(|item| item.movie)
    }

    #[test]
    fn a_text_and_a_seed_find_shared_words() {
        let text = |text: &str| Query { text: Some(text.to_owned()), ..Query::default() };
        assert_eq!(first(text("a WEDDING and two families")), Some(MovieId(40)));
        assert_eq!(first(text("xylophones")), None);
        assert_eq!(first(text("")), None);
        assert_eq!(first(Query { seeds: vec![MovieId(10)], ..Query::default() }), Some(MovieId(20)));
    }

    #[test]
    fn a_movie_without_text_is_never_found() {
        let (catalogue, _) = sample::movies_and_ratings();
        let tfidf = TfIdf::fit(catalogue.clone(), Some(5));
        assert_eq!(tfidf.n_features(), 5);
        let unseen = catalogue.item_idx(MovieId(70)).unwrap();
        assert!(tfidf.documents.row(unseen.row()).0.is_empty());
    }
}
