//! What spellings of one title have in common, beyond [`title_key`](super::title_key): articles left out, numbers in
//! digits, usual abbreviations; and which parts of a title may stand for it.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::title::numbers::in_digits;
use super::title::reading::parse_year;
use super::{article_first, without_parentheses};

/// Articles that people leave out in front. Fewer than those that catalogues put last: "Die" also begins "Die Hard".
pub(super) const OMITTED_ARTICLES: [&str; 20] = [
    "the", "a", "an", "le", "la", "les", "l", "un", "une", "una", "il", "lo", "gli", "el", "los", "las", "der", "das",
    "ein", "eine",
];

/// Articles that stand behind a title only where a catalogue put them.
const TRAILING_ARTICLES: [&str; 8] = ["the", "le", "les", "der", "das", "il", "el", "los"];

/// More of them, which only titles in another language begin with.
const FOREIGN_ARTICLES: [&str; 12] = ["die", "den", "det", "de", "o", "os", "as", "i", "het", "een", "en", "ett"];

/// Words with a usual short form.
const SHORT_FORMS: [(&str, &str); 8] = [
    ("doctor", "dr"),
    ("mister", "mr"),
    ("missus", "mrs"),
    ("saint", "st"),
    ("versus", "vs"),
    ("boulevard", "blvd"),
    ("mount", "mt"),
    ("n", "and"),
];

/// Ways of address that people leave out.
const ADDRESSES: [&str; 4] = ["dr", "mr", "mrs", "ms"];

/// Signs that stand for an apostrophe, the last three by people whose keyboard has no better one.
const APOSTROPHES: [char; 8] = ['\'', '\u{2018}', '\u{2019}', '\u{02bc}', '\u{2032}', '`', '\u{00b4}', '\u{02b9}'];

/// The words of a text: lower case, without accents and apostrophes; `&` and `+` read "and"; letters with dots between
/// them ("E.T.") are one word; "singin'" is "singing".
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let and = ['&', '+'];
    let text = if text.contains(and) { Cow::Owned(text.replace(and, " and ")) } else { Cow::Borrowed(text) };
    for chunk in text.split_whitespace() {
        if chunk.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            words.push(chunk.to_ascii_lowercase());
            continue;
        }
        let is_initials = is_initials(chunk);
        let joined = |character: &char| !(APOSTROPHES.contains(character) || is_initials && *character == '.');
        let letters = chunk.chars().filter(joined);
        let mut folded: String = if chunk.is_ascii() {
            // Nothing to take apart, and nearly all of what is read.
            letters.map(|character| character.to_ascii_lowercase()).collect()
        } else {
            letters.nfkd().filter(|&character| !is_combining_mark(character)).flat_map(fold).collect()
        };
        if chunk.ends_with(APOSTROPHES) && folded.ends_with("in") && folded.len() > 4 {
            folded.push('g');
        }
        words.extend(
            folded
                .split(|character: char| !character.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .map(str::to_owned),
        );
    }
    words
}

/// Letters with dots between them.
fn is_initials(chunk: &str) -> bool {
    chunk.contains('.') && chunk.split('.').all(|part| part.chars().count() < 2)
}

/// Lower case, and two letters for those that people without the key on their keyboard write as two (or another).
fn fold(character: char) -> Vec<char> {
    let lower: Vec<char> = character.to_lowercase().collect();
    let replaced = match lower[..] {
        ['ß'] => "ss",
        ['æ'] => "ae",
        ['œ'] => "oe",
        ['ø'] => "o",
        ['ł'] => "l",
        ['đ' | 'ð'] => "d",
        ['þ'] => "th",
        _ => return lower,
    };
    replaced.chars().collect()
}

/// The words of a title without leading article, with numbers in digits and usual abbreviations; empty when there is no
/// letter or digit outside parentheses.
pub(super) fn loose_words(title: &str) -> Vec<String> {
    let outside = without_parentheses(title);
    let outside = article_first(outside.trim());
    loose(&words(elided(&outside)))
}

/// As [`loose_words`], of words.
pub(super) fn loose(words: &[String]) -> Vec<String> {
    let first = usize::from(words.len() > 1 && OMITTED_ARTICLES.contains(&words[0].as_str()));
    let last = words.len() - usize::from(words.len() > first + 1 && is_trailing_article(words));
    let mut loose = in_digits(&words[first..last]);
    for (position, word) in loose.iter_mut().enumerate() {
        if let Some((_, short)) = SHORT_FORMS.iter().find(|(long, _)| long == word)
            && (position > 0 || *short != "and")
        {
            (*short).clone_into(word);
        }
    }
    loose
}

/// "Godfather the", from a list whose comma somebody left out.
fn is_trailing_article(words: &[String]) -> bool {
    words.last().is_some_and(|last| TRAILING_ARTICLES.contains(&last.as_str()))
}

/// The form of a title: its [`loose_words`] without spaces.
pub(super) fn loose_form(title: &str) -> String {
    loose_words(title).concat()
}

/// The form of a title in another language without its article, if it begins with one that is a word in English.
pub(super) fn foreign_form(title: &str) -> Option<String> {
    let words = words(title);
    let known = words.len() > 1 && FOREIGN_ARTICLES.contains(&words[0].as_str());
    known.then(|| loose(&words[1..]).concat())
}

/// A text without the elided article in front ("L'Enfer").
fn elided(text: &str) -> &str {
    let mut characters = text.chars();
    let is_elided = matches!(characters.next(), Some('l' | 'L')) && characters.next().is_some_and(is_apostrophe);
    let rest = characters.as_str().trim_start();
    if is_elided && !rest.is_empty() { rest } else { text }
}

fn is_apostrophe(character: char) -> bool {
    APOSTROPHES.contains(&character)
}

/// What stands in parentheses, except years: alternative titles.
pub(super) fn parenthesised(title: &str) -> impl Iterator<Item = &str> {
    title
        .split(['(', '['])
        .skip(1)
        .filter_map(|rest| rest.split([')', ']']).next())
        .map(|inside| inside.trim().trim_start_matches("a.k.a.").trim_start_matches("aka ").trim())
        .filter(|inside| parse_year(inside).is_none() && !inside.is_empty())
}

/// Parts of a title that a colon, a dash or the like sets apart: what is before the first one, and what is after one if
/// it has two words or more, not counting articles.
pub(super) fn shortened(title: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut heads, mut tails) = (Vec::new(), Vec::new());
    for separator in [", or ", " or: ", ":", " - ", " – "] {
        let mut pieces = title.split(separator);
        let head = pieces.next().filter(|head| *head != title).map(str::trim);
        heads.extend(head);
        heads.extend(head.and_then(without_address));
        tails.extend(pieces.map(str::trim).filter(|tail| loose_words(tail).len() > 1));
    }
    heads.retain(|part| part.chars().filter(|character| character.is_alphanumeric()).count() > 2);
    (heads, tails)
}

/// Heads of a title that a comma or "and the" sets apart, of two words or more.
pub(super) fn first_clauses(title: &str) -> impl Iterator<Item = &str> {
    let separators = [", ", " and the ", " & the ", " and The "];
    let heads = separators.into_iter().filter_map(|separator| title.split_once(separator));
    heads.map(|(head, _)| head.trim()).filter(|head| loose_words(head).len() > 1)
}

/// "E.T." of "E.T. the Extra-Terrestrial".
pub(super) fn initials(title: &str) -> Option<&str> {
    let (first, rest) = title.split_once(' ')?;
    (is_initials(first) && rest.to_lowercase().starts_with("the ")).then_some(first)
}

/// "Strangelove" of "Dr. Strangelove".
fn without_address(title: &str) -> Option<&str> {
    let (first, rest) = title.split_once(' ')?;
    ADDRESSES.contains(&first.trim_end_matches('.').to_lowercase().as_str()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_forms_meet() {
        for (left, right) in [
            ("The Matrix", "matrix"),
            ("Rocky II", "rocky 2"),
            ("Ocean's Eleven", "oceans 11"),
            ("E.T. the Extra-Terrestrial", "ET the extra terrestrial"),
            ("Twelve Monkeys", "12 Monkeys"),
            ("Das Boot", "boot"),
            ("Straße", "strasse"),
            ("Usual Suspects, The", "usual suspects"),
            ("godfather the", "The Godfather"),
            ("A", "a"),
            ("Singin' in the Rain", "singing in the rain"),
            ("Dumb & Dumber", "dumb + dumber"),
            ("Lock 'n' Key", "lock & key"),
            ("L'Enfer", "enfer"),
            ("Enfer, L'", "l’enfer"),
            ("Schindler's List", "schindler´s list"),
            ("The Godfather: Part II", "godfather 2"),
            ("Doctor Zhivago", "dr. zhivago"),
            ("8 1/2", "eight and a half"),
            ("8½", "8 1/2"),
            ("20,000 Leagues", "twenty thousand leagues"),
        ] {
            assert_eq!(loose_form(left), loose_form(right), "{left} / {right}");
        }
        assert_ne!(loose_form("Die Hard"), loose_form("Hard"));
        assert_ne!(loose_form("I, Robot"), loose_form("1 Robot"));
        assert_eq!(foreign_form("Die Blechtrommel"), Some("blechtrommel".to_owned()));
        assert_eq!(foreign_form("Die"), None);
    }

    #[test]
    fn parts_of_titles() {
        assert_eq!(parenthesised("Seven (a.k.a. Se7en) (1995)").collect::<Vec<_>>(), ["Se7en"]);
        for (title, heads, tails) in [
            (
                "Star Wars: Episode IV - A New Hope",
                &["Star Wars", "Star Wars: Episode IV"][..],
                &["Episode IV - A New Hope", "A New Hope"][..],
            ),
            ("Toy Story", &[], &[]),
            ("Cats: The Movie", &["Cats"], &[]),
            ("Dr. Strangelove or: How I Learned", &["Dr. Strangelove", "Strangelove"], &["How I Learned"]),
        ] {
            let (found_heads, found_tails) = shortened(title);
            assert!(heads.iter().all(|head| found_heads.contains(head)), "{title}: {found_heads:?}");
            assert!(tails.iter().all(|tail| found_tails.contains(tail)), "{title}: {found_tails:?}");
            assert_eq!(
                (found_heads.is_empty(), found_tails.is_empty()),
                (heads.is_empty(), tails.is_empty()),
                "{title}"
            );
        }
        let clauses = |title| first_clauses(title).collect::<Vec<_>>();
        assert_eq!(clauses("Butch Cassidy and the Sundance Kid"), ["Butch Cassidy"]);
        assert!(clauses("Beauty and the Beast").is_empty());
        assert!(clauses("The Good, the Bad").is_empty());
        assert_eq!(initials("E.T. the Extra-Terrestrial"), Some("E.T."));
        assert_eq!(initials("L.A. Confidential"), None);
    }
}
