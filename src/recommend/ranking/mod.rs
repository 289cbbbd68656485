//! The two-stage hybrid: many cheap signals propose candidates, a ranker orders them from what the signals and the
//! time of asking say. The ranker has learnt from the system's own past ([`RankingExamples`]).

mod cascade;
mod examples;
mod features;
mod fitted;
mod hybrid;
mod linear;
#[cfg(test)]
mod tests;

pub use cascade::Cascade;
pub use examples::RankingExamples;
pub use features::{About, FEATURES, Feature, N_FEATURES, Row};
pub use fitted::{Candidates, FittedSignals, SignalOptions, SignalScorer};
pub use hybrid::{Explanation, Hybrid};
pub use linear::LinearRanker;
