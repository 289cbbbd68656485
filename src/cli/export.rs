//! `marquee export`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;

use super::{print, store_options};
use crate::config::Config;
use crate::domain::{Catalogue, RatingMatrix};
use crate::import;
use crate::store::Store;

pub(super) fn run(config: &Config, dir: &Path) -> anyhow::Result<ExitCode> {
    let store = Store::open_existing(&config.store_path(), store_options(config))?;
    let (movies, interactions) = store.read(|view| Ok((view.movies()?, view.ratings()?)))?;
    // Files of an earlier export are not replaced by empty ones.
    if movies.is_empty() {
        bail!("the store {} has no movies: run `marquee import DIR` first", store.path().display());
    }
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), interactions);
    let catalogue = Catalogue::new(movies, &ratings);
    let report = import::export(dir, &catalogue, &ratings)?;
    print(format_args!("Wrote {} movies and {} ratings to {}.", report.movies, report.ratings, dir.display()))?;
    Ok(ExitCode::SUCCESS)
}
