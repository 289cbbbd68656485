//! The `marquee` program: parse, run, turn an error into an exit code.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// Unless this is in the environment when it is loaded, ONNX Runtime keeps a file of usage events in the cache folder of
/// whoever runs it, to be sent to its makers.
const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

fn main() -> ExitCode {
    if std::env::var_os(NO_TELEMETRY).is_none() {
        start_anew();
    }
    marquee::cli::main()
}

/// A program without unsafe code cannot change its environment, but can start itself again in another one. Returns only
/// when that fails, and then nothing else does.
fn start_anew() {
    let mut arguments = std::env::args_os();
    if let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) {
        let _ = Command::new(program).arg0(name).args(arguments).env(NO_TELEMETRY, "1").exec();
    }
}
