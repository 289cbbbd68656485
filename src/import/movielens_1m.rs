//! MovieLens 1M: `movies.dat` (`id::title::genres`), `ratings.dat` (`user::movie::rating::time`).
//! Format: <https://files.grouplens.org/datasets/movielens/ml-1m-README.txt>. Latin-1; 10M has the same layout in UTF-8
//! and half stars.

use super::ImportError;
use super::format::Layout;
use super::genres::split_genres;
use super::ratings::{RatingColumns, read_ratings};
use super::rows::{Encoding, Field, Rows};
use super::session::Session;
use super::title::parse_title;
use super::value::movie_id;
use crate::domain::Movie;

/// Reads the folder.
pub(super) fn read(layout: &Layout, session: &mut Session<'_>) -> Result<(), ImportError> {
    let mut rows = Rows::open_plain(&layout.movies, "::", Encoding::Latin1)?;
    let id = Field { name: "MovieID", position: 0 };
    let title = Field { name: "Title", position: 1 };
    let genres = Field { name: "Genres", position: 2 };
    session.each_row(&mut rows, |session, rows| {
        let parsed = parse_title(&rows.text(title)?);
        let mut movie = Movie::new(movie_id(rows, id)?, parsed.title);
        movie.alternative_titles = parsed.alternative_titles;
        movie.year = parsed.year;
        movie.genres = split_genres(&rows.text(genres)?, '|');
        session.movie(rows, id, movie)
    })?;
    let Some(path) = &layout.ratings else { return Ok(()) };
    let mut rows = Rows::open_plain(path, "::", Encoding::Latin1)?;
    read_ratings(session, &mut rows, RatingColumns::in_order((0.5, 5.0)))
}
