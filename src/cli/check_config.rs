//! `marquee check-config`.

use std::process::ExitCode;

use super::print;
use crate::config::Config;

pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    print(format_args!("The configuration is valid.\n{config:#?}"))?;
    Ok(ExitCode::SUCCESS)
}
