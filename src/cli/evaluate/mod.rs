//! `marquee evaluate`: how good the answers are, measured with the very code that serves.

mod prompts;
mod titles;

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(super) enum Evaluate {
    /// How well texts are recognised as titles, on labelled inputs.
    Titles(titles::Arguments),
    /// How well prompts are answered, on judged prompts.
    Prompts(prompts::Arguments),
}

pub(super) fn run(config: &Config, evaluate: &Evaluate) -> anyhow::Result<ExitCode> {
    match evaluate {
        Evaluate::Titles(arguments) => titles::run(config, arguments),
        Evaluate::Prompts(arguments) => prompts::run(config, arguments),
    }
}
