//! The `marquee` program: parse, run, turn an error into an exit code.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// What has to be in the environment before the program is loaded; what its user chose stays.
const ENVIRONMENT: [(&str, &str); 3] = [
    // Otherwise ONNX Runtime keeps a file of usage events in the cache folder of whoever runs it, to be sent to its makers.
    ("ORT_DISABLE_TELEMETRY", "1"),
    // Large blocks go back to the system when they are freed, and threads share what else was freed: together some 270 MB
    // after models were loaded and recommenders fitted.
    ("MALLOC_MMAP_THRESHOLD_", "1048576"),
    ("MALLOC_ARENA_MAX", "2"),
];

fn main() -> ExitCode {
    let missing = ENVIRONMENT.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        start_anew(&missing);
    }
    marquee::cli::main()
}

/// A program without unsafe code cannot change its environment, but can start itself again in another one. Returns only
/// when that fails, and then nothing else does.
fn start_anew(variables: &[(&str, &str)]) {
    let mut arguments = std::env::args_os();
    if let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) {
        let _ = Command::new(program).arg0(name).args(arguments).envs(variables.iter().copied()).exec();
    }
}
