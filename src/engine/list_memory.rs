//! Lists for people that were made before. Whoever asks again is answered from them, however much of the list is wanted,
//! and further pages are cut from them: nothing twice, nothing left out, although ratings change in between.
//!
//! Each generation has a memory of its own, which goes with it: nothing that a list depends on changes within a generation
//! but what people rated, and that is part of what is looked up. A page of a list that is not kept any more, or was made by
//! an earlier generation, is refused: one starts again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::EngineError;
use super::list::{List, Row, Taste};
use super::question::Question;
use crate::domain::RatedMovie;

/// Length of a list of which no further pages are asked, where that is enough.
pub(super) const SHORT_LIST: usize = 50;

/// Lists that people are given who ask for nothing in particular, other short ones, and long ones, that are kept at most. A
/// short one takes some 7 KB, a long one some 60.
const MAX_USUAL_BYTES: u64 = 12 << 20;
const MAX_SHORT_BYTES: u64 = 12 << 20;
const MAX_LONG_BYTES: u64 = 24 << 20;
/// What a list takes beside its rows and histories.
const OVERHEAD_BYTES: usize = 1024;

/// A list whose time of asking is one that tells answers apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) length: usize,
    /// Whether it is what a person is given who asks now and for nothing in particular.
    pub(super) is_usual: bool,
}

impl Asked {
    /// What to look up, for people with these histories.
    pub(super) fn key(&self, histories: &[Vec<RatedMovie>]) -> u64 {
        let mut hasher = DefaultHasher::new();
        // Numbers with a fraction have no hash of their own.
        format!("{self:?}").hash(&mut hasher);
        for history in histories {
            history.len().hash(&mut hasher);
            for RatedMovie { movie, rating, timestamp } in history {
                (movie, rating.value().to_bits(), timestamp).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// A rating on the data set's own scale and what predicted it; `None` where nothing can.
pub(super) type Prediction = Option<(f32, &'static str)>;

/// A list that was made.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) asked: Asked,
    pub(super) key: u64,
    pub(super) list: List,
    /// Of the first rows: as many as were ever shown.
    predictions: Mutex<Vec<Prediction>>,
}

impl Kept {
    /// Predicted ratings of these rows; `predict` predicts what is not known yet.
    pub(super) fn predictions(
        &self,
        rows: Range<usize>,
        predict: impl FnOnce(&[Row]) -> Result<Vec<Prediction>, EngineError>,
    ) -> Result<Vec<Prediction>, EngineError> {
        // Predictions are added as a whole, so a panicking asker leaves nothing half-done.
        let mut known = self.predictions.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < rows.end {
            let more = predict(&self.list.rows[known.len()..rows.end])?;
            known.extend(more);
        }
        Ok(known[rows].to_vec())
    }
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<u64, Arc<Kept>> for Bytewise {
    fn weight(&self, _: &u64, kept: &Arc<Kept>) -> u64 {
        let Question { excluded, liked, disliked, rated, .. } = &kept.asked.question;
        let n_named = excluded.len() + liked.len() + disliked.len() + 2 * rated.len();
        let of_rows: usize = kept.list.rows.iter().map(|row| row.n_bytes() + size_of::<Prediction>()).sum();
        let of_tastes: usize = kept.list.tastes.iter().map(Taste::n_bytes).sum();
        (of_rows + of_tastes + 4 * n_named + OVERHEAD_BYTES) as u64
    }
}

type Lists = Cache<u64, Arc<Kept>, Bytewise>;

/// The lists of one generation. Each kind has room of its own: short lists do not push out long ones between two pages, and
/// what is hardly asked twice does not push out what was prepared.
pub(super) struct ListMemory {
    usual: Lists,
    short: Lists,
    long: Lists,
}

impl Default for ListMemory {
    fn default() -> Self {
        let lists = |max_bytes| Cache::with_weighter(max_bytes as usize / (4 * OVERHEAD_BYTES), max_bytes, Bytewise);
        Self { usual: lists(MAX_USUAL_BYTES), short: lists(MAX_SHORT_BYTES), long: lists(MAX_LONG_BYTES) }
    }
}

impl ListMemory {
    /// The list that was made for this question before.
    pub(super) fn get(&self, key: u64, asked: &Asked) -> Option<Arc<Kept>> {
        self.of(asked).get(&key).filter(|kept| kept.asked == *asked)
    }

    /// The long list with this key, for another page of it.
    pub(super) fn long(&self, key: u64) -> Option<Arc<Kept>> {
        self.long.get(&key)
    }

    /// Keeps a list.
    pub(super) fn keep(&self, key: u64, asked: Asked, list: List) -> Arc<Kept> {
        let kept = Arc::new(Kept { asked, key, list, predictions: Mutex::default() });
        self.of(&kept.asked).insert(key, Arc::clone(&kept));
        kept
    }

    /// Whether a further usual list would push out another.
    pub(super) fn is_full(&self) -> bool {
        // Each part of the memory has its share of the room, and they do not fill alike.
        self.usual.weight() >= MAX_USUAL_BYTES / 4 * 3
    }

    fn of(&self, asked: &Asked) -> &Lists {
        match asked.length {
            ..=SHORT_LIST if asked.is_usual => &self.usual,
            ..=SHORT_LIST => &self.short,
            _ => &self.long,
        }
    }
}

/// Where in a list a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The generation that made the list.
    pub(super) generation: u64,
    /// What the list is kept under.
    pub(super) key: u64,
    /// Number of rows on the pages before.
    pub(super) start: usize,
}

impl Cursor {
    /// Reads what [`Display`](std::fmt::Display) wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.').map(|part| u64::from_str_radix(part, 16).ok());
        let (generation, key, start) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Self { generation, key, start: usize::try_from(start).ok()? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { generation, key, start } = self;
        write!(f, "{generation:x}.{key:016x}.{start:x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MovieId, Rating, UserId};

    fn asked(user: u32, length: usize) -> Asked {
        let question = Question { people: vec![UserId(user)], ..Question::default() };
        Asked { question, length, is_usual: length <= SHORT_LIST }
    }

    fn rated(value: f32) -> RatedMovie {
        RatedMovie { movie: MovieId(1), rating: Rating::new(value).unwrap(), timestamp: 7 }
    }

    fn list(n: u32) -> List {
        let rows = (0..n).map(|id| Row::plain(MovieId(id), 1.0, "x")).collect();
        List { rows, tastes: Vec::new(), asked: None, cold_start: true }
    }

    #[test]
    fn question_length_and_history_tell_lists_apart() {
        let memory = ListMemory::default();
        let key = |asked: &Asked, history: &[RatedMovie]| asked.key(&[history.to_vec()]);
        let short = asked(1, SHORT_LIST);
        memory.keep(key(&short, &[rated(4.0)]), short.clone(), list(3));
        let get = |asked: &Asked, history: &[RatedMovie]| memory.get(key(asked, history), asked);
        assert_eq!(get(&short, &[rated(4.0)]).unwrap().list.rows.len(), 3);
        assert!(get(&asked(2, SHORT_LIST), &[rated(4.0)]).is_none(), "another person");
        assert!(get(&asked(1, 1_000), &[rated(4.0)]).is_none(), "another length");
        assert!(get(&short, &[rated(3.5)]).is_none(), "rated anew");
        assert!(get(&short, &[]).is_none());
        assert!(get(&short, &[rated(4.0), rated(4.0)]).is_none());
    }

    #[test]
    fn a_key_that_two_questions_share_gives_neither_the_list_of_the_other() {
        let memory = ListMemory::default();
        memory.keep(5, asked(1, SHORT_LIST), list(1));
        assert!(memory.get(5, &asked(2, SHORT_LIST)).is_none());
        assert!(memory.long(5).is_none(), "no pages are cut from a short list");
    }

    #[test]
    fn a_rating_is_predicted_once() {
        let kept = ListMemory::default().keep(1, asked(1, SHORT_LIST), list(5));
        let ids = |rows: &[Row]| Ok(rows.iter().map(|row| Some((row.movie.0 as f32, "ids"))).collect());
        assert_eq!(kept.predictions(0..2, ids).unwrap(), [Some((0.0, "ids")), Some((1.0, "ids"))]);
        let rest = |rows: &[Row]| {
            assert_eq!(rows.iter().map(|row| row.movie.0).collect::<Vec<_>>(), [2, 3]);
            ids(rows)
        };
        assert_eq!(kept.predictions(1..4, rest).unwrap(), [1.0, 2.0, 3.0].map(|id| Some((id, "ids"))));
        let none = |_: &[Row]| -> Result<Vec<Prediction>, EngineError> { panic!("predicted twice") };
        assert_eq!(kept.predictions(0..4, none).unwrap().len(), 4);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let memory = ListMemory::default();
        for user in 0..10_000 {
            for (length, n, is_usual) in [(SHORT_LIST, 50, true), (SHORT_LIST, 50, false), (1_000, 1_000, false)] {
                let asked = Asked { is_usual, ..asked(user, length) };
                memory.keep(asked.key(&[]), asked, list(if user % 20 == 0 { n } else { 50 }));
            }
            assert!(user > 0 || !memory.is_full());
        }
        assert!(memory.is_full());
        assert!(memory.usual.len() > 1_000 && memory.short.len() > 1_000 && memory.long.len() > 100);
        assert!(memory.usual.weight() <= MAX_USUAL_BYTES && memory.short.weight() <= MAX_SHORT_BYTES);
        assert!(memory.long.weight() <= MAX_LONG_BYTES);
    }

    #[test]
    fn what_is_hardly_asked_twice_does_not_push_out_what_was_prepared() {
        let memory = ListMemory::default();
        let usual = asked(1, SHORT_LIST);
        memory.keep(usual.key(&[]), usual.clone(), list(50));
        for user in 0..20_000 {
            let odd = Asked { is_usual: false, ..asked(user, SHORT_LIST) };
            memory.keep(odd.key(&[]), odd, list(50));
        }
        assert!(memory.get(usual.key(&[]), &usual).is_some());
    }

    #[test]
    fn a_cursor_reads_as_it_was_written_and_others_are_none() {
        let cursor = Cursor { generation: 7, key: 0xfeed, start: 30 };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for forged in ["", "x", "7", "7.1", "7.1.z", "7.1.2.3"] {
            assert_eq!(Cursor::parse(forged), None, "{forged}");
        }
    }
}
