//! How inputs are taken whose meaning is known: as which movie, or as a prompt.

use crate::domain::MovieId;

/// What became of labelled inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TitleOutcomes {
    /// Answered as labelled.
    pub right: usize,
    /// Titles that were taken for another movie's.
    pub other_movie: usize,
    /// Titles that were taken for a prompt.
    pub not_found: usize,
    /// Prompts that were taken for a title.
    pub taken: usize,
}

impl TitleOutcomes {
    /// Counts one input; true when it was answered as labelled. No `expected` movie means that it is a prompt.
    pub fn count(&mut self, expected: &[MovieId], found: Option<MovieId>) -> bool {
        let place = match found {
            Some(movie) if expected.contains(&movie) => &mut self.right,
            Some(_) if expected.is_empty() => &mut self.taken,
            Some(_) => &mut self.other_movie,
            None if expected.is_empty() => &mut self.right,
            None => &mut self.not_found,
        };
        *place += 1;
        found.is_none() == expected.is_empty() && found.is_none_or(|movie| expected.contains(&movie))
    }

    /// How many were counted.
    pub fn total(self) -> usize {
        self.right + self.other_movie + self.not_found + self.taken
    }

    /// Share that was answered as labelled; 1 when there was nothing to answer.
    pub fn share_right(self) -> f64 {
        if self.total() == 0 { 1.0 } else { self.right as f64 / self.total() as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_counted_as_what_it_is() {
        let (one, two) = (MovieId(1), MovieId(2));
        let mut outcomes = TitleOutcomes::default();
        assert_eq!(outcomes.share_right(), 1.0);
        assert!(outcomes.count(&[one, two], Some(two)));
        assert!(outcomes.count(&[], None));
        assert!(!outcomes.count(&[one], Some(two)));
        assert!(!outcomes.count(&[one], None));
        assert!(!outcomes.count(&[], Some(one)));
        assert_eq!(outcomes, TitleOutcomes { right: 2, other_movie: 1, not_found: 1, taken: 1 });
        assert_eq!(outcomes.share_right(), 0.4);
    }
}
