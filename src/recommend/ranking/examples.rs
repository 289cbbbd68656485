//! What the ranker learns from: the system's own past, cut at several times, and what people liked afterwards.
//!
//! * The end of everybody's own history is held out, and each person asked about at their last remaining rating.
//! * The common history is cut at several times; each person active on both sides is asked about at the cut.
//! * Some people are held out altogether and asked about after their first few ratings: newcomers.
//!
//! The signals are fitted anew for every window, on what was known then.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::features::Row;
use super::fitted::{FittedSignals, SignalOptions};
use crate::domain::{Catalogue, Interaction, MovieId, Query, RatedMovie, RatingMatrix, UserId, user_temporal};
use crate::math::Random;
use crate::recommend::signals::PreferenceScale;

/// Share of everybody's own history that is held out.
const HELD_OUT_SHARE: f64 = 0.2;
/// Places in the common history, by share of the ratings, where it is cut.
const CUTS: [f64; 7] = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// Every such person is held out as a newcomer.
const NEWCOMER_STEP: usize = 5;
/// Ratings that newcomers have when they ask.
const NEWCOMER_HISTORIES: [usize; 4] = [1, 3, 5, 10];
/// Ratings that the past is made of, at most: above, it is that of some of the people, evenly spread. The signals are
/// fitted on it nine times over, which for many movies takes minutes: they share fewer ratings, down to the lower bound.
const MAX_RATINGS: (usize, usize) = (500_000, 1_500_000);
/// Ratings times movies, at most, between those bounds.
const MAX_RATINGS_BY_MOVIES: usize = 10_000_000_000;
/// Queries of one window, at most: more take time and teach little.
const MAX_QUERIES: usize = 1_500;

/// Candidates of many queries, with what became of them.
#[derive(Clone, Debug, Default)]
pub struct RankingExamples {
    /// Features of all candidates, query by query.
    pub rows: Vec<Row>,
    /// Whether the person rated the candidate well afterwards.
    pub liked: Vec<bool>,
    /// Candidates of each query.
    pub sizes: Vec<usize>,
    /// Window of each query: 0 = the end of the own history, 1 … = the cuts in time order, last = newcomers.
    pub windows: Vec<u8>,
}

/// One window: what was known, and who asked.
#[derive(Default)]
struct Past {
    known: Vec<Interaction>,
    askers: Vec<Asker>,
}

/// A person asking at some time of the past.
struct Asker {
    query: Query,
    liked: HashSet<MovieId>,
}

impl RankingExamples {
    /// Cuts the history of these ratings. `go_on` is told how many of how many windows are done, and ends it by saying no;
    /// then there are no examples.
    pub fn collect(
        catalogue: &Arc<Catalogue>,
        ratings: &RatingMatrix,
        options: SignalOptions,
        go_on: &dyn Fn(usize, usize) -> bool,
    ) -> Option<Self> {
        let max_ratings = (MAX_RATINGS_BY_MOVIES / catalogue.len().max(1)).clamp(MAX_RATINGS.0, MAX_RATINGS.1);
        let step = ratings.step_for(max_ratings);
        let interactions: Vec<Interaction> = ratings.interactions_of_every(step, catalogue.vocabulary()).collect();
        let scale = PreferenceScale::of(ratings);
        let n_windows = CUTS.len() + 2;
        let mut examples = Self::default();
        for window in 0..n_windows {
            if !go_on(window, n_windows) {
                return None;
            }
            let past = match window {
                0 => own_ends(&interactions, scale),
                _ if window <= CUTS.len() => cut(&interactions, CUTS[window - 1], scale),
                _ => newcomers(&interactions, scale),
            };
            if !past.askers.is_empty() && !past.known.is_empty() {
                let ratings = Arc::new(RatingMatrix::new(catalogue.vocabulary(), past.known));
                let go_on = || go_on(window, n_windows);
                let signals = FittedSignals::fit_unless_stopped(Arc::clone(catalogue), ratings, options, &go_on)?;
                examples.add_window(&signals, &past.askers, window as u8);
            }
        }
        Some(examples)
    }

    fn add_window(&mut self, signals: &FittedSignals, askers: &[Asker], window: u8) {
        let catalogue = signals.catalogue();
        let step = askers.len().div_ceil(MAX_QUERIES);
        let chosen: Vec<&Asker> = askers.iter().step_by(step.max(1)).collect();
        let described: Vec<_> = chosen.par_iter().map(|asker| signals.candidates(&asker.query, &[])).collect();
        for (asker, candidates) in chosen.into_iter().zip(described) {
            let liked: Vec<bool> =
                candidates.items.iter().map(|&item| asker.liked.contains(&catalogue.movie(item).id)).collect();
            // Without a liked candidate there is nothing to learn about their order.
            if liked.contains(&true) {
                self.sizes.push(liked.len());
                self.windows.push(window);
                self.rows.extend(candidates.rows);
                self.liked.extend(liked);
            }
        }
    }

    /// Number of queries.
    pub fn n_queries(&self) -> usize {
        self.sizes.len()
    }
}

fn own_ends(interactions: &[Interaction], scale: PreferenceScale) -> Past {
    let split = user_temporal(interactions, HELD_OUT_SHARE);
    let askers = askers(&split.train, &split.test, scale, None);
    Past { known: split.train, askers }
}

fn cut(interactions: &[Interaction], share: f64, scale: PreferenceScale) -> Past {
    let mut times: Vec<i64> = interactions.iter().map(|event| event.timestamp).collect();
    times.sort_unstable();
    let Some(&cut) = times.get((times.len() as f64 * share) as usize) else { return Past::default() };
    let (known, later): (Vec<Interaction>, Vec<Interaction>) =
        interactions.iter().partition(|event| event.timestamp < cut);
    let newest = known.iter().map(|event| event.timestamp).max();
    let askers = askers(&known, &later, scale, newest);
    Past { known, askers }
}

fn newcomers(interactions: &[Interaction], scale: PreferenceScale) -> Past {
    let mut sorted = interactions.to_vec();
    sorted.sort_by_key(|event| (event.user, event.timestamp, event.movie));
    let mut known = Vec::new();
    let mut askers = Vec::new();
    for (number, of_user) in sorted.chunk_by(|left, right| left.user == right.user).enumerate() {
        if number % NEWCOMER_STEP != 0 {
            known.extend_from_slice(of_user);
            continue;
        }
        let length = NEWCOMER_HISTORIES[number / NEWCOMER_STEP % NEWCOMER_HISTORIES.len()];
        if of_user.len() > length {
            let (first, later) = of_user.split_at(length);
            askers.extend(asker(first, later, scale, None));
        }
    }
    Past { known, askers }
}

/// Everybody who has a history and liked something later, in a seeded random order.
fn askers(known: &[Interaction], later: &[Interaction], scale: PreferenceScale, asked_at: Option<i64>) -> Vec<Asker> {
    let by_user = |events: &[Interaction]| {
        let mut by_user: HashMap<UserId, Vec<Interaction>> = HashMap::new();
        for event in events {
            by_user.entry(event.user).or_default().push(*event);
        }
        by_user
    };
    let (known, later) = (by_user(known), by_user(later));
    let mut users: Vec<UserId> = later.keys().copied().filter(|user| known.contains_key(user)).collect();
    users.sort_unstable();
    Random::new(users.len() as u64).shuffle(&mut users);
    users.iter().filter_map(|user| asker(&known[user], &later[user], scale, asked_at)).collect()
}

fn asker(
    history: &[Interaction],
    later: &[Interaction],
    scale: PreferenceScale,
    asked_at: Option<i64>,
) -> Option<Asker> {
    let liked: HashSet<MovieId> =
        later.iter().filter(|event| scale.is_liked(event.rating.value())).map(|event| event.movie).collect();
    let rated =
        |event: &Interaction| RatedMovie { movie: event.movie, rating: event.rating, timestamp: event.timestamp };
    let last = history.iter().map(|event| event.timestamp).max()?;
    let query = Query {
        user: history.first().map(|event| event.user),
        history: history.iter().map(rated).collect(),
        asked_at: Some(asked_at.unwrap_or(last)),
        ..Query::default()
    };
    (!liked.is_empty()).then_some(Asker { query, liked })
}
