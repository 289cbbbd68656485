//! `marquee serve`.

use std::process::ExitCode;

use super::open_store;
use crate::config::Config;
use crate::daemon::{self, Live};
use crate::telemetry::Terminal;

pub(super) fn run(config: &Config, live: Live, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let store = open_store(config)?;
    daemon::run(config, live, terminal, store)?;
    Ok(ExitCode::SUCCESS)
}
