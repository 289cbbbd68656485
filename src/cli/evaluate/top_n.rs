//! `marquee evaluate top-n`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::chart::{Bar, bar_chart};
use super::data::{InMemory, SplitFiles, read_ratings};
use super::models::Models;
use crate::cli::print;
use crate::cli::table::Table;
use crate::config::Config;
use crate::domain::{Catalogue, MovieId, Query, RatingMatrix, ScoredItem, Split, global_temporal, user_temporal};
use crate::eval::{Judged, ListReport, Mean, TestCase, judge, paired, test_cases};
use crate::import;
use crate::recommend::ranking::{
    Cascade, FittedSignals, Hybrid, LinearRanker, RankingExamples, SignalOptions, SignalScorer,
};
use crate::recommend::{
    DEFAULT_NEIGHBORS, ItemNeighbors, NeuralCf, PopularityBaseline, PopularityKind, ProfileKnn, ProfileWeights, Ranker,
    RecommendError, Scorer, Similarity, recommend_in_turn,
};
use crate::telemetry::Terminal;

/// Share of the ratings that are the test when the store is split.
const TEST_SHARE: f64 = 0.2;
/// Ratings that people have in the curve of the cold start.
const COLD_STARTS: [usize; 6] = [0, 1, 3, 5, 10, 20];

/// The time of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AskAt {
    /// Each person's own last training rating.
    User,
    /// The newest training rating of all.
    End,
}

/// How the store is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// The last fifth of each person's ratings is the test.
    User,
    /// The last fifth of all ratings in time is the test.
    Global,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    files: SplitFiles,
    /// How the store's ratings are split when no files are given.
    #[arg(long, value_enum, default_value = "user", conflicts_with = "train")]
    protocol: Protocol,
    /// The time of asking [default: end; with --protocol user: user].
    #[arg(long, value_enum)]
    ask_at: Option<AskAt>,
    /// Folder with trained models (a ranking model, a rating network) to evaluate as they would serve.
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// The method that the others are compared with, person by person.
    #[arg(long, value_name = "METHOD", default_value = "ease")]
    baseline: String,
    /// Lists of another system to judge beside these: CSV with user_id,item_id,rank,score. May be repeated.
    #[arg(long, value_name = "FILE")]
    foreign: Vec<PathBuf>,
    /// Write the lists of the default configuration: CSV with user_id,item_id,rank,score, 20 rows a person.
    #[arg(long, value_name = "OUT.csv")]
    recommendations: Option<PathBuf>,
    /// Write the split as train.csv and test.csv into this folder.
    #[arg(long, value_name = "DIR")]
    export_split: Option<PathBuf>,
    /// Write a picture of the result.
    #[arg(long, value_name = "OUT.svg")]
    plot: Option<PathBuf>,
    /// Also measure what people with 0, 1, 3, 5, 10 and 20 ratings get.
    #[arg(long)]
    cold_start: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is evaluated on.
struct Setting {
    catalogue: Arc<Catalogue>,
    train: Arc<RatingMatrix>,
    cases: Vec<TestCase>,
}

/// A method's name and its lists.
type Result = (String, Judged);

pub(super) fn run(config: &Config, terminal: &Terminal, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (movies, split) = load(config, arguments)?;
    if let Some(dir) = &arguments.export_split {
        import::export_split(dir, &split)?;
    }
    let (catalogue, train) = InMemory::fit(movies, split.train);
    let ask_at = arguments.ask_at.unwrap_or(match (&arguments.files.train, arguments.protocol) {
        (None, Protocol::User) => AskAt::User,
        _ => AskAt::End,
    });
    let newest = train.timestamps().max();
    let asked_at = if ask_at == AskAt::User { None } else { newest };
    let cases = test_cases(&catalogue, &train, &split.test, asked_at);
    if cases.is_empty() {
        bail!("nobody in the test has both a training rating and a test rating of 4 or more of 5");
    }
    let setting = Setting { catalogue, train, cases };
    let models = Models::load(config, arguments.artifacts.as_deref(), &setting.catalogue)?;
    let methods = Methods::fit(&setting, &models, terminal);
    let mut results = methods.judge_all(&setting, terminal)?;
    for path in &arguments.foreign {
        results.push(foreign(path, &setting)?);
    }
    if let Some(path) = &arguments.recommendations {
        write_lists(path, &setting.cases, &results[0].1)?;
    }
    let curve = if arguments.cold_start { methods.cold_start(&setting)? } else { Vec::new() };
    report(arguments, &setting, (&results, &curve))
}

fn load(config: &Config, arguments: &Arguments) -> anyhow::Result<(Vec<crate::domain::Movie>, Split)> {
    let SplitFiles { train, test, movies } = &arguments.files;
    let (Some(train), Some(test)) = (train, test) else {
        let InMemory { movies, ratings } = InMemory::of_store(config)?.with_ratings(config)?;
        let split = match arguments.protocol {
            Protocol::User => user_temporal(&ratings, TEST_SHARE),
            Protocol::Global => global_temporal(&ratings, TEST_SHARE),
        };
        return Ok((movies, split));
    };
    let InMemory { movies, ratings } = InMemory::read(train, movies.as_deref())?;
    let mut tested = InMemory::default();
    read_ratings(test, &mut tested)?;
    Ok((movies, Split { train: ratings, test: tested.ratings }))
}

/// Everything that is compared. The first serves by default.
struct Methods {
    hybrid: Hybrid,
    /// The hybrid with the ranker fitted from the store, where a trained one serves.
    linear: Option<Hybrid>,
    signals: Arc<FittedSignals>,
    profile_knn: ProfileKnn,
    popularity: [PopularityBaseline; 2],
    network: Option<NeuralCf>,
}

impl Methods {
    fn fit(setting: &Setting, models: &Models, terminal: &Terminal) -> Self {
        let Setting { catalogue, train, .. } = setting;
        let options = SignalOptions::default();
        let signals = Arc::new(FittedSignals::fit(Arc::clone(catalogue), Arc::clone(train), options));
        let bar = terminal.bar("learning from the past", 1);
        let go_on = |done: usize, all: usize| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            true
        };
        let examples = RankingExamples::collect(catalogue, train, options, &go_on).unwrap_or_default();
        bar.finish_and_clear();
        let linear: Arc<dyn Ranker> = Arc::new(LinearRanker::fit(&examples));
        let cascade = |ranker: &Arc<dyn Ranker>| Arc::new(Cascade::new(Arc::clone(&linear), Arc::clone(ranker)));
        let trained = models.ranker.as_ref().map(|ranker| Hybrid::new(Arc::clone(&signals), cascade(ranker)));
        let linear = Hybrid::new(Arc::clone(&signals), linear);
        let (hybrid, linear) = match trained {
            Some(trained) => (trained, Some(linear)),
            None => (linear, None),
        };
        let neighbors = Arc::new(ItemNeighbors::fit(train, DEFAULT_NEIGHBORS, Similarity::Cosine));
        let kinds = [PopularityKind::AllTime, PopularityKind::Recent];
        Self {
            hybrid,
            linear,
            profile_knn: ProfileKnn::fit(Arc::clone(catalogue), train, neighbors, ProfileWeights::default()),
            popularity: kinds.map(|kind| PopularityBaseline::fit(catalogue, train, kind)),
            network: models.network.clone().map(|network| NeuralCf::fit(Arc::clone(catalogue), network)),
            signals,
        }
    }

    fn judge_all(&self, setting: &Setting, terminal: &Terminal) -> anyhow::Result<Vec<Result>> {
        let [all_time, recent] = &self.popularity;
        let signals: Vec<SignalScorer<'_>> = self.signals.scorers().collect();
        let mut chains: Vec<(&str, Vec<&dyn Scorer>)> = vec![(self.hybrid.name(), vec![&self.hybrid, all_time])];
        if let Some(linear) = &self.linear {
            chains.push((linear.name(), vec![linear, all_time]));
        }
        chains.extend(signals.iter().map(|signal| (signal.name(), vec![signal as &dyn Scorer, all_time])));
        chains.push((self.profile_knn.name(), vec![&self.profile_knn, all_time]));
        chains.push((all_time.name(), vec![all_time]));
        chains.push((recent.name(), vec![recent]));
        if let Some(network) = &self.network {
            chains.push((network.name(), vec![network]));
        }
        let bar = terminal.bar("asking everybody", chains.len() as u64);
        let judged = chains.into_iter().map(|(name, chain)| {
            let judged = judge(&setting.cases, |query| list(&chain, &setting.catalogue, query))?;
            bar.inc(1);
            Ok((name.to_owned(), judged))
        });
        let results = judged.collect::<anyhow::Result<Vec<_>>>();
        bar.finish_and_clear();
        results
    }

    /// nDCG@10 of the default configuration when only the last few ratings of each history are known.
    fn cold_start(&self, setting: &Setting) -> anyhow::Result<Vec<(usize, Mean)>> {
        let chain: [&dyn Scorer; 2] = [&self.hybrid, &self.popularity[0]];
        let measure = |&n_known: &usize| {
            let judged = judge(&setting.cases, |query| {
                let mut known = query.clone();
                known.history.sort_by_key(|rated| std::cmp::Reverse((rated.timestamp, rated.movie)));
                // What was rated besides is not shown again, so that all points rank the same movies.
                known.excluded.extend(known.history.drain(n_known.min(query.history.len())..).map(|rated| rated.movie));
                // A newcomer is nobody the ratings know.
                known.user = None;
                list(&chain, &setting.catalogue, &known)
            })?;
            Ok((n_known, Mean::of(judged.metrics.iter().map(|metrics| metrics.ndcg_10))))
        };
        COLD_STARTS.iter().map(measure).collect()
    }
}

fn list(
    chain: &[&dyn Scorer],
    catalogue: &Catalogue,
    query: &Query,
) -> std::result::Result<Vec<(MovieId, f32)>, RecommendError> {
    let found = recommend_in_turn(chain, catalogue, query)?;
    Ok(found.into_iter().map(|(ScoredItem { movie, score }, _)| (movie, score.value())).collect())
}

/// Lists made elsewhere. What a person rated in training is dropped before ranks are taken; who has no list gets zeros.
fn foreign(path: &Path, setting: &Setting) -> anyhow::Result<Result> {
    let mut lists = import::read_recommendations(path)?;
    let judged = judge(&setting.cases, |query| {
        let seen = |movie: &MovieId| query.history.iter().any(|rated| rated.movie == *movie);
        let list = query.user.and_then(|user| lists.get(&user)).cloned().unwrap_or_default();
        Ok(list.into_iter().filter(|(movie, _)| !seen(movie)).take(query.n).collect())
    })?;
    lists.clear();
    let name = path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.to_string_lossy().into_owned());
    Ok((name, judged))
}

fn write_lists(path: &Path, cases: &[TestCase], judged: &Judged) -> anyhow::Result<()> {
    let mut text = String::from("user_id,item_id,rank,score\n");
    for (case, list) in cases.iter().zip(&judged.lists) {
        for (place, (movie, score)) in list.iter().enumerate() {
            let user = case.query.user.map_or(0, |user| user.0);
            let _ = writeln!(text, "{user},{movie},{},{score}", place + 1);
        }
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn report(
    arguments: &Arguments,
    setting: &Setting,
    (results, curve): (&[Result], &[(usize, Mean)]),
) -> anyhow::Result<ExitCode> {
    let Some((_, baseline)) = results.iter().find(|(name, _)| *name == arguments.baseline) else {
        let names: Vec<&str> = results.iter().map(|(name, _)| name.as_str()).collect();
        bail!("there is no method {:?} to compare with; there are {}", arguments.baseline, names.join(", "));
    };
    let everybody = vec![true; setting.cases.len()];
    let later: Vec<bool> = setting.cases.iter().map(|case| case.is_later_visit).collect();
    let same: Vec<bool> = later.iter().map(|later| !later).collect();
    let groups = [("everybody", &everybody), ("same sitting", &same), ("later visit", &later)];
    let mut documents: HashMap<&str, Value> = HashMap::new();
    let mut text = String::new();
    for (group, chosen) in groups {
        let (table, document) = group_report(setting, results, (baseline, chosen));
        let n = chosen.iter().filter(|&&on| on).count();
        let _ = write!(text, "{group} ({n} people), differences to {}:\n{table}\n", arguments.baseline);
        documents.insert(group, document);
    }
    for (n_known, mean) in curve {
        let _ = writeln!(text, "with {n_known} ratings: nDCG@10 {:.4} ± {:.4}", mean.mean, mean.standard_error);
    }
    if let Some(path) = &arguments.plot {
        let bars: Vec<Bar> = results
            .iter()
            .map(|(name, judged)| {
                let Mean { mean, standard_error } = Mean::of(judged.metrics.iter().map(|metrics| metrics.ndcg_10));
                Bar { label: name.clone(), value: mean, standard_error }
            })
            .collect();
        fs::write(path, bar_chart("nDCG@10 (mean ± standard error)", &bars))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if arguments.json {
        let curve: Vec<Value> = curve
            .iter()
            .map(|(n_known, mean)| json!({"ratings": n_known, "ndcg_10": mean.mean, "se": mean.standard_error}))
            .collect();
        let facts = json!({
            "train_ratings": setting.train.len(), "train_users": setting.train.users().len(),
            "movies": setting.catalogue.len(), "baseline": arguments.baseline, "default": results[0].0,
            "groups": documents, "cold_start": curve,
        });
        print(serde_json::to_string_pretty(&facts)?)?;
    } else {
        print(text.trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn group_report(setting: &Setting, results: &[Result], (baseline, chosen): (&Judged, &[bool])) -> (Table, Value) {
    let mut table = Table::new([
        "method",
        "nDCG@10",
        "± s.e.",
        "R@10",
        "R@20",
        "HR@10",
        "MRR@10",
        "cov@10",
        "novelty",
        "diversity",
        "difference",
        "± s.e.",
    ]);
    let mut methods = Vec::new();
    let ndcg = |judged: &Judged| -> Vec<f64> {
        judged.metrics.iter().zip(chosen).filter(|(_, on)| **on).map(|(metrics, _)| metrics.ndcg_10).collect()
    };
    let of_baseline = ndcg(baseline);
    for (name, judged) in results {
        let report = ListReport::of(judged, chosen, (&setting.catalogue, &setting.train));
        let difference = paired(&ndcg(judged), &of_baseline);
        let four = |value: f64| format!("{value:.4}");
        table.add(vec![
            name.clone(),
            four(report.ndcg_10.mean),
            four(report.ndcg_10.standard_error),
            four(report.recall_10.mean),
            four(report.recall_20.mean),
            four(report.hit_10.mean),
            four(report.mrr_10.mean),
            format!("{:.3}", report.coverage_10),
            format!("{:.2}", report.novelty_10),
            format!("{:.3}", report.diversity_10),
            format!("{:+.4}", difference.mean),
            four(difference.standard_error),
        ]);
        let with_error = |mean: Mean| json!({"mean": mean.mean, "se": mean.standard_error});
        methods.push(json!({
            "method": name, "users": report.n_users, "ndcg_10": with_error(report.ndcg_10),
            "recall_10": with_error(report.recall_10), "recall_20": with_error(report.recall_20),
            "hit_10": with_error(report.hit_10), "mrr_10": with_error(report.mrr_10),
            "coverage_10": report.coverage_10, "novelty_10": report.novelty_10, "diversity_10": report.diversity_10,
            "difference": with_error(difference),
        }));
    }
    (table, Value::Array(methods))
}
