//! MovieLens 100K: `u.item` (`id|title|release date|video release date|URL|19 genre flags`), `u.data` (tabs), `u.genre`.
//! Format: <https://files.grouplens.org/datasets/movielens/ml-100k-README.txt>. Latin-1.

use std::path::Path;

use super::format::Layout;
use super::genres::split_genres;
use super::ratings::{RatingColumns, read_ratings};
use super::rows::{Encoding, Fault, Field, Rows};
use super::session::Session;
use super::title::parse_title;
use super::value::{movie_id, parse_year, whole_number};
use super::{ImportError, Reason};
use crate::domain::Movie;

/// The flags in their order, for folders without `u.genre`.
const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];
const FIRST_FLAG: usize = 5;

/// Reads the folder.
pub(super) fn read(layout: &Layout, session: &mut Session<'_>) -> Result<(), ImportError> {
    let genres = match &layout.extra {
        Some(path) => read_genres(path, session)?,
        None => GENRES.map(str::to_owned).to_vec(),
    };
    let mut rows = Rows::open_plain(&layout.movies, "|", Encoding::Latin1)?;
    let id = Field { name: "movie id", position: 0 };
    let title = Field { name: "movie title", position: 1 };
    let released = Field { name: "release date", position: 2 };
    session.each_row(&mut rows, |session, rows| {
        let parsed = parse_title(&rows.text(title)?);
        let mut movie = Movie::new(movie_id(rows, id)?, parsed.title);
        movie.alternative_titles = parsed.alternative_titles;
        movie.year = parsed.year.or_else(|| session.optional(rows, Some(released), year_of_date));
        movie.genres = genres
            .iter()
            .enumerate()
            .filter(|(flag, _)| rows.get(Field { name: "genre", position: FIRST_FLAG + flag }) == Some(b"1"))
            .flat_map(|(_, genre)| split_genres(genre, '|'))
            .collect();
        session.movie(rows, id, movie)
    })?;
    let Some(path) = &layout.ratings else { return Ok(()) };
    let mut rows = Rows::open_plain(path, "\t", Encoding::Latin1)?;
    read_ratings(session, &mut rows, RatingColumns::in_order((1.0, 5.0)))
}

/// Names by the number of their flag, out of `name|number`.
fn read_genres(path: &Path, session: &mut Session<'_>) -> Result<Vec<String>, ImportError> {
    const MAX_FLAGS: u32 = 1000;
    let mut rows = Rows::open_plain(path, "|", Encoding::Latin1)?;
    let name = Field { name: "genre", position: 0 };
    let number = Field { name: "number", position: 1 };
    let mut genres: Vec<String> = Vec::new();
    session.each_row(&mut rows, |_, rows| {
        let flag = whole_number(rows, number)?;
        if flag >= MAX_FLAGS {
            return Err(Fault { reason: Reason::BadNumber, field: number }.into());
        }
        let flag = flag as usize;
        if genres.len() <= flag {
            genres.resize(flag + 1, String::new());
        }
        genres[flag] = rows.text(name)?.into_owned();
        Ok(())
    })?;
    Ok(genres)
}

/// The year of `01-Jan-1995`.
fn year_of_date(text: &str) -> Option<u16> {
    parse_year(text.rsplit('-').next()?)
}
