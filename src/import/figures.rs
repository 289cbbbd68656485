//! Vote average, vote count and popularity: the same three columns in TMDB's metadata and in our own export.

use super::rows::{Columns, Field, Rows};
use super::session::Session;
use super::value::{parse_f32, parse_u32};
use crate::domain::{Movie, Votes};

/// Where the figures are, as far as a file has them.
pub(super) struct Figures {
    vote_average: Option<Field>,
    vote_count: Option<Field>,
    popularity: Option<Field>,
}

impl Figures {
    /// Finds the columns.
    pub(super) fn find(header: &Columns) -> Self {
        Self {
            vote_average: header.find("vote_average"),
            vote_count: header.find("vote_count"),
            popularity: header.find("popularity"),
        }
    }

    /// Reads what is there. Votes need a count above zero and an average.
    pub(super) fn read(&self, session: &mut Session<'_>, rows: &Rows, movie: &mut Movie) {
        let average = session.optional(rows, self.vote_average, |text| {
            parse_f32(text.as_bytes()).filter(|average| (0.0..=10.0).contains(average))
        });
        let count = session.optional(rows, self.vote_count, |text| parse_u32(text.as_bytes()));
        movie.votes =
            average.zip(count).filter(|&(_, count)| count > 0).map(|(average, count)| Votes { average, count });
        movie.popularity = session
            .optional(rows, self.popularity, |text| parse_f32(text.as_bytes()).filter(|&popularity| popularity >= 0.0));
    }
}
