//! MovieLens titles: year and other titles in parentheses at the end, article behind a comma.
//!
//! "Double vie de Véronique, La (Double Life of Veronique, The) (1991)" is the film "La Double vie de Véronique" of
//! 1991, also called "The Double Life of Veronique". Only parentheses at the end count: "(500) Days of Summer" keeps
//! its own.

use super::value::{MAX_ALTERNATIVE_TITLES, one_line, parse_year};

/// Articles that move to the front when they are all that follows the last comma.
const ARTICLES: [&str; 42] = [
    "the", "a", "an", "le", "la", "les", "l'", "l’", "un", "une", "un'", "des", "der", "die", "das", "ein", "eine",
    "el", "los", "las", "una", "unos", "il", "lo", "i", "gli", "uno", "o", "os", "as", "um", "uma", "els", "de", "het",
    "een", "den", "det", "en", "ett", "et", "az",
];

/// A title taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ParsedTitle {
    pub(super) title: String,
    pub(super) alternative_titles: Vec<String>,
    pub(super) year: Option<u16>,
}

/// Takes a MovieLens title apart.
pub(super) fn parse_title(raw: &str) -> ParsedTitle {
    let line = one_line(raw);
    let mut rest = line.as_str();
    let mut year = None;
    let mut others = Vec::new();
    while let Some((before, inner)) = last_parentheses(rest) {
        match (year, parse_years(inner)) {
            (None, Some(found)) => year = Some(found),
            _ if is_marker(inner) => {}
            _ => others.push(inner),
        }
        rest = before;
    }
    let title = reading_order(rest);
    let mut alternative_titles: Vec<String> = Vec::new();
    for other in others.into_iter().rev().flat_map(also_known_as) {
        let other = reading_order(other);
        if !other.is_empty() && other != title && !alternative_titles.contains(&other) {
            alternative_titles.push(other);
        }
    }
    alternative_titles.truncate(MAX_ALTERNATIVE_TITLES);
    ParsedTitle { title, alternative_titles, year }
}

/// "Godfather, The" as "The Godfather".
fn reading_order(title: &str) -> String {
    let title = title.trim();
    let Some((head, tail)) = title.rsplit_once(',') else { return title.to_owned() };
    let (head, article) = (head.trim_end(), tail.trim());
    let lower = article.to_lowercase();
    if head.is_empty() || !ARTICLES.contains(&lower.as_str()) {
        return title.to_owned();
    }
    let space = if article.ends_with(['\'', '’']) { "" } else { " " };
    format!("{article}{space}{head}")
}

/// The text before the parentheses that end it, and what they hold. They must follow other words, and not the word
/// "or", which makes them part of the title ("Birdman or (The Unexpected Virtue of Ignorance)").
fn last_parentheses(text: &str) -> Option<(&str, &str)> {
    let body = text.strip_suffix(')')?;
    let mut depth = 1_usize;
    for (position, symbol) in body.char_indices().rev() {
        match symbol {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let before = body[..position].trim_end();
            let last_word = before.rsplit(' ').next().unwrap_or_default();
            let belongs_to_title = before.is_empty() || last_word.eq_ignore_ascii_case("or");
            return (!belongs_to_title).then(|| (before, body[position + 1..].trim()));
        }
    }
    None
}

/// The first year of "1995", "1975-1979", "2006–2007" or "1983-".
fn parse_years(text: &str) -> Option<u16> {
    let mut parts = text.split(['-', '–']).map(str::trim);
    let first = parts.next()?;
    let whole = first.len() == 4 && first.bytes().all(|byte| byte.is_ascii_digit());
    let rest_is_year = parts.next().is_none_or(|second| second.is_empty() || parse_year(second).is_some());
    (whole && rest_is_year && parts.next().is_none()).then(|| parse_year(first)).flatten()
}

/// Notes on the kind of release, which are no titles.
fn is_marker(text: &str) -> bool {
    ["V", "TV", "VG", ""].contains(&text)
}

/// "a.k.a. One, The" as "One, The"; several after one another are several titles.
fn also_known_as(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        rest = strip_mark(rest).unwrap_or(rest);
        let end = rest.char_indices().map(|(position, _)| position).find(|&position| {
            position > 0 && rest[..position].ends_with([' ', '/']) && strip_mark(&rest[position..]).is_some()
        });
        let (title, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(title.trim().trim_end_matches(['/', ',', ';']).trim_end())
    })
}

fn strip_mark(text: &str) -> Option<&str> {
    ["a.k.a.:", "a.k.a.", "a.k.a ", "aka "].iter().find_map(|mark| {
        let head = text.get(..mark.len())?;
        head.eq_ignore_ascii_case(mark).then(|| text[mark.len()..].trim_start())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(raw: &str, title: &str, alternatives: &[&str], year: Option<u16>) {
        let parsed = parse_title(raw);
        assert_eq!(parsed.title, title, "{raw}");
        assert_eq!(parsed.alternative_titles, alternatives, "{raw}");
        assert_eq!(parsed.year, year, "{raw}");
    }

    #[test]
    fn titles_articles_and_years() {
        check("Godfather, The (1972)", "The Godfather", &[], Some(1972));
        check(
            "Double vie de Véronique, La (Double Life of Veronique, The) (1991)",
            "La Double vie de Véronique",
            &["The Double Life of Veronique"],
            Some(1991),
        );
        check("Enfer, L' (1994)", "L'Enfer", &[], Some(1994));
        check("Good, The Bad and The Ugly, The", "The Good, The Bad and The Ugly", &[], None);
        check("Beans of Egypt, Maine, The (1994)", "The Beans of Egypt, Maine", &[], Some(1994));
        check("Paris, France (1993)", "Paris, France", &[], Some(1993));
        check("Convent, The (Convento, O) (1995)", "The Convent", &["O Convento"], Some(1995));
        check(
            "Good, the Bad, The (Buono, il brutto, Il) (1966)",
            "The Good, the Bad",
            &["Il Buono, il brutto"],
            Some(1966),
        );
        check("  Two\n lines  (1990) ", "Two lines", &[], Some(1990));
    }

    #[test]
    fn parentheses() {
        check("(500) Days of Summer (2009)", "(500) Days of Summer", &[], Some(2009));
        check("(Untitled)", "(Untitled)", &[], None);
        check("(1995)", "(1995)", &[], None);
        check("Seven (a.k.a. Se7en) (1995)", "Seven", &["Se7en"], Some(1995));
        check("One (A.K.A. Two, The) (Three) (1990)", "One", &["The Two", "Three"], Some(1990));
        check("One (a.k.a. Two a.k.a. Three)", "One", &["Two", "Three"], None);
        check("Land III: The Time (1995) (V)", "Land III: The Time", &[], Some(1995));
        check("Birdman: Or (The Unexpected Virtue) (2014)", "Birdman: Or (The Unexpected Virtue)", &[], Some(2014));
        check("Nested (Inner (deep)) (2001)", "Nested", &["Inner (deep)"], Some(2001));
        check("Fawlty (1975-1979)", "Fawlty", &[], Some(1975));
        check("Running (2012– )", "Running", &[], Some(2012));
        check("2012 (2009)", "2012", &[], Some(2009));
        check("Same (Same) (1999)", "Same", &[], Some(1999));
        check("Broken) (1999)", "Broken)", &[], Some(1999));
        check("Open (", "Open (", &[], None);
        check("", "", &[], None);
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_a_title(raw in "[a-zé,'’() .\\-–0-9]{0,60}") {
            let parsed = parse_title(&raw);
            prop_assert_eq!(parsed.title.is_empty(), raw.trim().is_empty());
        }

        #[test]
        fn never_panics_on_any_text(raw in any::<String>()) {
            parse_title(&raw);
        }
    }
}
