use super::tables::{HISTORIES, MOVIES, SETTINGS, SPACES};
use super::*;
use crate::domain::{Interaction, Movie, MovieId, Rating, UserId};
use redb::ReadableTable as _;

fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(&folder.join("store/marquee.redb"), StoreOptions::default())
}

fn rating(user: u32, movie: u32, value: f32, timestamp: i64) -> Write {
    let rating = Rating::new(value).unwrap();
    Write::Rating(Interaction { user: UserId(user), movie: MovieId(movie), rating, timestamp })
}

fn embedding(space: &str, movie: u32, value: f32) -> Write {
    let embedding = StoredEmbedding { text_hash: [7; 16], components: vec![value, 0.0] };
    Write::Embedding { space: space.into(), movie: MovieId(movie), embedding }
}

#[test]
fn what_is_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let movie = Movie::new(MovieId(3), "Alien");
    {
        let store = open(folder.path()).unwrap();
        let writes = vec![
            Write::Movie(movie.clone()),
            rating(2, 3, 4.5, 10),
            rating(1, 3, 3.0, 11),
            Write::Setting(SettingKey::IdSpace, "movielens".to_owned()),
        ];
        let summary = store.write(writes).unwrap();
        assert_eq!(summary, WriteSummary { ratings_added: 2, movies_added: 1, ..WriteSummary::default() });
    }
    let store = open(folder.path()).unwrap();
    store
        .read(|view| {
            assert_eq!(view.movies()?, std::slice::from_ref(&movie));
            let users: Vec<u32> = view.ratings()?.iter().map(|rating| rating.user.0).collect();
            assert_eq!(users, [1, 2]);
            assert_eq!(view.setting(SettingKey::IdSpace)?.as_deref(), Some("movielens"));
            assert_eq!(view.n_movies()?, 1);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_newer_rating_is_never_replaced_by_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    store.write(vec![rating(1, 1, 2.0, 100)]).unwrap();
    let summary = store.write(vec![rating(1, 1, 5.0, 50), rating(1, 1, 4.0, 100)]).unwrap();
    assert_eq!((summary.ratings_older, summary.ratings_replaced), (1, 1));
    assert_eq!(store.read(|view| view.ratings()).unwrap()[0].rating.value(), 4.0);
}

#[test]
fn embeddings_belong_to_their_space() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    store.write(vec![embedding("a", 1, 1.0), embedding("b", 1, 2.0), embedding("b", 2, 3.0)]).unwrap();
    let read = |space: &str| store.read(|view| view.embeddings(space)).unwrap();
    assert_eq!(read("a").len(), 1);
    assert_eq!(read("b")[&MovieId(2)].components, [3.0, 0.0]);
    assert!(read("c").is_empty());
}

#[test]
fn the_serving_space_and_the_one_made_last_before_it_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let spaces_left = |serving: &str| {
        store.write(vec![Write::RetireSpaces { serving: serving.into() }]).unwrap();
        let names = |view: &ReadView<'_>| {
            let table = view.transaction.open_table(SPACES)?;
            table.iter()?.map(|row| Ok(row?.0.value().to_owned())).collect::<Result<Vec<String>, StoreError>>()
        };
        store.read(names).unwrap()
    };
    assert!(spaces_left("z").is_empty());
    // Names out of order, so that only the order of making counts.
    store.write(vec![embedding("c", 1, 1.0)]).unwrap();
    assert_eq!(spaces_left("c"), ["c"]);
    store.write(vec![embedding("a", 1, 1.0), embedding("b", 1, 2.0), embedding("b", 2, 3.0)]).unwrap();
    assert_eq!(spaces_left("a"), ["a", "b"], "back to an older one: the newer one is kept");
    assert_eq!(store.read(|view| view.embeddings("b")).unwrap().len(), 2);
    store.write(vec![embedding("d", 1, 1.0)]).unwrap();
    assert_eq!(spaces_left("d"), ["b", "d"]);
    assert!(store.read(|view| view.embeddings("a")).unwrap().is_empty());
}

#[test]
fn a_space_without_a_number_left_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let transaction = store.file.database().begin_write().unwrap();
    transaction.open_table(SPACES).unwrap().insert("last", u32::MAX).unwrap();
    transaction.commit().unwrap();
    let error = store.write(vec![embedding("one more", 1, 1.0)]).unwrap_err();
    assert!(error.to_string().contains("no number is left"), "{error}");
}

#[test]
fn unreadable_ratings_are_damage_until_they_are_replaced_and_then_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let transaction = store.file.database().begin_write().unwrap();
    for user in [1, 2] {
        transaction.open_table(HISTORIES).unwrap().insert(user, [7].as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    let error = store.read(|view| view.ratings()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let refused = store.write(vec![Write::RemoveRating { user: UserId(1), movie: MovieId(1) }]).unwrap_err();
    assert!(matches!(refused, StoreError::Unfit { .. }), "nothing is taken from what cannot be read: {refused}");
    let summary = store.write(vec![rating(1, 1, 3.0, 5), rating(2, 2, 4.0, 5), rating(2, 3, 4.0, 5)]).unwrap();
    assert_eq!(summary, WriteSummary { ratings_repaired: 2, ratings_added: 1, ..WriteSummary::default() });
    assert_eq!(store.read(|view| view.ratings()).unwrap().len(), 3);
}

#[test]
fn a_store_of_format_1_is_brought_to_the_current_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store/marquee.redb");
    drop(open(folder.path()).unwrap());
    let old = redb::TableDefinition::<(u32, u32), &[u8]>::new("ratings");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(SETTINGS).unwrap().insert("format", "1").unwrap();
    assert!(transaction.delete_table(HISTORIES).unwrap());
    for (user, movie, value, time) in [(1, 5, 4.5_f32, 30_i64), (1, 9, 1.0, 10), (7, 5, 0.25, 0)] {
        let bytes = [value.to_le_bytes().as_slice(), &time.to_le_bytes()].concat();
        transaction.open_table(old).unwrap().insert((user, movie), bytes.as_slice()).unwrap();
    }
    // Title "A", no other titles, year 1979, no genres, an overview "B", and nothing else; no synopsis yet.
    let movie = [
        [1, 0, 0, 0, 0, 0, 0, 0, b'A'].as_slice(),
        &[0; 8],
        &[1, 0xbb, 0x07],
        &[0; 8],
        &[1, 1, 0, 0, 0, 0, 0, 0, 0, b'B'],
        &[0; 7],
    ];
    transaction.open_table(MOVIES).unwrap().insert(5, movie.concat().as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        let store = open(folder.path()).unwrap();
        let movies = store.read(|view| view.movies()).unwrap();
        assert_eq!((movies[0].year, movies[0].overview.as_deref()), (Some(1979), Some("B")));
        assert_eq!(ratings(&store), [(1, 5, 4.5), (1, 9, 1.0), (7, 5, 0.25)]);
        assert_eq!(store.read(|view| view.ratings_of(UserId(1))).unwrap()[0].timestamp, 30);
        let tables = store.read(|view| Ok(view.transaction.list_tables()?.count())).unwrap();
        assert_eq!(tables, 5, "the old table is gone");
        let format = store.read(|view| view.setting(SettingKey::Format)).unwrap();
        assert_eq!(format.as_deref(), Some("2"));
    }
}

#[test]
fn a_missing_store_is_not_made_where_one_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store/marquee.redb");
    let error = Store::open_existing(&path, StoreOptions::default()).unwrap_err();
    assert!(error.to_string().contains("marquee import DIR"), "{error}");
    assert!(!path.parent().unwrap().exists());
}

#[test]
fn a_batch_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let mut movie = Movie::new(MovieId(1), "Long");
    movie.overview = Some("x".repeat(200_000));
    let error = store.write(vec![rating(1, 1, 2.0, 1), Write::Movie(movie)]).unwrap_err();
    assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
    assert!(store.read(|view| view.ratings()).unwrap().is_empty());
    store.write(vec![rating(1, 1, 2.0, 1)]).unwrap();
}

#[test]
fn writes_from_many_threads_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        for user in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for movie in 0..20 {
                    store.write(vec![rating(user, movie, 3.0, 1)]).unwrap();
                }
            });
        }
    });
    assert_eq!(store.read(|view| view.ratings()).unwrap().len(), 160);
}

#[test]
fn a_second_opener_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let _owner = open(folder.path()).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)));
    assert!(error.to_string().contains("stop that process first"), "{error}");
}

#[test]
fn foreign_and_future_files_are_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("marquee.redb");
    let refused = || Store::open(&path, StoreOptions::default()).unwrap_err().to_string();

    std::fs::write(&path, b"this is not a database").unwrap();
    assert!(refused().contains("damaged"), "{}", refused());
    std::fs::remove_file(&path).unwrap();

    let foreign = redb::TableDefinition::<u32, u32>::new("other");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(foreign).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(refused().contains("not a marquee store"), "{}", refused());

    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(SETTINGS).unwrap().insert("format", "99").unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(refused().contains("format 99"), "{}", refused());
}

fn ratings(store: &Store) -> Vec<(u32, u32, f32)> {
    let ratings = store.read(|view| view.ratings()).unwrap();
    ratings.into_iter().map(|one| (one.user.0, one.movie.0, one.rating.value())).collect()
}

#[test]
fn people_are_removed_and_merged_and_read_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let all = vec![rating(1, 1, 1.0, 10), rating(1, 2, 2.0, 30), rating(4, 2, 3.0, 20), rating(9, 1, 4.0, 5)];
    store.write(all).unwrap();
    let of = |user| store.read(|view| view.ratings_of(UserId(user))).unwrap().len();
    assert_eq!((of(1), of(2), of(4)), (2, 0, 1));
    let users = |after, n| store.read(|view| view.users(after, n)).unwrap();
    assert_eq!(users(None, 10), [UserId(1), UserId(4), UserId(9)]);
    assert_eq!((users(Some(UserId(1)), 1), users(Some(UserId(9)), 1)), (vec![UserId(4)], vec![]));
    let merged = store.write(vec![Write::MergeUsers { from: UserId(1), into: UserId(4) }]).unwrap();
    assert_eq!((merged.ratings_added, merged.ratings_replaced), (1, 1));
    assert_eq!(ratings(&store), [(4, 1, 1.0), (4, 2, 2.0), (9, 1, 4.0)]);
    let removed = store.write(vec![
        Write::RemoveUser(UserId(4)),
        Write::RemoveRating { user: UserId(9), movie: MovieId(1) },
        Write::RemoveRating { user: UserId(9), movie: MovieId(7) },
    ]);
    assert_eq!(removed.unwrap().ratings_removed, 3);
    assert_eq!(ratings(&store), []);
}

#[test]
fn a_removed_movie_takes_its_embeddings_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let movies = [1, 2].map(|id| Write::Movie(Movie::new(MovieId(id), "A title")));
    store
        .write(
            movies
                .into_iter()
                .chain([embedding("a", 1, 1.0), embedding("b", 1, 1.0), embedding("b", 2, 1.0)])
                .collect(),
        )
        .unwrap();
    let removed = store.write(vec![Write::RemoveMovie(MovieId(1)), Write::RemoveMovie(MovieId(5))]).unwrap();
    assert_eq!(removed.movies_removed, 1);
    let left = |space| store.read(|view| view.embeddings(space)).unwrap().len();
    assert_eq!((left("a"), left("b")), (0, 1));
    assert_eq!(store.read(|view| view.n_movies()).unwrap(), 1);
}

#[test]
fn after_compaction_the_file_has_what_is_there_and_nothing_that_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store/marquee.redb");
    let title = |id: u32, title: &str| Write::Movie(Movie::new(MovieId(id), title));
    let contains = |text: &str| std::fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes());
    let store = open(folder.path()).unwrap();
    store.write((0..500).map(|id| title(id, &format!("Removed title {id}"))).collect()).unwrap();
    store.write(vec![title(1_000, "Kept title"), rating(1, 1_000, 4.0, 1)]).unwrap();
    store.write((0..500).map(|id| Write::RemoveMovie(MovieId(id))).collect()).unwrap();
    assert!(contains("Removed title"), "redb does not wipe");
    std::fs::write(compact::unfinished(&path), "left behind by a crash").unwrap();
    store.write(vec![Write::Setting(SettingKey::Purge, "wanted".to_owned())]).unwrap();
    store.compact().unwrap();
    assert_eq!(store.read(|view| view.setting(SettingKey::Purge)).unwrap(), None, "nothing is left to purge");
    assert!(contains("Kept title") && !contains("Removed title"));
    assert_eq!(ratings(&store), [(1, 1_000, 4.0)]);
    store.write(vec![rating(1, 1_000, 5.0, 2)]).unwrap();
    drop(store);
    let store = open(folder.path()).unwrap();
    assert_eq!(ratings(&store), [(1, 1_000, 5.0)], "writes go to the new file");
    assert!(!compact::unfinished(&path).exists());
}
