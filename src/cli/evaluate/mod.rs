//! `marquee evaluate`: how good the answers are, measured with the very code that serves.

mod chart;
mod data;
mod models;
mod prompts;
mod rating;
mod titles;
mod top_n;

use std::process::ExitCode;

use clap::Subcommand;

pub(super) use data::InMemory;

use crate::config::Config;
use crate::telemetry::Terminal;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(super) enum Evaluate {
    /// How good the recommended lists are, on ratings that were held out.
    TopN(top_n::Arguments),
    /// How well ratings are predicted, on ratings that were held out.
    Rating(rating::Arguments),
    /// How well texts are recognised as titles, on labelled inputs.
    Titles(titles::Arguments),
    /// How well prompts are answered, on judged prompts.
    Prompts(prompts::Arguments),
}

pub(super) fn run(config: &Config, terminal: &Terminal, evaluate: &Evaluate) -> anyhow::Result<ExitCode> {
    match evaluate {
        Evaluate::TopN(arguments) => top_n::run(config, terminal, arguments),
        Evaluate::Rating(arguments) => rating::run(config, terminal, arguments),
        Evaluate::Titles(arguments) => titles::run(config, arguments),
        Evaluate::Prompts(arguments) => prompts::run(config, arguments),
    }
}
