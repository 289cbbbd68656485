//! The answers to texts and titles: synchronous code that reads one snapshot.

use std::sync::Arc;

use super::EngineError;
use super::answers::{RecommendedMovie, gather, recommend_error, recommended};
use super::snapshot::{Base, Snapshot};
use crate::domain::{ItemIdx, Movie, MovieId, Query};
use crate::recommend::{HybridSimilar, Scorer};
use crate::understand::{TitleMatch, Understood, Wish};

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
}

impl SimilarMethod {
    /// All methods.
    pub const ALL: [Self; 4] = [Self::Hybrid, Self::ItemKnn, Self::Pearson, Self::Content];

    /// Public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::ItemKnn => "item-knn",
            Self::Pearson => "pearson",
            Self::Content => "content",
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
}

/// A movie of the catalogue. It keeps what it was found in alive, so that nothing is copied.
#[derive(Clone, Debug)]
pub struct CatalogueMovie {
    base: Arc<Base>,
    item: ItemIdx,
}

impl CatalogueMovie {
    fn find(base: &Arc<Base>, movie: MovieId) -> Option<Self> {
        Some(Self { item: base.catalogue.item_idx(movie)?, base: Arc::clone(base) })
    }

    /// The movie.
    pub fn movie(&self) -> &Movie {
        self.base.catalogue.movie(self.item)
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
    let base = &snapshot.base;
    let suggested = base.suggester.suggest(typed, n).into_iter();
    suggested
        .filter_map(|suggestion| {
            let movie = CatalogueMovie::find(base, suggestion.movie)?;
            Some(SuggestedTitle { movie, kind: suggestion.kind.name() })
        })
        .collect()
}

/// The movie that a text names, if it names one.
pub(super) fn resolve(snapshot: &Snapshot, text: &str) -> Option<ResolvedTitle> {
    let base = &snapshot.base;
    let TitleMatch { movie, confidence, alternatives, year: _ } = base.titles.resolve(text)?;
    let alternatives = alternatives.into_iter().filter_map(|movie| CatalogueMovie::find(base, movie)).collect();
    Some(ResolvedTitle { movie: CatalogueMovie::find(base, movie)?, confidence: confidence.name(), alternatives })
}

/// Movies like the one the text names, or movies that fit the text.
pub(super) fn title_or_prompt(snapshot: &Snapshot, question: &TextQuestion) -> Result<Found, EngineError> {
    let TextQuestion { text, mode, method, ignored, top_k } = question;
    let base = &snapshot.base;
    let title = if *mode == TextMode::Prompt { None } else { resolve(snapshot, text) };
    if let Some(title) = title {
        let movies = neighbours(snapshot, title.movie.movie().id, SimilarMethod::default(), *top_k)?;
        let method = movies.first().map_or(SimilarMethod::default().name(), |movie| movie.method);
        return Ok(Found { method, movies, title: Some(title), prompt: None });
    }
    if *mode == TextMode::Title {
        return Ok(Found { movies: Vec::new(), title: None, method: "title", prompt: None });
    }
    let scorer: &dyn Scorer = match method {
        PromptMethod::Fused => return fused(snapshot, text, ignored, *top_k),
        PromptMethod::Semantic => snapshot
            .semantic
            .as_ref()
            .map(|semantic| &semantic.scorer)
            .ok_or(EngineError::NotReady("semantic search"))?,
        PromptMethod::Bm25 => &*base.bm25,
        PromptMethod::TfIdf => &base.tfidf,
    };
    let query = Query { text: Some(text.clone()), n: *top_k, ..Query::default() };
    let movies = gather(base, &query, &[scorer])?;
    Ok(Found { method: scorer.name(), movies, title: None, prompt: None })
}

/// Movies like a given one; `None` when the catalogue does not have it.
pub(super) fn similar(
    snapshot: &Snapshot,
    movie: MovieId,
    method: SimilarMethod,
    top_k: usize,
) -> Result<Option<Similar>, EngineError> {
    let Some(found) = CatalogueMovie::find(&snapshot.base, movie) else { return Ok(None) };
    Ok(Some(Similar { movie: found, movies: neighbours(snapshot, movie, method, top_k)? }))
}

fn neighbours(
    snapshot: &Snapshot,
    movie: MovieId,
    method: SimilarMethod,
    top_k: usize,
) -> Result<Vec<RecommendedMovie>, EngineError> {
    let base = &snapshot.base;
    let query = Query { seeds: vec![movie], n: top_k, ..Query::default() };
    // Until there are embeddings, content is words.
    let content: &dyn Scorer = snapshot.semantic.as_ref().map_or(&base.tfidf, |semantic| &semantic.scorer);
    match method {
        SimilarMethod::Hybrid => {
            let hybrid = HybridSimilar::new(&base.catalogue, &base.ratings, (&base.item_knn, content));
            gather(base, &query, &[&hybrid])
        }
        SimilarMethod::ItemKnn => gather(base, &query, &[&*base.item_knn]),
        SimilarMethod::Pearson => gather(base, &query, &[&base.pearson]),
        SimilarMethod::Content => gather(base, &query, &[content]),
    }
}

fn fused(snapshot: &Snapshot, text: &str, ignored: &[String], top_k: usize) -> Result<Found, EngineError> {
    let base = &snapshot.base;
    let mut understood = base.prompts.read(text, &base.titles);
    for key in ignored {
        understood.forget(key);
    }
    let search = snapshot.semantic.as_ref().map_or(&base.prompt_search, |semantic| &semantic.prompt_search);
    let ranked = search.search(&understood, top_k).map_err(recommend_error)?;
    let movies = ranked.items().iter().filter_map(|&scored| recommended(base, scored, search.name())).collect();
    let wishes = understood.wishes(&base.catalogue);
    Ok(Found { method: search.name(), movies, title: None, prompt: Some(ReadPrompt { understood, wishes }) })
}
