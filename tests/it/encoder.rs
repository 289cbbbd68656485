//! The real encoder against sentence-transformers.

use marquee::artifact;
use marquee::domain::MovieId;
use marquee::inference::{EncoderOptions, OnnxTextEncoder, Runtime, WorkerOptions};
use marquee::recommend::{NearestNeighbors, TextEncoder};
use marquee::vector::VectorIndex;
use serde_json::Value;

use crate::support::{cached, fixture};

const TOLERANCE: f32 = 1e-4;

/// Share of the ten best that the index must find too.
const LEAST_OVERLAP: f64 = 0.98;

#[test]
fn vectors_equal_those_of_sentence_transformers() {
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("golden/sentence_transformers.json")).unwrap()).unwrap();
    let texts: Vec<String> =
        golden["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    assert!(texts.len() >= 15);
    let artifact = artifact::verify(&cached("artifacts/all-mpnet-base-v2")).unwrap();
    let library = Runtime::find_library(None).unwrap();
    let runtime = Runtime::start(&library, 2).unwrap();
    let worker = WorkerOptions { threads: 2, ..WorkerOptions::default() };
    let encoder =
        OnnxTextEncoder::load(&artifact, &runtime, EncoderOptions { worker, ..EncoderOptions::default() }).unwrap();
    let embeddings = encoder.encode(&texts).unwrap();
    let mut largest = 0.0_f32;
    for (embedding, expected) in embeddings.iter().zip(golden["embeddings"].as_array().unwrap()) {
        for (found, expected) in embedding.components().iter().zip(expected.as_array().unwrap()) {
            largest = largest.max((found - expected.as_f64().unwrap() as f32).abs());
        }
    }
    assert!(largest < TOLERANCE, "components differ by up to {largest}");
    rankings_equal_those_of_brute_force(&encoder, &golden["rankings"]);
}

/// Through this program's encoder and index, the documents of `tfidf.json` rank as by sentence-transformers.
fn rankings_equal_those_of_brute_force(encoder: &OnnxTextEncoder, golden: &Value) {
    let tfidf: Value = serde_json::from_str(&std::fs::read_to_string(fixture("golden/tfidf.json")).unwrap()).unwrap();
    let texts =
        tfidf["documents"].as_array().unwrap().iter().map(|document| document["text"].as_str().unwrap().to_owned());
    let vectors: Vec<_> =
        texts.collect::<Vec<_>>().chunks(16).flat_map(|batch| encoder.encode(batch).unwrap()).collect();
    let with_ids = (0..).map(MovieId).zip(vectors.iter().map(|vector| vector.components()));
    let index = VectorIndex::build(encoder.space().clone(), with_ids, &|_| {}).unwrap();
    let (mut n_shared, mut n_asked) = (0, 0);
    for ranking in golden.as_array().unwrap() {
        let query = ranking["text"].as_str().unwrap().to_owned();
        let vector = encoder.encode(&[query]).unwrap().remove(0);
        let expected = ranking["top"].as_array().unwrap();
        for pair in expected {
            let document = vectors[usize::try_from(pair[0].as_u64().unwrap()).unwrap()].components();
            let cosine: f32 = document.iter().zip(vector.components()).map(|(left, right)| left * right).sum();
            assert!((cosine - pair[1].as_f64().unwrap() as f32).abs() < TOLERANCE, "{ranking}");
        }
        let best: Vec<u64> = expected.iter().take(10).map(|pair| pair[0].as_u64().unwrap()).collect();
        let found = index.nearest(&vector, 10).unwrap();
        n_shared += found.iter().filter(|(movie, _)| best.contains(&u64::from(movie.0))).count();
        n_asked += best.len();
    }
    let overlap = n_shared as f64 / n_asked as f64;
    assert!(
        n_asked >= 100 && overlap >= LEAST_OVERLAP,
        "{overlap:.3} of {n_asked} are among the ten best of the index"
    );
}
