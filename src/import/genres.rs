//! Genre lists: words between separators, and JSON or Python literals.

use serde::Deserialize;

/// Most genres kept per movie.
pub(super) const MAX_GENRES: usize = 32;
/// Longest genre name kept, in bytes.
const MAX_GENRE_BYTES: usize = 64;
/// Longest literal looked at, in bytes; the longest in the Kaggle set has a few hundred.
const MAX_LITERAL_BYTES: usize = 20_000;
/// A list of objects is two deep; deeper ones would only exercise the parser's stack.
const MAX_LITERAL_DEPTH: usize = 8;

/// Genres between separators ("Comedy|Drama"). What says that there is none is left out.
pub(super) fn split_genres(text: &str, separator: char) -> Vec<String> {
    if is_none(text) { Vec::new() } else { collect(text.split(separator)) }
}

/// Genres of a literal like `[{'id': 18, 'name': 'Drama'}]`, JSON or Python; absent when it is no such list.
pub(super) fn literal_genres(text: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Genre {
        name: Option<String>,
    }
    if text.len() > MAX_LITERAL_BYTES {
        return None;
    }
    let genres: Vec<Genre> = json5::from_str(&json5_of_python(text)?).ok()?;
    Some(collect(genres.iter().filter_map(|genre| genre.name.as_deref())))
}

/// Trims, drops empty, repeated and "none" names, and keeps at most [`MAX_GENRES`] + 1, so that the caller sees a
/// surplus.
fn collect<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut genres: Vec<String> = Vec::new();
    for name in names.map(str::trim) {
        let usable = !is_none(name) && name.len() <= MAX_GENRE_BYTES;
        if usable && genres.len() <= MAX_GENRES && !genres.iter().any(|genre| genre == name) {
            genres.push(name.to_owned());
        }
    }
    genres
}

fn is_none(text: &str) -> bool {
    ["", "(no genres listed)", "unknown"].iter().any(|none| text.trim().eq_ignore_ascii_case(none))
}

/// Turns Python's `None`, `True` and `False` outside of strings into JSON's words. Absent when nested too deeply.
fn json5_of_python(text: &str) -> Option<String> {
    let mut output = String::with_capacity(text.len());
    let mut quote = None;
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(symbol) = rest.chars().next() {
        let mut length = symbol.len_utf8();
        match (quote, symbol) {
            (Some(_), '\\') => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            (Some(open), _) if symbol == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(symbol),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {
                let words = [("None", "null"), ("True", "true"), ("False", "false")];
                if let Some((python, json)) = words.iter().find(|(python, _)| rest.starts_with(python)) {
                    output.push_str(json);
                    rest = &rest[python.len()..];
                    continue;
                }
            }
        }
        if depth > MAX_LITERAL_DEPTH {
            return None;
        }
        output.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn separated() {
        assert_eq!(split_genres("Animation|Children's|Sci-Fi", '|'), ["Animation", "Children's", "Sci-Fi"]);
        assert_eq!(split_genres("Comedy  Comedy Drama", ' '), ["Comedy", "Drama"]);
        for none in ["(no genres listed)", "unknown", "", " "] {
            assert_eq!(split_genres(none, '|'), [""; 0], "{none:?}");
        }
    }

    #[test]
    fn literals() {
        for (text, expected) in [
            ("[{'id': 16, 'name': 'Animation'}, {'id': 35, 'name': 'Comedy'}]", vec!["Animation", "Comedy"]),
            (r#"[{"id": 16, "name": "Animation"}]"#, vec!["Animation"]),
            (r#"[{'id': None, 'name': "Children's", 'adult': False}]"#, vec!["Children's"]),
            (r"[{'name': 'None True \'False\''}]", vec!["None True 'False'"]),
            ("[{'id': 1, 'name': None}, {'id': 2}]", vec![]),
            ("[]", vec![]),
        ] {
            assert_eq!(
                literal_genres(text).as_deref(),
                Some(&expected.iter().map(|&s| s.to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
        for text in ["", "Drama", "[{'name': 'Dra", "{'name': 'Drama'}", "[1, 2]", "'\\"] {
            assert_eq!(literal_genres(text), None, "{text}");
        }
        assert_eq!(literal_genres(&format!("[{{a: {}", "[".repeat(10_000))), None);
    }

    proptest! {
        #[test]
        fn literals_never_panic(text in "[\\[\\]{}'\":,\\\\ NoneTrueFalsname0-9é]{0,80}") {
            literal_genres(&text);
        }
    }
}
