//! Loads a model for the first time in a process of its own, under limits of memory and time, so that one that crashes or
//! never ends takes only that process along. There it also answers questions on the store's data, a [`Rehearsal`]. The
//! process is `marquee verify-artifact`; what it writes is a [`Verdict`].

use std::ffi::OsStr;
use std::io::{BufWriter, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::lane::Stop;
use super::rehearsal::Rehearsal;
use crate::config::ModelRules;

/// The running program, also when its file was replaced by a newer version meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// The clock on the wall gives a model so many times the processor time that it may take: on a busy machine it waits.
const PATIENCE: u32 = 5;
/// How often to look whether the process has ended.
const POLL: Duration = Duration::from_millis(5);
/// What a process may say of a model; the rest is not read.
const VERDICT_LIMIT_BYTES: u64 = 16 * 1024;

/// Line of a process whose model is loaded and held its probe: what comes after is the rehearsal.
pub const LOADED: &str = "loaded";

/// What came of loading a model and holding it against its probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does what its manifest says.
    Sound {
        /// Most memory the process had, in MiB.
        memory_mib: u64,
    },
    /// The model is to blame.
    Refused(String),
    /// The machine is to blame.
    Environment(String),
}

impl Verdict {
    /// One line.
    pub fn to_line(&self) -> String {
        match self {
            Self::Sound { memory_mib } => format!("sound {memory_mib}"),
            Self::Refused(reason) => format!("refused {}", reason.replace('\n', " ")),
            Self::Environment(reason) => format!("environment {}", reason.replace('\n', " ")),
        }
    }

    /// The verdict of such a line.
    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.trim_end().split_once(' ')?;
        match word {
            "sound" => Some(Self::Sound { memory_mib: rest.parse().ok()? }),
            "refused" => Some(Self::Refused(rest.to_owned())),
            "environment" => Some(Self::Environment(rest.to_owned())),
            _ => None,
        }
    }
}

/// Tries the model in `folder` with the runtime `library`, if it needs one.
pub fn try_model(folder: &Path, library: Option<&Path>, rules: &ModelRules) -> Verdict {
    try_until((folder, library), &Rehearsal::Nothing, rules, &Stop::default())
}

/// The same with questions on the store's data.
pub(super) fn try_until(
    (folder, library): (&Path, Option<&Path>),
    rehearsal: &Rehearsal,
    rules: &ModelRules,
    stop: &Stop,
) -> Verdict {
    let mut child = match start(folder, library, rules) {
        Ok(child) => child,
        Err(error) => return Verdict::Environment(format!("no process could be started for the model: {error}")),
    };
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        let write = move || {
            // A process that ended before it read all of it has said why.
            let _ = stdin.map(|stdin| rehearsal.write(BufWriter::new(stdin)));
        };
        if let Err(error) = std::thread::Builder::new().name("rehearsal".to_owned()).spawn_scoped(scope, write) {
            end(&mut child);
            return Verdict::Environment(format!("no thread could be started for the model: {error}"));
        }
        judge(child, rules, stop)
    })
}

/// Waits for the verdict; the process has ended then, whatever it did.
fn judge(mut child: Child, rules: &ModelRules, stop: &Stop) -> Verdict {
    let deadline = Instant::now() + rules.max_load * PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if stop.is_asked() => {
                end(&mut child);
                return Verdict::Environment("the daemon is stopping".to_owned());
            }
            Ok(None) if Instant::now() >= deadline => {
                end(&mut child);
                let seconds = (rules.max_load * PATIENCE).as_secs();
                return Verdict::Environment(format!(
                    "loading and probing it did not end within {seconds} s: the machine is too busy, or the model hangs"
                ));
            }
            Ok(None) => std::thread::sleep(POLL),
            Err(error) => {
                end(&mut child);
                return Verdict::Environment(format!("the process that loads the model was lost: {error}"));
            }
        }
    };
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        // Without a verdict the way it ended tells enough.
        let _ = stdout.take(VERDICT_LIMIT_BYTES).read_to_string(&mut said);
    }
    let doing = if said.lines().any(|line| line == LOADED) {
        "asking it about this store's films and people"
    } else {
        "loading and probing it"
    };
    said.lines().find_map(Verdict::parse).unwrap_or_else(|| Verdict::Refused(how_it_ended(doing, status, rules)))
}

fn start(folder: &Path, library: Option<&Path>, rules: &ModelRules) -> std::io::Result<Child> {
    Command::new(THIS_PROGRAM)
        .arg("verify-artifact")
        .arg(folder)
        .args(library.into_iter().flat_map(|library| [OsStr::new("--library"), library.as_os_str()]))
        .arg("--memory-mib")
        .arg(rules.max_model_mib.to_string())
        .arg("--seconds")
        .arg(rules.max_load.as_secs().to_string())
        .arg("--rehearse")
        // What a model might get hold of does it no good.
        .env_clear()
        .env("ORT_DISABLE_TELEMETRY", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

fn end(child: &mut Child) {
    // Both fail only if it has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Numbers of signals are those of Linux.
fn how_it_ended(doing: &str, status: ExitStatus, rules: &ModelRules) -> String {
    const ABORT: i32 = 6;
    const KILL: i32 = 9;
    const CPU_TIME: i32 = 24;
    match status.signal() {
        Some(CPU_TIME) => format!(
            "{doing} took more than {} s of processor time (setting artifacts.max_load_s)",
            rules.max_load.as_secs()
        ),
        Some(signal @ (ABORT | KILL)) => format!(
            "{doing} ended the process that tries models (signal {signal}); it probably needs more memory than \
             {} MiB (setting artifacts.max_model_mib)",
            rules.max_model_mib
        ),
        Some(signal) => format!("{doing} crashed the process that tries models (signal {signal})"),
        None => format!("the process that tries models broke off ({status})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_as_it_was_written() {
        for verdict in [
            Verdict::Sound { memory_mib: 71 },
            Verdict::Refused("the golden probe failed".to_owned()),
            Verdict::Environment("no library".to_owned()),
        ] {
            assert_eq!(Verdict::parse(&verdict.to_line()), Some(verdict));
        }
        let long = Verdict::Refused("two\nlines".to_owned()).to_line();
        assert_eq!(Verdict::parse(&long), Some(Verdict::Refused("two lines".to_owned())));
        for line in ["", "sound", "sound much", "perhaps 3"] {
            assert_eq!(Verdict::parse(line), None, "{line:?}");
        }
    }
}
