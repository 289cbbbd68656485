//! `marquee evaluate`: how good the answers are, measured with the very code that serves.

mod data;
mod models;
mod table;
mod top_n;

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;
use crate::telemetry::Terminal;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(super) enum Evaluate {
    /// How good the recommended lists are, on ratings that were held out.
    TopN(top_n::Arguments),
}

pub(super) fn run(config: &Config, terminal: &Terminal, evaluate: &Evaluate) -> anyhow::Result<ExitCode> {
    match evaluate {
        Evaluate::TopN(arguments) => top_n::run(config, terminal, arguments),
    }
}
