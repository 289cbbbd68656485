//! What a prompt asks for: wishes that can be checked (years, language, length, genres), things it does not want, films
//! it compares with, and the rest, which is searched for.
//!
//! Rules, no model: each rule takes the words it understands out of the text and leaves everything else alone. Words
//! that may as well be plot stay plot: "set in the 80s" is a setting and no era, "a man without a past" no exclusion.
//! A prompt in which no rule finds anything is searched for as it stands.

mod anchors;
mod rules;
mod words;

use regex::Captures;

use super::TitleResolver;
use super::lexicon::{COUNTRIES, DECADES, GENRES, LANGUAGES, genre_key};
use crate::domain::{Catalogue, MovieId};
use rules::Rules;
use words::{
    decade, is_era, minutes, part_of, push_new, singular, spaced, split_exclusion, strip_relative, tidy, without,
    years_ago,
};

/// Films made within so many years before the newest of the catalogue are recent.
const RECENT_YEARS: u16 = 5;
/// Films made up to this year are old.
const OLD_UNTIL: u16 = 1969;
/// A language is a filter only in a catalogue that knows the language of at least this share of its movies.
const LANGUAGES_KNOWN: f32 = 0.5;

/// What was understood of a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understood {
    /// What is searched for.
    pub text: String,
    /// Genres asked for, as the catalogue names them.
    pub genres: Vec<String>,
    /// Genres not wanted, as the catalogue names them.
    pub without_genres: Vec<String>,
    /// Topics not wanted.
    pub without: Vec<String>,
    /// First and last year of release.
    pub years: Option<(u16, u16)>,
    /// Original languages, ISO 639-1.
    pub languages: Vec<String>,
    /// Shortest and longest running time, in minutes.
    pub runtime_minutes: Option<(u16, u16)>,
    /// Movies to be compared with; never part of the answer.
    pub anchors: Vec<MovieId>,
}

impl Understood {
    /// Whether no rule found anything that changes the search; a genre that is asked for stays in the text as well.
    pub fn is_plain(&self) -> bool {
        let Self { text: _, genres, without_genres, without, years, languages, runtime_minutes, anchors } = self;
        genres.is_empty()
            && without_genres.is_empty()
            && without.is_empty()
            && languages.is_empty()
            && anchors.is_empty()
            && years.is_none()
            && runtime_minutes.is_none()
    }
}

/// Reads prompts about one catalogue.
#[derive(Debug)]
pub struct PromptReader {
    /// What people write → the catalogue's own name of the genre.
    genres: Vec<(&'static str, String)>,
    newest_year: u16,
    knows_languages: bool,
    rules: Rules,
}

impl PromptReader {
    /// Learns which genres, years and languages a catalogue has.
    pub fn fit(catalogue: &Catalogue) -> Self {
        let mut own: Vec<&String> = catalogue.movies().iter().flat_map(|movie| &movie.genres).collect();
        own.sort_unstable();
        own.dedup();
        let genres = GENRES.iter().filter_map(|&(word, keys)| {
            let name = keys.iter().find_map(|key| own.iter().find(|name| genre_key(name) == *key))?;
            Some((word, (*name).clone()))
        });
        let n_languages = catalogue.movies().iter().filter(|movie| movie.language.is_some()).count();
        Self {
            genres: genres.collect(),
            newest_year: catalogue.movies().iter().filter_map(|movie| movie.year).max().unwrap_or(u16::MAX),
            knows_languages: n_languages as f32 > LANGUAGES_KNOWN * catalogue.len() as f32,
            rules: Rules::new(),
        }
    }

    /// Reads a prompt; titles in it are found by the resolver of the same catalogue.
    pub fn read(&self, prompt: &str, titles: &TitleResolver) -> Understood {
        let mut understood = Understood { text: prompt.trim().to_owned(), ..Understood::default() };
        self.read_anchors(&mut understood, titles);
        self.read_runtime(&mut understood);
        self.read_years(&mut understood);
        self.read_languages(&mut understood);
        self.read_country(&mut understood);
        self.read_exclusions(&mut understood);
        self.read_genres(&mut understood);
        understood.text = tidy(&understood.text);
        if !understood.anchors.is_empty() {
            self.tidy_change(&mut understood);
        }
        understood
    }

    fn read_runtime(&self, understood: &mut Understood) {
        let (mut shortest, mut longest) = (0_u16, u16::MAX);
        for (rule, is_upper) in [(&self.rules.shorter, true), (&self.rules.at_most, true), (&self.rules.longer, false)]
        {
            let text = understood.text.clone();
            let Some(found) = rule.captures(&text) else { continue };
            let Some(minutes) = minutes(&found["amount"], &found["unit"]) else { continue };
            *(if is_upper { &mut longest } else { &mut shortest }) = minutes;
            understood.text = without(&text, &found, "");
        }
        if (shortest, longest) != (0, u16::MAX) {
            understood.runtime_minutes = Some((shortest, longest));
        }
    }

    fn read_years(&self, understood: &mut Understood) {
        let rules = &self.rules;
        let year = |found: &Captures<'_>, name: &str| found.name(name).and_then(|year| year.as_str().parse().ok());
        let is_setting = |found: &Captures<'_>| found.name("set").is_some();
        let text = understood.text.clone();
        let take = |understood: &mut Understood, found: &Captures<'_>, years: (u16, u16)| {
            let kept = found.name("kept").or(found.name("kept2")).map_or("", |kept| kept.as_str());
            understood.text = without(&text, found, kept);
            understood.years = Some(years);
        };
        if let Some(found) = rules.decade.captures(&text) {
            let named = |names: [&str; 3]| names.into_iter().find_map(|name| decade(found.name(name)?.as_str()));
            if let Some(first) = named(["a", "b", "c"]) {
                let part = found.name("part").or(found.name("part2")).map_or("", |part| part.as_str());
                let (from, to) = part_of(first, part);
                let last = named(["to_a", "to_b", "to_c"]).map_or(to, |last| last + 9);
                take(understood, &found, (from, to.max(last)));
            }
        } else if let Some(found) = rules.decade_word.captures(&text) {
            let word = found.name("a").or(found.name("b")).map_or("", |word| word.as_str()).to_lowercase();
            if let Some(&(_, decade)) = DECADES.iter().find(|(name, _)| *name == word) {
                take(understood, &found, part_of(decade, ""));
            }
        } else if let Some(found) = rules.between.captures(&text).filter(|found| !is_setting(found)) {
            if let (Some(from), Some(to)) = (year(&found, "from"), year(&found, "to")) {
                take(understood, &found, (u16::min(from, to), u16::max(from, to)));
            }
        } else if let Some(found) = rules.before.captures(&text).filter(|found| !is_setting(found)) {
            if let Some(year) = year(&found, "year") {
                take(understood, &found, (0, year - 1));
            }
        } else if let Some(found) = rules.after.captures(&text).filter(|found| !is_setting(found)) {
            if let Some(year) = year(&found, "year") {
                let from = if found[0].to_lowercase().contains("since") { year } else { year + 1 };
                take(understood, &found, (from, u16::MAX));
            }
        } else if let Some(found) = rules.in_year.captures(&text) {
            if let Some(year) = year(&found, "year") {
                take(understood, &found, (year, year));
            }
        } else if let Some(found) = rules.last_years.captures(&text).filter(|found| is_era(&text, found)) {
            let number = found.name("n").map_or("ten", |number| number.as_str());
            take(understood, &found, (self.newest_year.saturating_sub(years_ago(number)), u16::MAX));
        } else if let Some(found) = rules.recent.captures(&text) {
            take(understood, &found, (self.newest_year.saturating_sub(RECENT_YEARS), u16::MAX));
        } else if let Some(found) = rules.old.captures(&text) {
            take(understood, &found, (0, OLD_UNTIL));
        }
    }

    fn read_languages(&self, understood: &mut Understood) {
        let text = understood.text.clone();
        let Some(found) = self.rules.language.captures(&text).filter(|_| self.knows_languages) else { return };
        let word = found.name("a").or(found.name("b")).or(found.name("c"));
        let word = word.map_or("", |word| word.as_str()).to_lowercase();
        if let Some((_, code)) = LANGUAGES.iter().find(|(name, _)| *name == word) {
            understood.languages.push((*code).to_owned());
            // The word stays: it says as much about place and people as about the language.
            if found.name("b").is_some() {
                understood.text = without(&text, &found, "");
            }
        }
    }

    /// "From France", as far as a language can stand for a country; the catalogue knows no countries.
    fn read_country(&self, understood: &mut Understood) {
        let text = understood.text.clone();
        let Some(found) = self.rules.country.captures(&text).filter(|_| self.knows_languages) else { return };
        let country = found.name("a").or(found.name("b")).map_or("", |name| name.as_str()).to_lowercase();
        if let Some((_, code)) = COUNTRIES.iter().find(|(name, _)| *name == country) {
            push_new(&mut understood.languages, code);
            let kept = found.name("kept").map_or("", |kept| kept.as_str());
            understood.text = without(&text, &found, kept);
        }
    }

    fn read_exclusions(&self, understood: &mut Understood) {
        while let Some(found) = self.rules.negation.captures(&understood.text.clone()) {
            let (what, rest) = split_exclusion(&found["what"]);
            if what.is_empty() {
                break;
            }
            self.exclude(understood, &what);
            let before = found.name("before").map_or("", |before| before.as_str());
            let kept = format!("{} {rest}", strip_relative(before));
            understood.text = without(&understood.text.clone(), &found, &kept);
        }
        while let Some(found) = self.rules.without_genre.captures(&understood.text.clone()) {
            self.exclude(understood, &found["what"].to_lowercase());
            understood.text = without(&understood.text.clone(), &found, "");
        }
        while let Some(found) = self.rules.less.captures(&understood.text.clone()) {
            self.exclude(understood, &found["what"].to_lowercase());
            understood.text = without(&understood.text.clone(), &found, "");
        }
    }

    /// Something not wanted: a genre where the catalogue has it, else a topic.
    fn exclude(&self, understood: &mut Understood, what: &str) {
        for part in what.split(" or ").flat_map(|part| part.split(" and ")) {
            let part = part.trim().trim_start_matches("a ").trim_start_matches("any ");
            let plain = part.trim_end_matches(" film").trim_end_matches(" movie").trim_end_matches(" films");
            let plain = spaced(plain);
            let is_named = |word: &str| word == plain || word == singular(&plain);
            if let Some((_, genre)) = self.genres.iter().find(|(word, _)| is_named(word)) {
                push_new(&mut understood.without_genres, genre);
            } else if !part.is_empty() {
                push_new(&mut understood.without, part);
            }
        }
    }

    fn read_genres(&self, understood: &mut Understood) {
        let words = format!(" {} ", spaced(&understood.text));
        for (word, genre) in &self.genres {
            if words.contains(&format!(" {word} ")) && !understood.without_genres.contains(genre) {
                push_new(&mut understood.genres, genre);
            }
        }
    }
}

#[cfg(test)]
mod tests;
