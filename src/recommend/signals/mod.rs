//! Signals: cheap scores of the whole catalogue for one person, which the hybrid ranks by together.
//!
//! Each is fitted once on the ratings and reads the person's live history at the time of asking, so that a rating counts
//! at once and people the fit has never seen are answered like all others. A signal writes one number per movie, higher
//! is better, 0 where it knows nothing.

mod als;
mod ease;
mod genre_profile;
mod item_neighbors;
mod preference;
mod profile;
mod recent;
mod rp3beta;
mod sequential_rules;
#[cfg(test)]
mod tests;
mod timeline;
mod user_knn;

pub use als::Als;
pub use ease::Ease;
pub use genre_profile::GenreProfile;
pub use item_neighbors::NeighborSignal;
pub use preference::{PreferenceScale, Preferences};
pub use profile::{Profile, ProfileItem};
pub use recent::Recent;
pub use rp3beta::Rp3Beta;
pub use sequential_rules::SequentialRules;
pub use timeline::{HALF_LIVES_DAYS, Moment, Timeline};
pub use user_knn::UserKnn;

/// A score of every movie from a person's history.
pub trait Signal: Send + Sync {
    /// Public name, as in reports and explanations.
    fn name(&self) -> &'static str;

    /// Adds the score of every movie to `scores`, which has one slot per movie of the catalogue.
    fn add_scores(&self, profile: &Profile, scores: &mut [f32]);
}
