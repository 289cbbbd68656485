//! Pages of one list: nothing twice, nothing left out, although ratings and movies change in between.
//!
//! The first page makes the list and keeps it for the pages after it, among a bounded number of others. A page of a list
//! that is not kept any more, or was made by an earlier generation, is refused: one starts again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::EngineError;
use super::list::{List, Row};
use super::question::{Page, Question};

/// Lists that are kept, at most: some 100 KB each.
const MAX_LISTS: usize = 512;

/// Lists that further pages may be asked of.
#[derive(Debug)]
pub(super) struct Pages(Cache<Key, Arc<Kept>>);

/// Generation, and a hash of the question and its answer.
type Key = (u64, u64);

#[derive(Debug)]
struct Kept {
    question: Question,
    list: Arc<List>,
}

impl Default for Pages {
    fn default() -> Self {
        Self(Cache::new(MAX_LISTS))
    }
}

/// A page, and where the next one begins.
pub(super) struct Cut {
    pub(super) list: Arc<List>,
    pub(super) rows: std::ops::Range<usize>,
    pub(super) next: Option<String>,
}

impl Cut {
    pub(super) fn rows(&self) -> &[Row] {
        &self.list.rows[self.rows.clone()]
    }
}

impl Pages {
    /// The page that is asked for; `make` makes the list for a first page.
    pub(super) fn cut(
        &self,
        generation: u64,
        (question, page): (&Question, &Page),
        make: impl FnOnce() -> Result<List, EngineError>,
    ) -> Result<Cut, EngineError> {
        let (key, list, start) = match &page.cursor {
            None => {
                let list = Arc::new(make()?);
                let key = (generation, fingerprint(question, &list));
                if list.rows.len() > page.n {
                    let kept = Kept { question: question.clone(), list: Arc::clone(&list) };
                    self.0.insert(key, Arc::new(kept));
                }
                (key, list, 0)
            }
            Some(cursor) => {
                let (key, start) = parse(cursor)
                    .ok_or_else(|| EngineError::Unfit("The cursor is not one of this daemon's.".to_owned()))?;
                let kept = self.0.get(&key).filter(|_| key.0 == generation).ok_or(EngineError::CursorExpired)?;
                if kept.question != *question {
                    let why = "The cursor belongs to another question; send it with the question that gave it.";
                    return Err(EngineError::Unfit(why.to_owned()));
                }
                (key, Arc::clone(&kept.list), start)
            }
        };
        let start = start.min(list.rows.len());
        let end = start.saturating_add(page.n).min(list.rows.len());
        let next = (end < list.rows.len()).then(|| format!("{:x}.{:016x}.{end:x}", key.0, key.1));
        Ok(Cut { list, rows: start..end, next })
    }

    /// Whether the list that a cursor points into can still be had.
    pub(super) fn keeps(&self, cursor: &str) -> bool {
        parse(cursor).is_some_and(|(key, _)| self.0.get(&key).is_some())
    }
}

fn parse(cursor: &str) -> Option<(Key, usize)> {
    let mut parts = cursor.splitn(3, '.').map(|part| u64::from_str_radix(part, 16).ok());
    let (generation, hash, start) = (parts.next()??, parts.next()??, parts.next()??);
    Some(((generation, hash), usize::try_from(start).ok()?))
}

fn fingerprint(question: &Question, list: &List) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{question:?}").hash(&mut hasher);
    for row in &list.rows {
        row.movie.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MovieId;

    fn list(n: u32) -> List {
        let row = |id| Row { movie: MovieId(id), score: 1.0, method: "x", sources: Vec::new(), people: Vec::new() };
        List { rows: (0..n).map(row).collect(), tastes: Vec::new(), asked: None, cold_start: true }
    }

    fn page(n: usize, cursor: Option<String>) -> Page {
        Page { n, cursor, explain: false }
    }

    #[test]
    fn pages_join_to_the_whole_list() {
        let (pages, question) = (Pages::default(), Question::default());
        let (mut cursor, mut seen) = (None, Vec::new());
        loop {
            let first = cursor.is_none();
            let cut = pages
                .cut(7, (&question, &page(3, cursor)), || if first { Ok(list(8)) } else { panic!("made twice") })
                .unwrap();
            seen.extend(cut.rows().iter().map(|row| row.movie.0));
            cursor = cut.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn cursors_of_other_generations_questions_and_hands_are_refused() {
        let (pages, question) = (Pages::default(), Question::default());
        let cursor = pages.cut(7, (&question, &page(3, None)), || Ok(list(8))).unwrap().next.unwrap();
        let ask = |generation, question: &Question, cursor: &str| {
            pages.cut(generation, (question, &page(3, Some(cursor.to_owned()))), || Ok(list(8))).err()
        };
        assert!(matches!(ask(8, &question, &cursor), Some(EngineError::CursorExpired)));
        let other = Question { liked: vec![MovieId(1)], ..Question::default() };
        assert!(matches!(ask(7, &other, &cursor), Some(EngineError::Unfit(_))));
        for forged in ["", "x", "7", "7.1", "7.1.z", "7.1.2.3"] {
            assert!(ask(7, &question, forged).is_some(), "{forged}");
        }
        assert!(matches!(ask(7, &question, "7.1.2"), Some(EngineError::CursorExpired)));
        assert!(ask(7, &question, &cursor).is_none());
    }
}
