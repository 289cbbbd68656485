//! Numbers and texts out of a field's bytes.

use super::Reason;
use super::rows::{Fault, Field, Rows};
use crate::domain::{MAX_TIMESTAMP_S, MovieId, Rating, UserId};

/// Longest title kept, in bytes.
pub(super) const MAX_TITLE_BYTES: usize = 512;
/// Longest overview kept, in bytes.
pub(super) const MAX_OVERVIEW_BYTES: usize = 20_000;
/// Most alternative titles kept.
pub(super) const MAX_ALTERNATIVE_TITLES: usize = 8;
/// Years before the first film or far ahead are errors.
const YEARS: std::ops::RangeInclusive<u16> = 1870..=2100;

/// Spellings of "not known" in the sources.
pub(super) fn is_missing(text: &str) -> bool {
    ["", "nan", "none", "null", "\\n"].iter().any(|missing| text.eq_ignore_ascii_case(missing))
}

/// A whole number, also written `862.0` or in quotes.
pub(super) fn parse_u32(bytes: &[u8]) -> Option<u32> {
    let text = plain_text(bytes)?;
    text.parse().ok().or_else(|| {
        let value: f64 = text.parse().ok()?;
        (value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value)).then_some(value as u32)
    })
}

/// A finite number.
pub(super) fn parse_f32(bytes: &[u8]) -> Option<f32> {
    plain_text(bytes)?.parse().ok().filter(|value: &f32| value.is_finite())
}

/// A year in the range of films, also written `1995.0`.
pub(super) fn parse_year(text: &str) -> Option<u16> {
    parse_u32(text.as_bytes()).and_then(|year| u16::try_from(year).ok()).filter(|year| YEARS.contains(year))
}

/// Seconds since 1970, also as a float.
pub(super) fn parse_timestamp(bytes: &[u8]) -> Option<i64> {
    let text = plain_text(bytes)?;
    // A float beyond i64 saturates and then fails the range.
    let seconds = text.parse().ok().or_else(|| text.parse().ok().filter(|s: &f64| s.is_finite()).map(|s| s as i64))?;
    (0..=MAX_TIMESTAMP_S).contains(&seconds).then_some(seconds)
}

fn plain_text(bytes: &[u8]) -> Option<&str> {
    let bytes = match bytes {
        [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        _ => bytes,
    };
    std::str::from_utf8(bytes).ok()
}

pub(super) fn whole_number(rows: &Rows, field: Field) -> Result<u32, Fault> {
    number(rows, field, parse_u32)
}

pub(super) fn movie_id(rows: &Rows, field: Field) -> Result<MovieId, Fault> {
    whole_number(rows, field).map(MovieId)
}

pub(super) fn user_id(rows: &Rows, field: Field) -> Result<UserId, Fault> {
    whole_number(rows, field).map(UserId)
}

/// A rating within the scale of the format.
pub(super) fn rating(rows: &Rows, field: Field, scale: (f32, f32)) -> Result<Rating, Fault> {
    let value = number(rows, field, parse_f32)?;
    let inside = value >= scale.0 && value <= scale.1;
    Rating::new(value).ok().filter(|_| inside).ok_or(Fault { reason: Reason::OutsideScale, field })
}

pub(super) fn timestamp(rows: &Rows, field: Field) -> Result<i64, Fault> {
    number(rows, field, parse_timestamp)
}

fn number<T>(rows: &Rows, field: Field, parse: fn(&[u8]) -> Option<T>) -> Result<T, Fault> {
    parse(rows.bytes(field)?).ok_or(Fault { reason: Reason::BadNumber, field })
}

/// The text on one line, its white space single.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Cuts a text at a character border; true when something was cut.
pub(super) fn shorten(text: &mut String, max_bytes: usize) -> bool {
    let too_long = text.len() > max_bytes;
    text.truncate(text.floor_char_boundary(max_bytes));
    too_long
}

/// The overview, unless the source only says that there is none.
pub(super) fn overview(text: &str) -> Option<String> {
    const EMPTY: [&str; 6] =
        ["no overview found.", "no overview found", "no overview yet.", "no overview", "n/a", "\\n"];
    let text = text.trim();
    let empty = is_missing(text) || EMPTY.iter().any(|phrase| text.eq_ignore_ascii_case(phrase));
    (!empty).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_their_spellings() {
        for (text, expected) in [("862", Some(862)), ("862.0", Some(862)), ("\"7\"", Some(7)), ("0031", Some(31))] {
            assert_eq!(parse_u32(text.as_bytes()), expected, "{text}");
        }
        for text in ["", "x", "-1", "1.5", "4294967296", "1997-08-20", "nan", "inf", "\"", "\"\""] {
            assert_eq!(parse_u32(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_timestamp(b"8.81250949e8"), Some(881_250_949));
        for text in ["-5", "nan", "inf", "1e300", "1260759144000", ""] {
            assert_eq!(parse_timestamp(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_f32(b"NaN"), None);
        assert_eq!(parse_year("1995.0"), Some(1995));
        assert_eq!(parse_year("95"), None);
    }

    #[test]
    fn texts() {
        assert_eq!(one_line(" a \n\tb  c "), "a b c");
        let mut text = "aé".to_owned();
        assert!(shorten(&mut text, 2));
        assert_eq!(text, "a");
        assert!(!shorten(&mut text, 2));
        assert_eq!(overview(" No overview found. "), None);
        assert_eq!(overview(" Rain.\nMore rain. "), Some("Rain.\nMore rain.".into()));
    }
}
