//! Fits from the snapshot's ratings what takes longer than the first answers can wait: the signals of the hybrid, with a
//! plain blend to order what they propose; then the linear ranker, from the system's own past; then the rating model.

use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::lane::Stop;
use super::snapshot::{Base, FittedHybrid, Tastes};
use super::status::{Part, PartState, Status};
use crate::config::RatingPredictor;
use crate::recommend::ranking::{FittedSignals, LinearRanker, RankingExamples, SignalOptions};
use crate::recommend::{RatingBaseline, RatingFacts, RatingModel, RatingOptions};

/// Ratings above which the rating model takes too long to fit at every start; neighbours and the network predict then.
const MAX_MODELLED_RATINGS: usize = 2_000_000;

/// Fits both for the first time, each serving as soon as it is there.
pub(super) fn fit(shared: &Shared, base: &Arc<Base>, (stop, look_again): (&Stop, &(dyn Fn() + Sync))) {
    let of_base = Arc::downgrade(base);
    let mut baseline = None;
    fit_hybrid(
        &shared.status,
        base,
        (stop, &mut |fitted| {
            baseline = Some(fitted.signals.rating_baseline().clone());
            shared.cell.update_for(&of_base, |snapshot| snapshot.tastes = Tastes::Fitted(Arc::new(fitted)));
            // Trained rankers wait for candidates to be tried on.
            look_again();
        }),
    );
    if let Some(model) = fit_rating_model((&shared.status, shared.settings.predicted_rating), (base, baseline), stop) {
        shared.cell.update_for(&of_base, |snapshot| snapshot.rating_model = Some(Arc::new(model)));
    }
}

/// Hands over the signals with a plain blend, then with the ranker that learnt to order what they propose.
pub(super) fn fit_hybrid(status: &Status, base: &Base, (stop, serve): (&Stop, &mut dyn FnMut(FittedHybrid))) {
    if base.ratings.is_empty() {
        status.set_part(Part::Hybrid, nothing_rated());
        return;
    }
    let started = Instant::now();
    let building = |what, progress| status.set_part(Part::Hybrid, PartState::Building { what, progress });
    building("fitting the signals", None);
    let options = SignalOptions::default();
    let n_ratings = base.ratings.len();
    if n_ratings > options.max_ratings || base.catalogue.len() > options.max_dense_items {
        let SignalOptions { max_ratings, max_dense_items } = options;
        tracing::info!(
            n_ratings,
            max_ratings,
            max_dense_items,
            "a large data set: parts of the hybrid are fitted on a sample"
        );
    }
    let (catalogue, ratings) = (Arc::clone(&base.catalogue), Arc::clone(&base.ratings));
    let Some(signals) = FittedSignals::fit_unless_stopped(catalogue, ratings, options, &|| !stop.is_asked()) else {
        return;
    };
    let signals = Arc::new(signals);
    let mut serve =
        |ranker: LinearRanker| serve(FittedHybrid { signals: Arc::clone(&signals), ranker: Arc::new(ranker) });
    serve(LinearRanker::fit(&RankingExamples::default()));
    let go_on = |done, all| {
        building("learning from the past", Some((done, all)));
        !stop.is_asked()
    };
    let Some(examples) = RankingExamples::collect(&base.catalogue, &base.ratings, options, &go_on) else { return };
    let n_queries = examples.n_queries();
    serve(LinearRanker::fit(&examples));
    tracing::info!(n_queries, seconds = started.elapsed().as_secs_f64(), "hybrid fitted");
    status.set_part(Part::Hybrid, PartState::Ready(format!("learnt from {n_queries} questions of the past")));
}

fn nothing_rated() -> PartState {
    PartState::Absent { why: "nobody has rated anything yet".to_owned(), required: false }
}

/// The rating model, where the settings and the number of ratings allow for one. It shares the baseline of the signals.
pub(super) fn fit_rating_model(
    (status, predictor): (&Status, RatingPredictor),
    (base, baseline): (&Base, Option<RatingBaseline>),
    stop: &Stop,
) -> Option<RatingModel> {
    if base.ratings.is_empty() {
        status.set_part(Part::RatingModel, nothing_rated());
        return None;
    }
    let n_ratings = base.ratings.len();
    let left_out = if predictor == RatingPredictor::Network {
        Some("the setting recommend.predicted_rating leaves it out".to_owned())
    } else if n_ratings > MAX_MODELLED_RATINGS {
        Some(format!("fitted up to {MAX_MODELLED_RATINGS} ratings, and there are {n_ratings}"))
    } else {
        None
    };
    if let Some(why) = left_out {
        status.set_part(Part::RatingModel, PartState::Absent { why, required: false });
        return None;
    }
    let started = Instant::now();
    status.set_part(Part::RatingModel, PartState::Building { what: "fitting", progress: None });
    let fitted_on = (Arc::clone(&base.catalogue), Arc::clone(&base.ratings));
    let go_on = || !stop.is_asked();
    let model = RatingModel::fit_unless_stopped(fitted_on, baseline, RatingOptions::default(), &go_on)?;
    let RatingFacts { n_samples, n_held_out, .. } = model.facts();
    tracing::info!(n_samples, n_held_out, seconds = started.elapsed().as_secs_f64(), "rating model fitted");
    status.set_part(Part::RatingModel, PartState::Ready(format!("{n_samples} samples")));
    Some(model)
}
