//! Movies that were added, changed or removed since the base of the snapshot was fitted.
//!
//! They are few, so that they are searched exactly and the overlay is made anew with every change; the next fit takes
//! them into the base. What is fitted from ratings goes on answering for a changed movie; its texts, titles and figures
//! come from here.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::snapshot::Base;
use crate::domain::{Catalogue, Embedding, ItemIdx, Movie, MovieId, Popularity};
use crate::understand::{TitleResolver, TitleSuggester};

/// Changes that an overlay holds, at most.
pub(super) const MAX_CHANGES: usize = 1_000;

/// What became of a movie.
#[derive(Clone, Debug)]
struct Change {
    /// Counts up with every change of the catalogue.
    number: u64,
    /// `None`: it was removed.
    movie: Option<Arc<Present>>,
}

/// A movie that was added or changed.
#[derive(Debug)]
struct Present {
    movie: Movie,
    figures: Popularity,
    /// Its embedding, with the space that it lies in.
    vector: Option<(String, Embedding)>,
}

/// All changes, ready to be asked.
#[derive(Debug)]
pub(super) struct Overlay {
    changes: BTreeMap<MovieId, Change>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) removed: HashSet<MovieId>,
    pub(super) titles: TitleResolver,
    pub(super) suggester: TitleSuggester,
}

impl Default for Overlay {
    fn default() -> Self {
        Self::of(BTreeMap::new())
    }
}

impl Overlay {
    fn of(changes: BTreeMap<MovieId, Change>) -> Self {
        let present = changes.values().filter_map(|change| change.movie.as_ref());
        let (movies, figures) = present.map(|present| (present.movie.clone(), present.figures)).unzip();
        let removed = changes.iter().filter(|(_, change)| change.movie.is_none()).map(|(&id, _)| id).collect();
        let catalogue = Arc::new(Catalogue::with_figures(movies, figures));
        let (titles, suggester) = (TitleResolver::fit(&catalogue), TitleSuggester::fit(&catalogue));
        Self { changes, catalogue, removed, titles, suggester }
    }

    /// The same with one more change.
    pub(super) fn with(&self, number: u64, (base, movie): (&Base, Movie), vector: Option<(String, Embedding)>) -> Self {
        let known = base.catalogue.item_idx(movie.id).map(|item| base.catalogue.popularity(item));
        let figures = Popularity {
            vote_average: movie.votes.map(|votes| votes.average).or(known.and_then(|known| known.vote_average)),
            vote_count: movie.votes.map_or(known.map_or(0, |known| known.vote_count), |votes| votes.count),
            popularity: movie.popularity.unwrap_or(known.map_or(0.0, |known| known.popularity)),
        };
        let id = movie.id;
        let mut changes = self.changes.clone();
        changes.insert(id, Change { number, movie: Some(Arc::new(Present { movie, figures, vector })) });
        Self::of(changes)
    }

    /// The same without a movie.
    pub(super) fn without(&self, number: u64, movie: MovieId) -> Self {
        let mut changes = self.changes.clone();
        changes.insert(movie, Change { number, movie: None });
        Self::of(changes)
    }

    /// What has changed after a number was given.
    pub(super) fn since(&self, number: u64) -> Self {
        let mut changes = self.changes.clone();
        changes.retain(|_, change| change.number > number);
        Self::of(changes)
    }

    /// The same with these embeddings in place of those it has.
    pub(super) fn with_vectors(&self, space: &str, mut vector: impl FnMut(&Movie) -> Option<Embedding>) -> Self {
        let mut changes = self.changes.clone();
        for change in changes.values_mut() {
            if let Some(present) = &change.movie {
                let vector = vector(&present.movie).map(|vector| (space.to_owned(), vector));
                let (movie, figures) = (present.movie.clone(), present.figures);
                change.movie = Some(Arc::new(Present { movie, figures, vector }));
            }
        }
        Self::of(changes)
    }

    /// Number of changes.
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing has changed.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether a movie is not as the base has it.
    pub(super) fn changes(&self, movie: MovieId) -> bool {
        self.changes.contains_key(&movie)
    }

    /// Movies that are not as the base has them.
    pub(super) fn changed(&self) -> impl Iterator<Item = MovieId> + '_ {
        self.changes.keys().copied()
    }

    /// The movies that are there, with their embedding in a space.
    pub(super) fn newcomers<'a>(
        &'a self,
        space: Option<&'a str>,
    ) -> impl Iterator<Item = (ItemIdx, Option<&'a Embedding>)> + 'a {
        let present = self.changes.values().filter_map(|change| change.movie.as_deref());
        present.zip((0..).map(ItemIdx)).map(move |(present, item)| {
            let vector = present.vector.as_ref().filter(|(own, _)| Some(own.as_str()) == space);
            (item, vector.map(|(_, vector)| vector))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RatingMatrix;
    use crate::engine::loader::fit;

    fn fitted() -> Base {
        let movies = vec![Movie::new(MovieId(1), "Alien"), Movie::new(MovieId(2), "Aliens")];
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
        fit(&Arc::new(Catalogue::new(movies, &ratings)), &Arc::new(ratings)).0
    }

    #[test]
    fn the_last_change_of_a_movie_counts_and_older_ones_can_be_dropped() {
        let base = fitted();
        let titled = |id, title: &str| Movie::new(MovieId(id), title);
        let overlay = Overlay::default()
            .with(1, (&base, titled(7, "Draft")), None)
            .with(2, (&base, titled(1, "Alien, renamed")), None)
            .without(3, MovieId(2))
            .with(4, (&base, titled(7, "Final")), None);
        let names: Vec<&str> = overlay.catalogue.movies().iter().map(|movie| movie.title.as_str()).collect();
        assert_eq!(names, ["Alien, renamed", "Final"]);
        assert_eq!((overlay.len(), overlay.removed.len()), (3, 1));
        assert!(overlay.changes(MovieId(2)) && !overlay.changes(MovieId(3)));
        let since_two = overlay.since(2);
        assert_eq!(since_two.changed().collect::<Vec<_>>(), [MovieId(2), MovieId(7)]);
        assert!(overlay.since(4).is_empty());
    }

    #[test]
    fn an_embedding_counts_only_in_its_own_space() {
        let vector = Embedding::new(vec![1.0, 0.0]).unwrap();
        let movie = Movie::new(MovieId(7), "New");
        let overlay = Overlay::default().with(1, (&fitted(), movie), Some(("a".to_owned(), vector.clone())));
        let in_space =
            |overlay: &Overlay, space| overlay.newcomers(space).filter(|(_, vector)| vector.is_some()).count();
        assert_eq!((in_space(&overlay, Some("a")), in_space(&overlay, Some("b")), in_space(&overlay, None)), (1, 0, 0));
        let moved = overlay.with_vectors("b", |_| Some(vector.clone()));
        assert_eq!((in_space(&moved, Some("a")), in_space(&moved, Some("b"))), (0, 1));
    }
}
