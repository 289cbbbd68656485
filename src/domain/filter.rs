//! What a movie must be like to be an answer.

use std::ops::RangeInclusive;

use super::{Movie, Popularity};

/// Conditions on a movie; the default accepts all. What is not known of a movie fulfils no condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MovieFilter {
    /// It has one of these genres, unless the list is empty. Upper and lower case are the same.
    pub any_genres: Vec<String>,
    /// It has all of these genres.
    pub all_genres: Vec<String>,
    /// It has none of these genres.
    pub no_genres: Vec<String>,
    /// Years of release.
    pub years: Option<RangeInclusive<u16>>,
    /// Original languages as ISO 639-1 codes; empty: any.
    pub languages: Vec<String>,
    /// Lengths in minutes.
    pub runtime_minutes: Option<RangeInclusive<u16>>,
    /// At least so many votes.
    pub min_votes: u32,
    /// At least this mean vote, from 0 to 10.
    pub min_vote_average: Option<f32>,
}

impl MovieFilter {
    /// Whether every movie passes.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a movie with these figures passes.
    pub fn accepts(&self, movie: &Movie, figures: Popularity) -> bool {
        let has = |genre: &String| movie.genres.iter().any(|own| own.eq_ignore_ascii_case(genre));
        let in_range = |range: &Option<RangeInclusive<u16>>, value: Option<u16>| {
            range.as_ref().is_none_or(|range| value.is_some_and(|value| range.contains(&value)))
        };
        let spoken = |wanted: &String| movie.language.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(wanted));
        (self.any_genres.is_empty() || self.any_genres.iter().any(has))
            && self.all_genres.iter().all(has)
            && !self.no_genres.iter().any(has)
            && in_range(&self.years, movie.year)
            && in_range(&self.runtime_minutes, movie.runtime_minutes)
            && (self.languages.is_empty() || self.languages.iter().any(spoken))
            && figures.vote_count >= self.min_votes
            && self.min_vote_average.is_none_or(|least| figures.vote_average.is_some_and(|mean| mean >= least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MovieId;

    fn passes(filter: &MovieFilter) -> bool {
        let mut movie = Movie::new(MovieId(1), "Alien");
        movie.genres = vec!["Horror".to_owned(), "Science Fiction".to_owned()];
        movie.year = Some(1979);
        movie.language = Some("en".to_owned());
        filter.accepts(&movie, Popularity { vote_average: Some(8.0), vote_count: 100, popularity: 1.0 })
    }

    #[test]
    fn every_condition_counts_and_the_unknown_fulfils_none() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let open = MovieFilter::default();
        assert!(passes(&open) && open.is_open());
        for (filter, passed) in [
            (MovieFilter { any_genres: list(&["Comedy", "horror"]), ..open.clone() }, true),
            (MovieFilter { any_genres: list(&["Comedy"]), ..open.clone() }, false),
            (MovieFilter { all_genres: list(&["Horror", "Comedy"]), ..open.clone() }, false),
            (MovieFilter { no_genres: list(&["SCIENCE fiction"]), ..open.clone() }, false),
            (MovieFilter { years: Some(1970..=1979), ..open.clone() }, true),
            (MovieFilter { years: Some(1980..=u16::MAX), ..open.clone() }, false),
            (MovieFilter { runtime_minutes: Some(0..=120), ..open.clone() }, false),
            (MovieFilter { languages: list(&["fr", "EN"]), ..open.clone() }, true),
            (MovieFilter { languages: list(&["fr"]), ..open.clone() }, false),
            (MovieFilter { min_votes: 101, ..open.clone() }, false),
            (MovieFilter { min_vote_average: Some(8.0), ..open.clone() }, true),
            (MovieFilter { min_vote_average: Some(8.1), ..open.clone() }, false),
        ] {
            assert_eq!(passes(&filter), passed, "{filter:?}");
        }
    }
}
