//! One person's ratings, as Letterboxd (`ratings.csv`, `diary.csv`) and IMDb (`ratings.csv`) export them. Films are
//! named, not numbered; [`FilmIndex`] finds them in a catalogue.

use std::collections::HashMap;
use std::path::Path;

use jiff::civil::Date;

use super::export::write_file;
use super::overviews::Nowhere;
use super::report::ImportReport;
use super::rows::{Columns, Fault, Field, Rows};
use super::session::{Session, Stop};
use super::value::{is_missing, one_line, parse_f32, parse_year};
use super::{FileReport, Format, ImportError, ImportOptions, Problem, Reason};
use crate::domain::{MAX_TIMESTAMP_S, MovieId, imdb_text};
use crate::understand::title_key;

/// Time of a rating of which only the day is known: noon is the same day nearly everywhere.
const HOUR_OF_DAY: i8 = 12;

/// Which site exported a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonalSource {
    /// Letterboxd's `ratings.csv`: each film once, with its last rating.
    LetterboxdRatings,
    /// Letterboxd's `diary.csv`: each time a film was watched.
    LetterboxdDiary,
    /// IMDb's `ratings.csv`.
    Imdb,
}

impl PersonalSource {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::LetterboxdRatings => "Letterboxd ratings",
            Self::LetterboxdDiary => "Letterboxd diary",
            Self::Imdb => "IMDb ratings",
        }
    }

    /// Lowest and highest rating that can be given there.
    fn scale(self) -> (f32, f32) {
        match self {
            Self::LetterboxdRatings | Self::LetterboxdDiary => (0.5, 5.0),
            Self::Imdb => (1.0, 10.0),
        }
    }
}

/// A rating of a film that is known by name.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonalRating {
    /// The title, and the original one where that is given too.
    pub titles: Vec<String>,
    /// The year of release.
    pub year: Option<u16>,
    /// The number in an IMDb id.
    pub imdb_id: Option<u32>,
    /// The rating as a share of the highest there is, above 0 and up to 1.
    pub share: f32,
    /// When, in seconds since 1970 (UTC); noon of the day that is given.
    pub timestamp: Option<i64>,
    /// Whether it may be told by its title: series, episodes and games share titles with films.
    pub is_film: bool,
}

/// What a file has.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonalFile {
    /// Where it comes from.
    pub source: PersonalSource,
    /// Its ratings, in its order.
    pub ratings: Vec<PersonalRating>,
    /// Its counts.
    pub report: FileReport,
    /// The first rows of each reason that could not be used, or not wholly.
    pub problems: Vec<Problem>,
}

/// The columns of a file.
struct Layout {
    source: PersonalSource,
    rating: Field,
    title: Field,
    original_title: Option<Field>,
    year: Option<Field>,
    imdb_id: Option<Field>,
    day: Option<Field>,
    kind: Option<Field>,
}

impl Layout {
    /// Told by the header; columns may come in any order.
    fn of(columns: &Columns) -> Result<Self, ImportError> {
        if columns.find("Const").is_some() {
            return Ok(Self {
                source: PersonalSource::Imdb,
                rating: columns.require(&["Your Rating"])?,
                title: columns.require(&["Title"])?,
                original_title: columns.find("Original Title"),
                year: columns.find("Year"),
                imdb_id: columns.find("Const"),
                day: columns.find("Date Rated"),
                kind: columns.find("Title Type"),
            });
        }
        let title = columns.require(&["Name", "Const"])?;
        let watched = columns.find("Watched Date");
        let is_diary = watched.is_some();
        Ok(Self {
            source: if is_diary { PersonalSource::LetterboxdDiary } else { PersonalSource::LetterboxdRatings },
            rating: columns.require(&["Rating"])?,
            title,
            original_title: None,
            year: columns.find("Year"),
            imdb_id: None,
            day: watched.or_else(|| columns.find("Date")),
            kind: None,
        })
    }

    fn read(&self, session: &mut Session<'_>, rows: &Rows) -> Result<PersonalRating, Stop> {
        let imdb_id = session.optional(rows, self.imdb_id, parse_imdb_id);
        let title = one_line(&rows.text(self.title)?);
        if title.is_empty() && imdb_id.is_none() {
            return Err(Fault { reason: Reason::EmptyText, field: self.title }.into());
        }
        let share = self.share(rows)?;
        let mut titles = vec![title];
        titles.extend(session.optional(rows, self.original_title, |text| Some(one_line(text))));
        titles.dedup();
        let kind = session.optional(rows, self.kind, |text| Some(text.to_lowercase())).unwrap_or_default();
        let is_film = !["series", "episode", "game", "podcast"].iter().any(|other| kind.contains(other));
        Ok(PersonalRating {
            titles,
            year: session.optional(rows, self.year, parse_year),
            imdb_id,
            share,
            timestamp: session.optional(rows, self.day, parse_day),
            is_film,
        })
    }

    fn share(&self, rows: &Rows) -> Result<f32, Fault> {
        let fault = |reason| Fault { reason, field: self.rating };
        let text = rows.text(self.rating)?;
        // Films that were watched, or are to be, without a word on how they were.
        if is_missing(&text) {
            return Err(fault(Reason::NotRated));
        }
        let value = parse_f32(text.as_bytes()).ok_or(fault(Reason::BadNumber))?;
        let (low, high) = self.source.scale();
        if (low..=high).contains(&value) { Ok(value / high) } else { Err(fault(Reason::OutsideScale)) }
    }
}

fn parse_imdb_id(text: &str) -> Option<u32> {
    text.strip_prefix("tt")?.parse().ok()
}

fn parse_day(text: &str) -> Option<i64> {
    let day: Date = text.get(..10).unwrap_or(text).parse().ok()?;
    let noon = day.at(HOUR_OF_DAY, 0, 0, 0).in_tz("UTC").ok()?.timestamp().as_second();
    (0..=MAX_TIMESTAMP_S).contains(&noon).then_some(noon)
}

/// Reads one file of an export.
pub fn read_personal(path: &Path) -> Result<PersonalFile, ImportError> {
    let mut rows = Rows::open_csv(path)?;
    let layout = Layout::of(&rows.header()?)?;
    let (options, mut sink) = (ImportOptions::default(), Nowhere);
    let report = ImportReport::new(Format::MovieLensCsv, String::new());
    let mut session = Session::new(report, &options, &mut sink);
    let mut ratings = Vec::new();
    session.each_row(&mut rows, |session, rows| {
        ratings.push(layout.read(session, rows)?);
        Ok(())
    })?;
    let mut report = session.finish();
    let counts = report.files.pop().unwrap_or_default();
    Ok(PersonalFile { source: layout.source, ratings, report: counts, problems: report.problems })
}

/// Writes ratings whose films were not found.
pub fn write_unmatched(path: &Path, unmatched: &[&PersonalRating]) -> Result<(), ImportError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    write_file(dir, &name, |file| {
        let mut csv = csv::Writer::from_writer(file);
        csv.write_record(["title", "year", "imdb_id", "rating_of_10", "timestamp"])?;
        for rating in unmatched {
            csv.write_record([
                rating.titles.first().map_or("", String::as_str),
                &rating.year.map(|year| year.to_string()).unwrap_or_default(),
                &rating.imdb_id.map(imdb_text).unwrap_or_default(),
                &format!("{}", rating.share * 10.0),
                &rating.timestamp.map(|time| time.to_string()).unwrap_or_default(),
            ])?;
        }
        csv.flush()
    })
}

/// A film of a catalogue, as far as it can be told by name.
#[derive(Clone, Debug)]
pub struct KnownFilm {
    /// Its id.
    pub id: MovieId,
    /// Its title and other titles.
    pub titles: Vec<String>,
    /// Its year of release.
    pub year: Option<u16>,
    /// The number in its IMDb id.
    pub imdb_id: Option<u32>,
}

/// How a film was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmMatch {
    /// By its IMDb id.
    ById(MovieId),
    /// By title and year.
    ByTitle(MovieId),
    /// By title, with a year that differs by one, or that one side does not have.
    NearYear(MovieId),
}

impl FilmMatch {
    /// The film.
    pub fn movie(self) -> MovieId {
        match self {
            Self::ById(movie) | Self::ByTitle(movie) | Self::NearYear(movie) => movie,
        }
    }
}

/// Finds films by name.
#[derive(Clone, Debug, Default)]
pub struct FilmIndex {
    by_imdb_id: HashMap<u32, MovieId>,
    by_title: HashMap<String, Vec<Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    movie: MovieId,
    year: Option<u16>,
    imdb_id: Option<u32>,
}

impl FilmIndex {
    /// Of two films with one IMDb id the first counts.
    pub fn new(films: impl IntoIterator<Item = KnownFilm>) -> Self {
        let mut index = Self::default();
        for film in films {
            if let Some(imdb_id) = film.imdb_id {
                index.by_imdb_id.entry(imdb_id).or_insert(film.id);
            }
            let entry = Entry { movie: film.id, year: film.year, imdb_id: film.imdb_id };
            for title in &film.titles {
                let entries = index.by_title.entry(title_key(title)).or_default();
                if entries.iter().all(|other| other.movie != film.id) {
                    entries.push(entry);
                }
            }
        }
        index
    }

    /// The film that was rated; `None` too where several fit equally.
    pub fn find(&self, rating: &PersonalRating) -> Option<FilmMatch> {
        let by_id = rating.imdb_id.and_then(|id| self.by_imdb_id.get(&id));
        by_id.map(|&movie| FilmMatch::ById(movie)).or_else(|| {
            let titles = rating.titles.iter().filter(|title| rating.is_film && !title.is_empty());
            titles.into_iter().find_map(|title| self.by_title(title, rating))
        })
    }

    fn by_title(&self, title: &str, rating: &PersonalRating) -> Option<FilmMatch> {
        // Two IMDb ids are two films, whatever they are called.
        let is_other = |entry: &Entry| entry.imdb_id.is_some() && rating.imdb_id.is_some();
        let entries = || self.by_title.get(&title_key(title)).into_iter().flatten().filter(|entry| !is_other(entry));
        let mut exact = entries().filter(|entry| rating.year.is_some() && entry.year == rating.year);
        match (exact.next(), exact.next()) {
            (Some(entry), None) => return Some(FilmMatch::ByTitle(entry.movie)),
            (Some(_), Some(_)) => return None,
            (None, _) => {}
        }
        let mut near = entries().filter(|entry| match (entry.year, rating.year) {
            (Some(left), Some(right)) => left.abs_diff(right) <= 1,
            _ => true,
        });
        near.next().filter(|_| near.next().is_none()).map(|entry| FilmMatch::NearYear(entry.movie))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PersonalFile, ImportError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ratings.csv");
        std::fs::write(&path, text).unwrap();
        read_personal(&path)
    }

    #[test]
    fn letterboxd_ratings_and_diary() {
        let file = read(
            "\u{feff}Date,Name,Year,Letterboxd URI,Rating\r\n2021-03-04,\"Heat\",1995,https://boxd.it/x,4.5\r\n\
             2021-03-05,\"Two\nlines, it\"\"s\",,https://boxd.it/y,0.5\n",
        )
        .unwrap();
        assert_eq!((file.source, file.report.rows, file.report.kept), (PersonalSource::LetterboxdRatings, 2, 2));
        let heat = &file.ratings[0];
        assert_eq!((heat.titles[0].as_str(), heat.year, heat.share), ("Heat", Some(1995), 0.9));
        assert_eq!(heat.timestamp, Some(1_614_859_200), "noon of the day");
        assert_eq!((file.ratings[1].titles[0].as_str(), file.ratings[1].year), ("Two lines, it\"s", None));

        let diary = read(
            "Watched Date,Rating,Name,Year,Date,Rewatch,Tags\n2020-01-02,4,Heat,1995,2020-02-02,Yes,\n,3,Up,2009,,,\n\
             2020-01-03,,Alien,1979,2020-01-03,,\n",
        )
        .unwrap();
        assert_eq!(diary.source, PersonalSource::LetterboxdDiary);
        assert_eq!(diary.ratings[0].timestamp, Some(1_577_966_400), "the day it was watched");
        assert_eq!(diary.ratings[1].timestamp, None);
        assert_eq!(diary.report.reasons[&Reason::NotRated], 1);
    }

    #[test]
    fn imdb_ratings() {
        let file = read(
            "Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,Year\n\
             tt0113277,9,2015-08-20,Heat,Heat,u,Movie,1995\ntt0110413,10,2015-08-20,Leon,Léon,u,Movie,1994\n\
             tt2802850,8,2015-08-20,Fargo,Fargo,u,TV Series,2014\n",
        )
        .unwrap();
        assert_eq!(file.source, PersonalSource::Imdb);
        assert_eq!((file.ratings[0].imdb_id, file.ratings[0].share), (Some(113_277), 0.9));
        assert_eq!(file.ratings[1].titles, ["Leon", "Léon"]);
        assert!(file.ratings[1].is_film && !file.ratings[2].is_film);
    }

    #[test]
    fn hostile_rows_are_counted_with_line_and_reason() {
        let file = read(
            "Name,Year,Rating,Date\nA,1990,6,2020-01-01\nB,1990,nan,2020-01-01\nC,1990,x,2020-01-01\n,1990,3,2020-01-01\n\
             D,1990\nE,late,3,someday\nF,1990,0,2020-01-01\n\nG,1990,-1,1066-10-14\nH,1990,5,1066-10-14\n",
        )
        .unwrap();
        let kept: Vec<(&str, Option<u16>, Option<i64>)> =
            file.ratings.iter().map(|one| (one.titles[0].as_str(), one.year, one.timestamp)).collect();
        assert_eq!(kept, [("E", None, None), ("H", Some(1990), None)]);
        assert_eq!(file.report.rows, file.report.kept + file.report.skipped());
        let at = |line| file.problems.iter().find(|problem| problem.line == line).map(|problem| problem.reason);
        for (line, reason) in [
            (2, Reason::OutsideScale),
            (3, Reason::NotRated),
            (4, Reason::BadNumber),
            (5, Reason::EmptyText),
            (6, Reason::TooFewFields),
            (7, Reason::ValueIgnored),
            (8, Reason::OutsideScale),
            (10, Reason::OutsideScale),
            (11, Reason::ValueIgnored),
        ] {
            assert_eq!(at(line), Some(reason), "line {line}");
        }
        for text in ["", "a,b\n1,2\n", "Name,Year\nA,1990\n", "Const,Title\ntt1,A\n"] {
            assert!(matches!(read(text), Err(ImportError::Header { .. })), "{text}");
        }
    }

    #[test]
    fn films_are_found_by_id_then_by_title_and_year() {
        let film = |id: u32, title: &str, year: u16, imdb_id: Option<u32>| KnownFilm {
            id: MovieId(id),
            titles: vec![title.to_owned()],
            year: (year > 0).then_some(year),
            imdb_id,
        };
        let index = FilmIndex::new([
            film(1, "Heat", 1995, Some(113_277)),
            film(2, "Heat", 1972, None),
            film(3, "Les Misérables", 1998, None),
            film(4, "Twins", 1990, None),
            film(5, "Twins", 1992, None),
            film(6, "Undated", 0, None),
            film(7, "Copy", 2000, None),
            film(8, "Copy", 2000, None),
        ]);
        let find = |title: &str, year: u16, imdb_id: Option<u32>| {
            index.find(&PersonalRating {
                titles: vec![title.to_owned()],
                year: (year > 0).then_some(year),
                imdb_id,
                share: 1.0,
                timestamp: None,
                is_film: true,
            })
        };
        assert_eq!(find("anything", 1900, Some(113_277)), Some(FilmMatch::ById(MovieId(1))));
        assert_eq!(find("Heat", 1995, None), Some(FilmMatch::ByTitle(MovieId(1))));
        assert_eq!(find("Heat", 1995, Some(7)), None, "another IMDb id is another film");
        assert_eq!(find("Heat", 1972, Some(7)), Some(FilmMatch::ByTitle(MovieId(2))));
        assert_eq!(find("Miserables, Les", 1998, None), Some(FilmMatch::ByTitle(MovieId(3))));
        assert_eq!(find("Les Misérables", 1997, None), Some(FilmMatch::NearYear(MovieId(3))));
        assert_eq!(find("Les Misérables", 2012, None), None);
        assert_eq!(find("Twins", 1991, None), None, "either may be meant");
        assert_eq!(find("Heat", 0, None), None, "either may be meant");
        assert_eq!(find("Undated", 1999, None), Some(FilmMatch::NearYear(MovieId(6))));
        assert_eq!(find("Copy", 2000, None), None, "either may be meant");
        assert_eq!(find("", 2000, None), None);
    }
}
