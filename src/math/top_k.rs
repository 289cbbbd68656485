//! Bounded selection.

use std::cmp::Ordering;

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

/// Numbers that are looked at together.
const BLOCK: usize = 16;

/// The rows of the `k` largest numbers above zero, largest first, equal ones by ascending row. For `k` far below the
/// number of rows this reads the numbers once, a part of them twice, and sorts a few.
pub fn best_rows(values: &[f32], k: usize) -> Vec<u32> {
    let largest: Vec<f32> = values.chunks(BLOCK).map(largest_of).collect();
    // The k-th largest block has a number that k numbers reach.
    let bound = if (1..=largest.len()).contains(&k) {
        *largest.clone().select_nth_unstable_by(k - 1, |left, right| right.total_cmp(left)).1
    } else {
        0.0
    };
    let mut reaching: Vec<(u32, f32)> = Vec::with_capacity(2 * k.min(values.len()));
    for (block, _) in largest.iter().enumerate().filter(|&(_, &most)| most > 0.0 && most >= bound) {
        let start = block * BLOCK;
        let of_block = values[start..].iter().take(BLOCK).zip(start..);
        reaching.extend(of_block.filter(|&(&value, _)| value > 0.0 && value >= bound).map(|(&v, row)| (row as u32, v)));
    }
    let order = |left: &(u32, f32), right: &(u32, f32)| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0));
    top_k(reaching, k, order).into_iter().map(|(row, _)| row).collect()
}

/// The largest number of a block that is above zero, else zero.
fn largest_of(block: &[f32]) -> f32 {
    // Side by side, so that the processor compares several at once.
    let mut lanes = [0.0_f32; 4];
    let (whole, rest) = block.as_chunks::<4>();
    for chunk in whole.iter().map(|chunk| &chunk[..]).chain([rest]) {
        for (most, &value) in lanes.iter_mut().zip(chunk) {
            *most = if value > *most { value } else { *most };
        }
    }
    lanes.into_iter().fold(0.0, f32::max)
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
        fn best_rows_are_those_of_a_full_sort(
            values in proptest::collection::vec((-20_i32..60).prop_map(|value| value as f32), 0..900),
            k in 0_usize..300,
        ) {
            let mut rows: Vec<u32> = (0..values.len() as u32).filter(|&row| values[row as usize] > 0.0).collect();
            rows.sort_by(|&left, &right| {
                values[right as usize].total_cmp(&values[left as usize]).then(left.cmp(&right))
            });
            rows.truncate(k);
            prop_assert_eq!(best_rows(&values, k), rows);
        }
    }
}
