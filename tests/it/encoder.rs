//! The real encoder against sentence-transformers.

use marquee::artifact;
use marquee::inference::{EncoderOptions, OnnxTextEncoder, Runtime, WorkerOptions};
use marquee::recommend::TextEncoder;
use serde_json::Value;

use crate::support::{cached, fixture};

const TOLERANCE: f32 = 1e-4;

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
}
