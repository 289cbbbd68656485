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
    }
}
