//! `marquee models`: what the daemon made of the model folders.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::client::{Client, Server};
use super::print;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Models {
    /// List the models that the running daemon found, and what became of them.
    List {
        #[command(flatten)]
        server: Server,
        /// Print the daemon's answer as it is.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(config: &Config, models: &Models) -> anyhow::Result<ExitCode> {
    let Models::List { server, json } = models;
    let answer = Client::new(config, server)?.get("/v1/models")?;
    if *json {
        print(serde_json::to_string_pretty(&answer)?)?;
    } else {
        print(table(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line a model, with the reason under it where there is one.
fn table(answer: &Value) -> String {
    let models = answer["models"].as_array().map(Vec::as_slice).unwrap_or_default();
    if models.is_empty() {
        return "There are no models in the models folder.".to_owned();
    }
    let mut lines = String::new();
    for model in models {
        let text = |member: &str| model[member].as_str().unwrap_or("?");
        let name = model["id"].as_str().unwrap_or(text("kind"));
        let _ = writeln!(lines, "{:<11} {name:<50} {}", text("state"), text("folder"));
        if let Some(reason) = model["reason"].as_str() {
            let _ = writeln!(lines, "{:<11} {reason}", "");
        }
    }
    lines.truncate(lines.trim_end().len());
    lines
}
