//! Ratings are the same in every format: four columns somewhere in a row.

use super::rows::{Fault, Field, Rows};
use super::session::{Session, Stop};
use super::value::{movie_id, rating, timestamp, user_id};
use super::{ImportError, Reason};
use crate::domain::Interaction;

/// Where a rating's parts are, and what its values may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct RatingColumns {
    pub(super) user: Field,
    pub(super) movie: Field,
    pub(super) rating: Field,
    /// Without the column all ratings are of time 0.
    pub(super) timestamp: Option<Field>,
    /// Lowest and highest rating of the format.
    pub(super) scale: (f32, f32),
}

impl RatingColumns {
    /// User, movie, rating, time: the order of all MovieLens files.
    pub(super) fn in_order(scale: (f32, f32)) -> Self {
        Self {
            user: Field { name: "userId", position: 0 },
            movie: Field { name: "movieId", position: 1 },
            rating: Field { name: "rating", position: 2 },
            timestamp: Some(Field { name: "timestamp", position: 3 }),
            scale,
        }
    }
}

/// Hands over all ratings of movies that were handed over before.
pub(super) fn read_ratings(
    session: &mut Session<'_>,
    rows: &mut Rows,
    columns: RatingColumns,
) -> Result<(), ImportError> {
    session.each_row(rows, |session, rows| {
        let rating = parse(rows, columns)?;
        if session.has_movie(rating.movie) {
            session.rating(rating)
        } else {
            Err(Stop::Skip(Fault { reason: Reason::Orphan, field: columns.movie }))
        }
    })
}

/// Hands over all ratings, whatever their movies.
pub(super) fn read_all_ratings(
    session: &mut Session<'_>,
    rows: &mut Rows,
    columns: RatingColumns,
) -> Result<(), ImportError> {
    session.each_row(rows, |session, rows| session.rating(parse(rows, columns)?))
}

fn parse(rows: &Rows, columns: RatingColumns) -> Result<Interaction, Fault> {
    Ok(Interaction {
        user: user_id(rows, columns.user)?,
        movie: movie_id(rows, columns.movie)?,
        rating: rating(rows, columns.rating, columns.scale)?,
        timestamp: columns.timestamp.map_or(Ok(0), |field| timestamp(rows, field))?,
    })
}
