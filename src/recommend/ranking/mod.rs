//! The two-stage hybrid: many cheap signals propose candidates, a ranker orders them from what the signals and the
//! time of asking say.

mod cascade;
mod features;
mod fitted;

pub use cascade::Cascade;
pub use features::{FEATURES, Feature, N_FEATURES, Row};
pub use fitted::{Candidates, FittedSignals, SignalOptions};
