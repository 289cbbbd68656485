//! `marquee evaluate prompts`: the methods of prompt search on judged prompts, asked of an engine that is loaded as the
//! daemon loads it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::{print, store_options};
use crate::config::Config;
use crate::domain::{Movie, MovieFilter, MovieId};
use crate::engine::{Engine, Part, PartState, PromptMethod, TextMode, TextQuestion};
use crate::eval::{Grades, Mean, PromptScore, score_prompt};
use crate::import::{JudgedAnswer, JudgedFile, NamedMovie, judged_prompts};
use crate::store::Store;
use crate::understand::title_key;

/// Judged prompts that come with the program, for any data set.
const BUILT_IN: JudgedFile<'_> = JudgedFile::BuiltIn {
    name: "the built-in prompts",
    text: include_str!("../../../tests/fixtures/prompts/graded.csv"),
};
/// Length of the lists that are scored.
const TOP_K: usize = 10;
/// A prompt counts when the data set has a movie of this grade.
const BEST_GRADE: u8 = 3;
/// How often to look whether the encoder serves.
const POLL: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Judged prompts (prompt,relevant and, where there, kind,split) [default: built-in ones for any data set].
    file: Option<PathBuf>,
    /// Only prompts of this part of the set, such as validation or test.
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
    /// List the prompts that fused search has no good movie for.
    #[arg(long)]
    misses: bool,
}

/// A prompt with the movies of the store that answer it.
struct Asked {
    prompt: String,
    kind: String,
    grades: Grades,
}

type Scores = BTreeMap<&'static str, Vec<PromptScore>>;

/// A figure of a score.
type Measure = fn(PromptScore) -> f64;

/// What is reported of every score.
const MEASURES: [(&str, Measure); 4] = [
    ("nDCG@10", |score| score.ndcg),
    ("MRR@10", PromptScore::reciprocal_rank),
    ("success@1", |score| score.success(1)),
    ("success@5", |score| score.success(5)),
];

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let file = arguments.file.as_deref().map_or(BUILT_IN, JudgedFile::Path);
    let store = Store::open_existing(&config.store_path(), store_options(config))?;
    let asked = prompts_of(file, arguments.split.as_deref(), &store.read(|view| view.movies())?)?;
    if asked.is_empty() {
        bail!("no prompt of {} has an answer in the store", file.name());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (engine, loaded) = Engine::start(store, config).context("starting the engine")?;
    runtime.block_on(loaded)??;
    let methods = wait_for_encoder(&engine)?;
    let mut scores = Scores::new();
    for &method in &methods {
        let of_method = asked.iter().map(|asked| runtime.block_on(ask(&engine, asked, method)));
        scores.insert(method.name(), of_method.collect::<anyhow::Result<_>>()?);
    }
    if arguments.json {
        print(report_json(&file.name(), &asked, &scores))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(report(&file.name(), &asked, &scores))?;
    if arguments.misses {
        let fused = asked.iter().zip(&scores[PromptMethod::Fused.name()]);
        for (asked, _) in fused.filter(|(_, score)| score.first_good.is_none()) {
            print(format_args!("missed: {}", asked.prompt))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The prompts that some movie of the store answers perfectly.
fn prompts_of(file: JudgedFile<'_>, split: Option<&str>, movies: &[Movie]) -> anyhow::Result<Vec<Asked>> {
    let mut by_title: HashMap<String, Vec<&Movie>> = HashMap::new();
    for movie in movies {
        by_title.entry(title_key(&movie.title)).or_default().push(movie);
    }
    let ids = |answer: &JudgedAnswer| -> Vec<MovieId> {
        match &answer.movie {
            NamedMovie::Id(id) => movies.iter().map(|movie| movie.id).filter(|movie| movie == id).collect(),
            NamedMovie::Titled(title, year) => {
                let same_title = by_title.get(&title_key(title)).into_iter().flatten();
                let near = same_title.filter(|movie| movie.year.is_none_or(|other| other.abs_diff(*year) <= 1));
                near.map(|movie| movie.id).collect()
            }
        }
    };
    let prompts = judged_prompts(file)?.into_iter().filter(|prompt| split.is_none_or(|split| prompt.split == split));
    let asked = prompts.map(|prompt| {
        let mut grades = Grades::new();
        for answer in &prompt.answers {
            for movie in ids(answer) {
                let grade = grades.entry(movie).or_default();
                *grade = answer.grade.max(*grade);
            }
        }
        Asked { prompt: prompt.prompt, kind: prompt.kind, grades }
    });
    Ok(asked.filter(|asked| asked.grades.values().any(|&grade| grade == BEST_GRADE)).collect())
}

/// Waits until the encoder serves or is known not to come; the methods that can be asked then.
fn wait_for_encoder(engine: &Engine) -> anyhow::Result<Vec<PromptMethod>> {
    loop {
        match engine.status().part(Part::VectorIndex) {
            PartState::Ready(_) => return Ok(PromptMethod::ALL.to_vec()),
            PartState::Absent { why, .. } => {
                tracing::warn!("prompts are answered by their words alone: no text encoder ({why})");
                let without_encoder = PromptMethod::ALL.into_iter().filter(|&method| method != PromptMethod::Semantic);
                return Ok(without_encoder.collect());
            }
            PartState::Failed(why) => bail!("the text encoder does not serve: {why}"),
            PartState::Waiting | PartState::Building { .. } => std::thread::sleep(POLL),
        }
    }
}

async fn ask(engine: &Engine, asked: &Asked, method: PromptMethod) -> anyhow::Result<PromptScore> {
    let text = asked.prompt.clone();
    let question = TextQuestion {
        filter: MovieFilter::default(),
        text,
        mode: TextMode::Prompt,
        method,
        ignored: Vec::new(),
        top_k: TOP_K,
    };
    let answer = engine.title_or_prompt(question).await?;
    let found: Vec<MovieId> = answer.content.movies.iter().map(|movie| movie.movie().id).collect();
    Ok(score_prompt(&asked.grades, &found))
}

fn values(scores: &[PromptScore], measure: Measure) -> Vec<f64> {
    scores.iter().map(|&score| measure(score)).collect()
}

/// How far fused search is ahead of a method, prompt by prompt.
fn lead(scores: &Scores, other: &[PromptScore], measure: Measure) -> Vec<f64> {
    scores[PromptMethod::Fused.name()]
        .iter()
        .zip(other)
        .map(|(&fused, &other)| measure(fused) - measure(other))
        .collect()
}

fn report(name: &str, asked: &[Asked], scores: &Scores) -> String {
    let mut text = format!("{} prompts of {name}; mean ± standard error\n\n{:12}", asked.len(), "method");
    // Writing to a string does not fail.
    for (measure, _) in MEASURES {
        let _ = write!(text, "{measure:>17}");
    }
    let _ = write!(text, "{:>25}", "fused ahead by (nDCG@10)");
    for (method, of_method) in scores {
        let _ = write!(text, "\n{method:12}");
        for (_, measure) in MEASURES {
            let _ = write!(text, "{:>17}", Mean::of(values(of_method, measure).into_iter()).to_string());
        }
        if *method != PromptMethod::Fused.name() {
            let _ = write!(text, "{:>25}", Mean::of(lead(scores, of_method, MEASURES[0].1).into_iter()).to_string());
        }
    }
    let _ = write!(text, "\n\n{:17}{:>9}", "fused, by kind", "prompts");
    for (measure, _) in MEASURES {
        let _ = write!(text, "{measure:>17}");
    }
    for (kind, of_kind) in fused_by_kind(asked, scores) {
        let _ = write!(text, "\n{kind:17}{:>9}", of_kind.len());
        for (_, measure) in MEASURES {
            let _ = write!(text, "{:>17}", Mean::of(values(&of_kind, measure).into_iter()).to_string());
        }
    }
    text
}

fn fused_by_kind<'a>(asked: &'a [Asked], scores: &Scores) -> BTreeMap<&'a str, Vec<PromptScore>> {
    let mut by_kind: BTreeMap<&str, Vec<PromptScore>> = BTreeMap::new();
    for (asked, &score) in asked.iter().zip(&scores[PromptMethod::Fused.name()]) {
        by_kind.entry(&asked.kind).or_default().push(score);
    }
    by_kind
}

fn report_json(name: &str, asked: &[Asked], scores: &Scores) -> Value {
    let as_json = |values: &[f64]| {
        let estimate = Mean::of(values.iter().copied());
        json!({ "mean": estimate.mean, "standard_error": estimate.standard_error })
    };
    let measures = |of: &dyn Fn(Measure) -> Vec<f64>| -> Value {
        MEASURES
            .iter()
            .map(|&(measure, read)| (measure.to_owned(), as_json(&of(read))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let methods = scores.iter().map(|(method, of_method)| {
        let mut of_one = json!({ "scores": measures(&|measure| values(of_method, measure)) });
        if *method != PromptMethod::Fused.name() {
            of_one["fused_ahead_by"] = measures(&|measure| lead(scores, of_method, measure));
        }
        ((*method).to_owned(), of_one)
    });
    let kinds = fused_by_kind(asked, scores).into_iter().map(|(kind, of_kind)| {
        let scores = measures(&|measure| values(&of_kind, measure));
        (kind.to_owned(), json!({ "prompts": of_kind.len(), "scores": scores }))
    });
    json!({
        "file": name, "prompts": asked.len(),
        "methods": methods.collect::<serde_json::Map<_, _>>(), "fused_by_kind": kinds.collect::<serde_json::Map<_, _>>(),
    })
}
