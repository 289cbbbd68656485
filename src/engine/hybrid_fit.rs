//! Fits the hybrid from the snapshot's ratings, after the first answers: the signals at once, with a plain blend to order
//! what they propose; then the linear ranker, from the system's own past.

use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::lane::Stop;
use super::snapshot::{Base, FittedHybrid};
use super::status::{Part, PartState};
use crate::recommend::ranking::{FittedSignals, LinearRanker, RankingExamples, SignalOptions};

pub(super) fn fit(shared: &Shared, base: &Base, stop: &Stop) {
    let started = Instant::now();
    let building = |what, progress| shared.status.set_part(Part::Hybrid, PartState::Building { what, progress });
    building("fitting the signals", None);
    if base.ratings.is_empty() {
        let why = "nobody has rated anything yet".to_owned();
        shared.status.set_part(Part::Hybrid, PartState::Absent { why, required: false });
        return;
    }
    let options = SignalOptions::default();
    let n_ratings = base.ratings.len();
    if n_ratings > options.max_ratings || base.catalogue.len() > options.max_dense_items {
        let SignalOptions { max_ratings, max_dense_items } = options;
        tracing::info!(n_ratings, max_ratings, max_dense_items, "a large data set: the hybrid is fitted on a sample");
    }
    let signals = Arc::new(FittedSignals::fit(Arc::clone(&base.catalogue), Arc::clone(&base.ratings), options));
    let serve = |ranker: LinearRanker| {
        let hybrid = FittedHybrid { signals: Arc::clone(&signals), ranker: Arc::new(ranker) };
        shared.cell.update(|snapshot| snapshot.hybrid = Some(Arc::new(hybrid)));
    };
    serve(LinearRanker::fit(&RankingExamples::default()));
    let go_on = |done, all| {
        building("learning from the past", Some((done, all)));
        !stop.is_asked()
    };
    let Some(examples) = RankingExamples::collect(&base.catalogue, &base.ratings, options, &go_on) else { return };
    let n_queries = examples.n_queries();
    serve(LinearRanker::fit(&examples));
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(n_queries, seconds, "hybrid fitted");
    let words = format!("learnt from {n_queries} questions of the past");
    shared.status.set_part(Part::Hybrid, PartState::Ready(words));
}
