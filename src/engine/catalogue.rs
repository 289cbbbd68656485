//! The catalogue as people change it: one movie at a time, durable before it is acknowledged, found by the next question.

use std::cmp::Ordering;
use std::sync::{Arc, PoisonError};

use super::desk::Desk;
use super::overlay::{MAX_CHANGES, Overlay};
use super::snapshot::Snapshot;
use super::{Answer, CatalogueMovie, Engine, EngineError, Shared, encoder_lane};
use crate::domain::{Embedding, ItemIdx, Movie, MovieFilter, MovieId, Popularity};
use crate::recommend::embedding_text;
use crate::store::{StoredEmbedding, Write};

/// How listed movies are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MovieOrder {
    /// By id.
    #[default]
    Id,
    /// By title.
    Title,
    /// Newest first.
    Year,
    /// Most votes first.
    Votes,
    /// Highest mean vote first.
    VoteAverage,
    /// Most popular first.
    Popularity,
}

impl MovieOrder {
    /// All orders.
    pub const ALL: [Self; 6] = [Self::Id, Self::Title, Self::Year, Self::Votes, Self::VoteAverage, Self::Popularity];

    /// Public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Title => "title",
            Self::Year => "year",
            Self::Votes => "votes",
            Self::VoteAverage => "vote_average",
            Self::Popularity => "popularity",
        }
    }
}

/// Which movies to list.
#[derive(Clone, Debug)]
pub struct MovieRequest {
    /// What they must be like.
    pub filter: MovieFilter,
    /// In which order.
    pub order: MovieOrder,
    /// So many are passed over.
    pub start: usize,
    /// At most so many are listed.
    pub n: usize,
}

/// Movies of the catalogue.
#[derive(Clone, Debug)]
pub struct ListedMovies {
    /// Those asked for.
    pub movies: Vec<CatalogueMovie>,
    /// How many there are in all.
    pub n_in_all: usize,
}

/// Makes the new movie of what is there now.
pub(crate) type MovieChange = Box<dyn FnOnce(Option<&Movie>) -> Result<Movie, EngineError> + Send>;

impl Engine {
    /// A movie of the catalogue.
    pub async fn movie(&self, movie: MovieId) -> Result<Answer<CatalogueMovie>, EngineError> {
        self.answer(move |desk| CatalogueMovie::find(&desk.snapshot, movie).ok_or(EngineError::Unknown("movie"))).await
    }

    /// Movies of the catalogue.
    pub async fn movies(&self, request: MovieRequest) -> Result<Answer<ListedMovies>, EngineError> {
        self.answer(move |desk| Ok(listed(&desk.snapshot, &request))).await
    }

    /// Adds or changes a movie; whether it is new.
    pub async fn change_movie(&self, movie: MovieId, change: MovieChange) -> Result<Answer<bool>, EngineError> {
        self.answer(move |desk| changed(desk, movie, change)).await
    }

    /// Takes a movie out of the catalogue.
    pub async fn remove_movie(&self, movie: MovieId) -> Result<Answer<()>, EngineError> {
        self.answer(move |desk| {
            alter(desk, |snapshot, number| {
                if snapshot.find(movie).is_none() {
                    return Err(EngineError::Unknown("movie"));
                }
                desk.shared.store.write(vec![Write::RemoveMovie(movie)])?;
                Ok((snapshot.overlay.without(number, movie), ()))
            })
        })
        .await
    }
}

/// One change of the catalogue after the other: the store, then the overlay of the snapshot.
fn alter<T>(
    desk: &Desk,
    change: impl FnOnce(&Snapshot, u64) -> Result<(Overlay, T), EngineError>,
) -> Result<T, EngineError> {
    let shared = &desk.shared;
    let mut number = shared.catalogue_changes.lock().unwrap_or_else(PoisonError::into_inner);
    let snapshot = shared.cell.load().ok_or(EngineError::NotReady("the catalogue"))?;
    if snapshot.overlay.len() >= MAX_CHANGES {
        // The fit that takes them in is under way.
        return Err(EngineError::Overloaded);
    }
    *number += 1;
    let (overlay, content) = change(&snapshot, *number)?;
    let is_half_full = overlay.len() >= MAX_CHANGES / 2;
    drop(snapshot);
    shared.cell.replace_overlay(Arc::new(overlay));
    if is_half_full {
        shared.refit.ask_fit();
    } else {
        shared.refit.note_change();
    }
    Ok(content)
}

fn changed(desk: &Desk, id: MovieId, change: MovieChange) -> Result<bool, EngineError> {
    alter(desk, |snapshot, number| {
        let current = snapshot.find(id).map(|(catalogue, item)| catalogue.movie(item));
        let movie = change(current)?;
        let is_new = current.is_none();
        desk.shared.store.write(vec![Write::Movie(movie.clone())])?;
        let vector = embedded(&desk.shared, snapshot, &movie);
        Ok((snapshot.overlay.with(number, (&snapshot.base, movie), vector), is_new))
    })
}

/// The movie's embedding in the space that serves. Without one it is found by its words until the next fit.
fn embedded(shared: &Shared, snapshot: &Snapshot, movie: &Movie) -> Option<(String, Embedding)> {
    let semantic = snapshot.semantic.as_ref()?;
    let text = embedding_text(movie, shared.settings.embedding_text);
    if text.trim().is_empty() {
        return None;
    }
    let hash = encoder_lane::short_hash(text.as_bytes());
    let vector = match semantic.encoder.encode(&[text]) {
        Ok(mut vectors) => vectors.pop()?,
        Err(error) => {
            tracing::warn!(%error, "a changed movie is found by its words alone until the next fit");
            return None;
        }
    };
    let space: Arc<str> = semantic.space.encoder.as_str().into();
    let embedding = StoredEmbedding { text_hash: hash, components: vector.components().to_vec() };
    // Without it the next fit embeds the movie again.
    if let Err(error) = shared.store.write(vec![Write::Embedding { space, movie: movie.id, embedding }]) {
        tracing::warn!(%error, "the embedding of a changed movie is not stored");
    }
    Some((semantic.space.encoder.clone(), vector))
}

/// Gives changed movies an embedding in the space that serves now.
pub(super) fn embed_again(shared: &Shared) {
    let _one_at_a_time = shared.catalogue_changes.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(snapshot) = shared.cell.load().filter(|snapshot| !snapshot.overlay.is_empty()) else { return };
    let Some(semantic) = &snapshot.semantic else { return };
    let space = semantic.space.encoder.clone();
    let overlay = snapshot.overlay.with_vectors(&space, |movie| Some(embedded(shared, &snapshot, movie)?.1));
    shared.cell.replace_overlay(Arc::new(overlay));
}

fn listed(snapshot: &Snapshot, request: &MovieRequest) -> ListedMovies {
    let base = snapshot.base.catalogue.movies().iter().zip((0..).map(ItemIdx));
    let base = base.filter(|(movie, _)| !snapshot.overlay.changes(movie.id));
    let base = base.map(|(movie, item)| (movie, snapshot.base.catalogue.popularity(item)));
    let changed = snapshot.overlay.catalogue.movies().iter().zip((0..).map(ItemIdx));
    let changed = changed.map(|(movie, item)| (movie, snapshot.overlay.catalogue.popularity(item)));
    let mut movies: Vec<(&Movie, Popularity)> = base.chain(changed).collect();
    movies.retain(|(movie, figures)| request.filter.accepts(movie, *figures));
    movies.sort_by(|left, right| in_order(request.order, left, right));
    let n_in_all = movies.len();
    let page = movies.into_iter().skip(request.start).take(request.n);
    let movies = page.filter_map(|(movie, _)| CatalogueMovie::find(snapshot, movie.id)).collect();
    ListedMovies { movies, n_in_all }
}

fn in_order(order: MovieOrder, left: &(&Movie, Popularity), right: &(&Movie, Popularity)) -> Ordering {
    let ((one, of_one), (other, of_other)) = (left, right);
    let by_wish = match order {
        MovieOrder::Id => Ordering::Equal,
        MovieOrder::Title => one.title.to_lowercase().cmp(&other.title.to_lowercase()),
        MovieOrder::Year => other.year.cmp(&one.year),
        MovieOrder::Votes => of_other.vote_count.cmp(&of_one.vote_count),
        MovieOrder::VoteAverage => {
            let mean = |figures: &Popularity| figures.vote_average.unwrap_or(-1.0);
            mean(of_other).total_cmp(&mean(of_one))
        }
        MovieOrder::Popularity => of_other.popularity.total_cmp(&of_one.popularity),
    };
    by_wish.then(one.id.cmp(&other.id))
}
