//! What a text means, before anything is recommended.

mod lexicon;
mod prompt;
mod suggest;
mod title;
mod title_forms;
mod typos;
mod wishes;

pub use prompt::{PromptReader, Understood};
pub use suggest::{Suggestion, SuggestionKind, TitleSuggester};
pub use title::{TitleConfidence, TitleMatch, TitleResolver};
pub use wishes::Wish;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Articles that catalogues put last ("Matrix, The"), in the languages whose films are often listed that way.
const ARTICLES: [&str; 22] = [
    "the", "a", "an", "le", "la", "les", "l'", "un", "une", "il", "lo", "gli", "el", "los", "las", "der", "die", "das",
    "den", "det", "de", "o",
];

/// The normal form of a title: two titles with equal keys are spellings of one title.
///
/// Case, accents, punctuation and spaces do not count; a trailing article is moved to the front; what stands in
/// parentheses (alternative titles, the year) is left out unless nothing else remains; `&` reads "and".
pub fn title_key(title: &str) -> String {
    let outside = without_parentheses(title);
    let key = letters_and_digits(&article_first(outside.trim()));
    if !key.is_empty() {
        return key;
    }
    let key = letters_and_digits(title);
    if key.is_empty() { title.trim().to_lowercase() } else { key }
}

fn without_parentheses(title: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(title.len());
    for character in title.chars() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(character),
            _ => {}
        }
    }
    kept
}

fn article_first(title: &str) -> String {
    if let Some((rest, last)) = title.rsplit_once(',') {
        let article = last.trim().to_lowercase().replace('\u{2019}', "'");
        if ARTICLES.contains(&article.as_str()) {
            return format!("{article} {rest}");
        }
    }
    title.to_owned()
}

fn letters_and_digits(text: &str) -> String {
    text.replace('&', " and ")
        .nfkd()
        .filter(|&character| character.is_alphanumeric() && !is_combining_mark(character))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_title_have_one_key() {
        for (left, right) in [
            ("Matrix, The", "the  MATRIX"),
            ("The Matrix (1999)", "The Matrix"),
            ("City of Lost Children, The (La cité des enfants perdus)", "The City of Lost Children"),
            ("Misérables, Les", "Les Miserables"),
            ("Spider-Man", "Spiderman"),
            ("Sense & Sensibility", "Sense and Sensibility"),
            ("Ｓｅ７ｅｎ", "Se7en"),
        ] {
            assert_eq!(title_key(left), title_key(right), "{left} / {right}");
        }
    }

    #[test]
    fn different_titles_keep_different_keys() {
        assert_ne!(title_key("Toy Story"), title_key("Toy Story 2"));
        assert_ne!(title_key("Crying, Laughing"), title_key("Laughing Crying"));
    }

    #[test]
    fn a_title_of_signs_or_parentheses_keeps_something() {
        assert_eq!(title_key("(Untitled)"), "untitled");
        assert_eq!(title_key("$!"), "$!");
        assert_eq!(title_key(""), "");
    }
}
