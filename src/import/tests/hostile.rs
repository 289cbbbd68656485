//! Bytes that are no data set: nothing may panic, and every row must be accounted for.

use proptest::prelude::*;

use super::*;

/// Reads a folder that may be anything. Only a missing column may be an error.
fn survive(dir: &Path, format: Format) {
    let mut sink = Collected::default();
    match import(dir, format, &ImportOptions::default(), &mut sink) {
        Ok(report) => {
            for file in &report.files {
                assert_eq!(file.rows, file.kept + file.skipped(), "{}", file.name);
            }
            assert!(!report.to_string().is_empty());
        }
        Err(error) => assert!(matches!(error, ImportError::Header { .. }), "{error:?}"),
    }
}

/// Header rows with which the rows after them mean something, and the files of each format.
const FILES: [(Format, &[(&str, &str)]); 5] = [
    (Format::MovieLens100k, &[("u.item", ""), ("u.data", ""), ("u.genre", "")]),
    (Format::MovieLens1m, &[("movies.dat", ""), ("ratings.dat", "")]),
    (
        Format::MovieLensCsv,
        &[
            ("movies.csv", "movieId,title,genres,year,overview,vote_average,vote_count,popularity\n"),
            ("ratings.csv", "userId,movieId,rating,timestamp\n"),
            ("links.csv", "movieId,imdbId,tmdbId\n"),
            ("overviews.csv", "title,year,overview\n"),
        ],
    ),
    (
        Format::Recbole,
        &[
            ("x.item", "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"),
            ("x.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"),
        ],
    ),
    (
        Format::Tmdb,
        &[
            (
                "movies_metadata.csv",
                "id,imdb_id,title,original_title,genres,release_date,overview,runtime,vote_count\n",
            ),
            ("links.csv", "movieId,imdbId,tmdbId\n"),
            ("ratings.csv", "userId,movieId,rating,timestamp\n"),
        ],
    ),
];

/// Bytes that often look like rows.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b",".to_vec()),
        Just(b"\t".to_vec()),
        Just(b"::".to_vec()),
        Just(b"|".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"1".to_vec()),
        Just(b"2.5".to_vec()),
        Just(b"Film, The (A (1990)".to_vec()),
        Just(b"[{'name': 'A".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn noise_never_panics(noise in noise(), with_header: bool) {
        let dir = tempfile::tempdir().unwrap();
        for (format, files) in FILES {
            for (name, header) in files {
                let header = if with_header { header.as_bytes() } else { b"" };
                std::fs::write(dir.path().join(name), [header, &noise].concat()).unwrap();
            }
            survive(dir.path(), format);
        }
    }
}

#[test]
fn an_endless_line_is_one_skipped_row() {
    let ratings = format!("1::1::4::10\n{}\n1::1::5::11\n", "9".repeat(3 << 20));
    let dir = folder(&[("movies.dat", "1::Kite (1990)::Drama\n"), ("ratings.dat", &ratings)]);
    let (report, data) = imported(dir.path(), &ImportOptions::default());
    check_file(&report, "ratings.dat", (3, 2), &[(Reason::TooLong, 1)]);
    assert_eq!(data.triples(), [(1, 1, 4.0), (1, 1, 5.0)]);
    assert_eq!(report.problems[0].line, 2);
}

#[test]
fn a_quote_that_is_never_closed_costs_its_row() {
    let open =
        format!("movieId,title,genres\n1,Kite (1990),Drama\n2,\"Open,Drama\n{}", "3,Next,Drama\n".repeat(100_000));
    let dir = folder(&[("movies.csv", &open)]);
    let (report, _) = imported(dir.path(), &ImportOptions::default());
    check_file(&report, "movies.csv", (2, 1), &[(Reason::TooLong, 1)]);
}

#[test]
fn long_texts_and_lists_are_cut_and_counted() {
    let genres = (0..50).map(|number| format!("G{number}")).collect::<Vec<_>>().join("|");
    let movies = format!("movieId,title,genres,overview\n1,{},{genres},{}\n", "é".repeat(400), "o".repeat(30_000));
    let dir = folder(&[("movies.csv", &movies)]);
    let (report, data) = imported(dir.path(), &ImportOptions::default());
    check_file(&report, "movies.csv", (1, 1), &[(Reason::ValueShortened, 1)]);
    let movie = data.movie_of(1);
    assert_eq!((movie.title.len(), movie.genres.len()), (512, 32));
    assert_eq!(movie.overview.as_ref().unwrap().len(), 20_000);
}
