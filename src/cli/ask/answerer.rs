//! Who answers: the running daemon, or this process with the store.

use anyhow::bail;

use crate::cli::client::{Client, Server};
use crate::cli::{open_store, print_error, store_options};
use crate::config::Config;
use crate::daemon::Here;
use crate::engine::Part;
use crate::store::{Store, StoreError};
use crate::telemetry::Terminal;

/// What is needed for answers about titles, ratings and people; it is there when the store has been read.
pub(in crate::cli) const CATALOGUE: &[Part] = &[];

/// What is needed where taste counts.
pub(in crate::cli) const TASTE: &[Part] = &[Part::Hybrid, Part::RatingNetwork, Part::RankingModel];

/// What is needed where texts or contents are compared.
pub(in crate::cli) const TEXTS: &[Part] = &[Part::TextEncoder, Part::Embeddings, Part::VectorIndex];

/// Where the data is.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Place<'a> {
    pub(in crate::cli) config: &'a Config,
    /// Whether the command line named the data folder. A daemon that serves another one must not answer then.
    pub(in crate::cli) is_named: bool,
    pub(in crate::cli) terminal: &'a Terminal,
}

/// Answers one command.
pub(in crate::cli) struct Answerer<'a> {
    client: Client,
    here: Option<Here>,
    place: Place<'a>,
}

impl<'a> Answerer<'a> {
    /// The daemon that is named, else the one at the configured address, else this process with the store, as soon as
    /// the parts that are needed are there. A data folder that is named goes before an address that is not.
    pub(in crate::cli) fn find(place: Place<'a>, server: &Server, needed: &[Part]) -> anyhow::Result<Self> {
        let config = place.config;
        let client = Client::new(config, server)?;
        if server.is_named() || !place.is_named && client.is_answered()? {
            return Ok(Self { client, here: None, place });
        }
        match Store::open_existing(&config.store_path(), store_options(config)) {
            Ok(store) => {
                if Terminal::is_interactive() {
                    print_error(format_args!("(no daemon runs: reading {})", store.path().display()))?;
                }
                let here = Here::start(config, store)?;
                here.wait_for(needed, place.terminal);
                Ok(Self { client: Client::of_here(config, here.address()), here: Some(here), place })
            }
            Err(StoreError::InUse(_)) if place.is_named && client.is_answered()? => {
                Ok(Self { client, here: None, place })
            }
            Err(StoreError::InUse(path)) => bail!(
                "{} is in use by another marquee process, and no daemon answers at {}: name the daemon's address \
                 with --server, or wait until that process is done",
                path.display(),
                client.server()
            ),
            Err(StoreError::Missing(path)) => bail!(
                "{}, and there is no store at {}: run `marquee import DIR` first, name another --data-dir, or a running \
                 daemon with --server",
                if place.is_named {
                    "no --server is named".to_owned()
                } else {
                    format!("no daemon answers at {}", client.server())
                },
                path.display()
            ),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks it.
    pub(in crate::cli) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it is there for further questions.
    pub(super) fn stays(&self) -> bool {
        self.here.is_none()
    }

    /// Ends it after something was removed. A daemon sees to it that nothing is left on the disk; this process does so
    /// itself before it ends.
    pub(super) fn purge(self) -> anyhow::Result<()> {
        let Self { here, place, .. } = self;
        if here.is_some() {
            drop(here);
            open_store(place.config)?.compact()?;
        }
        Ok(())
    }
}
