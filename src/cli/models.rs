//! `marquee models`: what the daemon made of the model folders, and which version is to serve.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::client::{Client, Server};
use super::{print, print_error};
use crate::config::Config;
use crate::engine::{ModelKind, Verdict, try_model};
use crate::inference::Runtime;

/// How often to ask whether what was chosen serves.
const POLL: Duration = Duration::from_millis(200);

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
    /// Verify model folders as the daemon does, without a daemon: files, then loading and the probe.
    Verify {
        /// Folders of models.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
    },
    /// Let one model serve, whatever else comes.
    Pin {
        kind: Kind,
        /// Its id, or name@version.
        model: String,
        #[command(flatten)]
        choice: Choice,
    },
    /// Let the newest valid model serve again.
    Unpin {
        kind: Kind,
        #[command(flatten)]
        choice: Choice,
    },
    /// Go back to the version before the one that serves.
    Rollback {
        kind: Kind,
        #[command(flatten)]
        choice: Choice,
    },
    /// Look at the models folder now, and try again what was refused.
    Reload {
        kind: Kind,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Args)]
pub(super) struct Choice {
    #[command(flatten)]
    server: Server,
    /// Do not wait until the model serves.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    TextEncoder,
    RatingNetwork,
    RankingModel,
    ItemItemModel,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::TextEncoder => ModelKind::TextEncoder,
            Self::RatingNetwork => ModelKind::RatingNetwork,
            Self::RankingModel => ModelKind::RankingModel,
            Self::ItemItemModel => ModelKind::ItemItemModel,
        }
        .as_str()
    }
}

pub(super) fn run(config: &Config, models: &Models) -> anyhow::Result<ExitCode> {
    match models {
        Models::List { server, json } => list(&Client::new(config, server)?, *json),
        Models::Verify { folders } => verify(config, folders),
        Models::Pin { kind, model, choice } => {
            let model: String = form_urlencoded::byte_serialize(model.as_bytes()).collect();
            choose(config, choice, *kind, &format!("pin?model={model}"))
        }
        Models::Unpin { kind, choice } => choose(config, choice, *kind, "unpin"),
        Models::Rollback { kind, choice } => choose(config, choice, *kind, "rollback"),
        Models::Reload { kind, server } => {
            Client::new(config, server)?.post(&format!("/v1/models/{}/reload", kind.name()))?;
            print("The daemon looks at the models folder; `marquee models list` tells what becomes of it.")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let answer = client.get("/v1/models")?;
    if json {
        print(answer.text)?;
    } else {
        print(table(&answer.json))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line a model, with the reason under it where there is one; then what is pinned.
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
    for kind in answer["kinds"].as_array().into_iter().flatten() {
        if let Some(pinned) = kind["pinned"].as_str() {
            let _ = writeln!(lines, "Pinned: {pinned}; `marquee models unpin` lets the newest serve again.");
        }
    }
    lines.truncate(lines.trim_end().len());
    lines
}

fn verify(config: &Config, folders: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let library = Runtime::find_library(config.inference.library.as_deref());
    let mut code = ExitCode::SUCCESS;
    for folder in folders {
        let name = folder.display();
        match try_model(folder, library.as_deref().ok(), &config.artifacts.rules) {
            Verdict::Sound { memory_mib } => print(format_args!("{name}: good; loading it took {memory_mib} MiB."))?,
            Verdict::Environment(reason) => {
                // The process knows less of where a library may be.
                let reason = library.as_ref().err().map_or(reason, ToString::to_string);
                print_error(format_args!("{name}: {reason}"))?;
                code = ExitCode::FAILURE;
            }
            Verdict::Refused(reason) => {
                print_error(format_args!("{name}: {reason}"))?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn choose(config: &Config, choice: &Choice, kind: Kind, action: &str) -> anyhow::Result<ExitCode> {
    let client = Client::new(config, &choice.server)?;
    let path = format!("/v1/models/{}/{action}", kind.name());
    let chosen = client.post(&path)?.json;
    let Some(id) = chosen["pinned"].as_str() else {
        print("The newest valid model serves; `marquee models list` tells which.")?;
        return Ok(ExitCode::SUCCESS);
    };
    if choice.no_wait {
        print(format_args!("{id} is pinned."))?;
        return Ok(ExitCode::SUCCESS);
    }
    wait(&client, id)?;
    print(format_args!("{id} serves."))?;
    Ok(ExitCode::SUCCESS)
}

/// Until the model serves; it may have to embed the catalogue first. Copies of it may lie in several folders.
fn wait(client: &Client, id: &str) -> anyhow::Result<()> {
    loop {
        let answer = client.get("/v1/models")?.json;
        let models: Vec<&Value> =
            answer["models"].as_array().into_iter().flatten().filter(|model| model["id"] == id).collect();
        if models.iter().any(|model| model["state"] == "serving") {
            return Ok(());
        }
        if models.iter().all(|model| model["state"] == "rejected") {
            let reason = models.first().and_then(|model| model["reason"].as_str());
            bail!("{id} cannot serve: {}", reason.unwrap_or("it is not in the models folder any more"));
        }
        std::thread::sleep(POLL);
    }
}
