//! A signal of the newest ratings alone: what the person is up to now.
//!
//! Each rating weighs less the more were given after it, as in time-weighted collaborative filtering (Ding and Li 2005,
//! "Time Weight Collaborative Filtering"), but by number, not by days: people come at their own pace.

use std::sync::Arc;

use super::{Profile, Signal};

/// A signal that sums over the history, on faded preferences.
pub struct Recent {
    signal: Arc<dyn Signal>,
    name: &'static str,
}

impl Recent {
    /// Asks this signal.
    pub fn new(signal: Arc<dyn Signal>, name: &'static str) -> Self {
        Self { signal, name }
    }
}

impl Signal for Recent {
    fn name(&self) -> &'static str {
        self.name
    }

    fn add_scores(&self, profile: &Profile, scores: &mut [f32]) {
        let items = profile.recent().collect();
        self.signal.add_scores(&Profile { items, ..*profile }, scores);
    }
}
