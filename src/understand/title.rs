//! Which movie a text names, if it names one.
//!
//! The whole text must be a title; a text that merely contains one stays a prompt. Tried in turn, for every way to read
//! the text ([`reading`]): the title itself and its other spellings, alternative titles, the n-th film of a series
//! ([`sequels`]), a part that may stand for a title ([`parts`]), and slips of the fingers or the ear ([`super::typos`],
//! [`mod@sound`]). A year chooses among remakes; without one the movie with more votes does, and the others become
//! alternatives. All look-ups are by hash or binary search; the search for slips is bounded.

pub(super) mod numbers;
mod parts;
pub(super) mod reading;
mod sequels;
mod sound;
mod speech;

use std::collections::HashMap;

use super::title_forms::{foreign_form, loose, loose_form, loose_words, parenthesised, words};
use super::title_key;
use super::typos::TypoIndex;
use crate::domain::{Catalogue, ItemIdx, Movie, MovieId};
use numbers::is_number;
use parts::Part;
use reading::{AskedYear, Frame, Reading, parse_year, readings};
use sequels::Sequels;
use sound::sound;
use speech::Speech;

/// A longer text is no title (in characters).
const LONGEST_TITLE: usize = 200;

/// At most so many alternatives.
const MAX_ALTERNATIVES: usize = 20;

/// A part of several titles stands for the best known, if it has so many times the votes of the next.
const BY_FAR: u32 = 2;

/// A name in front of a colon that so few films share is the name of a film rather than of a series.
const MOST_OF_ONE_NAME: usize = 3;

/// Fewest letters and words of a text of everyday words that may be a title with one slip.
const PLAIN_LETTERS: usize = 12;
const PLAIN_WORDS: usize = 3;

/// Fewest letters of a part that may hold a slip, and of a title that may be spelled by ear.
const PART_LETTERS: usize = 10;
const SOUND_LETTERS: usize = 6;

/// How a text was matched, surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TitleConfidence {
    /// The title letter by letter.
    Exact,
    /// Another spelling: case, accents, article, punctuation, numerals.
    Normalised,
    /// An alternative title of the movie.
    Alternative,
    /// A well-known part of the title, or its place in a series; no other movie fits as well.
    Shortened,
    /// A few letters differ.
    Typo,
}

impl TitleConfidence {
    /// Stable name, as in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Normalised => "normalised",
            Self::Alternative => "alternative-title",
            Self::Shortened => "shortened",
            Self::Typo => "typo",
        }
    }
}

/// The movie a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TitleMatch {
    /// The movie.
    pub movie: MovieId,
    /// How it was found.
    pub confidence: TitleConfidence,
    /// Its year of release.
    pub year: Option<u16>,
    /// Other movies the text may name, likeliest first.
    pub alternatives: Vec<MovieId>,
}

/// Finds movies by title.
#[derive(Clone, Debug)]
pub struct TitleResolver {
    /// Whole titles by form.
    forms: HashMap<String, Vec<Found>>,
    /// Parts of titles by form.
    parts: HashMap<String, Vec<Part>>,
    /// Whole titles by sound.
    sounds: HashMap<String, Vec<u32>>,
    titles: Vec<Named>,
    sequels: Sequels,
    typos: TypoIndex,
    speech: Speech,
}

/// A movie, and how surely the text names it.
type Found = (TitleConfidence, u32);

/// What a match needs to know of a movie.
#[derive(Clone, Debug)]
struct Named {
    id: MovieId,
    title: String,
    year: Option<u16>,
    votes: u32,
    /// Place in the order by votes, then popularity, then id.
    place: u32,
}

impl TitleResolver {
    /// Indexes the titles of a catalogue.
    pub fn fit(catalogue: &Catalogue) -> Self {
        let mut forms: HashMap<String, Vec<Found>> = HashMap::new();
        for (item, movie) in (0_u32..).zip(catalogue.movies()) {
            for (form, confidence) in forms_of(movie) {
                forms.entry(form).or_default().push((confidence, item));
            }
        }
        let speech = Speech::of(catalogue);
        let titles = named(catalogue);
        let parts = parts::parts(&titles, &speech);
        let mut sounds: HashMap<String, Vec<u32>> = HashMap::new();
        for (form, entries) in forms.iter().filter(|(form, _)| letters(form) >= SOUND_LETTERS) {
            sounds.entry(sound(form)).or_default().extend(entries.iter().map(|&(_, item)| item));
        }
        let whole = forms.iter().flat_map(|(form, found)| found.iter().map(|&(_, item)| (form.clone(), item)));
        let long_parts = parts.iter().filter(|(form, _)| letters(form) >= PART_LETTERS);
        let long_parts = long_parts.flat_map(|(form, items)| items.iter().map(|&(_, item)| (form.clone(), item)));
        let typos = TypoIndex::new(whole.chain(long_parts));
        let sequels = Sequels::of(&titles, &speech);
        Self { forms, parts, sounds, titles, sequels, typos, speech }
    }

    /// The movie that the text names, or nothing when it is not a title.
    pub fn resolve(&self, text: &str) -> Option<TitleMatch> {
        let text = text.trim();
        if text.is_empty() || text.chars().nth(LONGEST_TITLE).is_some() {
            return None;
        }
        let readings: Vec<Reading<'_>> =
            readings(text).into_iter().filter(|&reading| self.is_likely(reading)).collect();
        let first = |find: fn(&Self, Reading<'_>) -> Option<TitleMatch>| {
            readings.iter().find_map(|&reading| find(self, reading))
        };
        first(Self::by_form)
            .or_else(|| first(Self::by_place))
            .or_else(|| first(Self::by_part))
            .or_else(|| first(Self::by_year))
            .or_else(|| first(Self::by_slip))
    }

    /// Whether what stands around the title lets it be one: "western movie" asks for a kind of film.
    fn is_likely(&self, reading: Reading<'_>) -> bool {
        reading.frame != Frame::Perhaps || !self.speech.is_plain(&words(reading.title))
    }

    /// Whether a text is made of everyday words alone.
    pub(super) fn is_everyday(&self, text: &str) -> bool {
        self.speech.is_plain(&words(text))
    }

    fn by_form(&self, reading: Reading<'_>) -> Option<TitleMatch> {
        let mut found: HashMap<u32, TitleConfidence> = HashMap::new();
        for form in [title_key(reading.title), loose_form(reading.title)] {
            for &(mut confidence, item) in self.forms.get(&form).into_iter().flatten() {
                if self.titles[item as usize].title == reading.title {
                    confidence = TitleConfidence::Exact;
                }
                let best = found.entry(item).or_insert(confidence);
                *best = confidence.min(*best);
            }
        }
        if found.is_empty() {
            return self.by_counted_form(reading);
        }
        let found = found.into_iter().map(|(item, confidence)| (confidence, item)).collect();
        let mut found = self.of_year(found, reading.year);
        // "Boys, Les" is rather "Les Boys" than "Boys".
        let key = title_key(reading.title);
        let is_other = |item: u32| title_key(&self.titles[item as usize].title) != key;
        found.sort_by_cached_key(|&(confidence, item)| (confidence, is_other(item), self.place(item)));
        self.answer(&found)
    }

    /// "Star Trek II: The Wrath of Khan" where the list leaves the number out.
    fn by_counted_form(&self, reading: Reading<'_>) -> Option<TitleMatch> {
        let words = loose_words(reading.title);
        let inside = 1..words.len().saturating_sub(1);
        let place = { inside }.find(|&place| is_number(&words[place]))?;
        let (before, after) = (words[..place].concat(), words[place + 1..].concat());
        let forms = [format!("{before}{after}"), format!("{before}the{after}")];
        let found = forms
            .iter()
            .find_map(|form| self.forms.get(form))?
            .iter()
            .filter(|(confidence, _)| *confidence == TitleConfidence::Normalised);
        let found = found.map(|&(_, item)| (TitleConfidence::Shortened, item)).collect();
        let mut found = self.of_year(found, reading.year);
        self.by_votes(&mut found);
        self.answer(&found)
    }

    fn by_place(&self, reading: Reading<'_>) -> Option<TitleMatch> {
        let found = self.sequels.find(reading.title, &self.titles).map(|item| (TitleConfidence::Shortened, item));
        self.answer(&self.of_year(found.into_iter().collect(), reading.year))
    }

    fn by_part(&self, reading: Reading<'_>) -> Option<TitleMatch> {
        let forms = [title_key(reading.title), loose_form(reading.title)];
        let parts = forms.iter().find_map(|form| self.parts.get(form))?;
        let found = parts.iter().map(|&(_, item)| (TitleConfidence::Shortened, item)).collect();
        let mut found = self.of_year(found, reading.year);
        self.by_votes(&mut found);
        if let [(_, first), (_, second), ..] = found[..] {
            let (first, second) = (&self.titles[first as usize], &self.titles[second as usize]);
            let is_one_story = found.len() <= MOST_OF_ONE_NAME && parts.iter().all(|&(is_head, _)| is_head);
            if !is_one_story && first.votes < second.votes.saturating_mul(BY_FAR) {
                return None;
            }
        }
        self.answer(&found)
    }

    /// "Godfather 1974": the only film of that very year whose title begins so.
    fn by_year(&self, reading: Reading<'_>) -> Option<TitleMatch> {
        let AskedYear { year, .. } = reading.year.filter(|asked| asked.may_be_off)?;
        let words = loose_words(reading.title);
        if words.is_empty() || self.is_everyday(reading.title) {
            return None;
        }
        let mut of_year =
            self.sequels.beginning_with(&words).filter(|&item| self.titles[item as usize].year == Some(year));
        let only = of_year.next()?;
        of_year.next().is_none().then(|| self.answer(&[(TitleConfidence::Shortened, only)]))?
    }

    fn by_slip(&self, reading: Reading<'_>) -> Option<TitleMatch> {
        let form = loose_form(reading.title);
        let words = words(reading.title);
        let is_plain = self.speech.is_spelled_right(&words);
        if is_plain && (words.len() < PLAIN_WORDS || letters(&form) < PLAIN_LETTERS) {
            return None;
        }
        let nearest = self.typos.nearest(&form);
        let items = match self.sounds.get(&sound(&form)) {
            Some(items) if nearest.items.is_empty() || nearest.slips > 1 => items.clone(),
            _ if is_plain && nearest.slips > 1 => return None,
            _ => nearest.items,
        };
        let found = items.into_iter().map(|item| (TitleConfidence::Typo, item));
        let mut found = self.of_year(found.collect(), reading.year);
        found.sort_unstable();
        found.dedup();
        self.by_votes(&mut found);
        if let [(_, first), (_, second), ..] = found[..] {
            // Two titles equally near and equally known: no telling which was meant.
            let (first, second) = (&self.titles[first as usize], &self.titles[second as usize]);
            if first.votes == second.votes && loose_form(&first.title) != loose_form(&second.title) {
                return None;
            }
        }
        self.answer(&found)
    }

    /// Those of the year asked for; else those of the year before or after, or of a year not known.
    fn of_year(&self, found: Vec<Found>, asked: Option<AskedYear>) -> Vec<Found> {
        let Some(AskedYear { year, may_be_off }) = asked else {
            return found;
        };
        let year_of = |&(_, item): &Found| self.titles[item as usize].year;
        let (same, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|entry| year_of(entry) == Some(year));
        if !same.is_empty() || !may_be_off {
            return same;
        }
        others.into_iter().filter(|entry| year_of(entry).is_none_or(|other| other.abs_diff(year) <= 1)).collect()
    }

    fn by_votes(&self, found: &mut [Found]) {
        found.sort_by_key(|&(_, item)| self.place(item));
    }

    fn place(&self, item: u32) -> u32 {
        self.titles[item as usize].place
    }

    /// The first as the answer, the others as alternatives.
    fn answer(&self, found: &[Found]) -> Option<TitleMatch> {
        let (&(confidence, first), others) = found.split_first()?;
        let Named { id: movie, year, .. } = self.titles[first as usize];
        let alternatives = others.iter().map(|&(_, item)| self.titles[item as usize].id).take(MAX_ALTERNATIVES);
        Some(TitleMatch { movie, confidence, year, alternatives: alternatives.collect() })
    }
}

/// Every form under which a movie is found, once, with the surest match it can give.
fn forms_of(movie: &Movie) -> HashMap<String, TitleConfidence> {
    let mut forms: Vec<(String, TitleConfidence)> = Vec::new();
    let mut add = |title: &str, confidence| {
        let words = loose(&words(title)).concat();
        forms.extend([title_key(title), loose_form(title), words].map(|form| (form, confidence)));
    };
    add(&movie.title, TitleConfidence::Normalised);
    let alternatives = movie.alternative_titles.iter().map(String::as_str).chain(parenthesised(&movie.title));
    for alternative in alternatives {
        add(alternative, TitleConfidence::Alternative);
    }
    let foreign = movie.alternative_titles.iter().filter_map(|title| foreign_form(title));
    forms.extend(foreign.map(|form| (form, TitleConfidence::Alternative)));
    forms.sort_by_key(|&(_, confidence)| std::cmp::Reverse(confidence));
    forms.into_iter().filter(|(form, _)| !form.is_empty()).collect()
}

fn letters(form: &str) -> usize {
    form.chars().filter(|character| character.is_alphabetic()).count()
}

fn named(catalogue: &Catalogue) -> Vec<Named> {
    let figures = |row: usize| catalogue.popularity(ItemIdx(row as u32));
    let mut rows: Vec<usize> = (0..catalogue.len()).collect();
    rows.sort_by(|&left, &right| {
        let (one, other) = (figures(left), figures(right));
        let by_votes = other.vote_count.cmp(&one.vote_count);
        by_votes.then(other.popularity.total_cmp(&one.popularity)).then(left.cmp(&right))
    });
    let mut places = vec![0; rows.len()];
    for (place, row) in (0_u32..).zip(rows) {
        places[row] = place;
    }
    let movies = catalogue.movies().iter().zip(places).enumerate();
    movies
        .map(|(row, (movie, place))| Named {
            id: movie.id,
            title: movie.title.clone(),
            year: movie.year.or_else(|| parenthesised_year(&movie.title)),
            votes: figures(row).vote_count,
            place,
        })
        .collect()
}

/// "Cape Fear (1962)".
fn parenthesised_year(title: &str) -> Option<u16> {
    parse_year(title.trim_end().strip_suffix(')')?.rsplit_once('(')?.1)
}

#[cfg(test)]
mod tests;
