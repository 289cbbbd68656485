//! Answers before anybody asks: what people are told who ask for nothing in particular, and the movies like a given one, are
//! made while the machine has nothing better to do, so that the first to ask waits no longer than the second.
//!
//! Whoever has just rated something comes first. Then, for a generation that has settled, people by how lately they rated
//! and movies by how many rated them, as far as there is room in memory and within a bound of time.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::Shared;
use super::answers::prepare;
use super::desk::Desk;
use super::lane::Stop;
use super::search::prepare_neighbours;
use super::snapshot::Snapshot;
use super::status::{Part, PartState};
use super::threads::Threads;
use super::throttle::Throttle;
use crate::domain::{ItemIdx, MovieId, UserId};
use crate::math::top_k;

/// How often to look whether another generation has come.
const LOOK: Duration = Duration::from_secs(1);
/// A generation this old has settled: models come one after the other at a start.
const SETTLED: Duration = Duration::from_secs(2);
/// Work that one generation is worth, at most. Of a large catalogue the best-known part is prepared.
const LONGEST: Duration = Duration::from_mins(1);
/// People whose ratings have changed that are remembered, at most; the others wait until they ask.
const MAX_RATED: usize = 1_024;
/// People and movies that are looked at for one generation, at most: more than there is room for.
const MAX_PLANNED: usize = 100_000;

/// People who have just rated something.
#[derive(Debug, Default)]
pub(super) struct Preparation {
    rated: Mutex<Rated>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rated {
    people: HashSet<UserId>,
    stop: bool,
}

impl Preparation {
    /// The ratings of a person have changed.
    pub(super) fn note(&self, user: UserId) {
        let mut rated = self.lock();
        if rated.people.len() < MAX_RATED {
            rated.people.insert(user);
        }
        self.changed.notify_all();
    }

    /// Ends the waiting for good.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    /// People who rated since the last call, waiting for them at most so long; `None`: it is time to stop.
    fn next(&self, patience: Duration) -> Option<Vec<UserId>> {
        let is_quiet = |rated: &mut Rated| rated.people.is_empty() && !rated.stop;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_quiet);
        let mut rated = waited.unwrap_or_else(PoisonError::into_inner).0;
        (!rated.stop).then(|| rated.people.drain().collect())
    }

    fn lock(&self) -> MutexGuard<'_, Rated> {
        self.rated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom or what an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Person(UserId),
    Movie(MovieId),
}

/// What is to be prepared for one generation.
struct Plan<'a> {
    generation: u64,
    since: Instant,
    worked: Duration,
    throttle: Throttle<'a>,
    /// The last first.
    left: Option<Vec<For>>,
}

/// Prepares until the daemon stops.
pub(super) fn run(shared: &Arc<Shared>, threads: &Arc<Threads>, stop: &Stop) {
    let mut plan = Plan::of(0, shared);
    let mut patience = LOOK;
    while let Some(rated) = shared.preparation.next(patience) {
        let Some(snapshot) = shared.cell.load() else { continue };
        if snapshot.generation != plan.generation {
            plan = Plan::of(snapshot.generation, shared);
        }
        let mut batch: Vec<For> = rated.into_iter().map(For::Person).collect();
        // What is learning would have all of it made anew.
        if plan.since.elapsed() > SETTLED && !is_learning(shared) {
            plan.fill(&mut batch, &snapshot, stop);
        }
        patience = if batch.is_empty() { LOOK } else { Duration::ZERO };
        let started = Instant::now();
        let desk = Desk { snapshot, shared: Arc::clone(shared), threads: Arc::clone(threads) };
        threads.run(|| batch.par_iter().for_each(|&what| prepare_one(&desk, what)));
        plan.worked += started.elapsed();
    }
}

fn is_learning(shared: &Shared) -> bool {
    let is_learning = |part| matches!(shared.status.part(part), PartState::Waiting | PartState::Building { .. });
    [Part::Hybrid, Part::RatingModel].into_iter().any(is_learning)
}

/// What goes wrong is told to whoever asks; here it is passed over.
fn prepare_one(desk: &Desk, what: For) {
    let prepared = catch_unwind(AssertUnwindSafe(|| match what {
        For::Person(user) => ("person", prepare(desk, user)),
        For::Movie(movie) => ("movie", prepare_neighbours(desk, movie)),
    }));
    match prepared {
        Ok((kind, Ok(true))) => metrics::counter!("marquee_prepared_answers_total", "for" => kind).increment(1),
        Ok(_) => {}
        Err(_) => tracing::error!("preparing an answer was broken off by a defect"),
    }
}

impl<'a> Plan<'a> {
    fn of(generation: u64, shared: &'a Shared) -> Self {
        let throttle = Throttle::new(&shared.requests, shared.settings.inference.embedding_share);
        Self { generation, since: Instant::now(), worked: Duration::ZERO, throttle, left: None }
    }

    /// Adds what comes next, making way for requests.
    fn fill(&mut self, batch: &mut Vec<For>, snapshot: &Snapshot, stop: &Stop) {
        let left = self.left.get_or_insert_with(|| planned(snapshot));
        if left.is_empty() || self.worked > LONGEST {
            // Its room too: of a large catalogue it is a megabyte.
            *left = Vec::new();
            return;
        }
        let n = batch.len() + self.throttle.next_batch(stop);
        while batch.len() < n {
            match left.pop() {
                Some(For::Person(_)) if snapshot.lists.is_full() => {}
                Some(For::Movie(_)) if snapshot.similar.is_full() => {}
                Some(next) => batch.push(next),
                None => return,
            }
        }
    }
}

/// People and movies in turns, those who come first last.
fn planned(snapshot: &Snapshot) -> Vec<For> {
    let base = &snapshot.base;
    let by_user = |user: &UserId| {
        let newest = base.ratings.user_idx(*user).and_then(|row| base.ratings.history(row).map(|(_, _, at)| at).max());
        Reverse(newest)
    };
    let mut people: Vec<(_, UserId)> = base.ratings.users().ids().iter().map(|user| (by_user(user), *user)).collect();
    people = top_k(people, MAX_PLANNED, Ord::cmp);
    let n_raters = |item: ItemIdx| Reverse(base.ratings.by_item().row(item.row()).0.len());
    let items = (0..base.catalogue.len() as u32).map(ItemIdx);
    let mut movies: Vec<(_, MovieId)> = items.map(|item| (n_raters(item), base.catalogue.movie(item).id)).collect();
    movies = top_k(movies, MAX_PLANNED, Ord::cmp);
    let (mut people, mut movies) = (people.into_iter(), movies.into_iter());
    let mut planned = Vec::with_capacity(people.len() + movies.len());
    while people.len() + movies.len() > 0 {
        planned.extend(people.next().map(|(_, user)| For::Person(user)));
        planned.extend(movies.next().map(|(_, movie)| For::Movie(movie)));
    }
    planned.reverse();
    planned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::loader;
    use crate::recommend::sample;

    #[test]
    fn who_rated_last_and_what_most_rated_come_first_and_nobody_twice() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let (base, interim) = loader::fit(&catalogue, &ratings);
        let snapshot = Snapshot::first(Arc::new(base), interim);
        let mut planned = planned(&snapshot);
        planned.reverse();
        let newest = |user: UserId| ratings.history(ratings.user_idx(user).unwrap()).map(|(_, _, at)| at).max();
        let people: Vec<_> = planned
            .iter()
            .filter_map(|what| if let For::Person(user) = what { Some(newest(*user)) } else { None })
            .collect();
        assert_eq!(people.len(), ratings.users().len());
        assert!(people.is_sorted_by(|one, next| one >= next));
        let n_raters = |movie: MovieId| ratings.by_item().row(catalogue.item_idx(movie).unwrap().row()).0.len();
        let movies: Vec<_> = planned
            .iter()
            .filter_map(|what| if let For::Movie(movie) = what { Some(n_raters(*movie)) } else { None })
            .collect();
        assert_eq!(movies.len(), catalogue.len());
        assert!(movies.is_sorted_by(|one, next| one >= next));
    }

    #[test]
    fn who_rated_is_told_once_and_the_wait_ends() {
        let preparation = Preparation::default();
        assert_eq!(preparation.next(Duration::ZERO), Some(Vec::new()));
        preparation.note(UserId(3));
        preparation.note(UserId(3));
        assert_eq!(preparation.next(Duration::from_mins(1)), Some(vec![UserId(3)]));
        for user in 0..2 * MAX_RATED as u32 {
            preparation.note(UserId(user));
        }
        assert_eq!(preparation.next(Duration::from_mins(1)).unwrap().len(), MAX_RATED);
        preparation.stop();
        assert_eq!(preparation.next(Duration::from_mins(1)), None);
    }
}
