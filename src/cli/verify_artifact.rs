//! `marquee verify-artifact`: loads a model, holds it against its probe and asks it what the daemon wants to know of it, in a
//! process that can do no harm: it has little memory and time, writes no files, makes way for others, and ends with the
//! daemon that started it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setpriority_process, setrlimit};

use super::print;
use crate::artifact::{self, Artifact, ArtifactError, ArtifactKind, NeighborLists};
use crate::engine::{LOADED, Rehearsal, Verdict};
use crate::inference::{
    EncoderOptions, InferenceError, OnnxRankingModel, OnnxRatingNetwork, OnnxTextEncoder, Runtime, WorkerOptions,
};

/// So many times the processor time it may take is waited for an answer: the limit ends it before.
const PATIENCE: u64 = 100;
/// Niceness: requests come first.
const NICENESS: i32 = 5;
/// Most bytes of a file it may write: the verdict, where standard output is one.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder of the artifact.
    folder: PathBuf,
    /// ONNX Runtime's shared library [default: searched for as the daemon does].
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
    /// Most memory the process may take, in MiB.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    memory_mib: u64,
    /// Most processor time the process may take.
    #[arg(long, value_name = "N", default_value_t = 120)]
    seconds: u64,
    /// Ask it what stands on standard input: the daemon's questions, as JSON.
    #[arg(long)]
    rehearse: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let verdict = match confine(arguments) {
        Ok(()) => examine(arguments),
        Err(error) => Verdict::Environment(format!("the process cannot be limited: {error}")),
    };
    print(verdict.to_line())?;
    Ok(if matches!(verdict, Verdict::Sound { .. }) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn confine(arguments: &Arguments) -> rustix::io::Result<()> {
    let between = |current, maximum| Rlimit { current: Some(current), maximum: Some(maximum) };
    let limit = |resource, most: u64| setrlimit(resource, between(most, most));
    // What a model allocates; the files of libraries, which are mapped, do not count.
    limit(Resource::Data, arguments.memory_mib << 20)?;
    // At the upper end the system ends it by a signal that could mean anything; below it, by one that says why.
    setrlimit(Resource::Cpu, between(arguments.seconds, arguments.seconds.saturating_add(1)))?;
    limit(Resource::Fsize, FILE_LIMIT_BYTES)?;
    limit(Resource::Core, 0)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    setpriority_process(None, NICENESS)
}

fn examine(arguments: &Arguments) -> Verdict {
    let artifact = match artifact::verify(&arguments.folder) {
        Ok(artifact) => artifact,
        Err(error) => return of_artifact_error(&error),
    };
    let size: u64 = artifact.manifest().files.iter().map(|file| file.size).sum();
    if size >> 20 >= arguments.memory_mib {
        let (mib, most) = (size >> 20, arguments.memory_mib);
        return Verdict::Refused(format!("its files alone have {mib} MiB; a model may take {most} MiB of memory"));
    }
    let rehearsal = if arguments.rehearse { Rehearsal::read(std::io::stdin()) } else { Ok(Rehearsal::Nothing) };
    let rehearsal = match rehearsal {
        Ok(rehearsal) => rehearsal,
        Err(error) => return Verdict::Environment(format!("the questions for the model were lost: {error}")),
    };
    match try_out(&artifact, &rehearsal, arguments) {
        Ok(Ok(())) => Verdict::Sound { memory_mib: peak_memory_mib() },
        Ok(Err(reason)) => Verdict::Refused(format!("on this store's data it fails: {reason}")),
        Err(InferenceError::Artifact(error)) => of_artifact_error(&error),
        Err(
            error @ (InferenceError::LibraryNotFound(_)
            | InferenceError::LibraryUnusable { .. }
            | InferenceError::LibraryDiffers { .. }),
        ) => Verdict::Environment(error.to_string()),
        Err(error) => Verdict::Refused(error.to_string()),
    }
}

/// A file that vanishes after the daemon verified it is being replaced: there will be another look.
fn of_artifact_error(error: &ArtifactError) -> Verdict {
    if error.is_incomplete() || matches!(error, ArtifactError::Io { .. }) {
        Verdict::Environment(error.to_string())
    } else {
        Verdict::Refused(error.to_string())
    }
}

/// Loads the model, then asks it; the inner error is what it made of the questions.
fn try_out(
    artifact: &Artifact,
    rehearsal: &Rehearsal,
    arguments: &Arguments,
) -> Result<Result<(), String>, InferenceError> {
    let patience = Duration::from_secs(arguments.seconds.saturating_mul(PATIENCE));
    let worker = WorkerOptions { patience, ..WorkerOptions::default() };
    let start = || Runtime::start(&Runtime::find_library(arguments.library.as_deref())?, 1);
    Ok(match artifact.manifest().kind() {
        ArtifactKind::TextEncoder => {
            let options = EncoderOptions { worker, ..EncoderOptions::default() };
            let encoder = OnnxTextEncoder::load(artifact, &*start()?, options)?;
            say_loaded();
            rehearsal.ask_encoder(&encoder)
        }
        ArtifactKind::RatingNetwork => {
            let network = OnnxRatingNetwork::load(artifact, &*start()?, worker)?;
            say_loaded();
            rehearsal.ask_network(&network)
        }
        ArtifactKind::RankingModel => {
            let model = OnnxRankingModel::load(artifact, &*start()?)?;
            say_loaded();
            rehearsal.ask_ranking_model(&model)
        }
        ArtifactKind::ItemItemModel => {
            NeighborLists::load(artifact)?;
            Ok(())
        }
    })
}

/// So that the daemon knows what the process was doing when it ended.
fn say_loaded() {
    // Nobody listens any more: then nobody wants to know.
    let _ = print(LOADED);
}

/// Most memory this process had at once; 0 where the system does not tell.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) >> 10
}
