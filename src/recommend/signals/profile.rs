//! A person in the terms of one fitted catalogue: where every signal starts from.

use super::PreferenceScale;
use crate::domain::{Catalogue, ItemIdx, Query, RatingMatrix, UserIdx};

/// Later ratings after which a rating says half as much of what the person is up to now.
const HALF_LIFE_RATINGS: f32 = 4.0;
/// What is left when a rating is no longer recent.
const LEAST_RECENCY: f32 = 0.05;

/// A film of the person's history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProfileItem {
    /// The movie.
    pub item: ItemIdx,
    /// The rating as given.
    pub rating: f32,
    /// What it weighs.
    pub preference: f32,
    /// When it was given, in seconds since 1970.
    pub timestamp: i64,
    /// How much of it is left after the ratings given since: 2^(−n/4) for n later ones.
    pub recency: f32,
}

/// A person's history at a time of asking.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The person's row among the fitted ratings, so that nobody becomes a neighbour of theirs.
    pub user: Option<UserIdx>,
    /// The history by movie row, each movie once.
    pub items: Vec<ProfileItem>,
    /// The time of asking, in seconds since 1970.
    pub asked_at: i64,
}

impl Profile {
    /// Longest history that is read, the newest ratings: more says nothing new and takes time.
    pub const LONGEST: usize = 2_000;

    /// Reads a query. Movies outside the catalogue are left out; of a movie given twice the last counts.
    pub fn of(query: &Query, catalogue: &Catalogue, ratings: &RatingMatrix) -> Self {
        let scale = PreferenceScale::of(ratings);
        let known = query.history.iter().filter_map(|rated| {
            let (item, rating) = (catalogue.item_idx(rated.movie)?, rated.rating.value());
            Some(ProfileItem {
                item,
                rating,
                preference: scale.preference(rating),
                timestamp: rated.timestamp,
                recency: 1.0,
            })
        });
        let mut items: Vec<ProfileItem> = known.collect();
        if items.len() > Self::LONGEST {
            items.sort_by_key(|rated| std::cmp::Reverse(rated.timestamp));
            items.truncate(Self::LONGEST);
        }
        items.reverse();
        items.sort_by_key(|rated| rated.item);
        items.dedup_by_key(|rated| rated.item);
        fade(&mut items);
        let user = query.user.and_then(|user| ratings.user_idx(user));
        Self { user, items, asked_at: query.asked_at.unwrap_or(ratings.newest()) }
    }

    /// What the person rated last, its preference faded.
    pub fn recent(&self) -> impl Iterator<Item = ProfileItem> {
        let recent = self.items.iter().filter(|rated| rated.recency >= LEAST_RECENCY);
        recent.map(|rated| ProfileItem { preference: rated.preference * rated.recency, ..*rated })
    }

    /// Time of the newest rating of the history; the time of asking when there is none.
    pub fn last_seen(&self) -> i64 {
        self.items.iter().map(|rated| rated.timestamp).max().unwrap_or(self.asked_at)
    }
}

/// Sets what is left of each; of ratings of the same second none is later.
fn fade(items: &mut [ProfileItem]) {
    let mut times: Vec<i64> = items.iter().map(|rated| rated.timestamp).collect();
    times.sort_unstable();
    for rated in items {
        let n_later = times.len() - times.partition_point(|&time| time <= rated.timestamp);
        rated.recency = (-(n_later as f32) / HALF_LIFE_RATINGS).exp2();
    }
}
