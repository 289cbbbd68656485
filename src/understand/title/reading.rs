//! How a text that names a title may be read: with a year before or behind, as "the movie …" or "… film".

/// Years that films may be from.
const YEARS: std::ops::RangeInclusive<u16> = 1870..=2100;

/// What comes before a title only.
const SURE_BEFORE: [&str; 12] = [
    "the movie called ",
    "the film called ",
    "a movie called ",
    "a film called ",
    "movie called ",
    "film called ",
    "the movie titled ",
    "the film titled ",
    "the movie named ",
    "the film named ",
    "the movie ",
    "the film ",
];
/// What comes before a title, but before other things too.
const PERHAPS_BEFORE: [&str; 6] = ["i want to watch ", "i want to see ", "watching ", "watch ", "movie ", "film "];
/// What comes behind a title only.
const SURE_BEHIND: [&str; 5] = [" the movie", " the film", " full movie", " (movie)", " (film)"];
/// What comes behind a title, but behind other things too.
const PERHAPS_BEHIND: [&str; 3] = [" movie", " film", " flick"];

/// What stood around the title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Frame {
    /// Nothing.
    Bare,
    /// Words that say that it is one.
    Sure,
    /// Words that also stand around a genre or a theme.
    Perhaps,
}

/// A year that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AskedYear {
    pub(super) year: u16,
    /// People are often one year off; not so with two digits, which may be no year at all.
    pub(super) may_be_off: bool,
}

/// A text taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading<'a> {
    pub(super) title: &'a str,
    pub(super) year: Option<AskedYear>,
    pub(super) frame: Frame,
}

/// The readings of a text, likeliest first. A year in parentheses is always a year.
pub(super) fn readings(text: &str) -> Vec<Reading<'_>> {
    let mut readings = Vec::new();
    for (inner, frame) in framed(text.trim()) {
        let Some((title, year, in_parentheses)) = split_year(inner) else {
            readings.push(Reading { title: inner, year: None, frame });
            continue;
        };
        // Without parentheses the number may belong to the title ("Blade Runner 2049").
        if !in_parentheses {
            readings.push(Reading { title: inner, year: None, frame });
        }
        let within = framed(title).into_iter().map(|(title, inside)| (title, frame.max(inside)));
        readings.extend(within.map(|(title, frame)| Reading { title, year: Some(year), frame }));
    }
    readings
}

/// The text itself, and without what stands around it.
fn framed(text: &str) -> Vec<(&str, Frame)> {
    let mut found = vec![(text, Frame::Bare)];
    let before = |list: &'static [&'static str], frame| {
        let rest = list.iter().find_map(|words| {
            let head = text.get(..words.len())?;
            head.eq_ignore_ascii_case(words).then(|| &text[words.len()..])
        });
        rest.map(|rest| (rest, frame))
    };
    let behind = |list: &'static [&'static str], frame| {
        let rest = list.iter().find_map(|words| {
            let start = text.len().checked_sub(words.len())?;
            text.get(start..)?.eq_ignore_ascii_case(words).then(|| &text[..start])
        });
        rest.map(|rest| (rest, frame))
    };
    found.extend(before(&SURE_BEFORE, Frame::Sure).or_else(|| before(&PERHAPS_BEFORE, Frame::Perhaps)));
    found.extend(behind(&SURE_BEHIND, Frame::Sure).or_else(|| behind(&PERHAPS_BEHIND, Frame::Perhaps)));
    found.into_iter().map(|(text, frame)| (text.trim(), frame)).filter(|(text, _)| !text.is_empty()).collect()
}

/// A text with a year at its end or start: the text without it, the year, and whether it was in parentheses.
fn split_year(text: &str) -> Option<(&str, AskedYear, bool)> {
    let text = text.trim();
    let (rest, year, in_parentheses) = if let Some(open) = text.strip_suffix([')', ']']) {
        let (rest, inside) = open.rsplit_once(['(', '['])?;
        (rest, sure(parse_year(inside)?), true)
    } else {
        let (rest, last) = text.rsplit_once(char::is_whitespace)?;
        match (parse_year(last).map(sure).or_else(|| two_digits(last)), text.split_once(char::is_whitespace)) {
            (Some(year), _) => (rest, year, false),
            (None, Some((first, rest))) => (rest, sure(parse_year(first.trim_end_matches([',', ':']))?), false),
            (None, None) => return None,
        }
    };
    let rest = rest.trim().trim_end_matches([',', '-']).trim_end();
    let rest = [" from", " of", " from the year"].iter().find_map(|word| rest.strip_suffix(word)).unwrap_or(rest);
    (!rest.is_empty()).then_some((rest, year, in_parentheses))
}

fn sure(year: u16) -> AskedYear {
    AskedYear { year, may_be_off: true }
}

/// "'62" and "97" as years of the twentieth century.
fn two_digits(text: &str) -> Option<AskedYear> {
    let digits = text.trim_start_matches(['\'', '\u{2019}', '\u{2018}', '`']);
    let whole = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let year: u16 = digits.parse().ok().filter(|_| whole)?;
    Some(AskedYear { year: 1900 + year, may_be_off: false })
}

/// A year in four digits.
pub(in crate::understand) fn parse_year(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|year| digits && YEARS.contains(year))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn years_are_split_off() {
        for (text, rest, year, in_parentheses) in [
            ("Cape Fear (1962)", "Cape Fear", 1962, true),
            ("Cape Fear, 1962 ", "Cape Fear", 1962, false),
            ("cape fear from 1962", "cape fear", 1962, false),
            ("cape fear '62", "cape fear", 1962, false),
            ("titanic 97", "titanic", 1997, false),
            ("1995 heat", "heat", 1995, false),
        ] {
            let found = split_year(text).map(|(rest, asked, in_parentheses)| (rest, asked.year, in_parentheses));
            assert_eq!(found, Some((rest, year, in_parentheses)), "{text}");
        }
        for text in ["1984", "(1984)", "Blade Runner", "Room 2500", "Area 516", "Fear (19622)", ""] {
            assert_eq!(split_year(text), None, "{text}");
        }
    }

    #[test]
    fn frames_are_taken_off() {
        for (text, title, frame) in [
            ("the movie fargo", "fargo", Frame::Sure),
            ("Fargo The Movie", "Fargo", Frame::Sure),
            ("fargo film", "fargo", Frame::Perhaps),
            ("Watch Fargo", "Fargo", Frame::Perhaps),
            ("fargo (1996) movie", "fargo", Frame::Perhaps),
            ("fargo movie 1996", "fargo", Frame::Perhaps),
        ] {
            let wanted = |reading: &Reading<'_>| reading.title == title && reading.frame == frame;
            assert!(readings(text).iter().any(wanted), "{text}: {:?}", readings(text));
        }
        assert_eq!(readings("Scary Movie")[0], Reading { title: "Scary Movie", year: None, frame: Frame::Bare });
        assert!(readings("scary movies").len() == 1);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,40}") {
            readings(&text);
        }
    }
}
