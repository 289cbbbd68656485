//! The real encoder, in both forms, against sentence-transformers.

use std::thread;

use marquee::artifact;
use marquee::domain::{Embedding, MovieId};
use marquee::inference::{EncoderOptions, OnnxTextEncoder, Runtime, WorkerOptions};
use marquee::recommend::{NearestNeighbors, TextEncoder};
use marquee::vector::VectorIndex;
use serde_json::Value;

use crate::support::{cached, fixture};

const TOLERANCE: f32 = 1e-4;

/// Least cosine of a vector made with 8-bit products to the exact one; of a text without a word, which means nothing, too.
const LEAST_COSINE: f32 = 0.9985;
const LEAST_COSINE_OF_NOTHING: f32 = 0.995;

/// Least cosine of such a vector to that of the same text in other company.
const LEAST_COSINE_IN_COMPANY: f32 = 0.99999;

/// Share of the ten best that the index must find too, with exact and with 8-bit products.
const LEAST_OVERLAP: f64 = 0.98;
const LEAST_OVERLAP_8_BIT: f64 = 0.95;

#[test]
fn vectors_equal_those_of_sentence_transformers() {
    let golden = golden("sentence_transformers");
    let texts = texts(&golden["texts"]);
    assert!(texts.len() >= 15);
    let encoder = load("all-mpnet-base-v2");
    let mut largest = 0.0_f32;
    for (embedding, expected) in encoder.encode(&texts).unwrap().iter().zip(expected(&golden)) {
        for (found, expected) in embedding.components().iter().zip(expected.components()) {
            largest = largest.max((found - expected).abs());
        }
    }
    assert!(largest < TOLERANCE, "components differ by up to {largest}");
    let documents = documents(&encoder);
    for ranking in golden["rankings"].as_array().unwrap() {
        let vector = encoder.encode(&texts_of(ranking)).unwrap().remove(0);
        for pair in ranking["top"].as_array().unwrap() {
            let cosine = documents[usize::try_from(pair[0].as_u64().unwrap()).unwrap()].cosine(&vector);
            assert!((cosine - pair[1].as_f64().unwrap() as f32).abs() < TOLERANCE, "{ranking}");
        }
    }
    let overlap = overlap(&encoder, &documents, &golden["rankings"]);
    assert!(overlap >= LEAST_OVERLAP, "{overlap:.3} are among the ten best of the index");
}

#[test]
fn vectors_with_8_bit_products_are_nearly_those_and_the_same_in_any_company() {
    let golden = golden("sentence_transformers");
    let texts = texts(&golden["texts"]);
    let encoder = load("all-mpnet-base-v2-int8");
    let together = encoder.encode(&texts).unwrap();
    // Prompts that wait for the same thread share its runs.
    let alone: Vec<Embedding> = thread::scope(|scope| {
        let asking: Vec<_> = texts
            .iter()
            .map(|text| scope.spawn(|| encoder.encode(std::slice::from_ref(text)).unwrap().remove(0)))
            .collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    for (text, ((together, alone), expected)) in texts.iter().zip(together.iter().zip(&alone).zip(expected(&golden))) {
        let cosine = together.cosine(&expected);
        let least = if text.trim().is_empty() { LEAST_COSINE_OF_NOTHING } else { LEAST_COSINE };
        assert!(cosine >= least, "{cosine} to the exact vector of {text:?}");
        let cosine = together.cosine(alone);
        assert!(cosine >= LEAST_COSINE_IN_COMPANY, "{cosine} to the same text, {text:?}, in other company");
    }
    let overlap = overlap(&encoder, &documents(&encoder), &golden["rankings"]);
    assert!(overlap >= LEAST_OVERLAP_8_BIT, "{overlap:.3} are among the ten best");
}

fn golden(name: &str) -> Value {
    let path = fixture("golden").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn load(name: &str) -> OnnxTextEncoder {
    let artifact = artifact::verify(&cached("artifacts").join(name)).unwrap();
    let library = Runtime::find_library(None).unwrap();
    let runtime = Runtime::start(&library, 2).unwrap();
    let worker = WorkerOptions { threads: 2, ..WorkerOptions::default() };
    OnnxTextEncoder::load(&artifact, &runtime, EncoderOptions { worker, ..EncoderOptions::default() }).unwrap()
}

fn texts(texts: &Value) -> Vec<String> {
    texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn texts_of(ranking: &Value) -> Vec<String> {
    vec![ranking["text"].as_str().unwrap().to_owned()]
}

/// The vectors of sentence-transformers.
fn expected(golden: &Value) -> Vec<Embedding> {
    let vector = |components: &Value| {
        let components = components.as_array().unwrap().iter().map(|component| component.as_f64().unwrap() as f32);
        Embedding::new(components.collect()).unwrap()
    };
    golden["embeddings"].as_array().unwrap().iter().map(vector).collect()
}

/// The vectors of the documents of `tfidf.json`, in their order.
fn documents(encoder: &OnnxTextEncoder) -> Vec<Embedding> {
    let texts: Vec<String> = golden("tfidf")["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| document["text"].as_str().unwrap().to_owned())
        .collect();
    texts.chunks(16).flat_map(|batch| encoder.encode(batch).unwrap()).collect()
}

/// How many of the ten best of sentence-transformers this program's encoder and index find among their ten best.
fn overlap(encoder: &OnnxTextEncoder, documents: &[Embedding], rankings: &Value) -> f64 {
    let with_ids = (0..).map(MovieId).zip(documents.iter().map(Embedding::components));
    let index = VectorIndex::build(encoder.space().clone(), with_ids, &|_| {}).unwrap();
    let (mut n_shared, mut n_asked) = (0, 0);
    for ranking in rankings.as_array().unwrap() {
        let vector = encoder.encode(&texts_of(ranking)).unwrap().remove(0);
        let top = ranking["top"].as_array().unwrap();
        let best: Vec<u64> = top.iter().take(10).map(|pair| pair[0].as_u64().unwrap()).collect();
        let found = index.nearest(&vector, 10).unwrap();
        n_shared += found.iter().filter(|(movie, _)| best.contains(&u64::from(movie.0))).count();
        n_asked += best.len();
    }
    assert!(n_asked >= 100);
    n_shared as f64 / n_asked as f64
}
