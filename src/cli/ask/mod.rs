//! Commands that ask: what to watch, what is like a film, who rated what. One file per group of commands.
//!
//! A running daemon answers them. Where none runs, this process opens the store and answers with the daemon's own code
//! ([`Here`](crate::daemon::Here)), so that there is one way to ask and one way to print.

mod answerer;
mod filters;
mod movies;
mod named;
mod rate;
mod recommend;
mod show;
mod texts;
mod users;

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::bail;
use clap::Args;
use serde_json::Value;

pub(super) use answerer::{Answerer, CATALOGUE, Place};
pub(super) use movies::{Movies, movies};
pub(super) use rate::{Rate, rate};
pub(super) use recommend::{Everybodys, Recommend, everybodys, recommend};
pub(super) use texts::{Search, Similar, search, similar};
pub(super) use users::{Users, users};

use super::client::{Answer, Server};
use super::{print, print_error};
use crate::engine::Part;

/// What every asking command takes.
#[derive(Debug, Args)]
pub(super) struct Asking {
    #[command(flatten)]
    server: Server,
    /// Print the daemon's answer as it is.
    #[arg(long)]
    json: bool,
}

impl Asking {
    /// Whoever answers, as soon as these parts are there.
    fn answerer<'a>(&self, place: Place<'a>, needed: &[Part]) -> anyhow::Result<Answerer<'a>> {
        Answerer::find(place, &self.server, needed)
    }

    /// Prints an answer as it is, or as people read it.
    fn print(&self, answer: &Answer, for_people: impl FnOnce(&Value) -> String) -> anyhow::Result<()> {
        let text = if self.json { answer.text.clone() } else { for_people(&answer.json) };
        Ok(print(text.trim_end())?)
    }
}

/// Leave to do what cannot be undone.
#[derive(Debug, Args)]
pub(super) struct Consent {
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

impl Consent {
    /// Asks whoever sits there, unless they have said so already.
    fn ask(&self, question: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            bail!("this cannot be undone: say --yes where nobody can be asked");
        }
        print_error(format_args!("{question} This cannot be undone. Type yes to go on:"))?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        if line.trim().eq_ignore_ascii_case("yes") { Ok(()) } else { bail!("nothing was changed") }
    }
}
