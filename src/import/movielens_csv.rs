//! MovieLens latest, 20M, 25M, 32M: `movies.csv`, `ratings.csv`, `links.csv`; also what [`export`](super::export())
//! writes, which has more columns. Format: <https://files.grouplens.org/datasets/movielens/ml-latest-README.html>. UTF-8.

use std::path::Path;

use super::ImportError;
use super::figures::Figures;
use super::format::Layout;
use super::genres::split_genres;
use super::links::Links;
use super::ratings::{RatingColumns, read_all_ratings, read_ratings};
use super::rows::{Encoding, Field, Rows};
use super::session::{Session, Stop};
use super::title::parse_title;
use super::value::{movie_id, one_line, overview, parse_year};
use crate::domain::Movie;

/// Reads the folder.
pub(super) fn read(layout: &Layout, session: &mut Session<'_>) -> Result<(), ImportError> {
    let links = layout.links.as_deref().map(|path| Links::read(path, session)).transpose()?.unwrap_or_default();
    read_movies(&layout.movies, &links, session)?;
    layout.ratings.as_deref().map_or(Ok(()), |path| read_ratings_csv(path, session))
}

struct MovieColumns {
    id: Field,
    title: Field,
    genres: Option<Field>,
    year: Option<Field>,
    overview: Option<Field>,
    synopsis: Option<Field>,
    figures: Figures,
}

/// Reads `movies.csv`: `movieId,title,genres`, and where there are: `year`, `overview`, `synopsis` and figures.
pub(super) fn read_movies(path: &Path, links: &Links, session: &mut Session<'_>) -> Result<(), ImportError> {
    let mut rows = Rows::open_csv(path)?;
    let header = rows.header()?;
    let columns = MovieColumns {
        id: header.require(&["movieId"])?,
        title: header.require(&["title"])?,
        genres: header.find("genres"),
        year: header.find("year"),
        overview: header.find("overview"),
        synopsis: header.find("synopsis"),
        figures: Figures::find(&header),
    };
    session.each_row(&mut rows, |session, rows| {
        let mut movie = parse_movie(session, rows, &columns)?;
        links.complete(&mut movie);
        session.movie(rows, columns.id, movie)
    })
}

fn parse_movie(session: &mut Session<'_>, rows: &Rows, columns: &MovieColumns) -> Result<Movie, Stop> {
    let id = movie_id(rows, columns.id)?;
    let written = rows.text(columns.title)?;
    let parsed = parse_title(&written);
    let year = session.optional(rows, columns.year, parse_year);
    // Only MovieLens spelling ends with the year; with a year of its own, a title is meant as it stands.
    let is_movielens = columns.year.is_none() || (parsed.year.is_some() && parsed.year == year);
    let mut movie = if is_movielens {
        let mut movie = Movie::new(id, parsed.title);
        movie.alternative_titles = parsed.alternative_titles;
        movie
    } else {
        Movie::new(id, one_line(&written))
    };
    movie.year = year.or(parsed.year);
    movie.genres = session.optional(rows, columns.genres, |text| Some(split_genres(text, '|'))).unwrap_or_default();
    movie.overview = session.optional(rows, columns.overview, |text| Some(overview(text))).flatten();
    movie.synopsis = session.optional(rows, columns.synopsis, |text| Some(overview(text))).flatten();
    columns.figures.read(session, rows, &mut movie);
    Ok(movie)
}

/// Reads `ratings.csv`: `userId,movieId,rating,timestamp` in any order. The file knows no quotes but around numbers.
pub(super) fn read_ratings_csv(path: &Path, session: &mut Session<'_>) -> Result<(), ImportError> {
    let (mut rows, columns) = open_ratings(path)?;
    read_ratings(session, &mut rows, columns)
}

/// The same for a file of its own, whose movies were not handed over before.
pub(super) fn read_lone_ratings(path: &Path, session: &mut Session<'_>) -> Result<(), ImportError> {
    let (mut rows, columns) = open_ratings(path)?;
    read_all_ratings(session, &mut rows, columns)
}

fn open_ratings(path: &Path) -> Result<(Rows, RatingColumns), ImportError> {
    let mut rows = Rows::open_plain(path, ",", Encoding::Utf8)?;
    let header = rows.header()?;
    let columns = RatingColumns {
        user: header.require(&["userId"])?,
        movie: header.require(&["movieId"])?,
        rating: header.require(&["rating"])?,
        timestamp: header.find("timestamp"),
        scale: (0.0, 10.0),
    };
    Ok((rows, columns))
}
