//! What does not depend on one format: detection, options, overviews, errors, the sample, export.

use super::*;
use crate::domain::{Catalogue, Rating, RatingMatrix, UserId};

const RATINGS: &str = "userId,movieId,rating,timestamp\n1,1,4,10\n";
const MOVIES: &str = "movieId,title,genres\n1,\"Kite, The (1990)\",Drama\n2,Second (1991),Drama\n";

#[test]
fn format_names_go_both_ways() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let error = "netflix".parse::<Format>().unwrap_err().to_string();
    assert_eq!(error, "unknown format \"netflix\"; there are tmdb, ml-csv, ml-100k, ml-1m, recbole");
}

#[test]
fn an_unknown_folder_says_what_was_looked_for_and_found() {
    let dir = folder(&[("notes.txt", ""), ("ratings.csv", "")]);
    let error = detect(dir.path()).unwrap_err().to_string();
    for part in ["movies.csv (ratings.csv", "movies.dat", "NAME.item", "found notes.txt, ratings.csv"] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    assert!(detect(folder(&[]).path()).unwrap_err().to_string().ends_with("found no files"));
    let gone = detect(&dir.path().join("gone")).unwrap_err();
    assert!(matches!(gone, ImportError::Read { .. }), "{gone:?}");
    let wrong = import(dir.path(), Format::Recbole, &ImportOptions::default(), &mut Collected::default());
    assert!(matches!(wrong, Err(ImportError::UnknownLayout { .. })), "{wrong:?}");
}

#[test]
fn when_several_files_fit() {
    let small = "userId,movieId,rating,timestamp\n7,1,4,10\n";
    let files = [("movies.csv", MOVIES), ("ratings.csv", RATINGS), ("ratings_small.csv", small), ("u.item", "")];
    let dir = folder(&files);
    let (report, data) = imported(dir.path(), &ImportOptions::default());
    assert_eq!(report.format, Format::MovieLensCsv);
    assert_eq!(data.triples(), [(1, 1, 4.0)], "the full file goes before the small one");
    std::fs::remove_file(dir.path().join("ratings.csv")).unwrap();
    assert_eq!(imported(dir.path(), &ImportOptions::default()).1.triples(), [(7, 1, 4.0)]);
}

#[test]
fn of_recbole_sets_the_one_named_like_the_folder_counts() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("ml-100k");
    std::fs::create_dir(&dir).unwrap();
    for name in ["a", "ml-100k"] {
        std::fs::write(dir.join(format!("{name}.item")), "item_id:token\tmovie_title:token_seq\n1\tKite\n").unwrap();
        std::fs::write(dir.join(format!("{name}.inter")), "user_id:token\titem_id:token\trating:float\n3\t1\t4\n")
            .unwrap();
    }
    let (report, data) = imported(&dir, &ImportOptions::default());
    assert_eq!((report.id_space.as_str(), data.ratings[0].timestamp), ("movielens-100k", 0));
}

#[test]
fn a_missing_column_is_an_error_that_names_it() {
    for (name, content, text) in [
        ("movies.csv", "id;name\n1;Kite\n", "has no column movieId; its first row is: id;name"),
        ("movies.csv", "", "has no column movieId; its first row is: nothing"),
        ("ratings.csv", "userId,movieId,stars\n", "has no column rating; its first row is: userid, movieid, stars"),
    ] {
        let dir = folder(&[("movies.csv", MOVIES), ("ratings.csv", RATINGS), (name, content)]);
        let outcome = import(dir.path(), Format::MovieLensCsv, &ImportOptions::default(), &mut Collected::default());
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(text), "{text:?} is not in {error}");
    }
}

#[test]
fn movies_alone_and_nothing_at_all() {
    let options = ImportOptions::default();
    let (report, data) = imported(folder(&[("movies.csv", MOVIES)]).path(), &options);
    assert_eq!((data.ids(), data.ratings.len()), (vec![1, 2], 0));
    assert!(!report.is_empty(), "they can be found by title and content");
    assert!(imported(folder(&[("movies.csv", "movieId,title\n")]).path(), &options).0.is_empty());
}

#[test]
fn examples_are_limited_and_counts_are_not() {
    let ratings = format!("{RATINGS}{}", "1,404,4,10\n".repeat(100));
    let dir = folder(&[("movies.csv", MOVIES), ("ratings.csv", &ratings)]);
    let (report, _) = imported(dir.path(), &ImportOptions::default());
    check_file(&report, "ratings.csv", (101, 1), &[(Reason::Orphan, 100)]);
    assert_eq!(report.problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), (3..23).collect::<Vec<_>>());
}

#[test]
fn a_refusing_sink_stops_the_import() {
    struct Full;
    impl ImportSink for Full {
        fn movie(&mut self, _: Movie) -> Result<(), SinkError> {
            Ok(())
        }
        fn rating(&mut self, _: Interaction) -> Result<(), SinkError> {
            Err("disk full".into())
        }
    }
    let dir = folder(&[("movies.csv", MOVIES), ("ratings.csv", RATINGS)]);
    let error = import(dir.path(), Format::MovieLensCsv, &ImportOptions::default(), &mut Full).unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "disk full");
}

#[test]
fn overviews_join_by_title_and_year() {
    let dir = folder(&[(
        "o.csv",
        "title,year,overview\n\"Kite, The\",1990,ninety\nKite (Cerf-volant),1990,other film\n\"KITE, the\",1990,again\n\
         Twin,1960,sixty\nTwin,1962,sixty-two\nAlone,V,no year\n,1990,no title\nEmpty,1990,\n",
    )]);
    let overviews = Overviews::read(&dir.path().join("o.csv")).unwrap();
    assert_eq!((overviews.len(), overviews.report().0.skipped()), (5, 3));
    let find = |title: &str, year| {
        let mut movie = Movie::new(MovieId(1), title);
        movie.year = year;
        overviews.find(&movie)
    };
    assert_eq!(find("The Kite", Some(1990)), Some("ninety"));
    assert_eq!(find("Kite", Some(1990)), Some("other film"));
    assert_eq!(find("thé  kite!", Some(1991)), Some("ninety"), "one year off");
    assert_eq!(find("The Kite", Some(1992)), None);
    assert_eq!(find("Twin", Some(1960)), Some("sixty"));
    assert_eq!(find("Twin", Some(1961)), None, "ambiguous");
    assert_eq!(find("Twin", Some(1963)), Some("sixty-two"));
    assert_eq!(find("Twin", None), None);
    assert_eq!(find("Alone", Some(2000)), Some("no year"));
    let mut renamed = Movie::new(MovieId(1), "El cometa");
    renamed.alternative_titles.push("The Kite".into());
    assert_eq!(overviews.find(&renamed), Some("ninety"));
}

#[test]
fn a_known_overview_of_a_movie_that_has_one_is_its_synopsis() {
    let movies = "movieId,title,year,overview\n1,The Kite,1990,its own\n2,Second,1991,\n3,Third,1992,given\n";
    let given = folder(&[("o.csv", "title,year,overview\nThe Kite,1990,given\nSecond,1991,given\nThird,1992,given\n")]);
    let dir = folder(&[("movies.csv", movies)]);
    let overviews = Some(Overviews::read(&given.path().join("o.csv")).unwrap());
    let (report, data) = imported(dir.path(), &ImportOptions { overviews });
    assert_eq!((report.overviews_joined, report.synopses_joined), (1, 1));
    let texts = |id| (data.movie_of(id).overview.as_deref(), data.movie_of(id).synopsis.as_deref());
    assert_eq!(texts(1), (Some("its own"), Some("given")));
    assert_eq!(texts(2), (Some("given"), None));
    assert_eq!(texts(3), (Some("given"), None), "the same text says nothing more");
    assert_eq!(data.movie_of(1).description(), "its own given");
}

#[test]
fn overviews_of_the_folder_go_before_those_of_the_options() {
    let given = folder(&[("o.csv", "title,year,overview\nThe Kite,1990,given\nSecond,1991,given too\n")]);
    let dir = folder(&[("movies.csv", MOVIES), ("overviews.csv", "title,year,overview\nThe Kite,1990,beside\n")]);
    let overviews = Some(Overviews::read(&given.path().join("o.csv")).unwrap());
    let (report, data) = imported(dir.path(), &ImportOptions { overviews });
    assert_eq!((report.movies_with_overview, report.overviews_joined), (2, 2));
    assert_eq!(data.movie_of(1).overview.as_deref(), Some("beside"));
    assert_eq!(data.movie_of(2).overview.as_deref(), Some("given too"));
}

#[test]
fn the_sample_is_clean() {
    let (report, data) = imported(&project("data/sample"), &ImportOptions::default());
    assert_eq!((report.movies, report.movies_with_overview, report.problems.len()), (12, 12, 0));
    assert!(report.ratings >= 60);
    assert_eq!(data.movie_of(6).alternative_titles, ["The Windless Mill"]);
}

#[test]
fn an_export_can_be_imported() {
    let mut odd = Movie::new(MovieId(5), "Nine (Parts, \"A\"");
    odd.title.push(')');
    odd.year = Some(1984);
    odd.genres = vec!["Drama".into(), "Sci-Fi".into()];
    odd.overview = Some("Two\nlines, \"quoted\".".into());
    odd.synopsis = Some("The same, otherwise told.".into());
    let movies = vec![odd.clone(), Movie::new(MovieId(9), "Opera, La")];
    let event = |user, movie, value, timestamp| Interaction {
        user: UserId(user),
        movie: MovieId(movie),
        rating: Rating::new(value).unwrap(),
        timestamp,
    };
    let events = vec![event(1, 5, 4.5, 100), event(1, 9, 10.0, 200), event(4_000_000_000, 9, 0.0, 300)];
    let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), events.clone());
    let catalogue = Catalogue::new(movies, &ratings);
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new/folder");
    let written = export(&target, &catalogue, &ratings).unwrap();
    assert_eq!(written, ExportReport { movies: 2, ratings: 3 });
    let mut names: Vec<_> = std::fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["movies.csv", "ratings.csv"], "no temporary file is left");
    let (report, data) = imported(&target, &ImportOptions::default());
    assert_eq!((report.problems.len(), &data.ratings), (0, &events));
    let back = data.movie_of(5);
    assert_eq!((&back.title, back.year, &back.genres), (&odd.title, odd.year, &odd.genres));
    assert_eq!((&back.overview, &back.synopsis), (&odd.overview, &odd.synopsis));
    assert_eq!(back.votes.unwrap().count, 1);
    assert_eq!(data.movie_of(9).title, "Opera, La", "with a year column titles are taken as they stand");
    let text = std::fs::read_to_string(target.join("ratings.csv")).unwrap();
    assert_eq!(text.lines().nth(1), Some("1,5,4.5,100"));
}

#[test]
fn an_export_that_fails_leaves_nothing() {
    let catalogue = Catalogue::new(Vec::new(), &RatingMatrix::new(&Catalogue::vocabulary_of(&[]), Vec::new()));
    let ratings = RatingMatrix::new(catalogue.vocabulary(), Vec::new());
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("movies.csv")).unwrap();
    let error = export(dir.path(), &catalogue, &ratings).unwrap_err();
    assert!(matches!(error, ImportError::Write { .. }), "{error:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
