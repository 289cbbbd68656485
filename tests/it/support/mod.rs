//! Starts daemons in temporary folders and asks them.

mod assets;
mod cache;
mod client;
mod contract;
mod daemon;

pub(crate) use assets::{copy_folder, fixture, repository};
pub(crate) use cache::cached;
pub(crate) use client::{Client, PATIENCE, Reply, encoded, shell_words};
pub(crate) use daemon::{Daemon, marquee, sample_store};
