//! Texts as weighted bags of words, as scikit-learn's `TfidfVectorizer` makes them.
//!
//! Lower case; words are runs of at least two letters, digits or underscores (`\b\w\w+\b`); stop words are left out; of
//! all words the `max_features` most frequent in the corpus are kept (equally frequent ones in term order; scikit-learn
//! 1.9 leaves that to an unstable sort); weight = occurrences × (ln((1 + n) / (1 + df)) + 1), then unit length.
//! The stop list is scikit-learn's English one (`sklearn/feature_extraction/_stop_words.py`, from the Glasgow
//! Information Retrieval Group; BSD-3-Clause), 318 words.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::math::{SparseRows, SparseRowsBuilder};

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
    /// Learns words and weights from texts; with them the texts as rows of a matrix.
    pub(super) fn fit<'a>(texts: impl Iterator<Item = &'a str>, max_features: Option<usize>) -> (Self, SparseRows) {
        let mut corpus = Corpus::default();
        let texts: Vec<Vec<(u32, u32)>> = texts.map(|text| corpus.add(text)).collect();
        let mut kept: Vec<(String, u32)> = corpus.numbers.into_iter().collect();
        let frequency = |number: u32| corpus.frequencies[number as usize];
        if let Some(limit) = max_features.filter(|&limit| limit < kept.len()) {
            kept.sort_by(|left, right| {
                frequency(right.1).0.cmp(&frequency(left.1).0).then_with(|| left.0.cmp(&right.0))
            });
            kept.truncate(limit);
        }
        // Columns are in term order.
        kept.sort_unstable();
        let smooth_idf =
            |(_, document): (u64, u32)| ((1.0 + texts.len() as f64) / (1.0 + f64::from(document))).ln() + 1.0;
        let idf = kept.iter().map(|&(_, number)| smooth_idf(frequency(number))).collect();
        let mut column_of = vec![None; corpus.frequencies.len()];
        for (column, &(_, number)) in (0_u32..).zip(&kept) {
            column_of[number as usize] = Some(column);
        }
        let columns = (0_u32..).zip(kept).map(|(column, (word, _))| (word, column)).collect();
        let weights = Self { columns, idf };
        let mut rows = SparseRowsBuilder::new(weights.n_features());
        for text in texts {
            let known = text.into_iter().filter_map(|(number, count)| Some((column_of[number as usize]?, count)));
            rows.push_row(&weights.unit_vector(known.collect()));
        }
        (weights, rows.finish())
    }

    /// Number of words kept.
    pub(super) fn n_features(&self) -> usize {
        self.idf.len()
    }

    /// A text as a unit vector of (column, weight) by ascending column; empty when no word is known.
    pub(super) fn vector(&self, text: &str) -> Vec<(u32, f32)> {
        let lower = text.to_lowercase();
        self.unit_vector(counts(words_of(&lower).filter_map(|word| self.columns.get(word).copied()).collect()))
    }

    /// The unit vector of words by column, with how often each stands.
    fn unit_vector(&self, mut counts: Vec<(u32, u32)>) -> Vec<(u32, f32)> {
        counts.sort_unstable();
        let weighed: Vec<(u32, f64)> =
            counts.into_iter().map(|(column, n)| (column, f64::from(n) * self.idf[column as usize])).collect();
        let norm = weighed.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        weighed.into_iter().map(|(column, weight)| (column, (weight / norm) as f32)).collect()
    }
}

/// Words by number while texts are added, with how often each was met and in how many texts.
#[derive(Default)]
struct Corpus {
    numbers: HashMap<String, u32>,
    frequencies: Vec<(u64, u32)>,
}

impl Corpus {
    /// Adds a text; returns its words by number, and how often each stands in it.
    fn add(&mut self, text: &str) -> Vec<(u32, u32)> {
        let lower = text.to_lowercase();
        let numbers = words_of(&lower).filter_map(|word| self.number(word)).collect();
        let counts = counts(numbers);
        for &(number, count) in &counts {
            let (term, document) = &mut self.frequencies[number as usize];
            *term += u64::from(count);
            *document += 1;
        }
        counts
    }

    /// `None` for a stop word.
    fn number(&mut self, word: &str) -> Option<u32> {
        if let Some(&number) = self.numbers.get(word) {
            return Some(number);
        }
        if STOP_WORDS.contains(word) {
            return None;
        }
        let number = self.frequencies.len() as u32;
        self.frequencies.push((0, 0));
        self.numbers.insert(word.to_owned(), number);
        Some(number)
    }
}

/// The words of a text in lower case.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let found: Vec<String> = words_of(&lower).map(str::to_owned).collect();
    found.into_iter()
}

/// The words of a text that is in lower case.
pub(super) fn words_of(lower: &str) -> impl Iterator<Item = &str> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    lower.split(move |character| !is_word(character)).filter(|word| word.chars().nth(1).is_some())
}

/// How often each number stands there, by ascending number.
fn counts(mut numbers: Vec<u32>) -> Vec<(u32, u32)> {
    numbers.sort_unstable();
    numbers.chunk_by(|left, right| left == right).map(|equal| (equal[0], equal.len() as u32)).collect()
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
        let texts = ["robots in space", "the robots return", "sea"];
        let (weights, rows) = TermWeights::fit(texts.into_iter(), None);
        for (row, text) in texts.iter().enumerate() {
            let (columns, values) = rows.row(row);
            let row: Vec<_> = columns.iter().copied().zip(values.iter().copied()).collect();
            assert_eq!(row, weights.vector(text));
        }
        let vector = weights.vector("robots robots sea");
        // Columns: return, robots, sea, space.
        assert_eq!(vector.iter().map(|&(column, _)| column).collect::<Vec<_>>(), [1, 2]);
        assert!((vector[0].1 - 0.835_592_f32).abs() < 1e-5, "{vector:?}");
        assert!((vector[1].1 - 0.549_351_f32).abs() < 1e-5, "{vector:?}");
        assert!(weights.vector("unheard of").is_empty());
    }

    #[test]
    fn the_most_frequent_words_are_kept_ties_in_term_order() {
        let (weights, rows) = TermWeights::fit(["bb cc aa", "cc dd"].into_iter(), Some(2));
        let mut kept: Vec<&String> = weights.columns.keys().collect();
        kept.sort();
        assert_eq!(kept, ["aa", "cc"]);
        assert_eq!((rows.row(0).0, rows.row(1).0), (&[0, 1][..], &[1][..]));
    }
}
