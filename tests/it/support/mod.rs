//! Starts daemons in temporary folders and asks them.

mod assets;
mod client;
mod contract;
mod daemon;

pub(crate) use assets::{cached, copy_folder, fixture, repository};
pub(crate) use client::{Client, PATIENCE, Reply, encoded};
pub(crate) use daemon::{Daemon, marquee, sample_store};
