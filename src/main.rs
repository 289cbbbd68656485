//! The `marquee` program: parse, run, turn an error into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    marquee::cli::main()
}
