//! Prompt search: meaning, words and a mild prior for well-known films, fused into one score, under the wishes that the
//! prompt grammar understood.
//!
//! `score = cos(text) + a · cos(anchors) + l · lexical + p · prior + g · genres − n · unwanted`, where `lexical` is BM25 as a
//! share of what is attainable, `prior = ln(1 + votes) / ln(1 + most votes)`, `genres` the share of the genres asked for that
//! the movie has, and `unwanted` its largest cosine with a topic that is not wanted, above what any two texts have in
//! common. The weights were chosen on the validation halves of the judged prompts (`data/README.md`). Years, languages,
//! lengths and unwanted genres are filters: candidates are refilled until enough pass or the catalogue ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Bm25, NearestNeighbors, RecommendError, TextEncoder};
use crate::domain::{Catalogue, Embedding, ItemIdx, Movie, RankedList, Score, ScoredItem};
use crate::math::top_k;
use crate::understand::Understood;

/// Candidates taken from each source at first; four times as many whenever too few pass the filters.
const CANDIDATES: usize = 200;
/// Cosine that unrelated texts have with each other.
const UNRELATED: f32 = 0.15;

/// How much each signal counts, beside the text's own cosine, which counts one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchWeights {
    /// Cosine with the movies the prompt compares with.
    pub anchors: f32,
    /// Words in common.
    pub lexical: f32,
    /// How well known a movie is.
    pub prior: f32,
    /// Genres that were asked for.
    pub genres: f32,
    /// Topics that are not wanted.
    pub unwanted: f32,
}

impl Default for SearchWeights {
    fn default() -> Self {
        Self { anchors: 0.6, lexical: 0.3, prior: 0.4, genres: 0.04, unwanted: 1.0 }
    }
}

/// Searches one catalogue.
#[derive(Clone)]
pub struct PromptSearch {
    catalogue: Arc<Catalogue>,
    lexical: Arc<Bm25>,
    /// Without an encoder, words are all there is.
    semantic: Option<(Arc<dyn TextEncoder>, Arc<dyn NearestNeighbors>)>,
    weights: SearchWeights,
    most_votes: u32,
}

impl std::fmt::Debug for PromptSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PromptSearch")
            .field("name", &self.name())
            .field("weights", &self.weights)
            .finish_non_exhaustive()
    }
}

/// What the prompt means as vectors.
#[derive(Default)]
struct Meaning {
    text: Option<Embedding>,
    anchors: Vec<Embedding>,
    unwanted: Vec<Embedding>,
}

impl PromptSearch {
    /// Joins the signals of one catalogue.
    pub fn fit(
        catalogue: Arc<Catalogue>,
        lexical: Arc<Bm25>,
        semantic: Option<(Arc<dyn TextEncoder>, Arc<dyn NearestNeighbors>)>,
        weights: SearchWeights,
    ) -> Self {
        let votes = (0..catalogue.len() as u32).map(|row| catalogue.popularity(ItemIdx(row)).vote_count);
        Self { most_votes: votes.max().unwrap_or(0), catalogue, lexical, semantic, weights }
    }

    /// Public name of what answers.
    pub fn name(&self) -> &'static str {
        if self.semantic.is_some() { "fused" } else { "lexical" }
    }

    /// The `n` best movies for what a prompt asks for.
    pub fn search(&self, asked: &Understood, n: usize) -> Result<RankedList, RecommendError> {
        let meaning = self.meaning(asked)?;
        let words = self.words(asked);
        let lexical: std::collections::HashMap<ItemIdx, f32> = words.iter().copied().collect();
        let mut k = CANDIDATES.max(n);
        let candidates = loop {
            let candidates = self.candidates(asked, (&meaning, &words), k)?;
            if candidates.len() >= n || k >= self.catalogue.len() {
                break candidates;
            }
            k = k.saturating_mul(4).min(self.catalogue.len());
        };
        let scored = candidates.into_iter().filter_map(|item| {
            let words = lexical.get(&item).copied().unwrap_or(0.0);
            let score = Score::new(self.score(asked, &meaning, (item, words)))?;
            Some(ScoredItem { movie: self.catalogue.movie(item).id, score })
        });
        Ok(RankedList::new(top_k(scored.collect(), n, ScoredItem::ranking_order)))
    }

    fn meaning(&self, asked: &Understood) -> Result<Meaning, RecommendError> {
        let Some((encoder, neighbors)) = &self.semantic else {
            return Ok(Meaning::default());
        };
        let has_text = !asked.text.is_empty();
        let texts: Vec<String> =
            has_text.then(|| asked.text.clone()).into_iter().chain(asked.without.iter().cloned()).collect();
        let mut vectors = if texts.is_empty() { Vec::new() } else { encoder.encode(&texts)? };
        let unwanted = vectors.split_off(usize::from(has_text).min(vectors.len()));
        let anchors = asked.anchors.iter().filter_map(|&movie| neighbors.embedding(movie)).collect();
        Ok(Meaning { text: vectors.pop(), anchors, unwanted })
    }

    /// Movies that share words with the text, most first.
    fn words(&self, asked: &Understood) -> Vec<(ItemIdx, f32)> {
        let mut words = self.lexical.matches(&asked.text);
        words.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        words
    }

    /// Movies near in meaning or in words that pass the filters.
    fn candidates(
        &self,
        asked: &Understood,
        (meaning, words): (&Meaning, &[(ItemIdx, f32)]),
        k: usize,
    ) -> Result<BTreeSet<ItemIdx>, RecommendError> {
        let mut found: BTreeSet<ItemIdx> = words.iter().take(k).map(|(item, _)| *item).collect();
        if let Some((_, neighbors)) = &self.semantic {
            for vector in meaning.text.iter().chain(&meaning.anchors) {
                let near = neighbors.nearest(vector, k.min(neighbors.len()))?;
                found.extend(near.iter().filter_map(|(movie, _)| self.catalogue.item_idx(*movie)));
            }
        }
        if (asked.text.is_empty() && asked.anchors.is_empty()) || k >= self.catalogue.len() {
            // Only wishes, such as "from the 80s, not horror": everything that passes is an answer.
            found.extend((0..self.catalogue.len() as u32).map(ItemIdx));
        }
        found.retain(|&item| passes(self.catalogue.movie(item), asked));
        Ok(found)
    }

    fn score(&self, asked: &Understood, meaning: &Meaning, (item, words): (ItemIdx, f32)) -> f32 {
        let weights = self.weights;
        let movie = self.catalogue.movie(item);
        let own = self.semantic.as_ref().and_then(|(_, neighbors)| neighbors.embedding(movie.id));
        let cosine = |vector: &Embedding| own.as_ref().map_or(0.0, |own| dot(own.components(), vector.components()));
        let text = meaning.text.as_ref().map_or(0.0, cosine);
        let n_anchors = meaning.anchors.len().max(1) as f32;
        let anchors = meaning.anchors.iter().map(cosine).sum::<f32>() / n_anchors;
        let unwanted = meaning.unwanted.iter().map(|topic| cosine(topic) - UNRELATED).fold(0.0, f32::max);
        let votes = self.catalogue.popularity(item).vote_count;
        let prior = f64::from(votes).ln_1p() / f64::from(self.most_votes.max(1)).ln_1p();
        let genres = share_of_genres(movie, &asked.genres);
        text + weights.anchors * anchors
            + weights.lexical * words
            + weights.prior * prior as f32
            + weights.genres * genres
            - weights.unwanted * unwanted
    }
}

/// Whether a movie fulfils what can be checked. What is not known of it does not speak against it, but for the year:
/// who asks for an era wants to be sure of it.
fn passes(movie: &Movie, asked: &Understood) -> bool {
    let in_years = asked.years.is_none_or(|(from, to)| movie.year.is_some_and(|year| (from..=to).contains(&year)));
    let in_language = asked.languages.is_empty()
        || movie.language.as_ref().is_none_or(|language| asked.languages.iter().any(|wanted| wanted == language));
    let in_length = asked.runtime_minutes.is_none_or(|(shortest, longest)| {
        movie.runtime_minutes.is_none_or(|minutes| (shortest..=longest).contains(&minutes))
    });
    let unwanted = movie.genres.iter().any(|genre| asked.without_genres.contains(genre));
    in_years && in_language && in_length && !unwanted && !asked.anchors.contains(&movie.id)
}

fn share_of_genres(movie: &Movie, wanted: &[String]) -> f32 {
    let n_met = wanted.iter().filter(|genre| movie.genres.contains(genre)).count();
    n_met as f32 / wanted.len().max(1) as f32
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MovieId;
    use crate::recommend::sample;

    fn search(asked: &Understood) -> Vec<u32> {
        let (catalogue, _) = sample::movies_and_ratings();
        let lexical = Arc::new(Bm25::fit(Arc::clone(&catalogue)));
        let search = PromptSearch::fit(catalogue, lexical, None, SearchWeights::default());
        search.search(asked, 10).unwrap().items().iter().map(|item| item.movie.0).collect()
    }

    #[test]
    fn words_find_and_filters_hold() {
        let asked = Understood { text: "robots on a planet".to_owned(), ..Understood::default() };
        assert_eq!(search(&asked)[0], 20);
        let anchored = Understood { anchors: vec![MovieId(20)], ..asked.clone() };
        assert!(!search(&anchored).contains(&20), "who asks for something like it does not want it");
        let unwanted = Understood { without_genres: vec!["Science Fiction".to_owned()], ..asked };
        assert!(search(&unwanted).iter().all(|movie| ![10, 20, 30].contains(movie)));
    }

    #[test]
    fn wishes_alone_are_answered_and_an_unknown_year_is_no_year() {
        let only_wishes = Understood { without_genres: vec!["Romance".to_owned()], ..Understood::default() };
        assert_eq!(search(&only_wishes).len(), 4);
        let dated = Understood { years: Some((1980, 1989)), ..Understood::default() };
        assert!(search(&dated).is_empty(), "no movie of the sample has a year");
    }
}
