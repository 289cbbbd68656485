//! Titles that differ from a text by a slip of the fingers.
//!
//! Distance is optimal string alignment (Damerau–Levenshtein without edits inside a swapped pair). All titles of a
//! fitting length are looked at, but one comparison of letter sets rules out nearly all of them: an edit brings in one
//! letter at most and takes one out at most. In short titles the first letter must be right, or swapped with the second:
//! people seldom miss it, and there are many short words.

use std::ops::Range;

/// Letters that a text must have for one slip, for two, and for three.
const LETTERS_FOR_SLIPS: [usize; 3] = [5, 10, 18];

/// Letters from which the first letter may be wrong too.
const LETTERS_FOR_FIRST: usize = 8;

/// The titles nearest to a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Nearest {
    pub(super) slips: usize,
    /// In ascending order.
    pub(super) items: Vec<u32>,
}

/// A title's form and the movie it belongs to.
#[derive(Clone, Debug)]
struct Entry {
    /// Number of characters, by which entries are sorted.
    length: usize,
    /// See [`letter_set`].
    letters: u128,
    form: Box<str>,
    item: u32,
}

/// All forms by length.
#[derive(Clone, Debug)]
pub(super) struct TypoIndex {
    entries: Vec<Entry>,
}

impl TypoIndex {
    /// Takes pairs of a title's form and its movie.
    pub(super) fn new(forms: impl Iterator<Item = (String, u32)>) -> Self {
        let mut entries: Vec<Entry> = forms
            .map(|(form, item)| Entry {
                length: form.chars().count(),
                letters: letter_set(&form),
                form: form.into_boxed_str(),
                item,
            })
            .collect();
        entries
            .sort_by(|left, right| (left.length, &left.form, left.item).cmp(&(right.length, &right.form, right.item)));
        Self { entries }
    }

    /// The movies with the titles nearest to a form, if few enough slips away. Digits are never slips: "Toy Story 3" is
    /// not "Toy Story 2".
    pub(super) fn nearest(&self, form: &str) -> Nearest {
        let allowed = slips(form);
        let letters = letter_set(form);
        let digits: Vec<char> = form.chars().filter(char::is_ascii_digit).collect();
        let mut nearest = Nearest { slips: allowed, items: Vec::new() };
        if allowed == 0 {
            return nearest;
        }
        for entry in &self.entries[self.of_length(form.chars().count(), allowed)] {
            let (more, fewer) = (entry.letters & !letters, letters & !entry.letters);
            if more.count_ones().max(fewer.count_ones()) as usize > nearest.slips {
                continue;
            }
            let distance = strsim::osa_distance(form, &entry.form);
            if distance == 0
                || distance > nearest.slips.min(slips(&entry.form))
                || !begins_alike(form, &entry.form)
                || !entry.form.chars().filter(char::is_ascii_digit).eq(digits.iter().copied())
            {
                continue;
            }
            if distance < nearest.slips {
                nearest = Nearest { slips: distance, items: Vec::new() };
            }
            nearest.items.push(entry.item);
        }
        nearest.items.sort_unstable();
        nearest.items.dedup();
        nearest
    }

    fn of_length(&self, length: usize, slips: usize) -> Range<usize> {
        let start = self.entries.partition_point(|entry| entry.length + slips < length);
        let end = self.entries.partition_point(|entry| entry.length <= length + slips);
        start..end
    }
}

fn begins_alike(left: &str, right: &str) -> bool {
    let two = |form: &str| {
        let mut letters = form.chars();
        (letters.next(), letters.next())
    };
    let (left_two, right_two) = (two(left), two(right));
    left_two.0 == right_two.0
        || left_two == (right_two.1, right_two.0)
        || left.chars().count().min(right.chars().count()) >= LETTERS_FOR_FIRST
}

fn slips(form: &str) -> usize {
    let letters = form.chars().filter(|character| character.is_alphabetic()).count();
    LETTERS_FOR_SLIPS.iter().filter(|&&enough| letters >= enough).count()
}

/// Which characters occur (low half) and which occur twice or more (high half); rare ones share bits.
fn letter_set(form: &str) -> u128 {
    form.chars().fold(0, |set, character| {
        let bit = 1_u128
            << match character {
                'a'..='z' => character as u32 - 'a' as u32,
                '0'..='9' => 26 + character as u32 - '0' as u32,
                _ => 36 + character as u32 % 28,
            };
        if set & bit == 0 { set | bit } else { set | bit << 64 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(forms: &[&str]) -> TypoIndex {
        TypoIndex::new(forms.iter().map(|&form| form.to_owned()).zip(0..))
    }

    fn near(index: &TypoIndex, text: &str) -> Vec<u32> {
        index.nearest(text).items
    }

    #[test]
    fn slips_grow_with_length_and_leave_digits_alone() {
        let none: [u32; 0] = [];
        let index = index(&["heat", "fargo", "terminator", "terminator2", "toystory2", "toystory"]);
        assert_eq!(near(&index, "haet"), none);
        assert_eq!(near(&index, "frago"), [1]);
        assert_eq!(near(&index, "afrgo"), [1]);
        assert_eq!(near(&index, "cargo"), none);
        assert_eq!(near(&index, "rerminator"), [2]);
        assert_eq!(near(&index, "fragoo"), none);
        assert_eq!(near(&index, "termintaor"), [2]);
        assert_eq!(near(&index, "termnitaor2"), [3]);
        assert_eq!(near(&index, "toystory3"), none);
        assert_eq!(near(&index, "toystry2"), [4]);
        assert_eq!(near(&index, "terminator"), none);
    }

    proptest! {
        #[test]
        fn equals_looking_at_every_title(forms in proptest::collection::vec("[a-c]{3,12}", 0..20), text in "[a-c]{3,12}") {
            let refs: Vec<&str> = forms.iter().map(String::as_str).collect();
            let slips_to = |form: &str| {
                let distance = strsim::osa_distance(form, &text);
                (distance > 0 && distance <= slips(form).min(slips(&text)) && begins_alike(form, &text)).then_some(distance)
            };
            let least = refs.iter().filter_map(|form| slips_to(form)).min();
            let expected: Vec<u32> =
                (0..).zip(&refs).filter(|(_, form)| least.is_some() && slips_to(form) == least).map(|(item, _)| item).collect();
            prop_assert_eq!(index(&refs).nearest(&text).items, expected);
        }
    }
}
