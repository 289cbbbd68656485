//! Lexical search by Okapi BM25 over stemmed words of title, genres and overview.
//!
//! `score(q, d) = Σ_w idf(w) · tf · (k1 + 1) / (tf + k1 · (1 − b + b · |d| / avg|d|))`,
//! `idf(w) = ln(1 + (N − df + 0.5) / (df + 0.5))` (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
//! and Beyond", 2009, with the logarithm that Lucene made non-negative). Words are stemmed with Snowball's English
//! stemmer; stop words are left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rust_stemmers::{Algorithm, Stemmer};

use super::term_weights::{STOP_WORDS, words, words_of};
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
    mean_length: f32,
}

impl Bm25 {
    /// Indexes a catalogue.
    pub fn fit(catalogue: Arc<Catalogue>) -> Self {
        let mut index = Index::default();
        let lengths: Vec<f32> =
            (0_u32..).zip(catalogue.movies()).map(|(item, movie)| index.add(item, movie) as f32).collect();
        let mean_length = (lengths.iter().sum::<f32>() / lengths.len().max(1) as f32).max(1.0);
        let by_word = index.by_stem();
        let n_documents = lengths.len() as f32;
        let entries = (0_u32..).zip(by_word.values()).flat_map(|(column, movies)| {
            let frequency = movies.len() as f32;
            let idf = idf(n_documents, frequency);
            let lengths = &lengths;
            movies
                .iter()
                .map(move |&(item, count)| (column, item, idf * saturated(count, lengths[item as usize] / mean_length)))
        });
        let postings = SparseRows::from_sorted(by_word.len(), lengths.len(), entries);
        let columns = (0_u32..).zip(by_word.into_keys()).map(|(column, stem)| (stem, column)).collect();
        Self { catalogue, columns, postings, mean_length }
    }

    /// The movies that share a word with the text. Scores are shares of the largest that any movie could reach, so that
    /// they are comparable between prompts: a movie that has only the one common word of ten stays near zero. By
    /// ascending row.
    pub fn matches(&self, text: &str) -> Vec<(ItemIdx, f32)> {
        self.matches_beside(text, &[]).0
    }

    /// The same when there are movies beside those that were indexed: their shares too, in the order given. They score
    /// as if they had been indexed, by the frequencies of those that were.
    pub fn matches_beside(&self, text: &str, others: &[&Movie]) -> (Vec<(ItemIdx, f32)>, Vec<f32>) {
        let stem = Stems::new();
        // A repeated word counts once; sums are taken in one order, so that equal questions get equal bits.
        let asked: BTreeSet<String> = words(text).filter_map(|word| stem.of(&word)).collect();
        let counts: Vec<BTreeMap<String, u32>> = others.iter().map(|movie| stem.counts(movie)).collect();
        let mut sums = vec![0.0_f32; self.catalogue.len()];
        let mut sums_beside = vec![0.0_f32; others.len()];
        let mut attainable = 0.0;
        for word in &asked {
            let known = self.columns.get(word).map(|&column| self.postings.row(column as usize));
            let (items, values) = known.unwrap_or_default();
            let mut most = values.iter().copied().fold(0.0, f32::max);
            for (&item, value) in items.iter().zip(values) {
                sums[item as usize] += value;
            }
            for (sum, counts) in sums_beside.iter_mut().zip(&counts) {
                let Some(&count) = counts.get(word) else { continue };
                let length = counts.values().sum::<u32>() as f32 / self.mean_length;
                let own = idf(self.catalogue.len() as f32, items.len() as f32) * saturated(count, length);
                *sum += own;
                most = most.max(own);
            }
            attainable += most;
        }
        // Every share is above zero: idf is.
        let matched = (0..).map(ItemIdx).zip(sums).filter(|&(_, sum)| sum > 0.0);
        let shares = matched.map(|(item, sum)| (item, sum / attainable)).collect();
        let beside = sums_beside.into_iter().map(|sum| if sum > 0.0 { sum / attainable } else { 0.0 });
        (shares, beside.collect())
    }

    /// Words of the text that a movie's texts have, as the text spells them, rarest first.
    pub fn common_words(&self, text: &str, movie: &Movie) -> Vec<String> {
        let stem = Stems::new();
        let counts = stem.counts(movie);
        let mut common: Vec<(usize, String)> = Vec::new();
        for word in words(text) {
            let Some(stem) = stem.of(&word).filter(|stem| counts.contains_key(stem)) else { continue };
            let frequency = self.columns.get(&stem).map_or(0, |&column| self.postings.row(column as usize).0.len());
            if common.iter().all(|(_, other)| *other != word) {
                common.push((frequency, word));
            }
        }
        common.sort();
        common.into_iter().map(|(_, word)| word).collect()
    }
}

fn idf(n_documents: f32, frequency: f32) -> f32 {
    (1.0 + (n_documents - frequency + 0.5) / (frequency + 0.5)).ln()
}

/// What `count` occurrences weigh in a document of so many mean lengths.
fn saturated(count: u32, length: f32) -> f32 {
    let count = count as f32;
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length))
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

/// Which movies have a word, while movies are added. Every word is stemmed once.
#[derive(Default)]
struct Index {
    /// Number of the stem of every word met; `None` for a stop word.
    of_words: HashMap<String, Option<u32>>,
    of_stems: HashMap<String, u32>,
    /// Row and occurrences by number of the stem, rows ascending.
    movies: Vec<Vec<(u32, u32)>>,
}

impl Index {
    /// Adds a movie with a higher row than those before; returns how many words count.
    fn add(&mut self, item: u32, movie: &Movie) -> u32 {
        let stem = Stems::new();
        let mut length = 0;
        for text in texts(movie) {
            let lower = text.to_lowercase();
            for word in words_of(&lower) {
                let Some(number) = self.number(word, &stem) else { continue };
                length += 1;
                let movies = &mut self.movies[number as usize];
                match movies.last_mut().filter(|(last, _)| *last == item) {
                    Some((_, count)) => *count += 1,
                    None => movies.push((item, 1)),
                }
            }
        }
        length
    }

    fn number(&mut self, word: &str, stem: &Stems) -> Option<u32> {
        if let Some(&number) = self.of_words.get(word) {
            return number;
        }
        let number = stem.of(word).map(|stem| {
            *self.of_stems.entry(stem).or_insert_with(|| {
                self.movies.push(Vec::new());
                self.movies.len() as u32 - 1
            })
        });
        self.of_words.insert(word.to_owned(), number);
        number
    }

    fn by_stem(mut self) -> BTreeMap<String, Vec<(u32, u32)>> {
        let movies = &mut self.movies;
        self.of_stems.into_iter().map(|(stem, number)| (stem, std::mem::take(&mut movies[number as usize]))).collect()
    }
}

/// The texts in which a movie is looked for.
fn texts(movie: &Movie) -> [String; 3] {
    [movie.title.clone(), movie.genres.join(" "), movie.description()]
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
        for text in texts(movie) {
            for word in words(&text) {
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
    fn a_movie_that_was_not_indexed_scores_as_if_it_had_been() {
        let (catalogue, _) = sample::movies_and_ratings();
        let bm25 = Bm25::fit(Arc::clone(&catalogue));
        let text = "robots fly to a distant planet of lovers";
        let others: Vec<&Movie> = catalogue.movies().iter().collect();
        let (indexed, beside) = bm25.matches_beside(text, &others);
        for (row, movie) in (0..).zip(catalogue.movies()) {
            let expected = indexed.iter().find(|(item, _)| *item == ItemIdx(row)).map_or(0.0, |&(_, share)| share);
            assert!((beside[row as usize] - expected).abs() < 1e-5, "{}", movie.title);
        }
        // A word that only the other movie has counts for all: nobody else reaches the most.
        let mut new = Movie::new(crate::domain::MovieId(99), "New");
        new.overview = Some("Robots in a zeppelin.".to_owned());
        let (indexed, beside) = bm25.matches_beside("robots zeppelin", &[&new]);
        assert!(indexed.iter().all(|&(_, share)| share < beside[0]), "{indexed:?} {beside:?}");
        assert_eq!(bm25.common_words("the ZEPPELINS zeppelins xyz", &new), ["zeppelins"]);
    }

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
