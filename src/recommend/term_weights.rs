//! Texts as weighted bags of words, as scikit-learn's `TfidfVectorizer` makes them.
//!
//! Lower case; words are runs of at least two letters, digits or underscores (`\b\w\w+\b`); stop words are left out; of
//! all words the `max_features` most frequent in the corpus are kept (equally frequent ones in term order; scikit-learn
//! 1.9 leaves that to an unstable sort); weight = occurrences × (ln((1 + n) / (1 + df)) + 1), then unit length.
//! The stop list is scikit-learn's English one (`sklearn/feature_extraction/_stop_words.py`, from the Glasgow
//! Information Retrieval Group; BSD-3-Clause), 318 words.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use crate::math::SparseRows;

/// The stop list.
pub(super) static STOP_WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("stop_words.txt").lines().collect());

/// The fitted vocabulary with the weight of each word.
#[derive(Clone, Debug)]
pub(super) struct TermWeights {
    columns: HashMap<String, u32>,
    idf: Vec<f64>,
}

impl TermWeights {
    /// Learns words and weights from texts.
    pub(super) fn fit<'a>(texts: impl Iterator<Item = &'a str>, max_features: Option<usize>) -> Self {
        let mut frequencies: HashMap<String, (u64, u32)> = HashMap::new();
        let mut n_texts = 0_usize;
        for text in texts {
            n_texts += 1;
            let lower = text.to_lowercase();
            for (word, count) in counts(words_of(&lower)) {
                if let Some((term, document)) = frequencies.get_mut(word) {
                    *term += u64::from(count);
                    *document += 1;
                } else if !STOP_WORDS.contains(word) {
                    frequencies.insert(word.to_owned(), (u64::from(count), 1));
                }
            }
        }
        let mut kept: Vec<(String, (u64, u32))> = frequencies.into_iter().collect();
        if let Some(limit) = max_features.filter(|&limit| limit < kept.len()) {
            kept.sort_by(|left, right| right.1.0.cmp(&left.1.0).then_with(|| left.0.cmp(&right.0)));
            kept.truncate(limit);
        }
        // Columns are in term order.
        kept.sort_by(|left, right| left.0.cmp(&right.0));
        let smooth_idf = |document: u32| ((1.0 + n_texts as f64) / (1.0 + f64::from(document))).ln() + 1.0;
        let idf = kept.iter().map(|&(_, (_, document))| smooth_idf(document)).collect();
        let columns = kept.into_iter().enumerate().map(|(column, (word, _))| (word, column as u32)).collect();
        Self { columns, idf }
    }

    /// Number of words kept.
    pub(super) fn n_features(&self) -> usize {
        self.idf.len()
    }

    /// A text as a unit vector of (column, weight) by ascending column; empty when no word is known.
    pub(super) fn vector(&self, text: &str) -> Vec<(u32, f32)> {
        let lower = text.to_lowercase();
        let known = words_of(&lower).filter_map(|word| self.columns.get(word).copied());
        let weighed: Vec<(u32, f64)> =
            counts(known).into_iter().map(|(column, n)| (column, f64::from(n) * self.idf[column as usize])).collect();
        let norm = weighed.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        weighed.into_iter().map(|(column, weight)| (column, (weight / norm) as f32)).collect()
    }

    /// Texts as rows of a matrix.
    pub(super) fn matrix<'a>(&self, texts: impl ExactSizeIterator<Item = &'a str>) -> SparseRows {
        let n_texts = texts.len();
        let entries = texts.enumerate().flat_map(|(row, text)| {
            self.vector(text).into_iter().map(move |(column, weight)| (row as u32, column, weight))
        });
        SparseRows::from_sorted(n_texts, self.n_features(), entries)
    }
}

/// The words of a text in lower case.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let found: Vec<String> = words_of(&lower).map(str::to_owned).collect();
    found.into_iter()
}

/// The words of a text that is in lower case.
fn words_of(lower: &str) -> impl Iterator<Item = &str> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    lower.split(move |character| !is_word(character)).filter(|word| word.chars().nth(1).is_some())
}

fn counts<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, u32> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_scikit_learns() {
        let found: Vec<String> = words("It's a Café_9 in 2001: x ÉTÉ-time").collect();
        assert_eq!(found, ["it", "café_9", "in", "2001", "été", "time"]);
        assert_eq!(STOP_WORDS.len(), 318);
    }

    #[test]
    fn weights_are_scikit_learns() {
        // TfidfVectorizer(stop_words="english").fit(texts).transform(["robots robots sea"])
        let weights = TermWeights::fit(["robots in space", "the robots return", "sea"].into_iter(), None);
        let vector = weights.vector("robots robots sea");
        // Columns: return, robots, sea, space.
        assert_eq!(vector.iter().map(|&(column, _)| column).collect::<Vec<_>>(), [1, 2]);
        assert!((vector[0].1 - 0.835_592_f32).abs() < 1e-5, "{vector:?}");
        assert!((vector[1].1 - 0.549_351_f32).abs() < 1e-5, "{vector:?}");
        assert!(weights.vector("unheard of").is_empty());
    }

    #[test]
    fn the_most_frequent_words_are_kept_ties_in_term_order() {
        let weights = TermWeights::fit(["bb cc aa", "cc dd"].into_iter(), Some(2));
        let mut kept: Vec<&String> = weights.columns.keys().collect();
        kept.sort();
        assert_eq!(kept, ["aa", "cc"]);
    }
}
