//! Bounded selection.

use std::cmp::Ordering;

use pulp::{Arch, NullaryFnOnce};

/// The `k` first items by `order`, in that order; selection first, so that the cost is `O(n + k log k)`.
pub fn top_k<T>(mut items: Vec<T>, k: usize, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if k == 0 {
        return Vec::new();
    }
    if items.len() > k {
        items.select_nth_unstable_by(k - 1, &order);
        items.truncate(k);
    }
    items.sort_by(&order);
    items
}

/// The entries with the `k` largest values, equal ones by ascending index; in order of their index. Value and index are
/// selected by as one number: several times quicker than comparing pairs.
pub fn largest_entries(entries: impl Iterator<Item = (u32, f32)>, k: usize) -> Vec<(u32, f32)> {
    let mut keys: Vec<u64> = entries.map(|(index, value)| key(index, value)).collect();
    if k < keys.len() {
        keys.select_nth_unstable(k);
        keys.truncate(k);
    }
    let mut kept = entries_of(&keys);
    kept.sort_unstable_by_key(|&(index, _)| index);
    kept
}

/// The same, the largest first.
pub fn best_entries(entries: impl Iterator<Item = (u32, f32)>, k: usize) -> Vec<(u32, f32)> {
    entries_of(&top_k(entries.map(|(index, value)| key(index, value)).collect(), k, Ord::cmp))
}

/// A copy: the list of all would keep its room.
fn entries_of(keys: &[u64]) -> Vec<(u32, f32)> {
    keys.iter().map(|&key| (key as u32, ascended((key >> 32) as u32))).collect()
}

/// Value and index as one number: the smaller the larger the value is, and among equal values the smaller the index is.
fn key(index: u32, value: f32) -> u64 {
    u64::from(descending(value)) << 32 | u64::from(index)
}

/// A number that is the smaller the larger the value is, in the order of [`f32::total_cmp`].
fn descending(value: f32) -> u32 {
    !(total(value.to_bits()) ^ SIGN)
}

/// The value of such a number.
fn ascended(descending: u32) -> f32 {
    f32::from_bits(total(!descending ^ SIGN))
}

const SIGN: u32 = 1 << 31;

/// Turns the bits below the sign over where it is set: twice is not at all.
fn total(bits: u32) -> u32 {
    if bits & SIGN == 0 { bits } else { bits ^ !SIGN }
}

/// Numbers that are looked at side by side.
const LANES: usize = 16;
/// Numbers of a lane whose largest is kept: enough to pass over most, few enough to look through.
const BLOCK: usize = 16;
/// Blocks lie in each other like the columns of a table, so that all of them are compared at once.
const GROUP: usize = LANES * BLOCK;

/// One look at many numbers: their sum, the sum of their squares, and where the large ones above zero are.
#[derive(Debug)]
pub struct Survey<'a> {
    values: &'a [f32],
    /// The largest number of each block of each group, zero where none is above.
    largest: Vec<[f32; LANES]>,
    /// Σ x, in single precision.
    pub sum: f32,
    /// Σ x², in single precision.
    pub sum_of_squares: f32,
}

impl<'a> Survey<'a> {
    /// Looks at the numbers.
    pub fn of(values: &'a [f32]) -> Self {
        Arch::new().dispatch(Look { values })
    }

    /// The rows of the `k` largest numbers above zero, largest first, equal ones by ascending row. For `k` far below the
    /// number of rows this reads a part of the numbers and sorts a few.
    pub fn best_rows(&self, k: usize) -> Vec<u32> {
        let blocks = self.largest.as_flattened();
        // The k-th largest block has a number that k numbers reach. Numbers above zero are in the order of their bits.
        let bound = if (1..=blocks.len()).contains(&k) {
            let mut all: Vec<u32> = blocks.iter().map(|most| most.to_bits()).collect();
            f32::from_bits(*all.select_nth_unstable_by(k - 1, |left, right| right.cmp(left)).1)
        } else {
            0.0
        };
        let reaches = |value: f32| value > 0.0 && value >= bound;
        let mut keys: Vec<u64> = Vec::with_capacity(4 * k.min(self.values.len()));
        for (block, _) in blocks.iter().enumerate().filter(|&(_, &most)| reaches(most)) {
            let start = block / LANES * GROUP + block % LANES;
            let end = self.values.len().min(start + GROUP);
            let mut row = start;
            while row < end {
                let value = self.values[row];
                if reaches(value) {
                    keys.push(key(row as u32, value));
                }
                row += LANES;
            }
        }
        top_k(keys, k, Ord::cmp).into_iter().map(|key| key as u32).collect()
    }
}

struct Look<'a> {
    values: &'a [f32],
}

impl<'a> NullaryFnOnce for Look<'a> {
    type Output = Survey<'a>;

    #[expect(clippy::inline_always, reason = "only what is inlined into the dispatched call gets the wide registers")]
    #[inline(always)]
    fn call(self) -> Survey<'a> {
        let (mut sums, mut squares) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let (groups, rest) = self.values.as_chunks::<GROUP>();
        let mut largest = Vec::with_capacity(groups.len() + 1);
        for group in groups {
            let mut most = [0.0_f32; LANES];
            for place in 0..BLOCK {
                for lane in 0..LANES {
                    let value = group[LANES * place + lane];
                    sums[lane] += value;
                    squares[lane] += value * value;
                    most[lane] = if value > most[lane] { value } else { most[lane] };
                }
            }
            largest.push(most);
        }
        let mut most = [0.0_f32; LANES];
        for (place, &value) in rest.iter().enumerate() {
            let lane = place % LANES;
            sums[lane] += value;
            squares[lane] += value * value;
            most[lane] = if value > most[lane] { value } else { most[lane] };
        }
        largest.push(most);
        let (sum, sum_of_squares) = (sums.iter().sum(), squares.iter().sum());
        Survey { values: self.values, largest, sum, sum_of_squares }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_full_sort(items in proptest::collection::vec(0_u16..50, 0..80), k in 0_usize..90) {
            let mut sorted = items.clone();
            sorted.sort_unstable();
            sorted.truncate(k);
            prop_assert_eq!(top_k(items, k, Ord::cmp), sorted);
        }

        #[test]
        fn largest_entries_are_those_of_a_full_sort(
            values in proptest::collection::vec(
                prop_oneof![any::<f32>(), (-3_i8..4).prop_map(f32::from), Just(-0.0), Just(f32::NAN)],
                0..200,
            ),
            k in 0_usize..250,
        ) {
            let entries: Vec<(u32, f32)> = (0..).zip(values).collect();
            let mut expected =
                top_k(entries.clone(), k, |left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
            let bits = |entries: &[(u32, f32)]| -> Vec<_> {
                entries.iter().map(|&(index, value)| (index, value.to_bits())).collect()
            };
            prop_assert_eq!(bits(&best_entries(entries.iter().copied().rev(), k)), bits(&expected));
            expected.sort_by_key(|&(index, _)| index);
            prop_assert_eq!(bits(&largest_entries(entries.into_iter().rev(), k)), bits(&expected));
        }

        #[test]
        fn best_rows_are_those_of_a_full_sort(
            values in proptest::collection::vec((-20_i32..60).prop_map(|value| value as f32), 0..900),
            k in 0_usize..300,
        ) {
            let mut rows: Vec<u32> = (0..values.len() as u32).filter(|&row| values[row as usize] > 0.0).collect();
            rows.sort_by(|&left, &right| {
                values[right as usize].total_cmp(&values[left as usize]).then(left.cmp(&right))
            });
            rows.truncate(k);
            let survey = Survey::of(&values);
            prop_assert_eq!(survey.best_rows(k), rows);
            // Whole numbers this small have exact sums.
            prop_assert_eq!(survey.sum, values.iter().sum::<f32>());
            prop_assert_eq!(survey.sum_of_squares, values.iter().map(|value| value * value).sum::<f32>());
        }
    }
}
