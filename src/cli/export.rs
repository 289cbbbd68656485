//! `marquee export`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use super::evaluate::InMemory;
use super::print;
use crate::config::Config;
use crate::domain::{Catalogue, RatingMatrix};
use crate::import;
use crate::recommend::ranking::{FEATURES, RankingExamples, SignalOptions};
use crate::telemetry::Terminal;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder to write ratings.csv and movies.csv to; made if missing.
    dir: PathBuf,
    /// Take the ratings from this file (userId,movieId,rating,timestamp) instead of the store.
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Folder with the movies of that file, in any layout that `marquee import` reads.
    #[arg(long, value_name = "DIR", requires = "train")]
    movies: Option<PathBuf>,
    /// Also write what a ranking model learns from: who was proposed what in the past, and liked it later.
    #[arg(long)]
    ranking_examples: bool,
}

pub(super) fn run(config: &Config, terminal: &Terminal, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let data = match &arguments.train {
        Some(train) => InMemory::read(train, arguments.movies.as_deref())?,
        None => InMemory::of_store(config)?,
    };
    // Files of an earlier export are not replaced by empty ones.
    if data.movies.is_empty() {
        bail!("the store {} has no movies: run `marquee import DIR` first", config.store_path().display());
    }
    let (catalogue, ratings) = InMemory::fit(data.movies, data.ratings);
    let dir = &arguments.dir;
    let report = import::export(dir, &catalogue, &ratings)?;
    print(format_args!("Wrote {} movies and {} ratings to {}.", report.movies, report.ratings, dir.display()))?;
    if arguments.ranking_examples {
        let n_queries = export_examples(&dir.join("ranking-examples"), terminal, (&catalogue, &ratings))?;
        print(format_args!("Wrote the candidates of {n_queries} questions of the past."))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn export_examples(
    dir: &Path,
    terminal: &Terminal,
    (catalogue, ratings): (&Arc<Catalogue>, &RatingMatrix),
) -> anyhow::Result<usize> {
    let bar = terminal.bar("cutting the past", 1);
    let go_on = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        true
    };
    let examples = RankingExamples::collect(catalogue, ratings, SignalOptions::default(), &go_on).unwrap_or_default();
    bar.finish_and_clear();
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let write = |name: &str, bytes: Vec<u8>| {
        let path = dir.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    let features = examples.rows.iter().flatten().flat_map(|value| value.to_le_bytes());
    write("features.f32", features.collect())?;
    write("labels.u8", examples.liked.iter().map(|&liked| u8::from(liked)).collect())?;
    write("queries.u32", examples.sizes.iter().flat_map(|&size| (size as u32).to_le_bytes()).collect())?;
    write("weights.f32", examples.sizes.iter().flat_map(|_| 1.0_f32.to_le_bytes()).collect())?;
    write("windows.u8", examples.windows.clone())?;
    let features: Vec<_> =
        FEATURES.iter().map(|feature| json!({"name": feature.name, "rising": feature.rising})).collect();
    let description = json!({
        "format": 1, "features": features, "n_rows": examples.rows.len(), "n_queries": examples.n_queries(),
    });
    // Last, so that what it describes is there.
    write("examples.json", serde_json::to_vec_pretty(&description)?)?;
    Ok(examples.n_queries())
}
