//! A text encoder that remembers the embeddings of what was asked: prompts come again, from pages that are opened twice
//! and from examples that many try. The memory is the encoder's own and goes with it.

use quick_cache::sync::Cache;

use crate::domain::{Embedding, EmbeddingSpace};
use crate::recommend::{PortError, TextEncoder};

/// Texts that are remembered, at most: 3 KB each with 768 dimensions.
const MAX_TEXTS: usize = 2048;
/// Longer texts are hardly asked twice.
const MAX_TEXT_BYTES: usize = 512;

pub(super) struct QueryMemory<E> {
    encoder: E,
    known: Cache<String, Embedding>,
}

impl<E: TextEncoder> QueryMemory<E> {
    pub(super) fn of(encoder: E) -> Self {
        Self { encoder, known: Cache::new(MAX_TEXTS) }
    }
}

impl<E: TextEncoder> TextEncoder for QueryMemory<E> {
    fn space(&self) -> &EmbeddingSpace {
        self.encoder.space()
    }

    fn encode(&self, texts: &[String]) -> Result<Vec<Embedding>, PortError> {
        self.encoder.encode(texts)
    }

    fn encode_queries(&self, texts: &[String]) -> Result<Vec<Embedding>, PortError> {
        let texts: Vec<String> = texts.iter().map(|text| normal_form(text)).collect();
        let mut embeddings: Vec<Option<Embedding>> = texts.iter().map(|text| self.known.get(text)).collect();
        let missing: Vec<usize> = (0..texts.len()).filter(|&text| embeddings[text].is_none()).collect();
        count("hit", texts.len() - missing.len());
        count("miss", missing.len());
        if !missing.is_empty() {
            let asked: Vec<String> = missing.iter().map(|&text| texts[text].clone()).collect();
            for (&text, embedding) in missing.iter().zip(self.encoder.encode(&asked)?) {
                if texts[text].len() <= MAX_TEXT_BYTES {
                    self.known.insert(texts[text].clone(), embedding.clone());
                }
                embeddings[text] = Some(embedding);
            }
        }
        let failed = || PortError::Failed("the text encoder", "a text has no embedding".to_owned());
        embeddings.into_iter().collect::<Option<_>>().ok_or_else(failed)
    }
}

/// White space as the tokenizers see it. Letters stay as they are: an encoder may tell small from capital ones.
fn normal_form(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn count(outcome: &'static str, n: usize) {
    metrics::counter!("marquee_query_embeddings_total", "outcome" => outcome).increment(n as u64);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Notes what it is asked; the vector of a text tells its length.
    struct Noting {
        space: EmbeddingSpace,
        asked: Mutex<Vec<String>>,
    }

    impl TextEncoder for Noting {
        fn space(&self) -> &EmbeddingSpace {
            &self.space
        }

        fn encode(&self, texts: &[String]) -> Result<Vec<Embedding>, PortError> {
            self.asked.lock().unwrap().extend_from_slice(texts);
            if texts.iter().any(|text| text == "bad") {
                return Err(PortError::Busy("the text encoder"));
            }
            Ok(texts.iter().map(|text| vector(text.len())).collect())
        }
    }

    fn vector(length: usize) -> Embedding {
        Embedding::new(vec![1.0, length as f32]).unwrap()
    }

    fn memory() -> QueryMemory<Noting> {
        let space = EmbeddingSpace { encoder: "noting".to_owned(), dim: 2 };
        QueryMemory::of(Noting { space, asked: Mutex::default() })
    }

    fn asked(memory: &QueryMemory<Noting>) -> Vec<String> {
        std::mem::take(&mut memory.encoder.asked.lock().unwrap())
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn what_is_known_is_not_encoded_again_and_the_order_stays() {
        let memory = memory();
        assert_eq!(memory.encode_queries(&texts(&["ab"])).unwrap(), [vector(2)]);
        assert_eq!(asked(&memory), ["ab"]);
        let both = memory.encode_queries(&texts(&["abc", "  ab\n", "abcd"])).unwrap();
        assert_eq!(both, [vector(3), vector(2), vector(4)]);
        assert_eq!(asked(&memory), ["abc", "abcd"]);
        assert_eq!(memory.encode_queries(&texts(&["AB"])).unwrap(), [vector(2)]);
        assert_eq!(asked(&memory), ["AB"], "an encoder may tell the letters apart");
    }

    #[test]
    fn texts_of_the_catalogue_and_long_ones_are_not_remembered() {
        let memory = memory();
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        for _ in 0..2 {
            memory.encode(&texts(&["a film"])).unwrap();
            memory.encode_queries(&texts(&[&long])).unwrap();
        }
        assert_eq!(asked(&memory), ["a film", &long, "a film", &long]);
    }

    #[test]
    fn a_failure_is_told_and_not_remembered() {
        let memory = memory();
        for _ in 0..2 {
            assert!(matches!(memory.encode_queries(&texts(&["bad"])), Err(PortError::Busy(_))));
        }
        assert_eq!(asked(&memory).len(), 2);
        assert!(memory.encode_queries(&[]).unwrap().is_empty());
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let memory = memory();
        for text in 0..3 * MAX_TEXTS {
            memory.encode_queries(&[text.to_string()]).unwrap();
        }
        assert!(memory.known.len() <= MAX_TEXTS);
    }
}
