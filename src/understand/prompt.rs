//! What a prompt asks for: wishes that can be checked (years, language, length, genres), things it does not want, films
//! it compares with, and the rest, which is searched for.
//!
//! Rules, no model: each rule takes the words it understands out of the text and leaves everything else alone. Words
//! that may as well be plot stay plot: "set in the 80s" is a setting and no era, "a man without a past" no exclusion.
//! A prompt in which no rule finds anything is searched for as it stands.

use regex::{Captures, Regex};

use super::TitleResolver;
use super::lexicon::{DECADES, GENRES, LANGUAGES, NUMBERS, genre_key};
use crate::domain::{Catalogue, MovieId};

/// Films made within so many years before the newest of the catalogue are recent.
const RECENT_YEARS: u16 = 5;
/// Films made up to this year are old.
const OLD_UNTIL: u16 = 1969;
/// Most words of something not wanted.
const LONGEST_EXCLUSION: usize = 4;
/// A language is a filter only in a catalogue that knows the language of at least this share of its movies.
const LANGUAGES_KNOWN: f32 = 0.5;

/// Nouns that stand for what is searched for.
const FILM: &str = r"(?:films?|movies?|pictures?|flicks?|cinema|stor(?:y|ies)|something|anything|one)";

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

#[derive(Debug)]
struct Rules {
    decade: Regex,
    decade_word: Regex,
    before: Regex,
    after: Regex,
    between: Regex,
    in_year: Regex,
    recent: Regex,
    old: Regex,
    language: Regex,
    shorter: Regex,
    longer: Regex,
    negation: Regex,
    less: Regex,
    between_films: Regex,
    like: Regex,
}

impl Rules {
    fn new() -> Self {
        let rule = |pattern: String| Regex::new(&pattern).expect("the patterns are constant and tested");
        let genre_words: Vec<&str> = GENRES.iter().map(|(word, _)| *word).collect();
        let kind = format!(r"(?:{FILM}|{})", genre_words.join("|"));
        let language_words: Vec<&str> = LANGUAGES.iter().map(|(word, _)| *word).collect();
        let languages = language_words.join("|");
        let decades: Vec<&str> = DECADES.iter().map(|(word, _)| *word).collect();
        let decades = decades.join("|");
        let amount = r"(?P<amount>\d+(?:\.\d+)?|one and a half|two and a half|one|two|three|four|an)";
        let unit = r"(?P<unit>h|hours?|hrs?|minutes?|mins?)";
        let made = r"(?:(?:made|released|filmed|shot|from|of)\s+)";
        let origin = format!(r"(?:{made}(?:in\s+|the\s+|during\s+)*)");
        Self {
            decade: rule(format!(
                r"(?i)(?:{origin}(?P<part>early|mid|late)?[- ]?(?:the\s+)?(?P<a>(?:19|20)?\d0)'?s\b|\b(?P<part2>early|mid|late)?[- ]?(?P<b>(?:19|20)?\d0)'?s\s+(?P<kept>(?:\w+[- ])?{kind})\b)"
            )),
            decade_word: rule(format!(
                r"(?i)(?:{origin}(?P<a>{decades})\b|\b(?P<b>{decades})\s+(?P<kept>(?:\w+[- ])?{kind})\b)"
            )),
            before: rule(format!(
                r"(?i)(?P<set>set\s+)?{made}?\b(?:before|prior to|earlier than|pre-)\s*(?P<year>(?:18|19|20)\d\d)\b"
            )),
            after: rule(format!(
                r"(?i)(?P<set>set\s+)?{made}?\b(?:after|since|later than|post-)\s*(?P<year>(?:18|19|20)\d\d)\b"
            )),
            between: rule(format!(
                r"(?i)(?P<set>set\s+)?{made}?\b(?:between|from)\s+(?P<from>(?:19|20)\d\d)\s*(?:and|to|-|until)\s*(?P<to>(?:19|20)\d\d)\b"
            )),
            in_year: rule(format!(r"(?i)\b(?:{made}(?:in\s+)?)(?P<year>(?:19|20)\d\d)\b")),
            recent: rule(format!(
                r"(?i)\b(?:recent|newer|latest|new)\s+(?P<kept>(?:\w+[- ])?{kind})\b|,\s*(?:recent|new|newer)\s*$"
            )),
            old: rule(format!(r"(?i)\bold\s+(?P<kept>(?:\w+[- ])?{FILM})\b")),
            language: rule(format!(
                r"(?i)\b(?:(?P<a>{languages})(?:[- ]language)?\s+(?P<kept>(?:\w+[- ])?{kind})\b|(?:in|spoken in)\s+(?P<b>{languages})(?:\s+language)?\s*(?:$|[,.;]))"
            )),
            shorter: rule(format!(
                r"(?i)\b(?:under|below|less than|shorter than|at most|no longer than|max(?:imum)?)\s+{amount}\s*{unit}\b(?:\s+long)?"
            )),
            longer: rule(format!(
                r"(?i)\b(?:over|above|more than|longer than|at least|min(?:imum)?)\s+{amount}\s*{unit}\b(?:\s+long)?"
            )),
            negation: rule(format!(
                r"(?i)(?P<before>^|[,;:.(]\s*|\b(?:but|and|just|please|although)\s+|\b{kind}(?:\s+(?:that|which)(?:'s|\s+is|\s+are|\s+has|\s+have|\s+does|\s+do)?|\s+is)?\s+)(?:not|no|non|without|never|minus|except|excluding|isn't|aren't|nothing\s+with|with\s+no|has\s+no|doesn't\s+have|don't\s+want)\b[- ]?\s*(?:(?:about|any|an?|the|too|very|so|really|in|with|have|having|involving|set\s+in)\s+)*(?P<what>[^,;:.()?!]+)"
            )),
            less: rule(r"(?i)\b(?:less|fewer)\s+(?P<what>[\w-]+)".to_owned()),
            between_films: rule(format!(
                r"(?i)\b(?:{FILM}\s+)?(?:between|a\s+mix(?:ture)?\s+of|a\s+cross\s+between|halfway\s+between|a\s+blend\s+of)\s+(?P<a>.+?)\s+and\s+(?P<b>[^,;]+)"
            )),
            like: rule(format!(
                r"(?i)(?P<before>^|[,;:]\s*|\b(?:{kind}|more|much|just|bit|lot|similar)\s+)(?:like|similar\s+to|to|in\s+the\s+style\s+of|in\s+the\s+vein\s+of)\s+(?P<rest>.+)$"
            )),
        }
    }
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
        self.read_exclusions(&mut understood);
        self.read_genres(&mut understood);
        understood.text = tidy(&understood.text);
        understood
    }

    fn read_anchors(&self, understood: &mut Understood, titles: &TitleResolver) {
        let text = understood.text.clone();
        if let Some(found) = self.rules.between_films.captures(&text) {
            let films = [titles.resolve(&found["a"]), titles.resolve(&found["b"])];
            if let [Some(first), Some(second)] = films {
                understood.anchors = vec![first.movie, second.movie];
                understood.text = without(&text, &found, "");
                return;
            }
        }
        let Some(found) = self.rules.like.captures(&text) else {
            return;
        };
        // The longest beginning of the rest that names a film is the anchor; what follows is the change.
        let rest = &found["rest"];
        let cuts = cut_points(rest);
        let named = cuts.into_iter().find_map(|cut| Some((cut, titles.resolve(rest[..cut].trim())?)));
        if let Some((cut, anchor)) = named {
            understood.anchors.push(anchor.movie);
            let mut change = rest[cut..].trim_start_matches([',', ';', ' ']);
            if let Some(second) = change.strip_prefix("and ").and_then(|second| titles.resolve(second)) {
                understood.anchors.push(second.movie);
                change = "";
            }
            let before = found.name("before").map_or("", |before| before.as_str());
            let start = found.get(0).map_or(0, |whole| whole.start());
            let before = before.strip_suffix("similar ").unwrap_or(before);
            understood.text = format!("{}{before} {}", &text[..start], strip_joints(change));
        }
    }

    fn read_runtime(&self, understood: &mut Understood) {
        let (mut shortest, mut longest) = (0_u16, u16::MAX);
        for (rule, is_upper) in [(&self.rules.shorter, true), (&self.rules.longer, false)] {
            let text = understood.text.clone();
            let Some(found) = rule.captures(&text) else {
                continue;
            };
            let Some(minutes) = minutes(&found["amount"], &found["unit"]) else {
                continue;
            };
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
            let kept = found.name("kept").map_or("", |kept| kept.as_str());
            understood.text = without(&text, found, kept);
            understood.years = Some(years);
        };
        if let Some(found) = rules.decade.captures(&text) {
            if let Some(decade) = found.name("a").or(found.name("b")).and_then(|digits| decade(digits.as_str())) {
                let part = found.name("part").or(found.name("part2")).map_or("", |part| part.as_str());
                take(understood, &found, part_of(decade, part));
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
        } else if let Some(found) = rules.recent.captures(&text) {
            take(understood, &found, (self.newest_year.saturating_sub(RECENT_YEARS), u16::MAX));
        } else if let Some(found) = rules.old.captures(&text) {
            take(understood, &found, (0, OLD_UNTIL));
        }
    }

    fn read_languages(&self, understood: &mut Understood) {
        let text = understood.text.clone();
        let Some(found) = self.rules.language.captures(&text).filter(|_| self.knows_languages) else {
            return;
        };
        let word = found.name("a").or(found.name("b")).map_or("", |word| word.as_str()).to_lowercase();
        if let Some((_, code)) = LANGUAGES.iter().find(|(name, _)| *name == word) {
            understood.languages.push((*code).to_owned());
            // The word stays: it says as much about place and people as about the language.
            if found.name("b").is_some() {
                understood.text = without(&text, &found, "");
            }
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
            if let Some((_, genre)) = self.genres.iter().find(|(word, _)| *word == plain) {
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

/// Places where an anchor's title may end, the furthest first.
fn cut_points(rest: &str) -> Vec<usize> {
    let joints = [
        " but ",
        ",",
        ";",
        " with ",
        " except ",
        " only ",
        " without ",
        " and ",
        " set ",
        " in ",
        " about ",
        " from ",
        " that ",
        " for ",
    ];
    let mut cuts: Vec<usize> = vec![rest.len()];
    for joint in joints {
        cuts.extend(rest.match_indices(joint).map(|(place, _)| place));
    }
    cuts.sort_unstable_by(|left, right| right.cmp(left));
    cuts
}

/// What follows an anchor without the words that join it.
fn strip_joints(change: &str) -> &str {
    let mut change = change.trim();
    for joint in ["but ", "only ", "and ", "more ", "much "] {
        change = change.strip_prefix(joint).unwrap_or(change).trim_start();
    }
    change
}

/// "film that is", "movie which has" → "film", "movie".
fn strip_relative(before: &str) -> String {
    let lower = before.to_lowercase();
    let end = [" that", " which", " is "].iter().filter_map(|word| lower.find(word)).min().unwrap_or(before.len());
    before[..end].trim_end_matches(['(', ' ']).to_owned()
}

/// What is not wanted, and what follows it and is wanted again.
fn split_exclusion(what: &str) -> (String, String) {
    let lower = what.to_lowercase();
    let ends = [" but ", " from ", " about ", " with ", " like ", " where ", " that ", " set ", " please", " in "];
    let end = ends.iter().filter_map(|word| lower.find(word)).min().unwrap_or(what.len());
    let words: Vec<&str> = what[..end].split_whitespace().collect();
    let n_taken = words.len().min(LONGEST_EXCLUSION);
    let rest = format!("{} {}", words[n_taken..].join(" "), &what[end..]);
    (words[..n_taken].join(" ").to_lowercase(), rest.trim().to_owned())
}

fn minutes(amount: &str, unit: &str) -> Option<u16> {
    let amount = amount.to_lowercase();
    let number = match NUMBERS.iter().find(|(word, _)| *word == amount) {
        Some((_, number)) => *number,
        None if amount == "an" => 1.0,
        None => amount.parse().ok()?,
    };
    let minutes = if unit.to_lowercase().starts_with('h') { number * 60.0 } else { number };
    (1.0..=1_000.0).contains(&minutes).then_some(minutes as u16)
}

/// "80" and "1980" → 1980, "10" → 2010.
fn decade(digits: &str) -> Option<u16> {
    let number: u16 = digits.parse().ok()?;
    match number {
        0..=19 => Some(2000 + number),
        20..=99 => Some(1900 + number),
        1900..=2090 => Some(number),
        _ => None,
    }
}

fn part_of(decade: u16, part: &str) -> (u16, u16) {
    match part.to_lowercase().as_str() {
        "early" => (decade, decade + 3),
        "mid" => (decade + 3, decade + 6),
        "late" => (decade + 6, decade + 9),
        _ => (decade, decade + 9),
    }
}

/// The text with a match replaced.
fn without(text: &str, found: &Captures<'_>, replacement: &str) -> String {
    let whole = found.get(0).map_or(0..0, |whole| whole.range());
    format!("{} {replacement} {}", &text[..whole.start], &text[whole.end..])
}

/// One space between words, no stray joints at the ends.
fn tidy(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let joined = joined.replace(" ,", ",").replace(",,", ",");
    let mut tidied = joined.trim_matches([',', ';', ':', '.', ' ', '-']);
    for joint in [" but", " and", " with", ", but", ", and"] {
        tidied = tidied.strip_suffix(joint).unwrap_or(tidied);
    }
    for joint in ["but ", "and ", ", "] {
        tidied = tidied.strip_prefix(joint).unwrap_or(tidied);
    }
    tidied.to_owned()
}

/// Lower-case words with one space between, signs as spaces.
fn spaced(text: &str) -> String {
    let plain: String =
        text.to_lowercase().replace('\'', "").chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn push_new(list: &mut Vec<String>, entry: &str) {
    if !list.iter().any(|known| known == entry) {
        list.push(entry.to_owned());
    }
}

#[cfg(test)]
mod tests;
