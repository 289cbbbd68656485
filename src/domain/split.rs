//! Splits of interactions into training and test: for evaluation, and for learning from one's own past.

use std::collections::HashSet;

use super::{Interaction, UserId};
use crate::math::Random;

/// Training and test interactions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// What may be fitted.
    pub train: Vec<Interaction>,
    /// What is predicted.
    pub test: Vec<Interaction>,
}

/// The last `share` of everybody's ratings, at least one, are the test; ties in time go by movie id.
pub fn user_temporal(interactions: &[Interaction], share: f64) -> Split {
    let mut sorted = interactions.to_vec();
    sorted.sort_by_key(|event| (event.user, event.timestamp, event.movie));
    let mut split = Split::default();
    for of_user in sorted.chunk_by(|left, right| left.user == right.user) {
        let n_test = ((share * of_user.len() as f64).floor() as usize).max(1);
        let (train, test) = of_user.split_at(of_user.len() - n_test);
        split.train.extend_from_slice(train);
        split.test.extend_from_slice(test);
    }
    split
}

/// Everything from the time on at which all but `share` of the ratings had been given is the test, as far as it is of
/// people with training ratings.
pub fn global_temporal(interactions: &[Interaction], share: f64) -> Split {
    let mut times: Vec<i64> = interactions.iter().map(|event| event.timestamp).collect();
    times.sort_unstable();
    let cut_place = (times.len() as f64 * (1.0 - share)).round() as usize;
    let Some(&cut) = times.get(cut_place.min(times.len().saturating_sub(1))) else { return Split::default() };
    let (train, mut test): (Vec<Interaction>, Vec<Interaction>) =
        interactions.iter().partition(|event| event.timestamp < cut);
    let known: HashSet<UserId> = train.iter().map(|event| event.user).collect();
    test.retain(|event| known.contains(&event.user));
    Split { train, test }
}

/// `k` splits of which each interaction is in the test of exactly one; shuffled by `seed`.
pub fn folds(interactions: &[Interaction], k: usize, seed: u64) -> Vec<Split> {
    let mut order: Vec<usize> = (0..interactions.len()).collect();
    Random::new(seed).shuffle(&mut order);
    let mut fold_of = vec![0; interactions.len()];
    for (place, &index) in order.iter().enumerate() {
        fold_of[index] = place % k;
    }
    (0..k)
        .map(|fold| {
            let mut split = Split::default();
            for (event, &own) in interactions.iter().zip(&fold_of) {
                if own == fold { &mut split.test } else { &mut split.train }.push(*event);
            }
            split
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MovieId, Rating};

    fn event(user: u32, movie: u32, timestamp: i64) -> Interaction {
        Interaction { user: UserId(user), movie: MovieId(movie), rating: Rating::new(4.0).unwrap(), timestamp }
    }

    fn movies(events: &[Interaction]) -> Vec<(u32, u32)> {
        events.iter().map(|event| (event.user.0, event.movie.0)).collect()
    }

    #[test]
    fn everybody_gives_their_last_ones() {
        let events: Vec<Interaction> =
            (0..10).map(|n| event(1, n, i64::from(100 - n))).chain([event(2, 7, 5), event(2, 3, 5)]).collect();
        let split = user_temporal(&events, 0.2);
        assert_eq!(movies(&split.test), [(1, 1), (1, 0), (2, 7)]);
        assert_eq!(split.train.len(), 9);
    }

    #[test]
    fn a_cut_in_time_leaves_newcomers_out() {
        let events: Vec<Interaction> = (0..8).map(|n| event(1, n, i64::from(n))).chain([event(1, 8, 8)]).collect();
        let with_newcomer: Vec<Interaction> = events.into_iter().chain([event(2, 1, 9)]).collect();
        let split = global_temporal(&with_newcomer, 0.2);
        assert_eq!(split.train.len(), 8);
        assert_eq!(movies(&split.test), [(1, 8)]);
        assert_eq!(global_temporal(&[], 0.2), Split::default());
    }

    #[test]
    fn folds_share_the_ratings_out() {
        let events: Vec<Interaction> = (0..23).map(|n| event(n, n, 0)).collect();
        let splits = folds(&events, 5, 42);
        let mut tested: Vec<u32> = splits.iter().flat_map(|split| &split.test).map(|event| event.user.0).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..23).collect::<Vec<_>>());
        assert!(splits.iter().all(|split| split.train.len() + split.test.len() == 23 && split.test.len() >= 4));
        assert_eq!(splits, folds(&events, 5, 42));
        assert_ne!(splits, folds(&events, 5, 43));
    }
}
