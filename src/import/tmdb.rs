//! Kaggle "The Movies Dataset": `movies_metadata.csv` (TMDB), `links.csv` and `ratings.csv` (MovieLens). UTF-8.
//! Movies get their MovieLens id through the links, by IMDb id, else by TMDB id.

use std::path::Path;

use super::figures::Figures;
use super::format::Layout;
use super::genres::literal_genres;
use super::links::{Link, Links, parse_imdb, parse_tmdb};
use super::movielens_csv::{read_movies, read_ratings_csv};
use super::rows::{Fault, Field, Rows};
use super::session::{Session, Stop};
use super::value::{one_line, overview, parse_f32, parse_year};
use super::{ImportError, Reason};
use crate::domain::Movie;

/// Longest poster path kept, in bytes.
const MAX_POSTER_BYTES: usize = 200;

/// Reads the folder. `movies.csv`, where there, fills in movies without metadata.
pub(super) fn read(layout: &Layout, session: &mut Session<'_>) -> Result<(), ImportError> {
    let links = layout.links.as_deref().map(|path| Links::read(path, session)).transpose()?.unwrap_or_default();
    read_metadata(&layout.movies, &links, session)?;
    if let Some(path) = &layout.extra {
        read_movies(path, &links, session)?;
    }
    layout.ratings.as_deref().map_or(Ok(()), |path| read_ratings_csv(path, session))
}

struct MetadataColumns {
    tmdb: Field,
    imdb: Option<Field>,
    title: Field,
    original_title: Option<Field>,
    genres: Option<Field>,
    released: Option<Field>,
    overview: Option<Field>,
    language: Option<Field>,
    runtime: Option<Field>,
    poster: Option<Field>,
    figures: Figures,
}

fn read_metadata(path: &Path, links: &Links, session: &mut Session<'_>) -> Result<(), ImportError> {
    let mut rows = Rows::open_csv(path)?;
    let header = rows.header()?;
    let columns = MetadataColumns {
        tmdb: header.require(&["id"])?,
        imdb: header.find("imdb_id"),
        title: header.require(&["title", "original_title"])?,
        original_title: header.find("original_title"),
        genres: header.find("genres"),
        released: header.find("release_date"),
        overview: header.find("overview"),
        language: header.find("original_language"),
        runtime: header.find("runtime"),
        poster: header.find("poster_path"),
        figures: Figures::find(&header),
    };
    session.each_row(&mut rows, |session, rows| {
        let movie = parse_movie(session, rows, &columns, links)?;
        session.movie(rows, columns.tmdb, movie)
    })
}

fn parse_movie(
    session: &mut Session<'_>,
    rows: &Rows,
    columns: &MetadataColumns,
    links: &Links,
) -> Result<Movie, Stop> {
    let bad_id = Fault { reason: Reason::BadNumber, field: columns.tmdb };
    let tmdb = parse_tmdb(&rows.text(columns.tmdb)?).ok_or(bad_id)?;
    let imdb = session.optional(rows, columns.imdb, parse_imdb);
    let link = Link { imdb, tmdb: Some(tmdb) };
    let id = links.movie_of(link).ok_or(Fault { reason: Reason::NoLink, field: columns.tmdb })?;
    let mut movie = Movie::new(id, one_line(&rows.text(columns.title)?));
    movie.imdb_id = imdb;
    movie.tmdb_id = Some(tmdb);
    links.complete(&mut movie);
    if let Some(original) = session.optional(rows, columns.original_title, |text| Some(one_line(text))) {
        if movie.title.is_empty() {
            movie.title = original;
        } else if movie.title != original {
            movie.alternative_titles.push(original);
        }
    }
    movie.year = session.optional(rows, columns.released, |text| parse_year(text.get(..4)?));
    movie.genres = session.optional(rows, columns.genres, literal_genres).unwrap_or_default();
    movie.overview = session.optional(rows, columns.overview, |text| Some(overview(text))).flatten();
    movie.language = session.optional(rows, columns.language, parse_language);
    movie.runtime_minutes = session.optional(rows, columns.runtime, parse_runtime).filter(|&minutes| minutes > 0);
    movie.poster_path = session.optional(rows, columns.poster, parse_poster);
    columns.figures.read(session, rows, &mut movie);
    Ok(movie)
}

fn parse_language(text: &str) -> Option<String> {
    let code = (2..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    code.then(|| text.to_ascii_lowercase())
}

/// Whole minutes of `81.0`.
fn parse_runtime(text: &str) -> Option<u16> {
    parse_f32(text.as_bytes())
        .map(f32::round)
        .filter(|&minutes| (0.0..=f32::from(u16::MAX)).contains(&minutes))
        .map(|minutes| minutes as u16)
}

fn parse_poster(text: &str) -> Option<String> {
    let path = text.starts_with('/') && text.len() <= MAX_POSTER_BYTES && !text.contains(char::is_whitespace);
    path.then(|| text.to_owned())
}
