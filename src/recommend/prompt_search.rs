//! Prompt search: meaning, words and a mild prior for well-known films, fused into one score, under the wishes that the
//! prompt grammar understood.
//!
//! `score = t · cos(text) + l · lexical + p · prior + g · genres − n · unwanted`, where `lexical` is BM25 as a share of what is
//! attainable, `prior = ln(1 + votes) / ln(1 + most votes)`, `genres` the share of the genres asked for that the movie has,
//! and `unwanted` its largest cosine with a topic that is not wanted, above what any two texts have in common. A prompt
//! that compares with movies ("like … but …") adds what a movie shares with these anchors, on the average of them: cosine,
//! similarity by ratings as a share of the anchor's best neighbour, and the share of the anchor's genres; and it has
//! weights of its own, because its text is a change and no description. All weights were chosen on the validation halves
//! of the judged prompts (`data/README.md`). Years, languages, lengths and unwanted genres are filters: candidates are
//! refilled until enough pass or the catalogue ends.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Bm25, ItemKnn, NearestNeighbors, RecommendError, TextEncoder};
use crate::domain::{Catalogue, Embedding, ItemIdx, Movie, MovieId, Popularity, Query, RankedList, Score, ScoredItem};
use crate::math::top_k;
use crate::understand::Understood;

/// Candidates taken from each source at first; four times as many whenever too few pass the filters. On the validation
/// halves 800 had 0.001 more of nDCG@10 and 200 had 0.003 less: a well-known film may be far down in each source.
const CANDIDATES: usize = 400;
/// The same for a comparison, which has more sources; 500 changed nothing.
const COMPARISON_CANDIDATES: usize = 200;
/// Cosine that unrelated texts have with each other.
const UNRELATED: f32 = 0.15;

/// How much each signal counts.
#[derive(Clone, Copy, Debug)]
struct Weights {
    /// Cosine with the text.
    text: f32,
    /// Words in common.
    lexical: f32,
    /// How well known a movie is.
    prior: f32,
    /// Genres that were asked for.
    genres: f32,
    /// Topics that are not wanted.
    unwanted: f32,
    /// Cosine with the anchors.
    anchors: f32,
    /// Similarity to the anchors by ratings.
    neighbors: f32,
    /// Genres of the anchors.
    anchor_genres: f32,
}

/// For a prompt that describes.
const DESCRIPTION: Weights = Weights {
    text: 1.0,
    lexical: 0.3,
    prior: 0.4,
    genres: 0.04,
    unwanted: 1.0,
    anchors: 0.0,
    neighbors: 0.0,
    anchor_genres: 0.0,
};

/// The same without an encoder: words are all there is to go by.
const WORDS_ALONE: Weights = Weights { lexical: 1.0, ..DESCRIPTION };

/// For a prompt that compares.
const COMPARISON: Weights = Weights {
    text: 0.8,
    lexical: 0.25,
    prior: 0.25,
    genres: 0.35,
    unwanted: 1.0,
    anchors: 0.4,
    neighbors: 0.2,
    anchor_genres: 0.25,
};

/// What a score is made of.
const PARTS: [&str; 6] = ["meaning", "like-the-film", "words", "popularity", "genres", "unwanted"];

/// The parts of one score, which sum to it.
type Parts = [f32; PARTS.len()];

/// Parts of a score by name, and words that prompt and movie have in common.
pub type PromptReasons = (Vec<(&'static str, f32)>, Vec<String>);

/// A movie that came, or changed, after the catalogue was made.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer<'a> {
    /// The movie.
    pub movie: &'a Movie,
    /// Its figures.
    pub figures: Popularity,
    /// Its embedding in the encoder's space.
    pub vector: Option<&'a Embedding>,
}

/// Searches one catalogue.
#[derive(Clone)]
pub struct PromptSearch {
    catalogue: Arc<Catalogue>,
    lexical: Arc<Bm25>,
    item_knn: Arc<ItemKnn>,
    /// Without an encoder, words are all there is.
    semantic: Option<(Arc<dyn TextEncoder>, Arc<dyn NearestNeighbors>)>,
    /// By catalogue row.
    priors: Vec<f32>,
    mean_prior: f32,
    most_votes: u32,
}

impl std::fmt::Debug for PromptSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PromptSearch").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// What the prompt means as vectors.
#[derive(Default)]
struct Meaning {
    text: Option<Embedding>,
    unwanted: Vec<Embedding>,
}

/// A movie that the prompt compares with.
struct Anchor<'a> {
    vector: Option<Embedding>,
    /// Similarity by ratings, as a share of the best, by ascending row.
    neighbors: Vec<(ItemIdx, f32)>,
    genres: &'a [String],
}

/// A prompt with everything that is looked up once.
struct Question<'a> {
    asked: &'a Understood,
    query: &'a Query,
    meaning: Meaning,
    /// Movies that share words with the text, by ascending row.
    words: Vec<(ItemIdx, f32)>,
    /// What the newcomers share with it.
    new_words: Vec<f32>,
    anchors: Vec<Anchor<'a>>,
}

impl PromptSearch {
    /// Joins the signals of one catalogue.
    pub fn fit(
        catalogue: Arc<Catalogue>,
        lexical: Arc<Bm25>,
        item_knn: Arc<ItemKnn>,
        semantic: Option<(Arc<dyn TextEncoder>, Arc<dyn NearestNeighbors>)>,
    ) -> Self {
        let votes = (0..catalogue.len() as u32).map(|row| catalogue.popularity(ItemIdx(row)).vote_count);
        let most_votes = votes.clone().max().unwrap_or(0).max(1);
        let priors: Vec<f32> = votes.map(|votes| prior(votes, most_votes)).collect();
        let mean_prior = priors.iter().sum::<f32>() / priors.len().max(1) as f32;
        Self { catalogue, lexical, item_knn, semantic, priors, mean_prior, most_votes }
    }

    /// Public name of what answers.
    pub fn name(&self) -> &'static str {
        if self.semantic.is_some() { "fused" } else { "lexical" }
    }

    /// The `query.n` best movies for what a prompt asks for, that pass its filter: those of the catalogue that it does
    /// not exclude, and the newcomers.
    pub fn search(
        &self,
        asked: &Understood,
        query: &Query,
        newcomers: &[Newcomer<'_>],
    ) -> Result<RankedList, RecommendError> {
        let question = self.question((asked, query), newcomers)?;
        let n = query.n;
        let mut k = if question.anchors.is_empty() { CANDIDATES } else { COMPARISON_CANDIDATES }.max(n);
        let candidates = loop {
            let candidates = self.candidates(&question, k)?;
            if candidates.len() >= n || k >= self.catalogue.len() {
                break candidates;
            }
            k = k.saturating_mul(4).min(self.catalogue.len());
        };
        let known = candidates.iter().map(|&item| self.catalogue.movie(item).id);
        let known = known.zip(self.parts(&question, &candidates));
        let new = newcomers.iter().zip(&question.new_words);
        let new = new.filter(|(newcomer, _)| is_wanted(newcomer.movie, (newcomer.figures, &question)));
        let new = new.map(|(newcomer, &words)| (newcomer.movie.id, self.parts_of(&question, (newcomer, words))));
        let found = known
            .chain(new)
            .filter_map(|(movie, parts)| Some(ScoredItem { movie, score: Score::new(parts.iter().sum())? }));
        Ok(RankedList::new(top_k(found.collect(), n, ScoredItem::ranking_order)))
    }

    /// What makes up the scores of movies, by name, and the words of the prompt that their texts have. Movies that are
    /// neither in the catalogue nor among the newcomers are left out.
    pub fn explain(
        &self,
        asked: &Understood,
        (movies, newcomers): (&[MovieId], &[Newcomer<'_>]),
    ) -> Result<HashMap<MovieId, PromptReasons>, RecommendError> {
        let anything = Query::default();
        let question = self.question((asked, &anything), newcomers)?;
        let mut explained = HashMap::with_capacity(movies.len());
        for &movie in movies {
            let newcomer = newcomers.iter().zip(&question.new_words).find(|(newcomer, _)| newcomer.movie.id == movie);
            let known = self.catalogue.item_idx(movie);
            let (parts, described) = match (newcomer, known) {
                (Some((newcomer, &words)), _) => (self.parts_of(&question, (newcomer, words)), newcomer.movie),
                (None, Some(item)) => (self.parts(&question, &[item])[0], self.catalogue.movie(item)),
                (None, None) => continue,
            };
            let parts = PARTS.into_iter().zip(parts).filter(|&(_, part)| part != 0.0).collect();
            explained.insert(movie, (parts, self.lexical.common_words(&asked.text, described)));
        }
        Ok(explained)
    }

    /// A newcomer that nobody voted on yet is taken for a movie like most, not for one that nobody knows.
    fn prior_of(&self, figures: Popularity) -> f32 {
        if figures.vote_count > 0 { prior(figures.vote_count, self.most_votes) } else { self.mean_prior }
    }

    fn weights(&self, anchors: &[Anchor<'_>]) -> Weights {
        match (&self.semantic, anchors) {
            (None, []) => WORDS_ALONE,
            (Some(_), []) => DESCRIPTION,
            (_, _) => COMPARISON,
        }
    }

    fn question<'a>(
        &'a self,
        (asked, query): (&'a Understood, &'a Query),
        newcomers: &[Newcomer<'_>],
    ) -> Result<Question<'a>, RecommendError> {
        let new: Vec<&Movie> = newcomers.iter().map(|newcomer| newcomer.movie).collect();
        let (words, new_words) = self.lexical.matches_beside(&asked.text, &new);
        let anchors = asked.anchors.iter().filter_map(|&movie| self.catalogue.item_idx(movie));
        Ok(Question {
            asked,
            query,
            meaning: self.meaning(asked)?,
            words,
            new_words,
            anchors: anchors.map(|item| self.anchor(item)).collect(),
        })
    }

    fn meaning(&self, asked: &Understood) -> Result<Meaning, RecommendError> {
        let Some((encoder, _)) = &self.semantic else {
            return Ok(Meaning::default());
        };
        let has_text = !asked.text.is_empty();
        let texts: Vec<String> =
            has_text.then(|| asked.text.clone()).into_iter().chain(asked.without.iter().cloned()).collect();
        let mut vectors = if texts.is_empty() { Vec::new() } else { encoder.encode_queries(&texts)? };
        let unwanted = vectors.split_off(usize::from(has_text).min(vectors.len()));
        Ok(Meaning { text: vectors.pop(), unwanted })
    }

    fn anchor(&self, item: ItemIdx) -> Anchor<'_> {
        let movie = self.catalogue.movie(item);
        let similarities = self.item_knn.similarities(item);
        let best = similarities.iter().map(|&(_, similarity)| similarity).fold(f32::MIN_POSITIVE, f32::max);
        Anchor {
            vector: self.semantic.as_ref().and_then(|(_, neighbors)| neighbors.embedding(movie.id)),
            neighbors: similarities.into_iter().map(|(other, similarity)| (other, similarity / best)).collect(),
            genres: &movie.genres,
        }
    }

    /// Movies near in meaning or in words that pass the filters, by ascending row.
    fn candidates(&self, question: &Question<'_>, k: usize) -> Result<Vec<ItemIdx>, RecommendError> {
        let Question { asked, query, meaning, words, anchors, .. } = question;
        let mut found = strongest(words, k);
        if let Some((_, neighbors)) = &self.semantic {
            for vector in meaning.text.iter().chain(anchors.iter().filter_map(|anchor| anchor.vector.as_ref())) {
                let near = neighbors.nearest(vector, k.min(neighbors.len()))?;
                found.extend(near.iter().filter_map(|(movie, _)| self.catalogue.item_idx(*movie)));
            }
        }
        for anchor in anchors {
            found.extend(strongest(&anchor.neighbors, k));
        }
        if (asked.text.is_empty() && asked.anchors.is_empty()) || k >= self.catalogue.len() {
            // Only wishes, such as "from the 80s, not horror": everything that passes is an answer.
            found = (0..self.catalogue.len() as u32).map(ItemIdx).collect();
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|&item| {
            let movie = self.catalogue.movie(item);
            !query.excluded.contains(&movie.id) && is_wanted(movie, (self.catalogue.popularity(item), question))
        });
        Ok(found)
    }

    /// The parts of the items' scores, in the order of [`PARTS`].
    fn parts(&self, question: &Question<'_>, items: &[ItemIdx]) -> Vec<Parts> {
        let Question { asked, meaning, words, anchors, .. } = question;
        let weights = self.weights(anchors);
        let movies: Vec<MovieId> = items.iter().map(|&item| self.catalogue.movie(item).id).collect();
        // A movie without an embedding has nothing in common with any text.
        let cosines = |vector: Option<&Embedding>| match (&self.semantic, vector) {
            (Some((_, neighbors)), Some(vector)) => neighbors.cosines(vector, &movies),
            _ => vec![None; movies.len()],
        };
        let text = cosines(meaning.text.as_ref());
        let unwanted: Vec<_> = meaning.unwanted.iter().map(|topic| cosines(Some(topic))).collect();
        let of_anchors: Vec<_> = anchors.iter().map(|anchor| cosines(anchor.vector.as_ref())).collect();
        let parts = |(place, &item): (usize, &ItemIdx)| {
            let movie = self.catalogue.movie(item);
            let likeness = |(anchor, cosines): (&Anchor<'_>, &Vec<Option<f32>>)| {
                weights.anchors * cosines[place].unwrap_or(0.0)
                    + weights.neighbors * value_of(&anchor.neighbors, item)
                    + weights.anchor_genres * share_of_genres(movie, anchor.genres)
            };
            let likeness = anchors.iter().zip(&of_anchors).map(likeness).sum::<f32>() / anchors.len().max(1) as f32;
            let unwanted = unwanted.iter().map(|cosines| cosines[place].unwrap_or(0.0) - UNRELATED).fold(0.0, f32::max);
            [
                weights.text * text[place].unwrap_or(0.0),
                likeness,
                weights.lexical * value_of(words, item),
                weights.prior * self.priors[item.row()],
                weights.genres * share_of_genres(movie, &asked.genres),
                -weights.unwanted * unwanted,
            ]
        };
        items.iter().enumerate().map(parts).collect()
    }

    /// The same for a movie that the catalogue does not have. Nobody's ratings say what it is like.
    fn parts_of(&self, question: &Question<'_>, (newcomer, words): (&Newcomer<'_>, f32)) -> Parts {
        let Question { asked, meaning, anchors, .. } = question;
        let weights = self.weights(anchors);
        let Newcomer { movie, figures, vector } = newcomer;
        let cosine = |other: &Embedding| vector.map_or(0.0, |own| own.cosine(other));
        let likeness = |anchor: &Anchor<'_>| {
            weights.anchors * anchor.vector.as_ref().map_or(0.0, cosine)
                + weights.anchor_genres * share_of_genres(movie, anchor.genres)
        };
        let likeness = anchors.iter().map(likeness).sum::<f32>() / anchors.len().max(1) as f32;
        let unwanted = meaning.unwanted.iter().map(|topic| cosine(topic) - UNRELATED).fold(0.0, f32::max);
        [
            weights.text * meaning.text.as_ref().map_or(0.0, cosine),
            likeness,
            weights.lexical * words,
            weights.prior * self.prior_of(*figures),
            weights.genres * share_of_genres(movie, &asked.genres),
            -weights.unwanted * unwanted,
        ]
    }
}

/// How well known a movie is, from 0 to 1 for the best known of the catalogue.
fn prior(votes: u32, most: u32) -> f32 {
    (f64::from(votes).ln_1p() / f64::from(most).ln_1p()) as f32
}

/// Whether a movie fulfils prompt and filter.
fn is_wanted(movie: &Movie, (figures, question): (Popularity, &Question<'_>)) -> bool {
    passes(movie, question.asked) && question.query.filter.accepts(movie, figures)
}

/// The `k` items with the largest values; of equal ones those of the lower rows.
fn strongest(values: &[(ItemIdx, f32)], k: usize) -> Vec<ItemIdx> {
    let order = |left: &(ItemIdx, f32), right: &(ItemIdx, f32)| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0));
    top_k(values.to_vec(), k, order).into_iter().map(|(item, _)| item).collect()
}

/// An item's value among those by ascending row; 0 where it has none.
fn value_of(values: &[(ItemIdx, f32)], item: ItemIdx) -> f32 {
    values.binary_search_by_key(&item, |&(item, _)| item).map_or(0.0, |place| values[place].1)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MovieId;
    use crate::recommend::{Similarity, sample};
    use crate::understand::{PromptReader, TitleResolver};

    fn search(asked: &Understood) -> Vec<u32> {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let item_knn = Arc::new(ItemKnn::fit(Arc::clone(&catalogue), ratings, Similarity::Cosine));
        let lexical = Arc::new(Bm25::fit(Arc::clone(&catalogue)));
        let search = PromptSearch::fit(catalogue, lexical, item_knn, None);
        let query = Query { n: 10, ..Query::default() };
        search.search(asked, &query, &[]).unwrap().items().iter().map(|item| item.movie.0).collect()
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
    fn a_comparison_finds_what_is_like_the_anchor_and_the_change_weighs_in() {
        let like = Understood { anchors: vec![MovieId(10)], ..Understood::default() };
        assert_eq!(search(&like)[..2], [20, 30], "the same genre, liked by the same people");
        let changed = Understood { genres: vec!["Romance".to_owned()], ..like };
        let found = search(&changed);
        let place = |movie| found.iter().position(|&found| found == movie);
        assert!(place(40) < place(70) || place(70).is_none(), "{found:?}");
    }

    #[test]
    fn a_prompt_of_which_nothing_was_understood_is_searched_as_it_stands() {
        let (catalogue, _) = sample::movies_and_ratings();
        let (reader, titles) = (PromptReader::fit(&catalogue), TitleResolver::fit(&catalogue));
        for text in ["robots fly to a distant planet", "Two families prepare, and fall out!", "lovers like the sea"] {
            let understood = reader.read(text, &titles);
            assert!(understood.is_plain(), "{understood:?}");
            let as_it_stands = Understood { text: text.to_owned(), ..Understood::default() };
            assert!(!search(&as_it_stands).is_empty());
            assert_eq!(search(&understood), search(&as_it_stands), "{text}");
        }
    }

    #[test]
    fn wishes_alone_are_answered_and_an_unknown_year_is_no_year() {
        let only_wishes = Understood { without_genres: vec!["Romance".to_owned()], ..Understood::default() };
        assert_eq!(search(&only_wishes).len(), 4);
        let dated = Understood { years: Some((1980, 1989)), ..Understood::default() };
        assert!(search(&dated).is_empty(), "no movie of the sample has a year");
    }
}
