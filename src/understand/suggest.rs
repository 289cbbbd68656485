//! Titles to choose from while one types.
//!
//! A title is found by its first letters or by those of any later word ("gump", "lost ark"); case, accents, punctuation
//! and articles do not count. Nearest kind of match first, then votes. When too few titles begin so, those follow that
//! nearly do, one slip away.
//!
//! All beginnings stand in one sorted list, so those with a common prefix are neighbours and a binary search finds them.
//! Of every block of that list the best known are picked beforehand, so a short prefix costs little more than a long
//! one. Slips are tried out one by one, each only among what begins with the letters before it.

use std::ops::Range;

use super::title_forms::{OMITTED_ARTICLES, loose, words};
use crate::domain::{Catalogue, ItemIdx, MovieId};

/// More suggestions are never given.
const MOST_SUGGESTIONS: usize = 50;

/// Of what was typed only so many characters count.
const LONGEST_TYPED: usize = 60;

/// Words of a title by which it is found.
const MOST_WORDS: usize = 12;

/// Letters of a text of which one may be wrong.
const LETTERS_FOR_SLIP: usize = 4;

/// Letters that may have been missed.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789 ";

/// Titles that one slip may lead to, at most.
const MOST_PER_SLIP: usize = 100;

/// Beginnings per block whose best are picked beforehand.
const BLOCK: usize = 1_024;

/// How a title fits what was typed, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuggestionKind {
    /// The whole title was typed.
    Title,
    /// The title begins so.
    Beginning,
    /// A later word of the title begins so.
    Word,
    /// The title, or a word of it, nearly begins so.
    Slip,
}

impl SuggestionKind {
    /// Stable name, as in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Beginning => "beginning",
            Self::Word => "word",
            Self::Slip => "slip",
        }
    }
}

/// A title to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The movie.
    pub movie: MovieId,
    /// How it fits.
    pub kind: SuggestionKind,
}

/// Finds titles by their beginnings.
#[derive(Clone, Debug)]
pub struct TitleSuggester {
    titles: Vec<Title>,
    /// Sorted by the text from there on.
    beginnings: Vec<Beginning>,
    /// Of every block of beginnings those that rank first.
    best: Vec<Vec<Rank>>,
    /// Movies by place: best known first.
    movies: Vec<MovieId>,
}

/// One spelling of a title.
#[derive(Clone, Debug)]
struct Title {
    /// Its words with spaces between them.
    text: Box<str>,
    /// Place of its movie.
    place: u32,
}

/// A place in a title where what is typed may begin.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    title: u32,
    start: u16,
    is_first: bool,
}

/// A movie by place and how it fits: smaller is better.
type Rank = (SuggestionKind, u32);

impl TitleSuggester {
    /// Indexes the titles of a catalogue, alternative titles too.
    pub fn fit(catalogue: &Catalogue) -> Self {
        let mut rows: Vec<usize> = (0..catalogue.len()).collect();
        let figures = |row: usize| catalogue.popularity(ItemIdx(row as u32));
        rows.sort_by(|&left, &right| {
            let (one, other) = (figures(left), figures(right));
            let by_votes = other.vote_count.cmp(&one.vote_count);
            by_votes.then(other.popularity.total_cmp(&one.popularity)).then(left.cmp(&right))
        });
        let mut titles = Vec::new();
        for (place, &row) in (0_u32..).zip(&rows) {
            let movie = &catalogue.movies()[row];
            for title in std::iter::once(&movie.title).chain(&movie.alternative_titles) {
                titles.extend(spellings(title).into_iter().map(|text| Title { text: text.into(), place }));
            }
        }
        let numbered = (0_u32..).zip(&titles);
        let mut beginnings: Vec<Beginning> = numbered.flat_map(|(number, title)| beginnings(number, title)).collect();
        beginnings.sort_by_key(|&beginning| (text_of(&titles, beginning), titles[beginning.title as usize].place));
        let movies = rows.into_iter().map(|row| catalogue.movies()[row].id).collect();
        let mut suggester = Self { titles, beginnings, best: Vec::new(), movies };
        suggester.best = suggester.beginnings.chunks(BLOCK).map(|block| suggester.best_of(block)).collect();
        suggester
    }

    /// At most `n` titles that what was typed may become, likeliest first.
    pub fn suggest(&self, typed: &str, n: usize) -> Vec<Suggestion> {
        let n = n.min(MOST_SUGGESTIONS);
        let typed: String = typed.chars().take(LONGEST_TYPED).collect();
        let words = words(&typed);
        let texts = [words.join(" "), loose(&words).join(" ")];
        let mut ranks: Vec<Rank> = Vec::new();
        if n > 0 && !texts[0].is_empty() {
            for text in &texts[..if texts[0] == texts[1] { 1 } else { 2 }] {
                self.gather(text, &mut ranks);
            }
            keep_first(&mut ranks, n);
            if ranks.len() < n {
                self.gather_slips(&texts[1], &mut ranks);
                keep_first(&mut ranks, n);
            }
        }
        let suggestion = |(kind, place): Rank| Suggestion { movie: self.movies[place as usize], kind };
        ranks.into_iter().map(suggestion).collect()
    }

    /// What begins with a text.
    fn gather(&self, text: &str, ranks: &mut Vec<Rank>) {
        let range = self.with_prefix(text, 0..self.beginnings.len());
        // The shortest stand in front, best known first.
        let whole = self.beginnings[range.clone()].iter().take_while(|&&beginning| self.text(beginning) == text);
        let whole = whole.filter(|beginning| beginning.is_first).take(MOST_SUGGESTIONS);
        ranks.extend(whole.map(|&beginning| (SuggestionKind::Title, self.rank(beginning).1)));
        let blocks = range.start.div_ceil(BLOCK)..range.end / BLOCK;
        let (front, back) = if blocks.start < blocks.end {
            ranks.extend(self.best[blocks.clone()].iter().flatten());
            (range.start..blocks.start * BLOCK, blocks.end * BLOCK..range.end)
        } else {
            (range, 0..0)
        };
        for edge in [front, back] {
            ranks.extend(self.beginnings[edge].iter().map(|&beginning| self.rank(beginning)));
        }
    }

    /// What begins with a text but for one letter. The first letter is right, or swapped with the second.
    fn gather_slips(&self, text: &str, ranks: &mut Vec<Rank>) {
        let letters: Vec<char> = text.chars().collect();
        if letters.len() < LETTERS_FOR_SLIP {
            return;
        }
        let mut range = 0..self.beginnings.len();
        for right in 0..letters.len() {
            let (before, rest) = letters.split_at(right);
            let before: String = before.iter().collect();
            range = self.with_prefix(&before, range);
            if range.is_empty() {
                return;
            }
            let mut attempt = |middle: &[char], rest: &[char]| {
                let beginning: String = before.chars().chain(middle.iter().copied()).collect();
                let found = self.with_prefix(&beginning, range.clone());
                if !found.is_empty() {
                    let text: String = beginning.chars().chain(rest.iter().copied()).collect();
                    let found = self.beginnings[self.with_prefix(&text, found)].iter().take(MOST_PER_SLIP);
                    ranks.extend(found.map(|&beginning| (SuggestionKind::Slip, self.rank(beginning).1)));
                }
            };
            if let [first, second, after @ ..] = rest {
                attempt(&[*second, *first], after);
            }
            if right > 0 {
                attempt(&[], &rest[1..]);
                for letter in LETTERS.chars() {
                    attempt(&[letter], &rest[1..]);
                    attempt(&[letter], rest);
                }
            }
        }
    }

    /// Where, within a range, the beginnings with a prefix are.
    fn with_prefix(&self, prefix: &str, range: Range<usize>) -> Range<usize> {
        let within = &self.beginnings[range.clone()];
        let start = within.partition_point(|&beginning| self.text(beginning) < prefix);
        let length = within[start..].partition_point(|&beginning| self.text(beginning).starts_with(prefix));
        range.start + start..range.start + start + length
    }

    fn best_of(&self, block: &[Beginning]) -> Vec<Rank> {
        let mut ranks: Vec<Rank> = block.iter().map(|&beginning| self.rank(beginning)).collect();
        keep_first(&mut ranks, MOST_SUGGESTIONS);
        ranks
    }

    fn rank(&self, beginning: Beginning) -> Rank {
        let kind = if beginning.is_first { SuggestionKind::Beginning } else { SuggestionKind::Word };
        (kind, self.titles[beginning.title as usize].place)
    }

    fn text(&self, beginning: Beginning) -> &str {
        text_of(&self.titles, beginning)
    }
}

fn text_of(titles: &[Title], beginning: Beginning) -> &str {
    titles[beginning.title as usize].text.get(usize::from(beginning.start)..).unwrap_or_default()
}

/// Sorts, leaves each movie its best rank, and cuts off after `n`.
fn keep_first(ranks: &mut Vec<Rank>, n: usize) {
    ranks.sort_unstable_by_key(|&(kind, place)| (place, kind));
    ranks.dedup_by_key(|&mut (_, place)| place);
    ranks.sort_unstable();
    ranks.truncate(n);
}

/// A title as it is typed: in words, and with numbers in digits.
fn spellings(title: &str) -> Vec<String> {
    let words = words(title);
    let mut spellings = vec![words.join(" "), loose(&words).join(" ")];
    let article = words.first().map_or(0, |first| first.len() + 1);
    if spellings[0] == spellings[1] || spellings[0].get(article..) == Some(&spellings[1]) {
        spellings.truncate(1);
    }
    spellings
}

/// The words that a title may be begun with: all but inner articles.
fn beginnings(number: u32, title: &Title) -> Vec<Beginning> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut is_first = true;
    for word in title.text.split(' ').take(MOST_WORDS) {
        let Ok(position) = u16::try_from(start) else {
            break;
        };
        let is_article = OMITTED_ARTICLES.contains(&word);
        if start == 0 || !is_article {
            found.push(Beginning { title: number, start: position, is_first });
        }
        // After an article in front the title begins once more.
        is_first = start == 0 && is_article;
        start += word.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::SuggestionKind::{Beginning as Start, Slip, Title as Whole, Word};
    use super::*;
    use crate::domain::{Movie, RatingMatrix, Votes};
    use proptest::prelude::*;

    fn suggester(titles: &[&str]) -> TitleSuggester {
        // The first title has the most votes.
        let movies: Vec<Movie> = (1_u32..)
            .zip(titles)
            .map(|(id, title)| {
                let mut movie = Movie::new(MovieId(id), *title);
                movie.votes = Some(Votes { average: 7.0, count: 10_000 - id });
                movie
            })
            .collect();
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
        TitleSuggester::fit(&Catalogue::new(movies, &ratings))
    }

    #[test]
    fn titles_are_suggested_by_what_fits_and_then_by_votes() {
        let suggester = suggester(&[
            "Star Wars",
            "The Matrix",
            "Forrest Gump",
            "A Star Is Born",
            "Amélie",
            "Stargate",
            "Twelve Monkeys",
            "Raiders of the Lost Ark",
            "Star",
            "Gumby",
            "L'Enfer",
            "Lost in Space",
        ]);
        for (typed, expected) in [
            ("star", &[(9, Whole), (1, Start), (4, Start), (6, Start)][..]),
            ("STAR w", &[(1, Start)]),
            ("gum", &[(10, Start), (3, Word)]),
            ("the ma", &[(2, Start)]),
            ("mat", &[(2, Start)]),
            ("ame", &[(5, Start)]),
            ("Amél", &[(5, Start)]),
            ("12 mo", &[(7, Start)]),
            ("twelve", &[(7, Start)]),
            ("lost", &[(12, Start), (8, Word)]),
            ("the lost", &[(12, Start), (8, Word)]),
            ("lost ark", &[(8, Word)]),
            ("forest g", &[(3, Slip)]),
            ("forrset", &[(3, Slip)]),
            ("froesst", &[]),
            ("ofrrest", &[(3, Slip)]),
            ("stargaet", &[(6, Slip)]),
            ("gmup", &[(3, Slip)]),
            ("lenf", &[(11, Start)]),
            ("", &[]),
            ("?!", &[]),
            ("zzz", &[]),
        ] {
            let wants_slips = expected.iter().any(|(_, kind)| *kind == Slip);
            let found = suggester.suggest(typed, 8).into_iter().map(|found| (found.movie.0, found.kind));
            let found: Vec<(u32, SuggestionKind)> = found.filter(|(_, kind)| wants_slips || *kind != Slip).collect();
            assert_eq!(found, expected, "{typed}");
        }
        assert_eq!(suggester.suggest("star", 2).len(), 2);
        assert!(suggester.suggest("star", 0).is_empty());
    }

    #[test]
    fn many_titles_with_one_beginning_are_ranked_as_a_whole() {
        let titles: Vec<String> = (0..5_000_u32).map(|number| format!("The {:04} Show", number * 7 % 5_000)).collect();
        let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
        let suggester = suggester(&titles);
        for typed in ["the", "sho", "the show"] {
            let ids: Vec<u32> = suggester.suggest(typed, 20).into_iter().map(|found| found.movie.0).collect();
            assert_eq!(ids, (1..=20).collect::<Vec<_>>(), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn equals_looking_at_every_title(titles in proptest::collection::vec("[ab]{1,4}( [ab]{1,4}){0,2}", 1..40), typed in "[ab]{1,3}") {
            let refs: Vec<&str> = titles.iter().map(String::as_str).collect();
            let suggester = suggester(&refs);
            let mut expected: Vec<(SuggestionKind, u32)> = Vec::new();
            for (id, title) in (1_u32..).zip(&titles) {
                let words = words(title);
                let starts = (0..words.len()).filter(|&start| start == 0 || words[start] != "a");
                let rank = starts.filter(|&start| words[start..].join(" ").starts_with(&typed)).map(|start| {
                    let is_first = start == 0 || start == 1 && words[0] == "a";
                    if is_first && words[start..].join(" ") == typed { Whole } else if is_first { Start } else { Word }
                }).min();
                expected.extend(rank.map(|kind| (kind, id)));
            }
            expected.sort_unstable();
            let found: Vec<(SuggestionKind, u32)> =
                suggester.suggest(&typed, 50).into_iter().map(|found| (found.kind, found.movie.0)).filter(|(kind, _)| *kind != Slip).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_text_is_answered(typed in "\\PC{0,80}") {
            prop_assert!(suggester(&["Star Wars", "Amélie", "八月の濡れた砂"]).suggest(&typed, 3).len() <= 3);
        }
    }
}
