//! Ratings, and the sparse users × items matrix they form.

use super::{ItemIdx, MovieId, RatedMovie, UserId, UserIdx, Vocabulary};
use crate::math::{SparseRows, SparseRowsBuilder};

/// Why a number is not a rating.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a rating between 0 and 10")]
pub struct RatingError(pub f32);

/// A rating: finite and within 0 to 10, so that scales to 5 and to 10 both fit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rating(f32);

impl Rating {
    /// Checks the number.
    pub fn new(value: f32) -> Result<Self, RatingError> {
        if (0.0..=10.0).contains(&value) { Ok(Self(value)) } else { Err(RatingError(value)) }
    }

    /// The number.
    pub fn value(self) -> f32 {
        self.0
    }
}

/// Start of the year 3000 in seconds since 1970; more is not a time in seconds (but perhaps in milliseconds).
pub const MAX_TIMESTAMP_S: i64 = 32_503_680_000;

/// One user-item event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interaction {
    /// Who rated.
    pub user: UserId,
    /// What was rated.
    pub movie: MovieId,
    /// How.
    pub rating: Rating,
    /// When, in seconds since 1970 (UTC), from 0 to [`MAX_TIMESTAMP_S`].
    pub timestamp: i64,
}

/// All ratings as a sparse users × items matrix, readable by user and by item.
#[derive(Clone, Debug)]
pub struct RatingMatrix {
    users: Vocabulary<UserId>,
    by_user: SparseRows,
    by_item: SparseRows,
    times: Times,
    newest: i64,
    mean: f32,
    scale: (f32, f32),
}

/// Makes a matrix person by person, so that no other copy of the ratings is needed meanwhile.
#[derive(Debug)]
pub struct RatingMatrixBuilder<'a> {
    movies: &'a Vocabulary<MovieId>,
    /// Rows by the movie's number, where numbers are near enough to each other for a table.
    rows: Vec<u32>,
    users: Vec<UserId>,
    by_user: SparseRowsBuilder,
    times: Times,
}

/// A table has at most so many places for each movie; without one, rows are searched.
const MAX_PLACES: usize = 16;
const NO_ROW: u32 = u32::MAX;

fn rows_by_number(movies: &Vocabulary<MovieId>) -> Vec<u32> {
    let n_places = movies.ids().last().map_or(0, |last| last.0 as usize + 1);
    if n_places > MAX_PLACES * movies.len() {
        return Vec::new();
    }
    let mut rows = vec![NO_ROW; n_places];
    for (row, movie) in (0..).zip(movies.ids()) {
        rows[movie.0 as usize] = row;
    }
    rows
}

impl<'a> RatingMatrixBuilder<'a> {
    /// A matrix over these movies, without any rating yet.
    pub fn new(movies: &'a Vocabulary<MovieId>) -> Self {
        let by_user = SparseRowsBuilder::new(movies.len());
        Self { movies, rows: rows_by_number(movies), users: Vec::new(), by_user, times: Times::default() }
    }

    /// Adds what one person rated, by ascending movie, each once. Movies outside the vocabulary are left out; who has
    /// nothing left is not there.
    ///
    /// # Panics
    /// When people or movies do not ascend.
    pub fn add(&mut self, history: &[Interaction]) {
        let mut from = 0;
        for event in history {
            let Some(item) = self.row_of(event.movie, from) else { continue };
            if self.users.last() != Some(&event.user) {
                assert!(self.users.last() < Some(&event.user), "people must ascend");
                if !self.users.is_empty() {
                    self.by_user.end_row();
                }
                self.users.push(event.user);
            }
            from = item;
            self.by_user.push(item as u32, event.rating.value());
            self.times.push(event.timestamp);
        }
    }

    fn row_of(&self, movie: MovieId, from: usize) -> Option<usize> {
        if self.rows.is_empty() {
            return self.movies.index_from(movie, from);
        }
        self.rows.get(movie.0 as usize).filter(|&&row| row != NO_ROW).map(|&row| row as usize)
    }

    /// The matrix.
    pub fn finish(mut self) -> RatingMatrix {
        if !self.users.is_empty() {
            self.by_user.end_row();
        }
        let by_user = self.by_user.finish();
        let by_item = by_user.transposed();
        let (mean, scale) = mean_and_scale(by_user.values());
        let users = Vocabulary::new(self.users);
        self.times.shrink();
        let newest = self.times.newest().unwrap_or(0);
        RatingMatrix { users, by_user, by_item, times: self.times, newest, mean, scale }
    }
}

impl RatingMatrix {
    /// Builds the matrix. Interactions with movies outside `movies` are left out; of several by one user for one movie
    /// the last in time counts (the last given among equal times).
    pub fn new(movies: &Vocabulary<MovieId>, mut interactions: Vec<Interaction>) -> Self {
        interactions.sort_by_key(|event| (event.user, event.movie, event.timestamp));
        // dedup keeps the first of a run, the newest comes last: look from the end.
        interactions.reverse();
        interactions.dedup_by_key(|event| (event.user, event.movie));
        interactions.reverse();
        let mut builder = RatingMatrixBuilder::new(movies);
        for history in interactions.chunk_by(|left, right| left.user == right.user) {
            builder.add(history);
        }
        builder.finish()
    }

    /// The users, in row order.
    pub fn users(&self) -> &Vocabulary<UserId> {
        &self.users
    }

    /// Row of a user.
    pub fn user_idx(&self, user: UserId) -> Option<UserIdx> {
        self.users.index_of(user).map(|row| UserIdx(row as u32))
    }

    /// Ratings by user: row = user, column = item.
    pub fn by_user(&self) -> &SparseRows {
        &self.by_user
    }

    /// Ratings by item: row = item, column = user.
    pub fn by_item(&self) -> &SparseRows {
        &self.by_item
    }

    /// Items a user rated, with value and time (seconds since 1970), in item order.
    pub fn history(&self, user: UserIdx) -> impl Iterator<Item = (ItemIdx, f32, i64)> + '_ {
        let places = self.by_user.range(user.row());
        let (columns, values) = self.by_user.row(user.row());
        let rated = columns.iter().zip(values).zip(places);
        rated.map(|((&item, &value), place)| (ItemIdx(item), value, self.times.at(place)))
    }

    /// The same as part of a query. `movies` is the vocabulary the matrix was made with.
    pub fn rated_movies(&self, user: UserIdx, movies: &Vocabulary<MovieId>) -> Vec<RatedMovie> {
        let rated = self.history(user).filter_map(|(item, value, timestamp)| {
            Some(RatedMovie { movie: movies.id_at(item.row()), rating: Rating::new(value).ok()?, timestamp })
        });
        rated.collect()
    }

    /// All ratings as events, by user, then by item.
    pub fn interactions<'a>(&'a self, movies: &'a Vocabulary<MovieId>) -> impl Iterator<Item = Interaction> + 'a {
        self.interactions_of_every(1, movies)
    }

    /// The same of every `step`-th person.
    pub fn interactions_of_every<'a>(
        &'a self,
        step: usize,
        movies: &'a Vocabulary<MovieId>,
    ) -> impl Iterator<Item = Interaction> + 'a {
        self.users.ids().iter().zip(0..).step_by(step).flat_map(move |(&user, row)| {
            self.history(UserIdx(row)).filter_map(move |(item, value, timestamp)| {
                Some(Interaction { user, movie: movies.id_at(item.row()), rating: Rating::new(value).ok()?, timestamp })
            })
        })
    }

    /// Times of all ratings, in the order of [`Self::by_user`]'s entries (seconds since 1970).
    pub fn timestamps(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        (0..self.len()).map(|place| self.times.at(place))
    }

    /// Time of the newest rating (seconds since 1970), or 0 when there are none.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// How many people to go on by so that those who are met have about so many ratings; 1 where all have no more.
    pub fn step_for(&self, max_ratings: usize) -> usize {
        self.len().div_ceil(max_ratings.max(1)).max(1)
    }

    /// Number of ratings.
    pub fn len(&self) -> usize {
        self.by_user.values().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Mean of all ratings, or the middle of the 0 to 10 scale when there are none.
    pub fn mean(&self) -> f32 {
        self.mean
    }

    /// Lowest and highest rating in use, or 0 and 10 when there are none.
    pub fn scale(&self) -> (f32, f32) {
        self.scale
    }
}

/// A time per rating, in half the room where all lie between 1970 and 2106, as those of every real data set do.
#[derive(Clone, Debug)]
enum Times {
    Narrow(Vec<u32>),
    Wide(Vec<i64>),
}

impl Default for Times {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl Times {
    fn push(&mut self, time: i64) {
        match (&mut *self, u32::try_from(time)) {
            (Self::Narrow(times), Ok(time)) => times.push(time),
            (Self::Wide(times), _) => times.push(time),
            (Self::Narrow(times), Err(_)) => {
                let wide = times.iter().map(|&time| i64::from(time)).chain([time]);
                *self = Self::Wide(wide.collect());
            }
        }
    }

    fn at(&self, place: usize) -> i64 {
        match self {
            Self::Narrow(times) => i64::from(times[place]),
            Self::Wide(times) => times[place],
        }
    }

    fn newest(&self) -> Option<i64> {
        match self {
            Self::Narrow(times) => times.iter().max().copied().map(i64::from),
            Self::Wide(times) => times.iter().max().copied(),
        }
    }

    fn shrink(&mut self) {
        match self {
            Self::Narrow(times) => times.shrink_to_fit(),
            Self::Wide(times) => times.shrink_to_fit(),
        }
    }
}

fn mean_and_scale(values: &[f32]) -> (f32, (f32, f32)) {
    if values.is_empty() {
        return (5.0, (0.0, 10.0));
    }
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let scale = values.iter().fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    (mean as f32, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user: u32, movie: u32, value: f32, timestamp: i64) -> Interaction {
        Interaction { user: UserId(user), movie: MovieId(movie), rating: Rating::new(value).unwrap(), timestamp }
    }

    #[test]
    fn refuses_what_is_not_a_rating() {
        for value in [f32::NAN, f32::INFINITY, -0.5, 10.5] {
            assert!(Rating::new(value).is_err(), "{value}");
        }
        assert_eq!(Rating::new(0.5).unwrap().value(), 0.5);
    }

    #[test]
    fn movies_far_apart_are_found_as_those_side_by_side() {
        let of = |factor: u32| {
            let movies = Vocabulary::new((1..=5).map(|number| MovieId(number * factor)));
            let events = [(3, 1), (3, 4), (3, 5), (8, 2), (8, 5), (8, 6)];
            let events = events.map(|(user, movie)| event(user, movie * factor, movie as f32 / 2.0, 9));
            let matrix = RatingMatrix::new(&movies, events.into());
            (0..2).flat_map(|user| matrix.history(UserIdx(user)).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert!(rows_by_number(&Vocabulary::new([MovieId(1000)])).is_empty());
        assert_eq!(of(1).len(), 5, "movie 6 is not there");
        assert_eq!(of(1), of(1000));
    }

    #[test]
    fn the_last_rating_of_a_pair_counts_and_orphans_are_left_out() {
        let movies = Vocabulary::new([MovieId(1), MovieId(2)]);
        let events = vec![
            event(7, 1, 2.0, 20),
            event(7, 1, 4.0, 30),
            event(7, 1, 3.0, 10),
            event(7, 9, 5.0, 1),
            event(5, 2, 1.0, 5),
        ];
        let matrix = RatingMatrix::new(&movies, events);
        assert_eq!(matrix.len(), 2);
        let user = matrix.user_idx(UserId(7)).unwrap();
        assert_eq!(matrix.history(user).collect::<Vec<_>>(), [(ItemIdx(0), 4.0, 30)]);
        assert_eq!(matrix.by_item().row(1), (&[0_u32][..], &[1.0_f32][..]));
        assert_eq!(matrix.scale(), (1.0, 4.0));
        assert_eq!(matrix.mean(), 2.5);
    }

    #[test]
    fn times_beyond_2106_are_kept_as_they_are() {
        let movies = Vocabulary::new([MovieId(1), MovieId(2), MovieId(3)]);
        let times = [5, i64::from(u32::MAX) + 7, 9];
        let events = (1..).zip(times).map(|(movie, time)| event(1, movie, 2.0, time)).collect();
        let matrix = RatingMatrix::new(&movies, events);
        assert_eq!(matrix.timestamps().collect::<Vec<_>>(), times);
        assert_eq!(matrix.newest(), times[1]);
    }

    #[test]
    fn an_empty_matrix_has_defaults() {
        let matrix = RatingMatrix::new(&Vocabulary::new([MovieId(1)]), Vec::new());
        assert!(matrix.is_empty());
        assert_eq!(matrix.mean(), 5.0);
        assert_eq!(matrix.by_item().row(0).0.len(), 0);
    }
}
