//! Numbers in titles, all written in digits: "Part Two", "II", "twenty thousand", "thirty-fourth", "eight and a half".
//!
//! Reads a list of folded words. What is no number stays as it is.

/// Words by value, from zero.
const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
/// Words for the tens, from twenty.
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// Ordinals by value, from first. "Sixth" and the like are made of the number and "th".
const ORDINALS: [(&str, u32); 8] = [
    ("first", 1),
    ("second", 2),
    ("third", 3),
    ("fifth", 5),
    ("eighth", 8),
    ("ninth", 9),
    ("twelfth", 12),
    ("twentieth", 20),
];
/// Roman numerals from two. A lone "I" is a word more often than a number.
const ROMAN: [&str; 19] = [
    "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv", "xvi", "xvii", "xviii",
    "xix", "xx",
];
/// Numbers of other languages that English titles use.
const FOREIGN: [(&str, u32); 2] = [("deux", 2), ("trois", 3)];
/// Kings and sequels are counted so far; "Friday the 13th" is a day.
const LAST_OF_A_NAME: u32 = 12;
/// Words that announce a number and may be left out: "Part II" is "II".
const MARKERS: [&str; 9] = ["part", "pt", "episode", "chapter", "volume", "vol", "number", "no", "nr"];

/// What one word adds to a number.
#[derive(Clone, Copy)]
enum Numeral {
    /// Below twenty.
    Small(u32),
    /// A multiple of ten.
    Tens(u32),
    /// Ends a number: "fourth".
    Ordinal(u32),
}

/// The words with numbers in digits, and without "part" and its like before a number.
pub(in crate::understand) fn in_digits(words: &[String]) -> Vec<String> {
    let mut done: Vec<String> = Vec::with_capacity(words.len());
    let mut rest = words;
    while let Some(first) = rest.first() {
        let after_marker = done.last().is_some_and(|last| MARKERS.contains(&last.as_str()));
        let (number, taken) = if let Some((number, taken)) = spelled(rest) {
            (number, taken)
        } else if let Some(value) = roman(first, after_marker) {
            (value.to_string(), 1)
        } else {
            (first.clone(), 1)
        };
        if after_marker && is_number(&number) {
            done.pop();
        }
        done.push(number);
        rest = &rest[taken..];
        if rest.len() >= 3 && done.last().is_some_and(|last| is_number(last)) && rest[..3] == ["and", "a", "half"] {
            done.extend(["1".to_owned(), "2".to_owned()]);
            rest = &rest[3..];
        }
    }
    regnal(&mut done);
    done
}

/// "Henry the 5th" is "Henry 5".
fn regnal(words: &mut Vec<String>) {
    let [.., _, the, last] = &words[..] else { return };
    let number = ["st", "nd", "rd", "th"].iter().find_map(|ending| last.strip_suffix(ending));
    let number: Option<u32> = number.and_then(|number| number.parse().ok());
    if let Some(number) = number.filter(|number| the == "the" && (1..=LAST_OF_A_NAME).contains(number)) {
        words.truncate(words.len() - 2);
        words.push(number.to_string());
    }
}

/// Whether a word is made of digits.
pub(in crate::understand) fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn roman(word: &str, after_marker: bool) -> Option<u32> {
    if word == "i" && after_marker {
        return Some(1);
    }
    ROMAN.iter().zip(2..).find(|(roman, _)| **roman == word).map(|(_, value)| value)
}

/// The number that the words begin with, and how many words it takes.
fn spelled(words: &[String]) -> Option<(String, usize)> {
    let mut taken = 0;
    let (mut total, mut group) = (0_u32, 0_u32);
    let mut last = None;
    while let Some(word) = words.get(taken) {
        match (word.as_str(), last) {
            ("hundred", Some(Numeral::Small(_))) => (group, last) = (group * 100, Some(Numeral::Tens(0))),
            ("thousand", Some(Numeral::Small(_) | Numeral::Tens(_))) if total == 0 && group < 1_000 => {
                (total, group, last) = (group * 1_000, 0, Some(Numeral::Tens(0)));
            }
            ("and", Some(Numeral::Tens(0))) if words.get(taken + 1).and_then(|next| numeral(next)).is_some() => {}
            _ => match (numeral(word), last) {
                (Some(Numeral::Ordinal(value)), None | Some(Numeral::Tens(_))) => {
                    let sum = total + group + value;
                    return Some((format!("{sum}{}", suffix(sum)), taken + 1));
                }
                (Some(next), None) => (group, last) = (value_of(next), Some(next)),
                (Some(next @ Numeral::Small(value)), Some(Numeral::Tens(tens))) if value < 10 || tens == 0 => {
                    (group, last) = (group + value, Some(next));
                }
                (Some(next @ Numeral::Tens(value)), Some(Numeral::Tens(0))) => {
                    (group, last) = (group + value, Some(next));
                }
                // "Nineteen eighty-four".
                (Some(next @ Numeral::Tens(value)), Some(Numeral::Small(10..) | Numeral::Tens(20..)))
                    if total == 0 && group < 100 =>
                {
                    (total, group, last) = (group * 100, value, Some(next));
                }
                _ => break,
            },
        }
        taken += 1;
    }
    (taken > 0).then(|| ((total + group).to_string(), taken))
}

fn value_of(numeral: Numeral) -> u32 {
    match numeral {
        Numeral::Small(value) | Numeral::Tens(value) | Numeral::Ordinal(value) => value,
    }
}

fn numeral(word: &str) -> Option<Numeral> {
    let small = |word: &str| SMALL.iter().zip(0..).find(|(name, _)| **name == word).map(|(_, value)| value);
    let listed = |list: &[(&str, u32)]| list.iter().find(|(name, _)| *name == word).map(|&(_, value)| value);
    if let Some(value) = small(word).or_else(|| listed(&FOREIGN)) {
        return Some(Numeral::Small(value));
    }
    if let Some(place) = TENS.iter().position(|name| *name == word) {
        return Some(Numeral::Tens(place as u32 * 10 + 20));
    }
    let ordinal = listed(&ORDINALS).or_else(|| small(word.strip_suffix("th")?).filter(|value| *value > 3));
    ordinal.map(Numeral::Ordinal)
}

fn suffix(value: u32) -> &'static str {
    match (value % 100, value % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        assert_eq!(in_digits(&words).join(" "), expected, "{text}");
    }

    #[test]
    fn numbers_are_read() {
        for (text, expected) in [
            ("rocky ii", "rocky 2"),
            ("the godfather part two", "the godfather 2"),
            ("episode i", "1"),
            ("withnail and i", "withnail and i"),
            ("twelve angry men", "12 angry men"),
            ("twenty thousand leagues", "20000 leagues"),
            ("one hundred and one dalmatians", "101 dalmatians"),
            ("two thousand one", "2001"),
            ("two thousand and one", "2001"),
            ("nineteen eighty four", "1984"),
            ("twenty twenty", "2020"),
            ("thirty nine steps", "39 steps"),
            ("miracle on thirty fourth street", "miracle on 34th street"),
            ("the fifth element", "the 5th element"),
            ("the sixth sense", "the 6th sense"),
            ("eight and a half", "8 1 2"),
            ("8 and a half", "8 1 2"),
            ("one and a half men and a baby", "1 1 2 men and a baby"),
            ("seven eleven", "7 11"),
            ("hundred days", "hundred days"),
            ("four and twenty", "4 and 20"),
            ("hot shots part deux", "hot shots 2"),
            ("part of me", "part of me"),
            ("henry the fifth", "henry 5"),
            ("richard the 3rd", "richard 3"),
            ("friday the thirteenth", "friday the 13th"),
            ("the third", "the 3rd"),
        ] {
            check(text, expected);
        }
    }

    proptest! {
        #[test]
        fn any_row_of_words_is_read(words in proptest::collection::vec(
            prop_oneof!["one", "nine", "twenty", "ninety", "hundred", "thousand", "and", "half", "first", "part", "i", "x", "[a-z]{1,3}"],
            0..30,
        )) {
            let read = in_digits(&words);
            prop_assert!(read.len() <= words.len());
        }
    }
}
