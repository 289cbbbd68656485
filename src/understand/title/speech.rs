//! Which words and phrases are everyday language, told from the overviews of the catalogue.
//!
//! "A ghost" is more likely a theme than a misspelt "Ghosts", "old man" more likely a theme than half of "Old Man and
//! the Sea". Names do not count: only what overviews write in lower case is a word.

use std::collections::{HashMap, HashSet};

use super::super::title_forms::{OMITTED_ARTICLES, words};
use crate::domain::Catalogue;

/// A word in at least so many overviews, and in at least one of so many, is an everyday word.
const COMMON_IN: u32 = 3;
const COMMON_ONE_IN: u32 = 2_000;

/// A word or phrase in at most so many overviews, or one of so many, is seldom used: the film's own may be the only one.
const RARE_IN: u32 = 1;
const RARE_NAME_IN: u32 = 3;
const RARE_ONE_IN: u32 = 2_000;

/// With fewer overviews than this nothing can be told from them.
const ENOUGH_OVERVIEWS: u32 = 200;

/// Words that are common in questions, though perhaps not in overviews.
const QUESTION_WORDS: &str = "a about an and any best bad cinema classic comedies comedy crazy director documentary drama epic \
    fantasy feature film films flick for from funny give good great greatest heist horror hilarious in indie like long love \
    me modern motion movie movies music musical new of old on or picture pictures popular recommend remake retro romance romances romcom romantic \
    sad scary scifi sequel show similar something some story stories the thriller thrillers to top vintage war watch \
    western westerns with without";

/// What the overviews say often.
#[derive(Clone, Debug, Default)]
pub(super) struct Speech {
    everyday: HashSet<String>,
    question_words: HashSet<String>,
    /// Names that many overviews hold.
    names: HashSet<String>,
    /// Overviews that hold a word of a title.
    heard: HashMap<String, Heard>,
    /// Overviews that hold two words of a title side by side.
    pairs: HashMap<(String, String), u32>,
    n_overviews: u32,
}

/// In how many overviews a word stands.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    in_lower_case: u32,
    at_all: u32,
}

impl Speech {
    /// Listens to the overviews of a catalogue.
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let mut words_of = Numbered::default();
        let mut title_pairs: HashMap<(u32, u32), u32> = HashMap::new();
        for movie in catalogue.movies() {
            let title: Vec<u32> = words(&movie.title).iter().map(|word| words_of.number(word)).collect();
            title_pairs.extend(title.windows(2).map(|pair| ((pair[0], pair[1]), 0)));
        }
        let n_title_words = words_of.words.len();
        let mut counts: Vec<Heard> = Vec::new();
        let mut n_overviews = 0;
        for overview in catalogue.movies().iter().filter_map(|movie| movie.overview.as_deref()) {
            n_overviews += 1;
            listen(overview, &mut words_of, &mut counts, &mut title_pairs);
        }
        counts.resize(words_of.words.len(), Heard::default());
        let enough = COMMON_IN.max(n_overviews / COMMON_ONE_IN);
        let heard = || words_of.words.iter().zip(&counts);
        let with = |count: fn(&Heard) -> u32| {
            heard().filter(move |(_, heard)| count(heard) >= enough).map(|(word, _)| word.clone())
        };
        let genres = catalogue.movies().iter().flat_map(|movie| &movie.genres).flat_map(|genre| words(genre));
        let word = |number: u32| words_of.words[number as usize].clone();
        Self {
            everyday: with(|heard| heard.in_lower_case).chain(genres).chain(words(QUESTION_WORDS)).collect(),
            question_words: words(QUESTION_WORDS).into_iter().collect(),
            names: with(|heard| heard.at_all).collect(),
            heard: heard().take(n_title_words).map(|(word, &heard)| (word.clone(), heard)).collect(),
            pairs: title_pairs.into_iter().map(|((left, right), count)| ((word(left), word(right)), count)).collect(),
            n_overviews,
        }
    }

    /// Whether a word is an everyday word, or the plural of one.
    pub(super) fn is_everyday(&self, word: &str) -> bool {
        let known = |word: &str| self.everyday.contains(word);
        let singular = || word.strip_suffix("ies").is_some_and(|stem| known(&format!("{stem}y")));
        known(word)
            || word.strip_suffix('s').is_some_and(known)
            || word.strip_suffix("es").is_some_and(known)
            || singular()
    }

    /// Whether all words are everyday words.
    pub(super) fn is_plain(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.is_everyday(word))
    }

    /// Whether all words are everyday words or well-known names, hence hardly misspelt.
    pub(super) fn is_spelled_right(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.is_everyday(word) || self.names.contains(word))
    }

    /// Whether words of a title that follow one another are hardly ever heard side by side.
    pub(super) fn has_rare_pair(&self, words: &[String]) -> bool {
        let telling = |pair: &&[String]| pair.iter().all(|word| !OMITTED_ARTICLES.contains(&word.as_str()));
        let seldom = |pair: &[String]| {
            let count = self.pairs.get(&(pair[0].clone(), pair[1].clone())).copied().unwrap_or(0);
            self.is_seldom(count, RARE_IN)
        };
        self.has_enough() && words.windows(2).filter(telling).any(seldom)
    }

    /// Whether a word of a title is hardly ever heard: no everyday word, and no name that many films share.
    pub(super) fn is_rare_word(&self, word: &str) -> bool {
        let heard = self.heard.get(word).copied().unwrap_or_default();
        let is_rare = self.is_seldom(heard.in_lower_case, RARE_IN) && self.is_seldom(heard.at_all, RARE_NAME_IN);
        self.has_enough() && is_rare && !self.is_everyday(word) && !self.is_compound(word)
    }

    /// Whether a word is two everyday words written together: "fairytale".
    fn is_compound(&self, word: &str) -> bool {
        let places = word.char_indices().map(|(place, _)| place).filter(|&place| place > 2 && place + 2 < word.len());
        places.map(|place| word.split_at(place)).any(|(left, right)| self.is_everyday(left) && self.is_everyday(right))
    }

    /// Whether all words are such as describe films: "the motion picture".
    pub(super) fn is_about_films(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.question_words.contains(word))
    }

    fn is_seldom(&self, count: u32, at_most: u32) -> bool {
        count <= at_most.max(self.n_overviews / RARE_ONE_IN)
    }

    /// Whether there are overviews enough to tell.
    pub(super) fn has_enough(&self) -> bool {
        self.n_overviews >= ENOUGH_OVERVIEWS
    }
}

/// Counts the words of an overview, and those pairs that titles have, once each.
fn listen(
    overview: &str,
    words_of: &mut Numbered,
    counts: &mut Vec<Heard>,
    title_pairs: &mut HashMap<(u32, u32), u32>,
) {
    let mut heard: Vec<(u32, bool)> = Vec::new();
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for chunk in overview.split_whitespace() {
        let is_lower = chunk.chars().find(|character| character.is_alphabetic()).is_some_and(char::is_lowercase);
        for word in words(chunk) {
            let number = words_of.number(&word);
            pairs.extend(heard.last().map(|&(before, _)| (before, number)));
            heard.push((number, is_lower));
        }
    }
    counts.resize(words_of.words.len(), Heard::default());
    heard.sort_unstable();
    heard.dedup();
    for &(number, is_lower) in &heard {
        counts[number as usize].in_lower_case += u32::from(is_lower);
    }
    heard.dedup_by_key(|&mut (number, _)| number);
    for (number, _) in heard {
        counts[number as usize].at_all += 1;
    }
    pairs.sort_unstable();
    pairs.dedup();
    for pair in pairs {
        if let Some(count) = title_pairs.get_mut(&pair) {
            *count += 1;
        }
    }
}

/// Words by number.
#[derive(Default)]
struct Numbered {
    words: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Numbered {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let number = self.words.len() as u32;
        self.words.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        number
    }
}
