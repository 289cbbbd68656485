//! The command line. One file per command; `--help` is its documentation.

mod ask;
mod check_config;
mod client;
mod evaluate;
mod export;
mod import;
mod import_ratings;
mod models;
mod serve;
mod table;
mod verify_artifact;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use ask::Place;

use crate::config::{Config, Overrides, Source};
use crate::daemon::Live;
use crate::store::{Store, StoreError, StoreOptions};
use crate::telemetry::{self, Terminal};

/// What a daemon logs of its start is of no use to whoever asks one question. More special directives go before it.
const QUIET: &str = "marquee=error";

/// Movie recommendations from one daemon on one host.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    /// Configuration file; config.toml of the project lists every setting.
    #[arg(long, global = true, value_name = "FILE", env = "MARQUEE_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of everything the daemon keeps [default: data].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGTERM or Ctrl-C.
    Serve {
        /// Address and port to answer on [default: 127.0.0.1:8000].
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Read a folder of movies and ratings into the store.
    Import(import::Arguments),
    /// Read one person's ratings from Letterboxd or IMDb.
    ImportRatings(import_ratings::Arguments),
    /// Write the store as CSV files, which is what the training tools read.
    Export(export::Arguments),
    /// Recommend films: to people, like films, to a description, or all at once.
    Recommend(ask::Recommend),
    /// List films like a film.
    Similar(ask::Similar),
    /// Find films by title or description.
    Search(ask::Search),
    /// List what most people like.
    Popular(ask::Everybodys),
    /// List what people like just now.
    Trending(ask::Everybodys),
    /// Rate a film, or take a rating back.
    Rate(ask::Rate),
    /// See, export, merge or forget people.
    #[command(subcommand)]
    Users(ask::Users),
    /// See or change the catalogue.
    #[command(subcommand)]
    Movies(ask::Movies),
    /// Measure how good the answers are.
    #[command(subcommand)]
    Evaluate(evaluate::Evaluate),
    /// See what the running daemon made of the model folders, and choose which version serves.
    #[command(subcommand)]
    Models(models::Models),
    /// Load a model folder and hold it against its probe, in this process, under limits of memory and time.
    VerifyArtifact(verify_artifact::Arguments),
    /// Read and check the configuration, print what it comes to, and do nothing.
    CheckConfig,
    /// Write the completions of a shell, to be read when it starts.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            // The one place that speaks on standard error directly: logging may not be there yet.
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("marquee: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // Before anything is read: the daemon runs this for a model that it does not trust.
    if let Command::VerifyArtifact(arguments) = &cli.command {
        return verify_artifact::run(arguments);
    }
    if let Command::Completions { shell } = cli.command {
        return completions(shell);
    }
    let listen = if let Command::Serve { listen } = cli.command { listen } else { None };
    let is_named = cli.data_dir.is_some();
    let overrides = Overrides { data_dir: cli.data_dir, listen };
    let source = Source { file: cli.config, overrides };
    let config = source.load()?;
    let terminal = Terminal::default();
    let filter = if cli.command.asks() { format!("{},{QUIET}", config.log_filter) } else { config.log_filter.clone() };
    let log_filter = telemetry::start_logging(config.log_format, &filter, &terminal)
        .with_context(|| format!("the configuration is wrong: log.filter is {:?}", config.log_filter))?;
    let place = Place { config: &config, is_named, terminal: &terminal };
    match cli.command {
        Command::Serve { .. } => serve::run(&config, Live { source, log_filter }, &terminal),
        Command::Import(arguments) => import::run(&config, &terminal, &arguments),
        Command::ImportRatings(arguments) => import_ratings::run(place, &arguments),
        Command::Export(arguments) => export::run(&config, &terminal, &arguments),
        Command::Evaluate(evaluate) => evaluate::run(&config, &terminal, &evaluate),
        Command::VerifyArtifact(arguments) => verify_artifact::run(&arguments),
        Command::Models(models) => models::run(&config, &models),
        Command::Recommend(arguments) => ask::recommend(place, &arguments),
        Command::Similar(arguments) => ask::similar(place, &arguments),
        Command::Search(arguments) => ask::search(place, &arguments),
        Command::Popular(arguments) => ask::everybodys(place, &arguments, "/v1/popular"),
        Command::Trending(arguments) => ask::everybodys(place, &arguments, "/v1/trending"),
        Command::Rate(arguments) => ask::rate(place, &arguments),
        Command::Users(users) => ask::users(place, &users),
        Command::Movies(movies) => ask::movies(place, &movies),
        Command::CheckConfig => check_config::run(&config),
        Command::Completions { shell } => completions(shell),
    }
}

impl Command {
    /// Whether it is a question to a daemon, or to the daemon's code in this process.
    fn asks(&self) -> bool {
        matches!(
            self,
            Self::ImportRatings(_)
                | Self::Recommend(_)
                | Self::Similar(_)
                | Self::Search(_)
                | Self::Popular(_)
                | Self::Trending(_)
                | Self::Rate(_)
                | Self::Users(_)
                | Self::Movies(_)
        )
    }
}

fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "marquee", &mut script);
    print(String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the store of the data folder.
fn open_store(config: &Config) -> Result<Store, StoreError> {
    Store::open(&config.store_path(), store_options(config))
}

fn store_options(config: &Config) -> StoreOptions {
    StoreOptions { cache_bytes: config.store_cache_bytes, check_on_open: config.store_check_on_open }
}

/// Prints a result on standard output. A reader that has seen enough (`marquee import … | head -1`) is no failure.
fn print(text: impl std::fmt::Display) -> std::io::Result<()> {
    use std::io::Write as _;
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints something besides the result on standard error.
fn print_error(text: impl std::fmt::Display) -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stderr().lock(), "{text}")
}
