//! Texts to embeddings: tokenise on the asker's thread, run the graph on the worker's. Pooling and scaling to unit
//! length are inside the graph (see the artifact contract).
//!
//! Truncation and padding come from the manifest; those baked into `tokenizer.json` are for training and wrong here.
//! Many texts are sorted by length and run in small batches, each a job of its own, so that a query waits for one batch
//! of a catalogue's texts at most. Queries that wait meanwhile are run together, if they are about as long: the weights
//! are then read once for all of them.
//!
//! A graph small enough runs in several sessions side by side, which does more than several threads do in one: its
//! operators are too short to be worth dividing.

use std::collections::VecDeque;
use std::time::Instant;

use ort::session::Session;
use ort::value::TensorRef;
use tokenizers::{Tokenizer, TruncationParams};

use super::runtime::SharedTables;
use super::session::{Port, check_signature, floats, run_error};
use super::{InferenceError, Runtime, Ticket, Worker, WorkerOptions, check_probe, fenced};
use crate::artifact::{Artifact, TextEncoder as Section};
use crate::domain::{Embedding, EmbeddingSpace};
use crate::recommend::{PortError, TextEncoder};

/// Name of this port in errors.
const PORT: &str = "the text encoder";
/// Longer texts are cut before tokenising: no model reads so many tokens.
const TEXT_LIMIT_BYTES: usize = 32 * 1024;

/// Graphs of all sessions together are at most so large; one session there is always. In memory each takes about a
/// quarter more.
const SESSIONS_LIMIT_BYTES: u64 = 256 << 20;
/// Most sessions.
const MAX_SESSIONS: usize = 8;

/// A run of its own costs a text about as much as so many tokens of padding.
const WORTHWHILE_PADDING: usize = 16;

/// How the encoder is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderOptions {
    /// The worker.
    pub worker: WorkerOptions,
    /// Most texts of one run.
    pub max_batch: usize,
    /// Most tokens of one run, padding included, unless a single text has more.
    pub max_batch_tokens: usize,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        Self { worker: WorkerOptions::default(), max_batch: 16, max_batch_tokens: 256 }
    }
}

/// The encoder of a `text-encoder` artifact.
#[derive(Debug)]
pub struct OnnxTextEncoder {
    space: EmbeddingSpace,
    tokenizer: Tokenizer,
    options: EncoderOptions,
    n_sessions: usize,
    worker: Worker<Tokenised, Reply>,
}

/// Vectors of one asker's texts, one after the other.
type Reply = Result<Vec<f32>, InferenceError>;

/// Token ids of one asker's texts, at least one, the longest first.
type Tokenised = Vec<Vec<i64>>;

/// Texts of one run as the graph's two inputs, row after row.
struct Batch {
    ids: Vec<i64>,
    mask: Vec<i64>,
    n_texts: usize,
}

/// The session and what is needed to run it.
struct Runner {
    session: Session,
    pad_id: i64,
    dim: usize,
}

impl OnnxTextEncoder {
    /// Loads the artifact's encoder and holds it against its probe, which also warms it.
    pub fn load(artifact: &Artifact, runtime: &Runtime, options: EncoderOptions) -> Result<Self, InferenceError> {
        let section = artifact.text_encoder()?;
        let tokenizer = load_tokenizer(section, &artifact.read(&section.tokenizer)?)?;
        let (n_sessions, threads) = division(options.worker.threads, artifact.size_of(&section.graph)?);
        let shared = if n_sessions > 1 { SharedTables::of(artifact, &section.graph)? } else { SharedTables::default() };
        let runner = |_| Runner::load(artifact, runtime, (threads, &shared));
        let runners = (0..n_sessions).map(runner).collect::<Result<Vec<_>, _>>()?;
        let runs = runners.into_iter().map(|mut runner| move |jobs: Vec<Tokenised>| runner.run(&jobs));
        let fits = move |jobs: &[Tokenised], job: &Tokenised| fits(jobs, job, &options);
        let worker = Worker::start_joining("text-encoder", options.worker.queue, fits, runs)
            .map_err(|error| InferenceError::Run(error.to_string()))?;
        let space = EmbeddingSpace { encoder: artifact.id().to_string(), dim: section.dim };
        let encoder = Self { space, tokenizer, options, n_sessions, worker };
        encoder.probe(artifact)?;
        Ok(encoder)
    }

    /// Compares the embeddings of the probe's texts, each alone and all together, with the recorded ones.
    pub fn probe(&self, artifact: &Artifact) -> Result<(), InferenceError> {
        let probe = artifact.encoder_probe()?;
        let tolerance = artifact.manifest().probe.tolerance;
        let together = self.encode_texts(&probe.texts)?;
        for (position, expected) in probe.embeddings.iter().enumerate() {
            let alone = self.encode_texts(&probe.texts[position..=position])?;
            let what = format!("the embedding of text {}", position + 1);
            check_probe(&what, (alone[0].components(), expected), tolerance)?;
            let what = format!("{what} in a batch");
            check_probe(&what, (together[position].components(), expected), tolerance)?;
        }
        Ok(())
    }

    fn encode_texts(&self, texts: &[String]) -> Result<Vec<Embedding>, InferenceError> {
        let deadline = Instant::now() + self.options.worker.patience;
        let tokenised = texts.iter().map(|text| self.tokenise(text)).collect::<Result<Vec<_>, _>>()?;
        let mut embeddings: Vec<Option<Embedding>> = vec![None; texts.len()];
        let mut take = |batch: Vec<usize>, values: Vec<f32>| -> Result<(), InferenceError> {
            for (&text, vector) in batch.iter().zip(values.chunks_exact(self.space.dim)) {
                let embedding = Embedding::new(vector.to_vec());
                embeddings[text] = Some(embedding.map_err(|error| InferenceError::Run(error.to_string()))?);
            }
            Ok(())
        };
        // As many batches at once as sessions, so that none is idle and no query finds a line of them.
        let mut under_way: VecDeque<(Vec<usize>, Ticket<Reply>, Instant)> = VecDeque::new();
        for (position, batch) in batches(&tokenised, &self.options).into_iter().enumerate() {
            if under_way.len() == self.n_sessions
                && let Some((batch, ticket, deadline)) = under_way.pop_front()
            {
                take(batch, ticket.wait_until(deadline)??)?;
            }
            let job = batch.iter().map(|&text| tokenised[text].clone()).collect();
            // Full is said before the first run; later ones wait, because work already done should count.
            let (ticket, deadline) = if position == 0 {
                (self.worker.submit(job)?, deadline)
            } else {
                let deadline = Instant::now() + self.options.worker.patience;
                (self.worker.submit_by(job, deadline)?, deadline)
            };
            under_way.push_back((batch, ticket, deadline));
        }
        for (batch, ticket, deadline) in under_way {
            take(batch, ticket.wait_until(deadline)??)?;
        }
        embeddings.into_iter().collect::<Option<_>>().ok_or_else(|| InferenceError::Run("a text is missing".to_owned()))
    }

    fn tokenise(&self, text: &str) -> Result<Vec<i64>, InferenceError> {
        let text = &text[..text.floor_char_boundary(TEXT_LIMIT_BYTES)];
        let encoding = fenced(|| self.tokenizer.encode_fast(text, true))
            // Its message may quote the text.
            .map_err(|_| InferenceError::Run("the tokenizer panicked".to_owned()))?
            .map_err(|error| InferenceError::Run(error.to_string()))?;
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }
}

impl TextEncoder for OnnxTextEncoder {
    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn encode(&self, texts: &[String]) -> Result<Vec<Embedding>, PortError> {
        self.encode_texts(texts).map_err(|error| error.into_port(PORT))
    }
}

fn load_tokenizer(section: &Section, bytes: &[u8]) -> Result<Tokenizer, InferenceError> {
    let failed = |reason: String| InferenceError::Load { file: section.tokenizer.clone(), reason };
    let load = || -> tokenizers::Result<Tokenizer> {
        let mut tokenizer = Tokenizer::from_bytes(bytes)?;
        tokenizer.with_padding(None);
        let truncation = TruncationParams { max_length: section.max_tokens, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation))?;
        Ok(tokenizer)
    };
    let tokenizer = fenced(load).map_err(failed)?.map_err(|error| failed(error.to_string()))?;
    if tokenizer.token_to_id(&section.pad_token) == Some(section.pad_id) {
        return Ok(tokenizer);
    }
    let found = tokenizer.token_to_id(&section.pad_token);
    Err(failed(format!("its token {:?} has the id {found:?}, not {}", section.pad_token, section.pad_id)))
}

/// Positions of the texts of each run: longest first, so that a batch wastes little padding.
fn batches(tokenised: &[Vec<i64>], options: &EncoderOptions) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tokenised.len()).collect();
    order.sort_by_key(|&text| std::cmp::Reverse(tokenised[text].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for text in order {
        match batches.last_mut() {
            Some(batch)
                if batch.len() < options.max_batch
                    && tokenised[batch[0]].len() * (batch.len() + 1) <= options.max_batch_tokens =>
            {
                batch.push(text);
            }
            _ => batches.push(vec![text]),
        }
    }
    batches
}

/// Whether a further asker's texts fit into a run: within both limits, and so like in length that padding costs less than
/// a run of their own.
fn fits(jobs: &[Tokenised], job: &Tokenised, options: &EncoderOptions) -> bool {
    let texts = || jobs.iter().chain([job]).flatten();
    let longest = texts().map(Vec::len).max().unwrap_or(0);
    let (n_texts, n_tokens) = (texts().count(), texts().map(Vec::len).sum::<usize>());
    let padding = longest * n_texts - n_tokens;
    n_texts <= options.max_batch
        && longest * n_texts <= options.max_batch_tokens
        && padding <= WORTHWHILE_PADDING * jobs.len()
}

/// Number of sessions, and threads of each, by all threads and the size of the graph.
fn division(threads: usize, graph_bytes: u64) -> (usize, usize) {
    let affordable = usize::try_from(SESSIONS_LIMIT_BYTES / graph_bytes.max(1)).unwrap_or(MAX_SESSIONS);
    let n_sessions = affordable.min(threads).clamp(1, MAX_SESSIONS);
    (n_sessions, (threads / n_sessions).max(1))
}

impl Runner {
    fn load(artifact: &Artifact, runtime: &Runtime, options: (usize, &SharedTables)) -> Result<Self, InferenceError> {
        let section = artifact.text_encoder()?;
        let session = runtime.session(artifact, &section.graph, options)?;
        let inputs = [Port::int64("input_ids", [None, None]), Port::int64("attention_mask", [None, None])];
        let output = Port::float32("sentence_embedding", [None, Some(section.dim)]);
        check_signature(&section.graph, &session, &inputs, &[output])?;
        Ok(Self { session, pad_id: i64::from(section.pad_id), dim: section.dim })
    }

    /// Runs the texts of all askers at once and gives each the vectors of its own.
    fn run(&mut self, jobs: &[Tokenised]) -> Vec<Result<Vec<f32>, InferenceError>> {
        let batch = self.batch(jobs);
        metrics::counter!("marquee_encoder_runs_total").increment(1);
        metrics::counter!("marquee_encoder_texts_total").increment(batch.n_texts as u64);
        match run_batch(&mut self.session, &batch, self.dim) {
            Ok(vectors) => {
                let mut rest = &vectors[..];
                let own = |job: &Tokenised| {
                    let (own, others) = rest.split_at(job.len() * self.dim);
                    rest = others;
                    Ok(own.to_vec())
                };
                jobs.iter().map(own).collect()
            }
            Err(error) => jobs.iter().map(|_| Err(InferenceError::Run(error.to_string()))).collect(),
        }
    }

    fn batch(&self, jobs: &[Tokenised]) -> Batch {
        let texts = || jobs.iter().flatten();
        let longest = texts().map(Vec::len).max().unwrap_or(0);
        let n_texts = texts().count();
        let mut ids = Vec::with_capacity(longest * n_texts);
        let mut mask = Vec::with_capacity(longest * n_texts);
        for (row, text) in texts().enumerate() {
            ids.extend_from_slice(text);
            mask.resize(ids.len(), 1);
            ids.resize((row + 1) * longest, self.pad_id);
            mask.resize(ids.len(), 0);
        }
        Batch { ids, mask, n_texts }
    }
}

fn run_batch(session: &mut Session, batch: &Batch, dim: usize) -> Result<Vec<f32>, InferenceError> {
    let shape = [batch.n_texts, batch.ids.len() / batch.n_texts.max(1)];
    let inputs = ort::inputs! {
        "input_ids" => TensorRef::from_array_view((shape, &batch.ids[..])).map_err(run_error)?,
        "attention_mask" => TensorRef::from_array_view((shape, &batch.mask[..])).map_err(run_error)?,
    };
    let outputs = session.run(inputs).map_err(run_error)?;
    floats(&outputs, "sentence_embedding", batch.n_texts * dim)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::runtime::tests::runtime;
    use super::*;

    fn encoder(options: EncoderOptions) -> OnnxTextEncoder {
        OnnxTextEncoder::load(&fixture::artifact("tiny-encoder"), &runtime(), options).unwrap()
    }

    fn refused(change: impl FnOnce(&std::path::Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let artifact = fixture::changed("tiny-encoder", folder.path(), change);
        OnnxTextEncoder::load(&artifact, &runtime(), EncoderOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn the_probe_holds_and_the_space_names_the_artifact() {
        let artifact = fixture::artifact("tiny-encoder");
        let encoder = encoder(EncoderOptions::default());
        assert_eq!(encoder.space().encoder, artifact.id().as_str());
        assert_eq!(encoder.space().dim, artifact.text_encoder().unwrap().dim);
        assert!(encoder.probe(&artifact).is_ok());
        assert!(encoder.encode(&[]).unwrap().is_empty());
    }

    #[test]
    fn an_embedding_does_not_depend_on_its_company() {
        let texts: Vec<String> =
            (0..40).map(|n| ["a ", "toy story ", "\u{1f680} é ", ""][n % 4].repeat(n % 7)).collect();
        let small = EncoderOptions { max_batch: 3, max_batch_tokens: 12, ..EncoderOptions::default() };
        let together = encoder(small).encode(&texts).unwrap();
        let alone = encoder(EncoderOptions::default());
        for (text, embedding) in texts.iter().zip(&together) {
            near(embedding, &alone.encode(std::slice::from_ref(text)).unwrap()[0]);
        }
    }

    #[test]
    fn hostile_texts_are_encoded_and_nothing_breaks() {
        let encoder = encoder(EncoderOptions::default());
        let long = "\u{e9}".repeat(TEXT_LIMIT_BYTES);
        for text in ["", "\0", "\u{feff}\u{202e}", "<pad><s></s><mask>", "a\u{0301}".repeat(9000).as_str(), &long] {
            assert_eq!(encoder.encode(&[text.to_owned()]).unwrap().len(), 1);
        }
    }

    #[test]
    fn many_threads_ask_at_once() {
        let encoder = encoder(EncoderOptions::default());
        let texts: Vec<String> = (0..8).map(|n| "a toy story ".repeat(n)).collect();
        let expected = encoder.encode(&texts).unwrap();
        std::thread::scope(|scope| {
            for (text, expected) in texts.iter().zip(&expected) {
                scope.spawn(|| near(&encoder.encode(std::slice::from_ref(text)).unwrap()[0], expected));
            }
        });
    }

    #[test]
    fn askers_that_share_a_run_get_their_own_vectors() {
        let artifact = fixture::artifact("tiny-encoder");
        let encoder = encoder(EncoderOptions::default());
        let mut runner = Runner::load(&artifact, &runtime(), (1, &SharedTables::default())).unwrap();
        let askers = [vec!["a toy story"], vec!["a toy story a toy", "a"], vec!["toy"]];
        let tokenised = askers.iter().map(|texts| texts.iter().map(|text| encoder.tokenise(text).unwrap()).collect());
        let replies = runner.run(&tokenised.collect::<Vec<_>>());
        assert_eq!(replies.len(), askers.len());
        for (texts, reply) in askers.iter().zip(replies) {
            let vectors = reply.unwrap();
            assert_eq!(vectors.len(), texts.len() * runner.dim);
            for (text, vector) in texts.iter().zip(vectors.chunks_exact(runner.dim)) {
                let expected = encoder.encode(&[(*text).to_owned()]).unwrap().remove(0);
                near(&Embedding::new(vector.to_vec()).unwrap(), &expected);
            }
        }
    }

    fn near(found: &Embedding, expected: &Embedding) {
        let pairs = found.components().iter().zip(expected.components());
        assert!(pairs.into_iter().all(|(left, right)| (left - right).abs() < 1e-5), "{found:?} {expected:?}");
    }

    #[test]
    fn texts_of_other_askers_join_a_run_only_where_that_pays() {
        let of = |lengths: &[usize]| -> Tokenised { lengths.iter().map(|&n_tokens| vec![7; n_tokens]).collect() };
        let options = EncoderOptions { max_batch: 4, max_batch_tokens: 100, ..EncoderOptions::default() };
        let fits = |jobs: &[&[usize]], job: &[usize]| {
            fits(&jobs.iter().map(|lengths| of(lengths)).collect::<Vec<_>>(), &of(job), &options)
        };
        assert!(fits(&[&[20]], &[18]));
        assert!(fits(&[&[20], &[18]], &[30]), "22 tokens of padding for two runs saved");
        assert!(!fits(&[&[8]], &[25]), "17 tokens of padding for one run saved");
        assert!(!fits(&[&[8]], &[80]));
        assert!(!fits(&[&[8, 8], &[8]], &[8, 8]), "too many texts");
        assert!(!fits(&[&[30], &[30]], &[40]), "too many tokens");
    }

    #[test]
    fn small_graphs_get_a_session_for_each_thread_and_large_ones_share() {
        assert_eq!(division(2, 114 << 20), (2, 1));
        assert_eq!(division(8, 114 << 20), (2, 4));
        assert_eq!(division(2, 436 << 20), (1, 2));
        assert_eq!(division(1, 1), (1, 1));
        assert_eq!(division(32, 0), (8, 4));
    }

    #[test]
    fn a_model_that_differs_from_its_manifest_is_refused() {
        let message = refused(|folder| fixture::edit_manifest(folder, |m| m["text_encoder"]["pad_id"] = 0.into()));
        assert!(message.contains("tokenizer.json cannot be loaded") && message.contains("<pad>"), "{message}");
        let message = refused(|folder| {
            fixture::edit_manifest(folder, |manifest| manifest["text_encoder"]["dim"] = 3.into());
        });
        assert!(message.contains("sentence_embedding float32[n,3] is float32[n,8]"), "{message}");
        let message = refused(|folder| {
            fixture::edit_json(folder, "probe.json", |probe| probe["embeddings"][1][0] = 0.9.into());
        });
        assert!(message.contains("golden probe failed: the embedding of text 2"), "{message}");
        let message = refused(|folder| fixture::replace(folder, "tokenizer.json", b"{}"));
        assert!(message.contains("tokenizer.json cannot be loaded"), "{message}");
        let network = fixture::artifact("tiny-network");
        let error = OnnxTextEncoder::load(&network, &runtime(), EncoderOptions::default()).unwrap_err();
        assert!(error.to_string().contains("not a text-encoder"), "{error}");
    }

    #[test]
    fn batches_keep_to_both_limits_and_lose_no_text() {
        let tokenised: Vec<Vec<i64>> = (0..50).map(|n| vec![7; 2 + (n * 13) % 30]).collect();
        let options = EncoderOptions { max_batch: 4, max_batch_tokens: 64, ..EncoderOptions::default() };
        let batches = batches(&tokenised, &options);
        for batch in &batches {
            let longest = batch.iter().map(|&text| tokenised[text].len()).max().unwrap();
            assert!(batch.len() <= 4 && (batch.len() == 1 || longest * batch.len() <= 64));
        }
        let mut texts = batches.concat();
        texts.sort_unstable();
        assert_eq!(texts, (0..50).collect::<Vec<_>>());
    }
}
