//! Lexical search by Okapi BM25 over stemmed words of title, genres and overview.
//!
//! `score(q, d) = Σ_w idf(w) · tf · (k1 + 1) / (tf + k1 · (1 − b + b · |d| / avg|d|))`,
//! `idf(w) = ln(1 + (N − df + 0.5) / (df + 0.5))` (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
//! and Beyond", 2009, with the logarithm that Lucene made non-negative). Words are stemmed with Snowball's English
//! stemmer; stop words are left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rust_stemmers::{Algorithm, Stemmer};

use super::term_weights::{STOP_WORDS, words};
use super::{RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Movie, Query};
use crate::math::SparseRows;

/// Saturation of repeated words; overviews are short, so a repetition says little.
const K1: f32 = 0.9;
/// How much long texts are discounted.
const B: f32 = 0.4;

/// An inverted index with the weight of every word in every movie.
#[derive(Clone, Debug)]
pub struct Bm25 {
    catalogue: Arc<Catalogue>,
    columns: HashMap<String, u32>,
    /// Row = word, column = movie, value = the word's share of the score.
    postings: SparseRows,
}

impl Bm25 {
    /// Indexes a catalogue.
    pub fn fit(catalogue: Arc<Catalogue>) -> Self {
        let stem = Stems::new();
        let documents: Vec<BTreeMap<String, u32>> = catalogue.movies().iter().map(|movie| stem.counts(movie)).collect();
        let lengths: Vec<f32> = documents.iter().map(|words| words.values().sum::<u32>() as f32).collect();
        let mean_length = (lengths.iter().sum::<f32>() / lengths.len().max(1) as f32).max(1.0);
        let mut by_word: BTreeMap<&str, Vec<(u32, u32)>> = BTreeMap::new();
        for (item, words) in (0_u32..).zip(&documents) {
            for (word, &count) in words {
                by_word.entry(word).or_default().push((item, count));
            }
        }
        let n_documents = documents.len() as f32;
        let entries = (0_u32..).zip(by_word.values()).flat_map(|(column, movies)| {
            let frequency = movies.len() as f32;
            let idf = (1.0 + (n_documents - frequency + 0.5) / (frequency + 0.5)).ln();
            let lengths = &lengths;
            movies.iter().map(move |&(item, count)| {
                let count = count as f32;
                let norm = K1 * (1.0 - B + B * lengths[item as usize] / mean_length);
                (column, item, idf * count * (K1 + 1.0) / (count + norm))
            })
        });
        let postings = SparseRows::from_sorted(by_word.len(), documents.len(), entries);
        let columns = (0_u32..).zip(by_word.keys()).map(|(column, &word)| (word.to_owned(), column)).collect();
        Self { catalogue, columns, postings }
    }

    /// The movies that share a word with the text. Scores are shares of the largest that any movie could reach, so that
    /// they are comparable between prompts: a movie that has only the one common word of ten stays near zero. By
    /// ascending row.
    pub fn matches(&self, text: &str) -> Vec<(ItemIdx, f32)> {
        let stem = Stems::new();
        let mut asked: Vec<u32> = words(text).filter_map(|word| self.columns.get(&stem.of(&word)?).copied()).collect();
        // A repeated word counts once; sums are taken in one order, so that equal questions get equal bits.
        asked.sort_unstable();
        asked.dedup();
        let mut sums = vec![0.0_f32; self.catalogue.len()];
        let mut attainable = 0.0;
        for column in asked {
            let (items, values) = self.postings.row(column as usize);
            attainable += values.iter().copied().fold(0.0, f32::max);
            for (&item, value) in items.iter().zip(values) {
                sums[item as usize] += value;
            }
        }
        // Every share is above zero: idf is.
        let matched = (0..).map(ItemIdx).zip(sums).filter(|&(_, sum)| sum > 0.0);
        matched.map(|(item, sum)| (item, sum / attainable)).collect()
    }
}

impl Scorer for Bm25 {
    fn name(&self) -> &'static str {
        "bm25"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        let Some(text) = &query.text else {
            return Err(RecommendError::NothingToGoBy { method: self.name(), needs: "a text" });
        };
        let mut scores = Scores::absent(self.catalogue.len());
        for (item, score) in self.matches(text) {
            scores.set(item, score);
        }
        Ok(scores)
    }
}

/// Words in their stemmed form.
struct Stems(Stemmer);

impl Stems {
    fn new() -> Self {
        Self(Stemmer::create(Algorithm::English))
    }

    /// The stem of a lower-case word; `None` for a stop word.
    fn of(&self, word: &str) -> Option<String> {
        (!STOP_WORDS.contains(word)).then(|| self.0.stem(word).into_owned())
    }

    fn counts(&self, movie: &Movie) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        let overview = movie.overview.as_deref().unwrap_or_default();
        for text in [movie.title.as_str(), &movie.genres.join(" "), overview] {
            for word in words(text) {
                if let Some(stem) = self.of(&word) {
                    *counts.entry(stem).or_default() += 1;
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::sample;

    #[test]
    fn inflected_words_meet_and_rare_words_weigh_more() {
        let (catalogue, _) = sample::movies_and_ratings();
        let bm25 = Bm25::fit(Arc::clone(&catalogue));
        let ids = |text: &str| -> Vec<u32> {
            let mut found = bm25.matches(text);
            found.sort_by(|left, right| right.1.total_cmp(&left.1));
            found.into_iter().map(|(item, _)| catalogue.movie(item).id.0).collect()
        };
        assert_eq!(ids("weddings")[0], 40, "the plural finds the singular");
        assert_eq!(ids("a robot comes back")[0], 20);
        assert!(ids("the and of").is_empty());
        assert!(ids("").is_empty());
    }
}
