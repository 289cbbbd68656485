//! `links.csv` of MovieLens: movie id ↔ IMDb id ↔ TMDB id.

use std::collections::HashMap;
use std::path::Path;

use super::ImportError;
use super::rows::Rows;
use super::session::Session;
use super::value::{movie_id, parse_u32};
use crate::domain::{Movie, MovieId};

/// A movie's ids elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) imdb: Option<u32>,
    pub(super) tmdb: Option<u32>,
}

/// All links, found from either side. Of two movies with one outside id the first counts.
#[derive(Debug, Default)]
pub(super) struct Links {
    ids: HashMap<MovieId, Link>,
    movie_of_imdb: HashMap<u32, MovieId>,
    movie_of_tmdb: HashMap<u32, MovieId>,
}

impl Links {
    /// Reads `movieId,imdbId,tmdbId`.
    pub(super) fn read(path: &Path, session: &mut Session<'_>) -> Result<Self, ImportError> {
        let mut rows = Rows::open_csv(path)?;
        let columns = rows.header()?;
        let movie = columns.require(&["movieId"])?;
        let (imdb, tmdb) = (columns.find("imdbId"), columns.find("tmdbId"));
        let mut links = Self::default();
        session.each_row(&mut rows, |session, rows| {
            let id = movie_id(rows, movie)?;
            let link =
                Link { imdb: session.optional(rows, imdb, parse_imdb), tmdb: session.optional(rows, tmdb, parse_tmdb) };
            links.insert(id, link);
            Ok(())
        })?;
        Ok(links)
    }

    fn insert(&mut self, id: MovieId, link: Link) {
        self.ids.entry(id).or_insert(link);
        if let Some(imdb) = link.imdb {
            self.movie_of_imdb.entry(imdb).or_insert(id);
        }
        if let Some(tmdb) = link.tmdb {
            self.movie_of_tmdb.entry(tmdb).or_insert(id);
        }
    }

    /// The movie with this IMDb id, else the one with this TMDB id.
    pub(super) fn movie_of(&self, link: Link) -> Option<MovieId> {
        let found = link.imdb.and_then(|imdb| self.movie_of_imdb.get(&imdb));
        found.or_else(|| self.movie_of_tmdb.get(&link.tmdb?)).copied()
    }

    /// Fills in outside ids that the movie lacks.
    pub(super) fn complete(&self, movie: &mut Movie) {
        let link = self.ids.get(&movie.id).copied().unwrap_or_default();
        movie.imdb_id = movie.imdb_id.or(link.imdb);
        movie.tmdb_id = movie.tmdb_id.or(link.tmdb);
    }
}

/// The number in `tt0114709` or `0114709`.
pub(super) fn parse_imdb(text: &str) -> Option<u32> {
    parse_u32(text.strip_prefix("tt").unwrap_or(text).as_bytes()).filter(|&id| id > 0)
}

/// A TMDB id.
pub(super) fn parse_tmdb(text: &str) -> Option<u32> {
    parse_u32(text.as_bytes()).filter(|&id| id > 0)
}
