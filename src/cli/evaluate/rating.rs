//! `marquee evaluate rating`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use rayon::prelude::*;
use serde_json::json;

use super::chart::{Bar, bar_chart};
use super::data::{InMemory, SplitFiles, read_ratings};
use super::models::Models;
use crate::cli::print;
use crate::cli::table::Table;
use crate::config::Config;
use crate::domain::{Catalogue, Interaction, ItemIdx, Movie, Query, RatedMovie, RatingMatrix, Split, UserId, folds};
use crate::eval::{mean_absolute_error, root_mean_square_error};
use crate::recommend::{DEFAULT_NEIGHBORS, PairScorer, RatingBaseline, RatingModel, RatingOptions};
use crate::telemetry::Terminal;

/// Folds of the store's ratings, and what shuffles them.
const N_FOLDS: usize = 5;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    files: SplitFiles,
    /// Shuffles the store's ratings into folds, when no files are given.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Evaluate so many of the five folds.
    #[arg(long, default_value_t = N_FOLDS, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=5))]
    folds: usize,
    /// Folder with a trained rating network to evaluate as it would serve.
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// Write the predictions of the default configuration: CSV with user_id,item_id,rating,prediction.
    #[arg(long, value_name = "OUT.csv", requires = "train")]
    predictions: Option<PathBuf>,
    /// Use only what a person rated before, for their mood at the time, in the written predictions.
    #[arg(long)]
    looking_back: bool,
    /// Write a picture of the result.
    #[arg(long, value_name = "OUT.svg")]
    plot: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A method's predictions of one test.
struct Predicted {
    method: &'static str,
    ratings: Vec<f32>,
}

/// RMSE and MAE of one fold.
type Errors = (f64, f64);

pub(super) fn run(config: &Config, terminal: &Terminal, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (movies, splits) = load(config, arguments)?;
    let bar = terminal.bar("fitting and predicting", splits.len() as u64);
    let mut errors: Vec<(&'static str, Vec<Errors>)> = Vec::new();
    for split in splits {
        let (predicted, test) = predict(config, arguments, (&movies, split))?;
        let actual: Vec<f32> = test.iter().map(|event| event.rating.value()).collect();
        for Predicted { method, ratings } in &predicted {
            let of_fold = (root_mean_square_error(ratings, &actual), mean_absolute_error(ratings, &actual));
            match errors.iter_mut().find(|(name, _)| name == method) {
                Some((_, of_folds)) => of_folds.push(of_fold),
                None => errors.push((method, vec![of_fold])),
            }
        }
        if let Some(path) = &arguments.predictions {
            write_predictions(path, &test, &predicted[usize::from(arguments.looking_back)].ratings)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    report(arguments, &errors)
}

fn load(config: &Config, arguments: &Arguments) -> anyhow::Result<(Vec<Movie>, Vec<Split>)> {
    let SplitFiles { train, test, movies } = &arguments.files;
    let (Some(train), Some(test)) = (train, test) else {
        if arguments.artifacts.is_some() {
            bail!("a network that was trained on the store knows what the folds hold out: give --train and --test");
        }
        let InMemory { movies, ratings } = InMemory::of_store(config)?.with_ratings(config)?;
        let mut splits = folds(&ratings, N_FOLDS, arguments.seed);
        splits.truncate(arguments.folds);
        return Ok((movies, splits));
    };
    let InMemory { movies, ratings } = InMemory::read(train, movies.as_deref())?;
    let mut tested = InMemory::default();
    read_ratings(test, &mut tested)?;
    if tested.ratings.is_empty() {
        bail!("{} has no ratings", test.display());
    }
    Ok((movies, vec![Split { train: ratings, test: tested.ratings }]))
}

/// The default configuration first: in hindsight, then looking back.
fn predict(
    config: &Config,
    arguments: &Arguments,
    (movies, split): (&[Movie], Split),
) -> anyhow::Result<(Vec<Predicted>, Vec<Interaction>)> {
    let Split { train, test } = split;
    let mut movies = movies.to_vec();
    let known = Catalogue::vocabulary_of(&movies);
    // A movie that only the test has is one that nobody has rated yet.
    let mut missing: Vec<_> =
        test.iter().map(|event| event.movie).filter(|&movie| known.index_of(movie).is_none()).collect();
    missing.sort_unstable();
    missing.dedup();
    movies.extend(missing.into_iter().map(|id| Movie::new(id, format!("movie {id}"))));
    let (catalogue, train) = InMemory::fit(movies, train);
    let questions = Questions::of(&catalogue, &train, &test);
    let model = RatingModel::fit(Arc::clone(&catalogue), Arc::clone(&train), RatingOptions::default());
    let baseline = RatingBaseline::fit(Arc::clone(&catalogue), &train, DEFAULT_NEIGHBORS);
    let models = Models::load(config, arguments.artifacts.as_deref(), &catalogue)?;
    let mut predicted = vec![
        questions
            .ask("rating-model, all of the history", |query, item| Ok(model.predict_in_hindsight(query, &[item])[0]))?,
        questions
            .ask("rating-model, mood from earlier ratings only", |query, item| Ok(model.predict(query, &[item])[0]))?,
        questions.ask("neighbours", |query, item| Ok(baseline.predict(&query.history, item)))?,
    ];
    if let Some(network) = &models.network {
        predicted.push(
            questions.ask("rating-network, all of the history", |query, item| {
                Ok(network_rating(&**network, query, item)?)
            })?,
        );
        predicted.push(questions.ask("rating-network, earlier ratings only", |query, item| {
            let mut earlier = query.clone();
            let asked_at = query.asked_at.unwrap_or(i64::MAX);
            earlier.history.retain(|rated| rated.timestamp < asked_at);
            Ok(network_rating(&**network, &earlier, item)?)
        })?);
    }
    Ok((predicted, test))
}

fn network_rating(network: &dyn PairScorer, query: &Query, item: ItemIdx) -> Result<f32, crate::recommend::PortError> {
    Ok(network.predict(query, &[item])?[0])
}

/// What the test asks: a person with the training history, a time, a movie.
struct Questions<'a> {
    histories: HashMap<UserId, Vec<RatedMovie>>,
    test: &'a [Interaction],
    items: Vec<ItemIdx>,
}

impl<'a> Questions<'a> {
    fn of(catalogue: &Catalogue, train: &RatingMatrix, test: &'a [Interaction]) -> Self {
        let mut histories: HashMap<UserId, Vec<RatedMovie>> = HashMap::new();
        for Interaction { user, movie, rating, timestamp } in train.interactions(catalogue.vocabulary()) {
            histories.entry(user).or_default().push(RatedMovie { movie, rating, timestamp });
        }
        let items = test.iter().filter_map(|event| catalogue.item_idx(event.movie)).collect();
        Self { histories, test, items }
    }

    fn ask(
        &self,
        method: &'static str,
        predict: impl Fn(&Query, ItemIdx) -> anyhow::Result<f32> + Sync,
    ) -> anyhow::Result<Predicted> {
        let answer = |(event, &item): (&Interaction, &ItemIdx)| {
            let history = self.histories.get(&event.user).cloned().unwrap_or_default();
            let query = Query { user: Some(event.user), history, asked_at: Some(event.timestamp), ..Query::default() };
            predict(&query, item)
        };
        let ratings = self.test.par_iter().zip(&self.items).map(answer).collect::<anyhow::Result<_>>()?;
        Ok(Predicted { method, ratings })
    }
}

fn write_predictions(path: &Path, test: &[Interaction], predictions: &[f32]) -> anyhow::Result<()> {
    let mut lines = String::from("user_id,item_id,rating,prediction\n");
    for (event, prediction) in test.iter().zip(predictions) {
        let _ = writeln!(lines, "{},{},{:?},{prediction}", event.user, event.movie, event.rating.value());
    }
    fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))
}

fn report(arguments: &Arguments, errors: &[(&'static str, Vec<Errors>)]) -> anyhow::Result<ExitCode> {
    let mut table = Table::new(["method", "RMSE", "MAE", "folds", "RMSE of each fold"]);
    let mut documents = Vec::new();
    let mut bars = Vec::new();
    for (method, of_folds) in errors {
        let n = of_folds.len() as f64;
        let rmse = of_folds.iter().map(|(rmse, _)| rmse).sum::<f64>() / n;
        let mae = of_folds.iter().map(|(_, mae)| mae).sum::<f64>() / n;
        let each: Vec<String> = of_folds.iter().map(|(rmse, _)| format!("{rmse:.4}")).collect();
        table.add(vec![
            (*method).to_owned(),
            format!("{rmse:.4}"),
            format!("{mae:.4}"),
            of_folds.len().to_string(),
            each.join(" "),
        ]);
        let folds: Vec<_> = of_folds.iter().map(|(rmse, mae)| json!({"rmse": rmse, "mae": mae})).collect();
        documents.push(json!({"method": method, "rmse": rmse, "mae": mae, "folds": folds}));
        bars.push(Bar { label: (*method).to_owned(), value: rmse, standard_error: 0.0 });
    }
    if let Some(path) = &arguments.plot {
        fs::write(path, bar_chart("RMSE (lower is better)", &bars))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if arguments.json {
        print(serde_json::to_string_pretty(&documents)?)?;
    } else {
        print(table.to_string().trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
