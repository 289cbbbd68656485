//! The title resolver on the labelled inputs of `tests/fixtures/titles`, with MovieLens 100K as it is imported.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "this is how a test fails and reports")]

#[path = "it/support/cache.rs"]
mod cache;

use std::collections::BTreeMap;
use std::path::Path;

use marquee::domain::{Catalogue, Interaction, Movie, MovieId, RatingMatrix};
use marquee::import::{self, ImportOptions, ImportSink, Overviews, SinkError};
use marquee::understand::TitleResolver;

/// Share of the labelled inputs that must be answered as labelled.
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

/// One line of the labelled set.
struct Labelled {
    input: String,
    kind: String,
    /// Empty: the input is a prompt.
    movies: Vec<MovieId>,
}

/// What became of the inputs of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    right: usize,
    /// A title that was answered with another movie.
    other_movie: usize,
    /// A title that was not recognised.
    not_found: usize,
    /// A prompt that was taken for a title.
    taken: usize,
}

impl Outcome {
    fn total(self) -> usize {
        self.right + self.other_movie + self.not_found + self.taken
    }

    fn add(&mut self, expected: &[MovieId], found: Option<MovieId>) -> bool {
        let place = match found {
            Some(movie) if expected.contains(&movie) => &mut self.right,
            Some(_) if expected.is_empty() => &mut self.taken,
            Some(_) => &mut self.other_movie,
            None if expected.is_empty() => &mut self.right,
            None => &mut self.not_found,
        };
        *place += 1;
        found.is_none() == expected.is_empty() && found.is_none_or(|movie| expected.contains(&movie))
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

fn labelled() -> Vec<Labelled> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/titles/ml-100k.csv");
    let mut rows = csv::Reader::from_path(path).unwrap();
    let parse = |row: csv::StringRecord| Labelled {
        input: row[0].to_owned(),
        kind: row[1].to_owned(),
        movies: row[2].split('|').filter(|id| !id.is_empty()).map(|id| MovieId(id.parse().unwrap())).collect(),
    };
    rows.records().map(|row| parse(row.unwrap())).collect()
}

fn print_table(outcomes: &BTreeMap<String, [Outcome; 2]>) {
    println!(
        "{:20} {:>5} {:>6} {:>12} {:>10} {:>6}  odd rows  even rows",
        "kind", "all", "right", "other movie", "not found", "taken"
    );
    for (kind, halves) in outcomes {
        let both = |count: fn(&Outcome) -> usize| halves.iter().map(count).sum::<usize>();
        let half = |outcome: Outcome| format!("{}/{}", outcome.right, outcome.total());
        println!(
            "{kind:20} {:5} {:6} {:12} {:10} {:6} {:>9} {:>10}",
            both(|outcome| outcome.total()),
            both(|outcome| outcome.right),
            both(|outcome| outcome.other_movie),
            both(|outcome| outcome.not_found),
            both(|outcome| outcome.taken),
            half(halves[0]),
            half(halves[1]),
        );
    }
}

#[test]
fn labelled_inputs_are_understood() {
    let catalogue = movielens();
    let resolver = TitleResolver::fit(&catalogue);
    let mut outcomes: BTreeMap<String, [Outcome; 2]> = BTreeMap::new();
    let rows = labelled();
    let started = std::time::Instant::now();
    for (position, row) in rows.iter().enumerate() {
        let found = resolver.resolve(&row.input).map(|found| found.movie);
        for kind in [row.kind.as_str(), "~ all"] {
            let halves = outcomes.entry(kind.to_owned()).or_default();
            let right = halves[position % 2].add(&row.movies, found);
            if !right && kind == row.kind {
                let half = ["odd", "even"][position % 2];
                let title =
                    |id: &MovieId| catalogue.item_idx(*id).map_or("?", |item| catalogue.movie(item).title.as_str());
                let expected: Vec<&str> = row.movies.iter().map(title).collect();
                println!("{half} {kind}: {:?} gave {:?}, not {expected:?}", row.input, found.as_ref().map(title));
            }
        }
    }
    println!("{:?} for {} inputs", started.elapsed(), rows.len());
    print_table(&outcomes);
    let all = outcomes["~ all"].map(|half| (half.right, half.taken, half.total()));
    let [right, taken, total] = [all[0].0 + all[1].0, all[0].1 + all[1].1, all[0].2 + all[1].2];
    assert_eq!(taken, 0, "prompts taken for titles");
    assert!(right as f64 >= LEAST_RIGHT * total as f64, "{right} of {total} are right");
}
