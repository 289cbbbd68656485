//! `marquee evaluate titles`: the confusion table of the title resolver.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use crate::cli::{print, store_options};
use crate::config::Config;
use crate::domain::{Catalogue, MovieId, RatingMatrix};
use crate::eval::TitleOutcomes;
use crate::import::{JudgedFile, LabelledTitle, labelled_titles};
use crate::store::{SettingKey, Store};
use crate::understand::TitleResolver;

/// Labelled inputs that come with the program, and the data set whose movie ids they name.
const BUILT_IN: JudgedFile<'_> = JudgedFile::BuiltIn {
    name: "the built-in titles",
    text: include_str!("../../../tests/fixtures/titles/ml-100k.csv"),
};
const BUILT_IN_IDS: &str = "movielens-100k";

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Labelled inputs (input,kind,movie_ids) with the ids of the store [default: built-in ones for MovieLens 100K].
    file: Option<PathBuf>,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
    /// List the inputs that were not answered as labelled.
    #[arg(long)]
    misses: bool,
}

/// An input that was not answered as labelled.
struct Miss<'a> {
    labelled: &'a LabelledTitle,
    found: Option<MovieId>,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let file = arguments.file.as_deref().map_or(BUILT_IN, JudgedFile::Path);
    let labelled = labelled_titles(file)?;
    let store = Store::open_existing(&config.store_path(), store_options(config))?;
    let (movies, interactions, id_space) =
        store.read(|view| Ok((view.movies()?, view.ratings()?, view.setting(SettingKey::IdSpace)?)))?;
    if arguments.file.is_none() && id_space.as_deref() != Some(BUILT_IN_IDS) {
        bail!("the built-in titles are about MovieLens 100K, and the store holds other movies: give a FILE");
    }
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), interactions);
    let catalogue = Catalogue::new(movies, &ratings);
    let resolver = TitleResolver::fit(&catalogue);
    let mut by_kind: BTreeMap<&str, TitleOutcomes> = BTreeMap::new();
    let mut all = TitleOutcomes::default();
    let mut misses = Vec::new();
    for labelled in &labelled {
        let found = resolver.resolve(&labelled.input).map(|found| found.movie);
        by_kind.entry(&labelled.kind).or_default().count(&labelled.movies, found);
        if !all.count(&labelled.movies, found) {
            misses.push(Miss { labelled, found });
        }
    }
    if arguments.json {
        let kinds: serde_json::Map<String, serde_json::Value> =
            by_kind.iter().map(|(kind, outcomes)| ((*kind).to_owned(), as_json(*outcomes))).collect();
        print(json!({ "file": file.name(), "all": as_json(all), "kinds": kinds }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(table(&by_kind, all))?;
    if arguments.misses {
        print(list(&misses, &catalogue))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(outcomes: TitleOutcomes) -> serde_json::Value {
    let TitleOutcomes { right, other_movie, not_found, taken } = outcomes;
    json!({
        "inputs": outcomes.total(), "right": right, "other_movie": other_movie, "taken_for_prompt": not_found,
        "prompt_taken_for_title": taken, "share_right": outcomes.share_right(),
    })
}

fn table(by_kind: &BTreeMap<&str, TitleOutcomes>, all: TitleOutcomes) -> String {
    let mut table = format!(
        "{:20} {:>7} {:>7} {:>7} {:>12} {:>17} {:>23}",
        "kind", "inputs", "right", "share", "other movie", "taken for prompt", "prompt taken for title"
    );
    for (kind, outcomes) in by_kind.iter().map(|(kind, outcomes)| (*kind, *outcomes)).chain([("all", all)]) {
        let TitleOutcomes { right, other_movie, not_found, taken } = outcomes;
        // Writing to a string does not fail.
        let _ = write!(
            table,
            "\n{kind:20} {:>7} {right:>7} {:>7.3} {other_movie:>12} {not_found:>17} {taken:>23}",
            outcomes.total(),
            outcomes.share_right()
        );
    }
    table
}

fn list(misses: &[Miss<'_>], catalogue: &Catalogue) -> String {
    let title = |movie: MovieId| {
        catalogue.item_idx(movie).map_or("an unknown movie", |item| catalogue.movie(item).title.as_str())
    };
    let lines = misses.iter().map(|Miss { labelled, found }| {
        let expected: Vec<&str> = labelled.movies.iter().map(|&movie| title(movie)).collect();
        let expected = if expected.is_empty() { "a prompt".to_owned() } else { expected.join(" or ") };
        format!("{}: {:?} is {expected}, taken for {}", labelled.kind, labelled.input, found.map_or("a prompt", title))
    });
    lines.collect::<Vec<_>>().join("\n")
}
