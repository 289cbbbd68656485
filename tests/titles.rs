//! The title resolver on the labelled inputs of `tests/fixtures/titles`, with MovieLens 100K as it is imported.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "this is how a test fails and reports")]

#[path = "it/support/cache.rs"]
mod cache;

use std::path::Path;

use marquee::domain::{Catalogue, Interaction, Movie, MovieId, RatingMatrix};
use marquee::eval::TitleOutcomes;
use marquee::import::{self, ImportOptions, ImportSink, JudgedFile, Overviews, SinkError, labelled_titles};
use marquee::understand::TitleResolver;

/// Share of the labelled inputs that must be answered as labelled, in each half.
const LEAST_RIGHT: f64 = 0.97;

/// Keeps what is imported.
#[derive(Default)]
struct Memory {
    movies: Vec<Movie>,
    ratings: Vec<Interaction>,
}

impl ImportSink for Memory {
    fn movie(&mut self, movie: Movie) -> Result<(), SinkError> {
        self.movies.push(movie);
        Ok(())
    }

    fn rating(&mut self, rating: Interaction) -> Result<(), SinkError> {
        self.ratings.push(rating);
        Ok(())
    }
}

/// MovieLens 100K with the overviews that come with the program, as `marquee import` stores it.
fn movielens() -> Catalogue {
    let dir = cache::cached("data/ml-100k");
    let built_in = include_str!("../data/overviews.csv");
    let overviews = Some(Overviews::parse("the built-in overviews", built_in.as_bytes()).unwrap());
    let options = ImportOptions { overviews };
    let mut memory = Memory::default();
    import::import(&dir, import::detect(&dir).unwrap(), &options, &mut memory).unwrap();
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&memory.movies), memory.ratings);
    Catalogue::new(memory.movies, &ratings)
}

#[test]
fn labelled_inputs_are_understood() {
    let catalogue = movielens();
    let resolver = TitleResolver::fit(&catalogue);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/titles/ml-100k.csv");
    let rows = labelled_titles(JudgedFile::Path(&path)).unwrap();
    assert!(rows.len() >= 300);
    // Each half has to pass by itself.
    let mut halves = [TitleOutcomes::default(); 2];
    for (position, row) in rows.iter().enumerate() {
        let found = resolver.resolve(&row.input).map(|found| found.movie);
        if !halves[position % 2].count(&row.movies, found) {
            let title = |id: MovieId| catalogue.item_idx(id).map(|item| catalogue.movie(item).title.as_str());
            println!("{}: {:?} was taken for {:?}", row.kind, row.input, found.map(title));
        }
    }
    for half in halves {
        assert_eq!(half.taken, 0, "prompts taken for titles");
        assert!(half.share_right() >= LEAST_RIGHT, "{half:?}");
    }
}
