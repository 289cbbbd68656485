//! The answers to texts and titles: synchronous code that reads one snapshot.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::EngineError;
use super::answers::{found, recommend_error, scored_in_turn};
use super::desk::Desk;
use super::question::RecommendedMovie;
use super::similar_memory::{N_KEPT, Neighbours};
use super::snapshot::Snapshot;
use crate::domain::{Catalogue, ItemIdx, Movie, MovieFilter, MovieId, Popularity, Query};
use crate::recommend::{HybridSimilar, Newcomer, PromptReasons, PromptSearch, Scorer};
use crate::understand::{Suggestion, TitleMatch, Understood, Wish};

/// How to take a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMode {
    /// As a title if it is one, else as a prompt.
    Auto,
    /// As a title.
    Title,
    /// As a prompt.
    Prompt,
}

/// What answers a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptMethod {
    /// Meaning, words and a prior together, under the wishes that were understood.
    Fused,
    /// Meaning alone, the prompt as it stands.
    Semantic,
    /// Words alone by BM25, the prompt as it stands.
    Bm25,
    /// Words alone by TF-IDF, the prompt as it stands.
    TfIdf,
}

impl PromptMethod {
    /// All methods.
    pub const ALL: [Self; 4] = [Self::Fused, Self::Semantic, Self::Bm25, Self::TfIdf];

    /// Public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Semantic => "semantic",
            Self::Bm25 => "bm25",
            Self::TfIdf => "tfidf",
        }
    }
}

/// What makes a movie like another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SimilarMethod {
    /// Ratings and content, weighted by how many people rated the movie.
    #[default]
    Hybrid,
    /// Liked by the same people.
    ItemKnn,
    /// Pearson's correlation of the ratings.
    Pearson,
    /// What the movies are about.
    Content,
    /// The lists of a trained item–item model.
    ItemItem,
}

impl SimilarMethod {
    /// All methods.
    pub const ALL: [Self; 5] = [Self::Hybrid, Self::ItemKnn, Self::Pearson, Self::Content, Self::ItemItem];

    /// Public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::ItemKnn => "item-knn",
            Self::Pearson => "pearson",
            Self::Content => "content",
            Self::ItemItem => "item-item",
        }
    }
}

/// A text and how to take it.
#[derive(Clone, Debug)]
pub struct TextQuestion {
    /// The text.
    pub text: String,
    /// Title or prompt.
    pub mode: TextMode,
    /// What answers a prompt.
    pub method: PromptMethod,
    /// Keys of wishes that are not to count, although the text has them (see [`Wish`]).
    pub ignored: Vec<String>,
    /// At most so many movies.
    pub top_k: usize,
    /// What every movie must be like.
    pub filter: MovieFilter,
}

/// A movie of the catalogue. It keeps what it was found in alive, so that nothing is copied.
#[derive(Clone, Debug)]
pub struct CatalogueMovie {
    catalogue: Arc<Catalogue>,
    item: ItemIdx,
}

impl CatalogueMovie {
    pub(super) fn find(snapshot: &Snapshot, movie: MovieId) -> Option<Self> {
        let (catalogue, item) = snapshot.find(movie)?;
        Some(Self { item, catalogue: Arc::clone(catalogue) })
    }

    /// The movie.
    pub fn movie(&self) -> &Movie {
        self.catalogue.movie(self.item)
    }

    /// Its figures.
    pub fn popularity(&self) -> Popularity {
        self.catalogue.popularity(self.item)
    }
}

/// What a text was found to name.
#[derive(Clone, Debug)]
pub struct ResolvedTitle {
    /// The movie.
    pub movie: CatalogueMovie,
    /// How sure that is.
    pub confidence: &'static str,
    /// Other movies the text may mean.
    pub alternatives: Vec<CatalogueMovie>,
}

/// What was understood of a prompt, and its parts that can be taken away one by one.
#[derive(Clone, Debug)]
pub struct ReadPrompt {
    /// All of it, without what was to be ignored.
    pub understood: Understood,
    /// The parts.
    pub wishes: Vec<Wish>,
}

/// Movies for a text.
#[derive(Clone, Debug)]
pub struct Found {
    /// Best first.
    pub movies: Vec<RecommendedMovie>,
    /// The title the text was taken for; `None` when it was taken for a prompt.
    pub title: Option<ResolvedTitle>,
    /// The method that answered first.
    pub method: &'static str,
    /// What was understood of a prompt, where the method reads it.
    pub prompt: Option<ReadPrompt>,
}

/// Movies like a given one.
#[derive(Clone, Debug)]
pub struct Similar {
    /// The given one.
    pub movie: CatalogueMovie,
    /// Best first.
    pub movies: Vec<RecommendedMovie>,
}

/// A title that somebody may be typing.
#[derive(Clone, Debug)]
pub struct SuggestedTitle {
    /// The movie.
    pub movie: CatalogueMovie,
    /// How it fits what was typed.
    pub kind: &'static str,
}

/// Titles that begin as typed, the likeliest first.
pub(super) fn suggest(snapshot: &Snapshot, typed: &str, n: usize) -> Vec<SuggestedTitle> {
    let Snapshot { base, overlay, .. } = snapshot;
    let mut suggested = base.suggester.suggest(typed, n + overlay.len());
    if !overlay.is_empty() {
        suggested.retain(|suggestion| !overlay.changes(suggestion.movie));
        suggested.extend(overlay.suggester.suggest(typed, n));
        // Of those that fit alike, the ones of the base come first, which people know.
        suggested.sort_by_key(|suggestion| suggestion.kind);
        suggested.truncate(n);
    }
    let titled = |suggestion: Suggestion| {
        let movie = CatalogueMovie::find(snapshot, suggestion.movie)?;
        Some(SuggestedTitle { movie, kind: suggestion.kind.name() })
    };
    suggested.into_iter().filter_map(titled).collect()
}

/// The movie that a text names, if it names one.
pub(super) fn resolve(snapshot: &Snapshot, text: &str) -> Option<ResolvedTitle> {
    let Snapshot { base, overlay, .. } = snapshot;
    let known = base.titles.resolve(text);
    let new = if overlay.is_empty() { None } else { overlay.titles.resolve(text) };
    let confidence = known.iter().chain(&new).map(|found| found.confidence).min()?;
    // Surest first, and of equally sure ones those that people know.
    let mut found: Vec<TitleMatch> = known.into_iter().chain(new).collect();
    found.sort_by_key(|found| found.confidence);
    let of_base = |movie: &MovieId| overlay.catalogue.item_idx(*movie).is_some() || !overlay.changes(*movie);
    let movies = found.into_iter().flat_map(|found| std::iter::once(found.movie).chain(found.alternatives));
    let mut movies: Vec<MovieId> = movies.filter(of_base).collect();
    let mut seen = HashSet::new();
    movies.retain(|movie| seen.insert(*movie));
    let mut movies = movies.into_iter().filter_map(|movie| CatalogueMovie::find(snapshot, movie));
    Some(ResolvedTitle { movie: movies.next()?, confidence: confidence.name(), alternatives: movies.collect() })
}

/// Movies like the one the text names, or movies that fit the text.
pub(super) fn title_or_prompt(desk: &Desk, question: &TextQuestion) -> Result<Found, EngineError> {
    let snapshot = &desk.snapshot;
    let TextQuestion { text, mode, method, top_k, filter, .. } = question;
    let base = &snapshot.base;
    let title = if *mode == TextMode::Prompt { None } else { resolve(snapshot, text) };
    if let Some(title) = title {
        let wanted = (SimilarMethod::default(), *top_k, filter);
        let movies = neighbours(desk, title.movie.movie().id, wanted)?;
        let method = movies.first().map_or(SimilarMethod::default().name(), |movie| movie.method);
        return Ok(Found { method, movies, title: Some(title), prompt: None });
    }
    if *mode == TextMode::Title {
        return Ok(Found { movies: Vec::new(), title: None, method: "title", prompt: None });
    }
    let scorer: &dyn Scorer = match method {
        PromptMethod::Fused => return fused(snapshot, question),
        PromptMethod::Semantic => snapshot
            .semantic
            .as_ref()
            .map(|semantic| &semantic.scorer)
            .ok_or(EngineError::NotReady("semantic search"))?,
        PromptMethod::Bm25 => &*base.bm25,
        PromptMethod::TfIdf => &base.tfidf,
    };
    let query = Query { text: Some(text.clone()), n: *top_k, ..unchanged(snapshot, filter) };
    let movies = found(snapshot, scored_in_turn(base, &query, &[scorer])?);
    Ok(Found { method: scorer.name(), movies, title: None, prompt: None })
}

/// Movies like a given one; `None` when the catalogue does not have it.
pub(super) fn similar(
    desk: &Desk,
    movie: MovieId,
    wanted: (SimilarMethod, usize, &MovieFilter),
) -> Result<Option<Similar>, EngineError> {
    let Some(found) = CatalogueMovie::find(&desk.snapshot, movie) else { return Ok(None) };
    Ok(Some(Similar { movie: found, movies: neighbours(desk, movie, wanted)? }))
}

/// A query that leaves out what is not any more as the methods of the base know it.
fn unchanged(snapshot: &Snapshot, filter: &MovieFilter) -> Query {
    Query { excluded: snapshot.overlay.changed().collect(), filter: filter.clone(), ..Query::default() }
}

fn neighbours(
    desk: &Desk,
    movie: MovieId,
    (method, top_k, filter): (SimilarMethod, usize, &MovieFilter),
) -> Result<Vec<RecommendedMovie>, EngineError> {
    let snapshot = &desk.snapshot;
    if snapshot.base.catalogue.item_idx(movie).is_none() {
        return newcomer_neighbours(snapshot, movie, (top_k, filter));
    }
    if method == SimilarMethod::default() && filter.is_open() && top_k <= N_KEPT {
        let known = match snapshot.similar.get(movie) {
            Some(known) => known,
            None => find_and_keep(desk, movie)?,
        };
        let best = known.iter().take(top_k).map(|&(movie, score)| (movie, score, method.name()));
        return Ok(found(snapshot, best));
    }
    let scored = desk.threads.run(|| scored_neighbours(snapshot, movie, (method, top_k, filter)))?;
    let mut movies = found(snapshot, scored);
    movies.retain(|found| filter.accepts(found.movie(), found.popularity()));
    Ok(movies)
}

/// Finds the neighbours of a movie before anybody asks for them; whether they were not known yet.
pub(super) fn prepare_neighbours(desk: &Desk, movie: MovieId) -> Result<bool, EngineError> {
    let snapshot = &desk.snapshot;
    let is_wanted = snapshot.base.catalogue.item_idx(movie).is_some() && snapshot.similar.get(movie).is_none();
    if is_wanted {
        find_and_keep(desk, movie)?;
    }
    Ok(is_wanted)
}

fn find_and_keep(desk: &Desk, movie: MovieId) -> Result<Neighbours, EngineError> {
    let snapshot = &desk.snapshot;
    let wanted = (SimilarMethod::default(), N_KEPT, &MovieFilter::default());
    let scored = desk.threads.run(|| scored_neighbours(snapshot, movie, wanted))?;
    let neighbours: Neighbours = scored.into_iter().map(|(movie, score, _)| (movie, score)).collect();
    snapshot.similar.keep(movie, Arc::clone(&neighbours));
    Ok(neighbours)
}

fn scored_neighbours(
    snapshot: &Arc<Snapshot>,
    movie: MovieId,
    (method, top_k, filter): (SimilarMethod, usize, &MovieFilter),
) -> Result<Vec<(MovieId, f32, &'static str)>, EngineError> {
    let base = &snapshot.base;
    let query = Query {
        seeds: vec![movie],
        n: top_k,
        excluded: snapshot.overlay.removed.clone(),
        filter: filter.clone(),
        ..Query::default()
    };
    // Until there are embeddings, content is words.
    let content: &dyn Scorer = snapshot.semantic.as_ref().map_or(&base.tfidf, |semantic| &semantic.scorer);
    let hybrid = HybridSimilar::new(&base.catalogue, &base.ratings, (&base.item_knn, content));
    let scorer: &dyn Scorer = match method {
        SimilarMethod::Hybrid => &hybrid,
        SimilarMethod::ItemKnn => &*base.item_knn,
        SimilarMethod::Pearson => &base.pearson,
        SimilarMethod::Content => content,
        SimilarMethod::ItemItem => {
            &snapshot.item_item.as_ref().ok_or(EngineError::NotReady("the item-item model"))?.scorer
        }
    };
    scored_in_turn(base, &query, &[scorer])
}

/// Neighbours of a movie that came after the base: nobody's ratings are known to it, so that its content decides.
fn newcomer_neighbours(
    snapshot: &Arc<Snapshot>,
    movie: MovieId,
    (top_k, filter): (usize, &MovieFilter),
) -> Result<Vec<RecommendedMovie>, EngineError> {
    let Some((catalogue, item)) = snapshot.find(movie) else { return Ok(Vec::new()) };
    let described = catalogue.movie(item);
    let text = format!("{} {}", described.genres.join(" "), described.description());
    let asked = Understood { text: text.trim().to_owned(), ..Understood::default() };
    let mut query = Query { n: top_k, ..unchanged(snapshot, filter) };
    query.excluded.insert(movie);
    let (name, rows) = prompt_rows(snapshot, &asked, &query)?;
    Ok(found(snapshot, rows.into_iter().map(|(movie, score)| (movie, score, name))))
}

fn prompt_search(snapshot: &Snapshot) -> (&PromptSearch, Vec<Newcomer<'_>>) {
    let semantic = snapshot.semantic.as_ref();
    let search = semantic.map_or(&snapshot.base.prompt_search, |semantic| &semantic.prompt_search);
    let overlay = &snapshot.overlay;
    let newcomers = overlay.newcomers(semantic.map(|semantic| semantic.space.encoder.as_str()));
    let newcomer = |(item, vector)| {
        let (movie, figures) = (overlay.catalogue.movie(item), overlay.catalogue.popularity(item));
        Newcomer { movie, figures, vector }
    };
    (search, newcomers.map(newcomer).collect())
}

/// The name of a method, and movies with their scores.
type PromptRows = (&'static str, Vec<(MovieId, f32)>);

/// What fits a prompt, best first, and the name of the method.
pub(super) fn prompt_rows(snapshot: &Snapshot, asked: &Understood, query: &Query) -> Result<PromptRows, EngineError> {
    let (search, mut newcomers) = prompt_search(snapshot);
    newcomers.retain(|newcomer| !query.excluded.contains(&newcomer.movie.id));
    let mut query = query.clone();
    query.excluded.extend(snapshot.overlay.changed());
    let ranked = search.search(asked, &query, &newcomers).map_err(recommend_error)?;
    Ok((search.name(), ranked.items().iter().map(|scored| (scored.movie, scored.score.value())).collect()))
}

/// Why movies fit a prompt.
pub(super) fn prompt_reasons(
    snapshot: &Snapshot,
    asked: &Understood,
    movies: &[MovieId],
) -> Result<HashMap<MovieId, PromptReasons>, EngineError> {
    let (search, newcomers) = prompt_search(snapshot);
    search.explain(asked, (movies, &newcomers)).map_err(recommend_error)
}

fn fused(snapshot: &Arc<Snapshot>, question: &TextQuestion) -> Result<Found, EngineError> {
    let base = &snapshot.base;
    let mut understood = base.prompts.read(&question.text, &base.titles);
    for key in &question.ignored {
        understood.forget(key);
    }
    let query = Query { n: question.top_k, filter: question.filter.clone(), ..Query::default() };
    let (method, rows) = prompt_rows(snapshot, &understood, &query)?;
    let movies = found(snapshot, rows.into_iter().map(|(movie, score)| (movie, score, method)));
    let wishes = understood.wishes(&base.catalogue);
    Ok(Found { method, movies, title: None, prompt: Some(ReadPrompt { understood, wishes }) })
}
