//! The vector index alone, at sizes that no catalogue here has: time and memory of building it, time of a search, and
//! how many of the true nearest ten it finds.
//!
//! `cargo bench --bench vectors -- [--vectors N] [--dim N]`, by default a million vectors of 768 components, which takes
//! 5 GB and most of an hour. Vectors lie around a thousand centres, as texts do around their subjects. Printed, not
//! asserted.
//!
//! `… -- --store FILE --space NAME` instead puts such vectors into a store as the embeddings of its movies, so that a
//! daemon can be measured at a size that would take a day to embed; NAME is the encoder's id of `GET /v1/models` and
//! the text recipe, as `schema/store.md` says. Only for a store made to be measured: the vectors mean nothing.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot be set up ends; it reports in words")]

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use marquee::artifact::sha256;
use marquee::domain::{Embedding, EmbeddingSpace, MovieId};
use marquee::recommend::{EmbeddingText, NearestNeighbors, embedding_text};
use marquee::store::{Store, StoreOptions, StoredEmbedding, Write};
use marquee::vector::VectorIndex;
use rayon::prelude::*;

const N_CENTRES: u64 = 1_000;
/// Share of a vector that is its own.
const OWN: f32 = 1.2;
const N_QUERIES: usize = 200;
const TOP_K: usize = 10;
/// Embeddings of one transaction.
const BATCH: usize = 2_000;

#[derive(Parser)]
struct Arguments {
    /// How many vectors to index.
    #[arg(long, default_value_t = 1_000_000)]
    vectors: usize,
    /// Components of each.
    #[arg(long, default_value_t = 768)]
    dim: usize,
    /// A store whose movies get vectors, instead of measuring an index.
    #[arg(long, requires = "space")]
    store: Option<PathBuf>,
    /// The embedding space they get them in.
    #[arg(long)]
    space: Option<String>,
    /// Cargo says so to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    match (arguments.store, arguments.space) {
        (Some(store), Some(space)) => embed(&store, &space, arguments.dim),
        _ => measure(arguments.vectors, arguments.dim),
    }
}

/// Numbers of mean 0 that repeat from run to run (splitmix64), each a sum of four, so nearly normal.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = mixed ^ (mixed >> 31);
        (0..4).map(|part| ((mixed >> (16 * part)) & 0xffff) as f32 / 65_536.0 - 0.5).sum()
    }
}

/// A unit vector near one of the centres.
fn vector(number: u64, dim: usize) -> Embedding {
    let mut centre = Numbers(number % N_CENTRES * 7_919);
    let mut own = Numbers(!number);
    Embedding::new((0..dim).map(|_| centre.next() + OWN * own.next()).collect()).unwrap()
}

fn measure(n: usize, dim: usize) {
    let mut components = vec![0.0_f32; n * dim];
    components.par_chunks_mut(dim).enumerate().for_each(|(number, slot)| {
        slot.copy_from_slice(vector(number as u64, dim).components());
    });
    let before = resident_mb();
    let started = Instant::now();
    let rows = (0..).map(MovieId).zip(components.chunks_exact(dim));
    let space = EmbeddingSpace { encoder: "made up".to_owned(), dim };
    let progress = |done: usize| {
        if done > 0 && done.is_multiple_of(64 * 1_000) {
            println!("{done} of {n} after {:.0} s", started.elapsed().as_secs_f64());
        }
    };
    let index = VectorIndex::build(space, rows, &progress).unwrap();
    let built = started.elapsed();
    println!(
        "{n} vectors of {dim}: built in {:.0} s ({:.0} a second), {:.0} MB",
        built.as_secs_f64(),
        n as f64 / built.as_secs_f64(),
        resident_mb() - before
    );
    search(&index, &components, dim);
}

fn search(index: &VectorIndex, components: &[f32], dim: usize) {
    // Near the centres, but none of the vectors themselves.
    let queries: Vec<Embedding> =
        (0..N_QUERIES as u64).map(|number| vector(u64::from(u32::MAX) + number, dim)).collect();
    let (mut times, mut n_found): (Vec<Duration>, usize) = (Vec::new(), 0);
    for query in &queries {
        let started = Instant::now();
        let found = index.nearest(query, TOP_K).unwrap();
        times.push(started.elapsed());
        let true_ones = nearest(query.components(), components);
        n_found += found.iter().filter(|(movie, _)| true_ones.contains(&movie.0)).count();
    }
    times.sort_unstable();
    println!(
        "search for {TOP_K}: p50 {:.2} ms, p99 {:.2} ms, recall@{TOP_K} {:.3}",
        times[N_QUERIES / 2].as_secs_f64() * 1e3,
        times[N_QUERIES * 99 / 100].as_secs_f64() * 1e3,
        n_found as f64 / (TOP_K * N_QUERIES) as f64
    );
}

/// The nearest vectors, found by looking at all.
fn nearest(query: &[f32], components: &[f32]) -> HashSet<u32> {
    let dot = |row: &[f32]| row.iter().zip(query).map(|(left, right)| left * right).sum::<f32>();
    let mut all: Vec<(u32, f32)> = components
        .par_chunks_exact(query.len())
        .zip(0..(components.len() / query.len()) as u32)
        .map(|(row, id)| (id, dot(row)))
        .collect();
    all.select_nth_unstable_by(TOP_K - 1, |left, right| right.1.total_cmp(&left.1));
    all[..TOP_K].iter().map(|&(id, _)| id).collect()
}

fn embed(path: &std::path::Path, space: &str, dim: usize) {
    let store = Store::open_existing(path, StoreOptions::default()).unwrap();
    let movies = store.read(|view| view.movies()).unwrap();
    let space: Arc<str> = space.into();
    let texts =
        (0..).zip(&movies).map(|(number, movie)| (number, movie.id, embedding_text(movie, EmbeddingText::default())));
    let with_text: Vec<(u64, MovieId, String)> = texts.filter(|(_, _, text)| !text.trim().is_empty()).collect();
    for batch in with_text.chunks(BATCH) {
        let write = |(number, movie, text): &(u64, MovieId, String)| {
            let hash = sha256(text.as_bytes());
            let text_hash = u128::from_str_radix(&hash.as_str()[..32], 16).unwrap().to_be_bytes();
            let components = vector(*number, dim).components().to_vec();
            let embedding = StoredEmbedding { text_hash, components };
            Write::Embedding { space: Arc::clone(&space), movie: *movie, embedding }
        };
        store.write(batch.par_iter().map(write).collect()).unwrap();
    }
    println!("{} movies have vectors in {space}", with_text.len());
}

/// Memory of this process that is in use, where the system tells it as Linux does.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kibibytes.unwrap_or(f64::NAN) * 1024.0 / 1e6
}
