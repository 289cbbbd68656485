//! Parts of a title that people use in its place: "Wrath of Khan", "Life of Brian", "Robin Hood".
//!
//! Which parts may is decided once, when the titles are indexed, by what else the words could mean (see
//! [`super::speech`]) and by how well known the film is: nobody shortens what few people know. Parts that a colon sets
//! apart need the least; single words must be set apart.

use std::collections::HashMap;

use super::super::title_forms::{first_clauses, initials, loose, shortened, words};
use super::Named;
use super::numbers::is_number;
use super::speech::Speech;

/// So many everyday words, set apart by a colon, are no theme by chance.
const WORDS_OF_A_SENTENCE: usize = 4;

/// Titles longer than this (in words) are cut only where they have a colon or the like.
const LONGEST_TITLE_WORDS: usize = 16;

/// How well known the film must be: among the first one of so many by votes. Two words that nothing sets apart need the
/// best known films, more need well known ones, and what a comma or a number sets apart needs known ones.
const BEST_KNOWN_ONE_IN: usize = 10;
const WELL_KNOWN_ONE_IN: usize = 4;
const KNOWN_ONE_IN: usize = 2;

/// Words that no part begins or ends with: something was cut off.
const INNER_WORDS: &str = "a an the and or of in on at to for from with without by as is are was were be do does did have has i my your \
    his her its our their who that which when where what how not no into over up down out if it this these those we you \
    he she they me him them us so but de la le les des du et en un une il el del di";

/// A movie that a part may stand for, and whether a colon or the like sets the part apart in front.
pub(super) type Part = (bool, u32);

/// The parts by form.
pub(super) fn parts(titles: &[Named], speech: &Speech) -> HashMap<String, Vec<Part>> {
    let inner = words(INNER_WORDS);
    let context = Context { speech, n_titles: n_titles(titles), inner: &inner, n_movies: titles.len() };
    let mut parts: HashMap<String, Vec<Part>> = HashMap::new();
    for (item, title) in (0_u32..).zip(titles) {
        let mut forms = context.heads(title);
        forms.extend(context.others(title));
        forms.retain(|(form, _)| !form.is_empty());
        // A head before the same words found otherwise.
        forms.sort_unstable_by(|left, right| (&left.0, right.1).cmp(&(&right.0, left.1)));
        forms.dedup_by(|later, earlier| later.0 == earlier.0);
        for (form, is_head) in forms {
            parts.entry(form).or_default().push((is_head, item));
        }
    }
    parts
}

/// In how many titles each word stands.
fn n_titles(titles: &[Named]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in titles.iter().flat_map(|title| words(&title.title)) {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// What decides whether a part may stand for its title.
struct Context<'a> {
    speech: &'a Speech,
    n_titles: HashMap<String, usize>,
    inner: &'a [String],
    n_movies: usize,
}

impl Context<'_> {
    /// What a colon or the like sets apart in front, and initials.
    fn heads(&self, title: &Named) -> Vec<(String, bool)> {
        let mut forms: Vec<(String, bool)> = Vec::new();
        forms.extend(initials(&title.title).map(|part| (words(part).concat(), true)));
        let (heads, tails) = shortened(&title.title);
        let heads = heads.into_iter().map(|part| (part, true));
        for (part, is_head) in heads.chain(tails.into_iter().map(|part| (part, false))) {
            let words = words(part);
            let loose = loose(&words);
            let may_stand = match &loose[..] {
                [word] if self.speech.has_enough() => self.is_own(word) && self.speech.is_rare_word(word),
                [word] => self.is_own(word) && !self.speech.is_everyday(word),
                _ if !self.speech.has_enough() => true,
                _ if loose.len() >= WORDS_OF_A_SENTENCE || self.is_among_first(title, KNOWN_ONE_IN) => {
                    !self.speech.is_plain(&words) || self.speech.has_rare_pair(&words)
                }
                _ => is_head && !self.speech.is_plain(&words),
            };
            if may_stand && !self.speech.is_about_films(&loose) {
                forms.extend([(words.concat(), is_head), (loose.concat(), is_head)]);
            }
        }
        forms
    }

    /// Words from the start of a title up to some place, and from some place to its end.
    fn others(&self, title: &Named) -> Vec<(String, bool)> {
        let mut forms: Vec<(String, bool)> = Vec::new();
        for part in first_clauses(&title.title).map(words) {
            if self.is_among_first(title, KNOWN_ONE_IN) && self.speech.has_rare_pair(&part) {
                forms.push((loose(&part).concat(), false));
            }
        }
        let all = words(&title.title);
        let places = if all.len() > LONGEST_TITLE_WORDS { 0..0 } else { 1..all.len() };
        for place in places {
            let (head, tail) = all.split_at(place);
            let is_counted =
                is_number(&tail[0]) || loose(tail).first().is_some_and(|first| is_number(first) && tail[0] != "one");
            let may_stand = self.may_stand(title, head) && !is_possessor(&title.title, place);
            if may_stand || is_counted && self.may_be_counted(title, head) {
                forms.push((loose(head).concat(), false));
            }
            if self.may_stand(title, tail) {
                forms.push((loose(tail).concat(), false));
            }
        }
        forms
    }

    /// Whether two words or more of a title may stand for it.
    fn may_stand(&self, title: &Named, run: &[String]) -> bool {
        let n_telling = run.iter().filter(|word| !self.inner.contains(word)).count();
        let is_whole = |word: Option<&String>| word.is_some_and(|word| !self.inner.contains(word));
        loose(run).len() > 1
            && (is_whole(run.first()) || run.first().is_some_and(|first| loose(run).first() != Some(first)))
            && is_whole(run.last())
            && self.is_among_first(title, if n_telling > 2 { WELL_KNOWN_ONE_IN } else { BEST_KNOWN_ONE_IN })
            && self.speech.has_rare_pair(run)
            && run.iter().any(|word| self.speech.is_rare_word(word))
    }

    /// Whether the words before the number of a sequel may stand for it: "Naked Gun" of "Naked Gun 33 1/3".
    fn may_be_counted(&self, title: &Named, head: &[String]) -> bool {
        loose(head).len() > 1 && self.is_among_first(title, KNOWN_ONE_IN) && self.speech.has_rare_pair(head)
    }

    /// Whether no other title has the word.
    fn is_own(&self, word: &str) -> bool {
        self.n_titles.get(word).is_none_or(|&count| count == 1)
    }

    fn is_among_first(&self, title: &Named, one_in: usize) -> bool {
        title.votes > 0 && (title.place as usize) < self.n_movies / one_in
    }
}

/// Whether some first words of a title only say whose it is: "Monty Python's".
fn is_possessor(title: &str, n_words: usize) -> bool {
    let last = n_words.checked_sub(1).and_then(|last| title.split_whitespace().nth(last));
    last.is_some_and(|last| last.ends_with("'s") || last.ends_with("\u{2019}s"))
}
