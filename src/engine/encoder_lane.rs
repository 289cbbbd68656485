//! Makes a text encoder serve: load it, embed what lacks an embedding in its space, build or reopen the index, swap
//! encoder and index together, so that a query vector is never compared with another encoder's vectors.
//!
//! Embeddings are stored as they are made; an interrupted run goes on where it stopped. It makes way for requests.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use super::lane::Stop;
use super::loading::{Load, LoadError, ModelLoader, Models, Progress};
use super::query_memory::QueryMemory;
use super::rehearsal::Rehearsal;
use super::snapshot::{Base, SemanticSearch};
use super::status::{ModelChecks, Part};
use super::throttle::Throttle;
use super::{Shared, canary};
use crate::artifact::{ArtifactId, ArtifactKind, sha256};
use crate::domain::{Catalogue, EmbeddingSpace, MovieId};
use crate::inference::{EncoderOptions, OnnxTextEncoder, WorkerOptions};
use crate::recommend::{NearestNeighbors, PromptSearch, Scorer, Semantic, TextEncoder, embedding_text};
use crate::store::{StoredEmbedding, Write};
use crate::vector::{VectorError, VectorIndex, remove_others};

pub(super) struct EncoderLane {
    shared: Arc<Shared>,
}

/// An encoder with its index, and the space of both.
pub(super) struct Prepared {
    semantic: Arc<SemanticSearch>,
    space: EmbeddingSpace,
    base: Weak<Base>,
}

/// What a movie's embedding is made from.
struct MovieText {
    movie: MovieId,
    text: String,
    hash: [u8; 16],
}

type Embeddings = HashMap<MovieId, StoredEmbedding>;

impl EncoderLane {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

/// What embedding and indexing work with.
pub(super) struct Work<'a> {
    pub(super) shared: &'a Shared,
    pub(super) base: &'a Arc<Base>,
    pub(super) progress: Progress<'a>,
    pub(super) stop: &'a Stop,
}

impl Work<'_> {
    /// Embeddings of all texts; missing ones are computed and stored.
    fn embed(
        &self,
        (encoder, space): (&dyn TextEncoder, &EmbeddingSpace),
        texts: &[MovieText],
    ) -> Result<Embeddings, LoadError> {
        let space: Arc<str> = space.encoder.as_str().into();
        let mut embeddings = self.shared.store.read(|view| view.embeddings(&space))?;
        let is_current =
            |text: &&MovieText| embeddings.get(&text.movie).is_some_and(|stored| stored.text_hash == text.hash);
        let n_current = texts.iter().filter(is_current).count();
        let mut missing: Vec<&MovieText> = texts.iter().filter(|text| !is_current(text)).collect();
        // Texts of like length share a batch without padding; the longest first, so that the estimate errs upwards.
        missing.sort_by_key(|text| std::cmp::Reverse(text.text.len()));
        if !missing.is_empty() {
            tracing::info!(n_missing = missing.len(), n_current, "embedding overviews in the background");
        }
        let mut done = n_current;
        metrics::gauge!("marquee_embeddings_total").set(texts.len() as f64);
        let mut throttle = Throttle::new(&self.shared.requests, self.shared.settings.inference.embedding_share);
        let mut missing = &missing[..];
        while !missing.is_empty() {
            if self.stop.is_asked() {
                let reason = "the daemon is stopping; embedding goes on at the next start";
                return Err(LoadError::Environment(reason.to_owned()));
            }
            (self.progress)(Part::Embeddings, "embedding overviews", Some((done, texts.len())));
            let n_batch = throttle.next_batch(self.stop).min(missing.len());
            let (batch, rest) = missing.split_at(n_batch);
            let batch = encode_batch(encoder, batch)?;
            missing = rest;
            let writes = batch.iter().map(|(movie, embedding)| Write::Embedding {
                space: Arc::clone(&space),
                movie: *movie,
                embedding: embedding.clone(),
            });
            self.shared.store.write(writes.collect())?;
            done += batch.len();
            metrics::gauge!("marquee_embeddings_done").set(done as f64);
            embeddings.extend(batch);
        }
        let wanted: HashSet<MovieId> = texts.iter().map(|text| text.movie).collect();
        embeddings.retain(|movie, _| wanted.contains(movie));
        Ok(embeddings)
    }

    /// Reopens the index of these embeddings, or builds and saves it.
    fn index(
        &self,
        space: &EmbeddingSpace,
        (texts, embeddings): (&[MovieText], &Embeddings),
    ) -> Result<VectorIndex, LoadError> {
        let folder = &self.shared.settings.index_dir;
        let fingerprint = fingerprint(texts);
        match VectorIndex::open(folder, space, &fingerprint) {
            Ok(index) => return Ok(index),
            Err(VectorError::Absent) => {}
            Err(error) => tracing::warn!(%error, "the saved vector index cannot be used and is built again"),
        }
        let total = embeddings.len();
        let progress = |done| (self.progress)(Part::VectorIndex, "building the index", Some((done, total)));
        let vectors =
            texts.iter().filter_map(|text| Some((text.movie, embeddings.get(&text.movie)?.components.as_slice())));
        let index = VectorIndex::build(space.clone(), vectors, &progress)
            .map_err(|error| LoadError::Artifact(error.to_string()))?;
        // An index that cannot be saved serves all the same; the next start builds it again.
        let saved = index.save(folder, &fingerprint).and_then(|()| remove_others(folder, space, &fingerprint));
        if let Err(error) = saved {
            tracing::warn!(%error, "the vector index is not saved");
        }
        Ok(index)
    }
}

impl ModelLoader for EncoderLane {
    type Model = Prepared;

    fn kind(&self) -> ArtifactKind {
        ArtifactKind::TextEncoder
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn rehearsal(&self, base: &Base) -> Result<Rehearsal, LoadError> {
        Ok(Rehearsal::of_texts(base))
    }

    fn load(&mut self, load: &Load<'_>) -> Result<Models<Prepared>, LoadError> {
        let settings = &self.shared.settings;
        let runtime = self.shared.runtime.get(&settings.inference)?;
        let worker = WorkerOptions {
            threads: settings.inference.threads,
            queue: settings.inference.queue_length,
            patience: settings.request_timeout,
        };
        let options = EncoderOptions { worker, ..EncoderOptions::default() };
        let encoder = OnnxTextEncoder::load(load.artifact, &runtime, options)?;
        let id = load.artifact.id().clone();
        // Texts made by another recipe are another space, although the encoder is the same.
        let space =
            EmbeddingSpace { encoder: format!("{id}/{}", settings.embedding_text.name()), dim: encoder.space().dim };
        let work = Work { shared: &self.shared, base: load.base, progress: load.progress, stop: load.stop };
        let (search, parts) = search_of(&work, (id, Arc::new(QueryMemory::of(encoder)), space.clone()))?;
        let serving = self.shared.cell.load().and_then(|snapshot| snapshot.semantic.clone());
        let serving = serving.as_ref().map(|semantic| &semantic.scorer as &dyn Scorer);
        let questions = canary::texts(load.base);
        let canaries = canary::ask((&search.scorer, serving), (load.base, load.rules), &questions)?;
        let checks = ModelChecks { canaries: Some(canaries), ..ModelChecks::default() };
        let model = Prepared { semantic: Arc::new(search), space, base: Arc::downgrade(load.base) };
        Ok(Models { model, parts, checks })
    }

    fn swap(&mut self, Prepared { semantic, space, base }: Prepared) -> bool {
        if !self.shared.cell.update_for(&base, |snapshot| snapshot.semantic = Some(semantic)) {
            return false;
        }
        super::catalogue::embed_again(&self.shared);
        // Embeddings of encoders long gone are let go; the last one's stay for a way back.
        let retire = Write::RetireSpaces { serving: space.encoder.as_str().into() };
        if let Err(error) = self.shared.store.write(vec![retire]) {
            tracing::warn!(%error, "old embeddings stay in the store");
        }
        true
    }

    fn advice(&self) -> &'static str {
        "tools/run puts all-mpnet-base-v2 there; until then prompts are answered by their words"
    }
}

/// Search by meaning over one base: embeds what lacks an embedding, builds or reopens the index.
pub(super) fn search_of(
    work: &Work<'_>,
    (id, encoder, space): (ArtifactId, Arc<dyn TextEncoder>, EmbeddingSpace),
) -> Result<(SemanticSearch, Vec<(Part, String)>), LoadError> {
    let base = work.base;
    let recipe = work.shared.settings.embedding_text;
    let texts = movie_texts(&base.catalogue, |movie| embedding_text(movie, recipe));
    let embeddings = work.embed((&*encoder, &space), &texts)?;
    let index = work.index(&space, (&texts, &embeddings))?.with_scan(texts.iter().map(|text| text.movie));
    let parts = vec![
        (Part::TextEncoder, id.to_string()),
        (Part::Embeddings, format!("{} movies embedded", texts.len())),
        (Part::VectorIndex, format!("{} vectors", embeddings.len())),
    ];
    let neighbors: Arc<dyn NearestNeighbors> = Arc::new(index);
    let scorer = Semantic::fit(Arc::clone(&base.catalogue), Arc::clone(&encoder), Arc::clone(&neighbors));
    let both = Some((Arc::clone(&encoder), Arc::clone(&neighbors)));
    let prompt_search =
        PromptSearch::fit(Arc::clone(&base.catalogue), Arc::clone(&base.bm25), Arc::clone(&base.item_knn), both);
    Ok((SemanticSearch { id, space, encoder, neighbors, scorer, prompt_search }, parts))
}

/// What is embedded of each movie, in id order; movies without any text have none.
fn movie_texts(catalogue: &Catalogue, text: impl Fn(&crate::domain::Movie) -> String) -> Vec<MovieText> {
    let texts = catalogue.movies().iter().map(|movie| (movie.id, text(movie)));
    texts
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(movie, text)| MovieText { movie, hash: short_hash(text.as_bytes()), text })
        .collect()
}

/// Nobody else asks this encoder yet, so "busy" means that the machine is too slow for it: tried again at the next look.
fn encode_batch(encoder: &dyn TextEncoder, batch: &[&MovieText]) -> Result<Vec<(MovieId, StoredEmbedding)>, LoadError> {
    let texts: Vec<String> = batch.iter().map(|text| text.text.clone()).collect();
    let embeddings = encoder.encode(&texts).map_err(|error| LoadError::Environment(error.to_string()))?;
    let stored = batch.iter().zip(embeddings).map(|(text, embedding)| {
        let embedding = StoredEmbedding { text_hash: text.hash, components: embedding.components().to_vec() };
        (text.movie, embedding)
    });
    Ok(stored.collect())
}

/// Changes whenever a movie comes, goes, or gets another text.
fn fingerprint(texts: &[MovieText]) -> String {
    let mut bytes = Vec::with_capacity(texts.len() * 20);
    for text in texts {
        bytes.extend(text.movie.0.to_le_bytes());
        bytes.extend(text.hash);
    }
    sha256(&bytes).to_string()
}

/// The first half of the SHA-256.
pub(super) fn short_hash(bytes: &[u8]) -> [u8; 16] {
    let hash = sha256(bytes);
    u128::from_str_radix(&hash.as_str()[..32], 16).expect("a hash is made of hexadecimal digits").to_be_bytes()
}
