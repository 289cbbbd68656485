//! Answers for people that were given before. Each generation has a memory of its own, which goes with it: nothing that
//! an answer depends on changes within a generation but what people rated, and that is part of what is looked up.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::question::{Question, Recommendations, RecommendedMovie};
use crate::domain::RatedMovie;

/// All that is kept, at most.
const MAX_BYTES: u64 = 8 << 20;
/// What an answer takes beside its movies.
const OVERHEAD_BYTES: usize = 1024;

pub(super) struct AnswerMemory(Cache<u64, Arc<Kept>, Bytewise>);

struct Kept {
    asked: Asked,
    answer: Recommendations,
}

/// A question whose time of asking is one that tells answers apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) n: usize,
    /// Whether further pages may be asked for.
    pub(super) has_pages: bool,
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<u64, Arc<Kept>> for Bytewise {
    fn weight(&self, _: &u64, kept: &Arc<Kept>) -> u64 {
        let Question { excluded, liked, disliked, rated, .. } = &kept.asked.question;
        let n_named = excluded.len() + liked.len() + disliked.len() + 2 * rated.len();
        (kept.answer.movies.len() * size_of::<RecommendedMovie>() + n_named * 4 + OVERHEAD_BYTES) as u64
    }
}

impl Default for AnswerMemory {
    fn default() -> Self {
        Self(Cache::with_weighter(MAX_BYTES as usize / (2 * OVERHEAD_BYTES), MAX_BYTES, Bytewise))
    }
}

impl Asked {
    /// What to look up, for people with these histories.
    pub(super) fn key<'a>(&self, histories: impl Iterator<Item = &'a [RatedMovie]>) -> u64 {
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

impl AnswerMemory {
    /// The answer given before.
    pub(super) fn get(&self, key: u64, asked: &Asked) -> Option<Recommendations> {
        let kept = self.0.get(&key).filter(|kept| kept.asked == *asked);
        let outcome = if kept.is_some() { "hit" } else { "miss" };
        metrics::counter!("marquee_remembered_answers_total", "outcome" => outcome).increment(1);
        Some(kept?.answer.clone())
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, key: u64, asked: Asked, answer: &Recommendations) {
        self.0.insert(key, Arc::new(Kept { asked, answer: answer.clone() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MovieId, Rating, UserId};

    fn asked(user: u32, n: usize) -> Asked {
        let question = Question { people: vec![UserId(user)], ..Question::default() };
        Asked { question, n, has_pages: false }
    }

    fn rated(value: f32) -> RatedMovie {
        RatedMovie { movie: MovieId(1), rating: Rating::new(value).unwrap(), timestamp: 7 }
    }

    fn answer(next: &str) -> Recommendations {
        Recommendations { movies: Vec::new(), cold_start: false, prompt: None, next: Some(next.to_owned()) }
    }

    #[test]
    fn question_length_and_history_tell_answers_apart() {
        let memory = AnswerMemory::default();
        let history = [rated(4.0)];
        let key = |asked: &Asked, history: &[RatedMovie]| asked.key([history].into_iter());
        memory.keep(key(&asked(1, 10), &history), asked(1, 10), &answer("first"));
        let get = |asked: &Asked, history: &[RatedMovie]| memory.get(key(asked, history), asked);
        assert_eq!(get(&asked(1, 10), &history).unwrap().next.as_deref(), Some("first"));
        assert!(get(&asked(2, 10), &history).is_none(), "another person");
        assert!(get(&asked(1, 11), &history).is_none(), "another length");
        assert!(get(&Asked { has_pages: true, ..asked(1, 10) }, &history).is_none());
        assert!(get(&asked(1, 10), &[rated(3.5)]).is_none(), "rated anew");
        assert!(get(&asked(1, 10), &[]).is_none());
        assert!(get(&asked(1, 10), &[rated(4.0), rated(4.0)]).is_none());
    }

    #[test]
    fn a_key_that_two_questions_share_gives_neither_the_answer_of_the_other() {
        let memory = AnswerMemory::default();
        memory.keep(5, asked(1, 10), &answer("first"));
        assert!(memory.get(5, &asked(2, 10)).is_none());
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let memory = AnswerMemory::default();
        for user in 0..30_000 {
            let asked = asked(user, 10);
            memory.keep(asked.key(std::iter::empty()), asked, &answer("x"));
        }
        assert!(memory.0.len() > 1_000);
        assert!(memory.0.weight() <= MAX_BYTES);
    }
}
