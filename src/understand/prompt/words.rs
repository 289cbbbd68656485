//! Small operations on the text of a prompt: what a phrase comes to, and what is left when it is taken out.

use regex::Captures;

use super::super::lexicon::NUMBERS;

/// Most words of something not wanted.
const LONGEST_EXCLUSION: usize = 4;

/// "film that is", "movie which has" → "film", "movie".
pub(super) fn strip_relative(before: &str) -> String {
    let lower = before.to_lowercase();
    let end = [" that", " which", " is "].iter().filter_map(|word| lower.find(word)).min().unwrap_or(before.len());
    before[..end].trim_end_matches(['(', ' ']).to_owned()
}

/// What is not wanted, and what follows it and is wanted again.
pub(super) fn split_exclusion(what: &str) -> (String, String) {
    let lower = what.to_lowercase();
    let ends = [" but ", " from ", " about ", " with ", " like ", " where ", " that ", " set ", " please", " in "];
    let end = ends.iter().filter_map(|word| lower.find(word)).min().unwrap_or(what.len());
    let words: Vec<&str> = what[..end].split_whitespace().collect();
    let n_taken = words.len().min(LONGEST_EXCLUSION);
    let rest = format!("{} {}", words[n_taken..].join(" "), &what[end..]);
    (words[..n_taken].join(" ").to_lowercase(), rest.trim().to_owned())
}

pub(super) fn minutes(amount: &str, unit: &str) -> Option<u16> {
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
pub(super) fn decade(digits: &str) -> Option<u16> {
    let number: u16 = digits.parse().ok()?;
    match number {
        0..=19 => Some(2000 + number),
        20..=99 => Some(1900 + number),
        1900..=2090 => Some(number),
        _ => None,
    }
}

pub(super) fn part_of(decade: u16, part: &str) -> (u16, u16) {
    match part.to_lowercase().as_str() {
        "early" => (decade, decade + 3),
        "mid" => (decade + 3, decade + 6),
        "late" => (decade + 6, decade + 9),
        _ => (decade, decade + 9),
    }
}

/// The text with a match replaced.
pub(super) fn without(text: &str, found: &Captures<'_>, replacement: &str) -> String {
    let whole = found.get(0).map_or(0..0, |whole| whole.range());
    format!("{} {replacement} {}", &text[..whole.start], &text[whole.end..])
}

/// One space between words, no stray joints at the ends.
pub(super) fn tidy(text: &str) -> String {
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
pub(super) fn spaced(text: &str) -> String {
    let plain: String =
        text.to_lowercase().replace('\'', "").chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn push_new(list: &mut Vec<String>, entry: &str) {
    if !list.iter().any(|known| known == entry) {
        list.push(entry.to_owned());
    }
}

/// A word without the ending of its plural.
pub(super) fn singular(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}

/// How long ago "the last … years" began.
pub(super) fn years_ago(number: &str) -> u16 {
    match number.to_lowercase().as_str() {
        "few" | "five" => 5,
        "two" => 2,
        "three" => 3,
        "ten" => 10,
        "twenty" => 20,
        digits => digits.parse().unwrap_or(2),
    }
}

/// Whether "the last years" are those before now: those "of his life" are not.
pub(super) fn is_era(text: &str, found: &Captures<'_>) -> bool {
    let after = found.get(0).map_or("", |whole| &text[whole.end()..]);
    !after.trim_start().to_lowercase().starts_with("of ")
}
