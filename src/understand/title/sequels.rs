//! Sequels by number where the list has no number: "Die Hard 3" is "Die Hard: With a Vengeance".
//!
//! The films of a series are those whose titles begin with the title of its first film, by year, or with what stands
//! before the colon in all of them. A number is believed
//! only when no film of the series carries one that disagrees with its place.

use std::collections::HashMap;

use super::super::title_forms::{loose, words};
use super::numbers::is_number;
use super::speech::Speech;
use super::{MOST_OF_ONE_NAME, Named};

/// Longest series that is looked at.
const LONGEST_SERIES: usize = 12;

/// Titles in order, for finding those that begin alike.
#[derive(Clone, Debug)]
pub(super) struct Sequels {
    /// Loose words with spaces between them, and the film.
    titles: Vec<(String, u32)>,
    /// First films of series with an everyday word for a title: only a colon tells their sequels.
    plain: HashMap<String, bool>,
}

impl Sequels {
    pub(super) fn of(titles: &[Named], speech: &Speech) -> Self {
        let mut plain = HashMap::new();
        let mut sorted: Vec<(String, u32)> = Vec::with_capacity(titles.len());
        for (named, item) in titles.iter().zip(0..) {
            let words = loose(&words(&named.title));
            let form = words.join(" ");
            if !form.is_empty() {
                plain.insert(form.clone(), speech.is_plain(&words));
                sorted.push((form, item));
            }
            // "Ace Ventura 2", where no film is called "Ace Ventura".
            if let Some((head, _)) = named.title.split_once(':') {
                let words = loose(&self::words(head));
                if !words.is_empty() {
                    plain.entry(words.join(" ")).or_insert_with(|| speech.is_plain(&words));
                }
            }
        }
        sorted.sort();
        Self { titles: sorted, plain }
    }

    /// The film that is the n-th of its series, if a text ends with a number n.
    pub(super) fn find(&self, text: &str, titles: &[Named]) -> Option<u32> {
        let mut asked = loose(&words(text));
        let number: usize = match asked.pop()?.as_str() {
            "i" => 1,
            word if is_number(word) => word.parse().ok().filter(|number| (1..=LONGEST_SERIES).contains(number))?,
            _ => return None,
        };
        let series = self.series(&asked.join(" "), titles)?;
        (series.len() > 1).then(|| series.get(number - 1).copied()).flatten()
    }

    /// The films whose titles begin with these words.
    pub(super) fn beginning_with(&self, words: &[String]) -> impl Iterator<Item = u32> {
        let base = words.join(" ");
        let start = self.titles.partition_point(|(form, _)| *form < base);
        let films = self.titles[start..].iter().map_while(move |(form, item)| Some((form.strip_prefix(&base)?, *item)));
        films.filter(|(rest, _)| rest.starts_with(' ')).map(|(_, item)| item)
    }

    /// The films of a series by year, if their numbers agree with that.
    fn series(&self, base: &str, titles: &[Named]) -> Option<Vec<u32>> {
        let is_plain = *self.plain.get(base)?;
        let start = self.titles.partition_point(|(form, _)| form.as_str() < base);
        let mut films: Vec<(u16, u32, Option<usize>)> = Vec::new();
        for (form, item) in &self.titles[start..] {
            let Some(rest) = form.strip_prefix(base) else {
                break;
            };
            if !(rest.is_empty() || rest.starts_with(' ')) {
                continue;
            }
            let number = rest.split(' ').nth(1).filter(|word| is_number(word)).map(|word| word.parse().unwrap_or(0));
            let title = &titles[*item as usize];
            let is_cut_off = title.title.contains([':', '-']);
            if rest.is_empty() || number.is_some() || is_cut_off || !is_plain {
                films.push((title.year?, *item, number));
            }
            if films.len() > LONGEST_SERIES {
                return None;
            }
        }
        films.sort_unstable();
        let is_first = |item: u32| self.titles[start..].iter().any(|(form, other)| *other == item && form == base);
        let agrees = (1..).zip(&films).all(|(place, film)| film.2.is_none_or(|number| number == place));
        let n_first = films.iter().filter(|film| is_first(film.1)).count();
        let begins = match n_first {
            0 => films.len() <= MOST_OF_ONE_NAME,
            1 => films.first().is_some_and(|film| is_first(film.1)),
            _ => false,
        };
        (agrees && begins).then(|| films.into_iter().map(|(_, item, _)| item).collect())
    }
}
