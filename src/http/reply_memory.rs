//! Replies about titles and prompts that were given before. Such a reply depends on nothing but the question and the
//! generation that answers, so that the same question to the same generation has the same reply, and costs no work.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Body as _, Bytes};
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode, Uri};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::respond::{Reply, set_header};
use super::route::Route;

/// All that is kept, at most.
const MAX_BYTES: u64 = 8 << 20;
/// What a reply takes beside its question and body: headers and tables.
const OVERHEAD_BYTES: usize = 1024;
/// Longer questions are hardly asked twice.
const MAX_QUESTION_BYTES: usize = 1024;

/// A question to one generation under one set of limits: path and query as they were sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    generation: u64,
    settings: u64,
    question: String,
}

struct Kept {
    headers: HeaderMap,
    body: Full<Bytes>,
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<Asked, Arc<Kept>> for Bytewise {
    fn weight(&self, asked: &Asked, kept: &Arc<Kept>) -> u64 {
        (asked.question.len() + OVERHEAD_BYTES) as u64 + kept.body.size_hint().lower()
    }
}

pub(super) struct ReplyMemory(Cache<Asked, Arc<Kept>, Bytewise>);

impl Default for ReplyMemory {
    fn default() -> Self {
        Self(Cache::with_weighter(MAX_BYTES as usize / (4 * OVERHEAD_BYTES), MAX_BYTES, Bytewise))
    }
}

impl ReplyMemory {
    /// What to look up for a request; `None` for one whose reply depends on more, or that is too long.
    pub(super) fn asked(route: Route, uri: &Uri, (generation, settings): (u64, u64)) -> Option<Asked> {
        let question = uri.path_and_query()?.as_str();
        let fits = route.depends_on_generation_alone() && question.len() <= MAX_QUESTION_BYTES;
        fits.then(|| Asked { generation, settings, question: question.to_owned() })
    }

    /// The reply given before.
    pub(super) fn get(&self, asked: &Asked) -> Option<Reply> {
        let kept = self.0.get(asked);
        let outcome = if kept.is_some() { "hit" } else { "miss" };
        metrics::counter!("marquee_remembered_replies_total", "outcome" => outcome).increment(1);
        let kept = kept?;
        let mut reply = Response::new(kept.body.clone());
        *reply.headers_mut() = kept.headers.clone();
        set_header(&mut reply, "server-timing", "cache;desc=\"hit\", queue;dur=0.000, answer;dur=0.000");
        Some(reply)
    }

    /// Keeps a good reply of the generation that was asked: another may have come while the question was on its way.
    pub(super) fn keep(&self, asked: Asked, reply: &Reply) {
        let generation = reply.headers().get("x-marquee-generation");
        let is_same = generation.is_some_and(|generation| *generation == asked.generation.to_string());
        if reply.status() == StatusCode::OK && is_same {
            self.0.insert(asked, Arc::new(Kept { headers: reply.headers().clone(), body: reply.body().clone() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(path: &str) -> Uri {
        path.parse().unwrap()
    }

    fn reply(body: String, generation: u64) -> Reply {
        let mut reply = Response::new(Full::new(Bytes::from(body)));
        set_header(&mut reply, "x-marquee-generation", &generation.to_string());
        reply
    }

    #[test]
    fn the_same_question_to_the_same_generation_has_the_same_reply() {
        let memory = ReplyMemory::default();
        let asked = |path, generation| ReplyMemory::asked(Route::Search, &uri(path), (generation, 0)).unwrap();
        memory.keep(asked("/v1/search?prompt=a", 3), &reply("first".to_owned(), 3));
        let known = memory.get(&asked("/v1/search?prompt=a", 3)).unwrap();
        assert_eq!(known.headers()["x-marquee-generation"], "3");
        assert_eq!(known.body().size_hint().exact(), Some(5));
        assert!(memory.get(&asked("/v1/search?prompt=a", 4)).is_none(), "another generation");
        assert!(memory.get(&asked("/v1/search?prompt=a&n=5", 3)).is_none(), "another question");
        let later = ReplyMemory::asked(Route::Search, &uri("/v1/search?prompt=a"), (3, 1)).unwrap();
        assert!(memory.get(&later).is_none(), "other limits");
    }

    #[test]
    fn replies_of_another_generation_and_failures_are_not_kept() {
        let memory = ReplyMemory::default();
        let asked = ReplyMemory::asked(Route::Titles, &uri("/v1/titles?prefix=a"), (3, 0)).unwrap();
        memory.keep(asked.clone(), &reply("late".to_owned(), 4));
        let mut failed = reply("failed".to_owned(), 3);
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        memory.keep(asked.clone(), &failed);
        assert!(memory.get(&asked).is_none());
    }

    #[test]
    fn what_may_change_within_a_generation_and_long_questions_are_not_asked_for() {
        for (route, path) in [(Route::UserRecommend, "/user_recommend/1"), (Route::Readyz, "/readyz")] {
            assert!(ReplyMemory::asked(route, &uri(path), (3, 0)).is_none());
        }
        let long = format!("/v1/search?prompt={}", "a".repeat(MAX_QUESTION_BYTES));
        assert!(ReplyMemory::asked(Route::Search, &uri(&long), (3, 0)).is_none());
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let memory = ReplyMemory::default();
        for number in 0..5_000 {
            let path = format!("/v1/search?prompt={number}");
            let asked = ReplyMemory::asked(Route::Search, &uri(&path), (3, 0)).unwrap();
            memory.keep(asked, &reply("x".repeat(4_000), 3));
        }
        assert!(memory.0.len() > 100);
        assert!(memory.0.weight() <= MAX_BYTES);
    }
}
