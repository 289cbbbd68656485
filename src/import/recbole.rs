//! RecBole atomic files: `NAME.item` and `NAME.inter`, tabs, header `name:type`. UTF-8, no quoting.
//! Format: <https://recbole.io/docs/user_guide/data/atomic_files.html>.

use super::ImportError;
use super::format::Layout;
use super::genres::split_genres;
use super::ratings::{RatingColumns, read_ratings};
use super::rows::{Encoding, Rows};
use super::session::Session;
use super::title::parse_title;
use super::value::{movie_id, overview, parse_year};
use crate::domain::Movie;

/// Reads the folder.
pub(super) fn read(layout: &Layout, session: &mut Session<'_>) -> Result<(), ImportError> {
    let mut rows = Rows::open_plain(&layout.movies, "\t", Encoding::Utf8)?;
    let columns = rows.header()?;
    let id = columns.require(&["item_id", "movie_id"])?;
    let title = columns.require(&["movie_title", "title", "name"])?;
    let year = columns.find_any(&["release_year", "year"]);
    let genres = columns.find_any(&["class", "genre", "genres"]);
    let text = columns.find_any(&["overview", "description"]);
    session.each_row(&mut rows, |session, rows| {
        let parsed = parse_title(&rows.text(title)?);
        let mut movie = Movie::new(movie_id(rows, id)?, parsed.title);
        movie.alternative_titles = parsed.alternative_titles;
        movie.year = session.optional(rows, year, parse_year).or(parsed.year);
        movie.genres = session.optional(rows, genres, |text| Some(split_genres(text, ' '))).unwrap_or_default();
        movie.overview = session.optional(rows, text, |text| Some(overview(text))).flatten();
        session.movie(rows, id, movie)
    })?;
    let Some(path) = &layout.ratings else { return Ok(()) };
    let mut rows = Rows::open_plain(path, "\t", Encoding::Utf8)?;
    let columns = rows.header()?;
    let columns = RatingColumns {
        user: columns.require(&["user_id"])?,
        movie: columns.require(&["item_id", "movie_id"])?,
        rating: columns.require(&["rating"])?,
        timestamp: columns.find("timestamp"),
        scale: (0.0, 10.0),
    };
    read_ratings(session, &mut rows, columns)
}
