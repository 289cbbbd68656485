//! The fixtures: one folder per format, each with rows of every kind of fault.

use super::super::Reason::{
    BadNumber, BrokenText, DuplicateMovie, EmptyText, NoLink, Orphan, OutsideScale, TooFewFields, ValueIgnored,
};
use super::*;
use crate::domain::Votes;

#[test]
fn movielens_100k() {
    let (report, data) = fixture(Format::MovieLens100k);
    assert_eq!(report.id_space, "movielens-100k");
    let reasons = [(TooFewFields, 1), (BadNumber, 1), (EmptyText, 1), (DuplicateMovie, 1)];
    check_file(&report, "u.item", (9, 5), &reasons);
    let reasons = [(TooFewFields, 1), (BadNumber, 4), (OutsideScale, 2), (Orphan, 1)];
    check_file(&report, "u.data", (13, 5), &reasons);
    let cafe = data.movie_of(2);
    assert_eq!((cafe.title.as_str(), cafe.year), ("Le Café du Sud", Some(1987)));
    assert_eq!(cafe.alternative_titles, ["The Southern Café"]);
    assert_eq!(data.movie_of(1).genres, ["Drama", "Mystery"]);
    assert_eq!(data.movie_of(3).year, Some(1991), "from the release date");
    let ferry = data.movie_of(4);
    assert_eq!((ferry.title.as_str(), ferry.year, ferry.genres.len()), ("Night Ferry", Some(1995), 0));
    assert_eq!(data.movie_of(8).title, "\"Quote at the start", "no quoting, so the next rows are not swallowed");
    let twice = data.ratings.iter().filter(|rating| (rating.user.0, rating.movie.0) == (11, 1)).count();
    assert_eq!(twice, 2, "the receiver resolves repetitions");
}

#[test]
fn movielens_1m() {
    let (report, data) = fixture(Format::MovieLens1m);
    assert_eq!(report.id_space, "movielens-1m");
    check_file(&report, "movies.dat", (6, 3), &[(TooFewFields, 1), (BadNumber, 1), (DuplicateMovie, 1)]);
    check_file(&report, "ratings.dat", (7, 4), &[(TooFewFields, 1), (OutsideScale, 1), (Orphan, 1)]);
    assert_eq!(data.movie_of(1).title, "The Harbour: The Return");
    assert_eq!(data.movie_of(1).genres, ["Action", "Sci-Fi"]);
    assert_eq!(data.movie_of(2).title, "L'Étoile");
    assert_eq!(data.triples(), [(1, 1, 5.0), (1, 2, 3.0), (2, 3, 0.5), (3, 1, 4.0)]);
    let too_short = report.problems.iter().find(|found| found.file == "ratings.dat" && found.reason == TooFewFields);
    assert_eq!(too_short.unwrap().to_string(), "ratings.dat:6: rating is missing: the row has 2 fields");
}

#[test]
fn movielens_csv() {
    let (report, data) = fixture(Format::MovieLensCsv);
    assert_eq!(report.id_space, "movielens");
    let reasons = [(TooFewFields, 1), (BadNumber, 1), (BrokenText, 1), (EmptyText, 2), (DuplicateMovie, 1)];
    check_file(&report, "movies.csv", (10, 4), &reasons);
    check_file(&report, "links.csv", (5, 4), &[(BadNumber, 1), (ValueIgnored, 1)]);
    let reasons = [(TooFewFields, 1), (BadNumber, 5), (OutsideScale, 2), (Orphan, 1)];
    check_file(&report, "ratings.csv", (13, 4), &reasons);
    assert_eq!(data.triples(), [(1, 1, 4.5), (1, 2, 0.5), (2, 1, 3.0), (3, 7, 5.0)]);
    assert_eq!(data.movie_of(1).title, "A Quiet \"Loud\" Town");
    assert_eq!(data.movie_of(2).title, "Two Lines");
    assert_eq!(data.movie_of(7).title, "(31) Ways Home");
    let fjord = data.movie_of(3);
    assert_eq!((fjord.title.as_str(), fjord.imdb_id, fjord.tmdb_id), ("Fjord", Some(103), Some(203)));
    assert_eq!(fjord.alternative_titles, ["The Fjord"]);
    assert_eq!((data.movie_of(7).imdb_id, data.movie_of(7).tmdb_id), (None, None));
}

/// Lines are counted in the file, also after rows of several lines and with carriage returns.
#[test]
fn problems_name_their_line() {
    let (report, _) = fixture(Format::MovieLensCsv);
    let text: Vec<String> =
        report.problems.iter().filter(|found| found.file == "movies.csv").map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "movies.csv:6: movieId \"abc\": not a number, or out of range",
            "movies.csv:7: movieId \"4\": a needed text is empty",
            "movies.csv:8: movieId \"1\": movie given before (the first counts)",
            "movies.csv:9: title is missing: the row has 1 fields",
            "movies.csv:10: title \"Bro\u{fffd}ken (2000)\": text is not UTF-8",
            "movies.csv:13: movieId \"8\": a needed text is empty",
        ]
    );
}

#[test]
fn recbole() {
    let (report, data) = fixture(Format::Recbole);
    assert_eq!(report.id_space, "recbole-tiny");
    let reasons = [(TooFewFields, 1), (BadNumber, 1), (EmptyText, 1), (DuplicateMovie, 1), (ValueIgnored, 2)];
    check_file(&report, "tiny.item", (7, 3), &reasons);
    check_file(&report, "tiny.inter", (8, 3), &[(TooFewFields, 1), (BadNumber, 2), (OutsideScale, 1), (Orphan, 1)]);
    let orchard = data.movie_of(1);
    assert_eq!((orchard.title.as_str(), orchard.year), ("The Orchard", Some(1993)));
    assert_eq!(orchard.alternative_titles, ["Le Verger"]);
    assert_eq!(orchard.genres, ["Children's", "Sci-Fi"]);
    assert_eq!((data.movie_of(2).year, data.movie_of(2).genres.len()), (None, 0));
    assert_eq!(data.movie_of(3).year, Some(1995), "the title knows it");
    assert_eq!(data.ratings[1].timestamp, 881_250_950);
}

#[test]
fn tmdb() {
    let (report, data) = fixture(Format::Tmdb);
    assert_eq!(report.id_space, "movielens");
    let names: Vec<&str> = report.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["links.csv", "movies_metadata.csv", "movies.csv", "ratings_small.csv"]);
    let reasons =
        [(TooFewFields, 1), (BadNumber, 2), (EmptyText, 1), (DuplicateMovie, 1), (NoLink, 1), (ValueIgnored, 6)];
    check_file(&report, "movies_metadata.csv", (9, 3), &reasons);
    check_file(&report, "movies.csv", (2, 1), &[(DuplicateMovie, 1)]);
    check_file(&report, "ratings_small.csv", (4, 3), &[(Orphan, 1)]);
    let mill = data.movie_of(1);
    assert_eq!(mill.title, "The Mill");
    assert_eq!(mill.alternative_titles, ["Le Moulin"]);
    assert_eq!(mill.overview.as_deref(), Some("A miller counts the wind.\nHe is never right, \"almost\"."));
    assert_eq!(mill.genres, ["Drama", "Children's"]);
    assert_eq!((mill.year, mill.runtime_minutes, mill.language.as_deref()), (Some(1995), Some(81), Some("fr")));
    assert_eq!((mill.imdb_id, mill.tmdb_id, mill.poster_path.as_deref()), (Some(101), Some(201), Some("/mill.jpg")));
    assert_eq!((mill.votes, mill.popularity), (Some(Votes { average: 7.7, count: 54 }), Some(3.25)));
    let found = data.movie_of(2);
    assert_eq!((found.genres.as_slice(), found.year), (&["Comedy".to_owned()][..], Some(2001)));
    assert_eq!((found.votes, found.overview.as_ref(), found.runtime_minutes), (None, None, None));
    let odd = data.movie_of(3);
    assert_eq!((odd.votes, odd.popularity, odd.year, odd.poster_path.as_ref()), (None, None, None, None));
    assert_eq!(odd.alternative_titles, [""; 0]);
    let barge = data.movie_of(4);
    assert_eq!((barge.title.as_str(), barge.imdb_id, barge.tmdb_id), ("The Barge", Some(105), Some(205)));
}
