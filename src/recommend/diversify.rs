//! Lists that are not all of one kind, and lists for several people.

/// How the wishes of several people become one score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HouseholdRule {
    /// What the least pleased person thinks (O'Connor et al. 2001, "PolyLens").
    #[default]
    LeastMisery,
    /// The mean of all.
    Average,
}

impl HouseholdRule {
    /// All rules.
    pub const ALL: [Self; 2] = [Self::LeastMisery, Self::Average];

    /// Public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeastMisery => "least_misery",
            Self::Average => "average",
        }
    }
}

/// An order that trades relevance for variety: greedily the item with the largest
/// `(1 − diversity) · relevance − diversity · (greatest similarity to what was taken)`, relevance scaled to 0 to 1
/// (maximal marginal relevance; Carbonell and Goldstein 1998). Gives places into `relevance`; ties go to the front.
pub fn diversify(relevance: &[f32], diversity: f32, similarity: impl Fn(usize, usize) -> f32) -> Vec<usize> {
    let (low, high) = range(relevance.iter().copied());
    let scaled = |place: usize| (relevance[place] - low) / (high - low).max(f32::MIN_POSITIVE);
    let mut left: Vec<(usize, f32)> = (0..relevance.len()).map(|place| (place, 0.0)).collect();
    let mut taken = Vec::with_capacity(relevance.len());
    while !left.is_empty() {
        let value = |&(place, similar): &(usize, f32)| (1.0 - diversity) * scaled(place) - diversity * similar;
        let mut best = 0;
        for at in 1..left.len() {
            if value(&left[at]) > value(&left[best]) {
                best = at;
            }
        }
        let (place, _) = left.remove(best);
        for (other, similar) in &mut left {
            *similar = similar.max(similarity(place, *other));
        }
        taken.push(place);
    }
    taken
}

/// Lowest and highest; both zero for nothing.
pub fn range(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values
        .fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((f32::min(low, value), f32::max(high, value))),
        })
        .unwrap_or((0.0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_diversity_the_order_stays_and_with_it_likes_are_spread() {
        let relevance = [1.0, 0.9, 0.8, 0.1];
        // The first two are twins.
        let similarity = |one: usize, other: usize| if one + other == 1 { 1.0 } else { 0.0 };
        assert_eq!(diversify(&relevance, 0.0, similarity), [0, 1, 2, 3]);
        assert_eq!(diversify(&relevance, 0.5, similarity), [0, 2, 3, 1]);
        assert_eq!(diversify(&relevance, 1.0, similarity), [0, 2, 3, 1]);
        assert!(diversify(&[], 0.5, similarity).is_empty());
        assert_eq!(diversify(&[1.0, 1.0], 0.2, |_, _| 0.0), [0, 1]);
    }

    #[test]
    fn the_range_of_nothing_is_nothing() {
        assert_eq!(range([].into_iter()), (0.0, 0.0));
        assert_eq!(range([-1.0, 3.0].into_iter()), (-1.0, 3.0));
    }
}
