//! Gradient boosted regression trees for squared error (Friedman 2001, "Greedy Function Approximation"), on features cut
//! into bins, each tree grown leaf by leaf where it gains most and on a part of the rows and features (Friedman 2002,
//! "Stochastic Gradient Boosting"; Ke et al. 2017, "LightGBM").

use super::Random;

/// Bins per feature, at most.
const MAX_BINS: usize = 64;
/// Leaves per tree, at most.
const MAX_LEAVES: usize = 15;
/// Rows that a leaf has, at least, so that it does not follow single rows.
const MIN_LEAF_ROWS: u32 = 100;
/// Rows of target 0 that are added to every leaf.
const LEAF_DAMPING: f32 = 20.0;
/// What a tree corrects of what it could.
const LEARNING_RATE: f32 = 0.04;
/// Share of the rows a tree looks at.
const ROW_SHARE: f64 = 0.7;
/// Trees, at most.
const MAX_TREES: usize = 400;
/// Trees without progress on the validation rows after which growing ends.
const PATIENCE: usize = 40;
/// Rows that go down a tree side by side.
const LANES: usize = 8;

/// Rows of features with a target each.
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    /// Features, rows × `n_features`, row-major.
    pub features: &'a [f32],
    /// Features per row, at least one.
    pub n_features: usize,
    /// One target per row.
    pub targets: &'a [f32],
}

/// Trees whose sum is the prediction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BoostedTrees {
    nodes: Vec<Node>,
    roots: Vec<u32>,
}

/// A node: a question, or a leaf when both branches lead to itself.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Node {
    /// The threshold up to which the left branch is taken; a leaf's value.
    value: f32,
    feature: u32,
    branches: [u32; 2],
}

impl BoostedTrees {
    /// Grows trees on the rows that `is_validation` does not name, as long as the others gain by it, then as many trees
    /// on all rows. Rows with a feature that is not finite are the caller's bug, not a panic: they go left or right.
    pub fn fit(examples: Examples<'_>, is_validation: &[bool], seed: u64) -> Self {
        let table = Table::new(examples);
        let (mut rest, mut held): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for (row, &is_validation) in is_validation.iter().enumerate() {
            if is_validation { &mut held } else { &mut rest }.push(row as u32);
        }
        let n_trees = Self::grow(&table, examples, (&rest, &held), (seed, MAX_TREES)).1;
        let all: Vec<u32> = (0..examples.targets.len() as u32).collect();
        Self::grow(&table, examples, (&all, &[]), (seed, n_trees)).0
    }

    /// The sum of the trees for each row of `n_features`.
    pub fn predict(&self, features: &[f32], n_features: usize) -> Vec<f32> {
        let mut sums = vec![0.0; features.len() / n_features];
        for &root in &self.roots {
            self.add(root, (features, n_features), (&mut sums, 1.0));
        }
        sums
    }

    /// Adds to the sum of each row a tree's value times a factor. Several rows go down side by side: the processor waits
    /// for the nodes of all of them at once.
    fn add(&self, root: u32, (features, n_features): (&[f32], usize), (sums, factor): (&mut [f32], f32)) {
        for (rows, sums) in features.chunks(LANES * n_features).zip(sums.chunks_mut(LANES)) {
            let mut at = [root; LANES];
            while self.descend(&mut at[..sums.len()], (rows, n_features)) {}
            for (sum, at) in sums.iter_mut().zip(at) {
                *sum += factor * self.nodes[at as usize].value;
            }
        }
    }

    /// Goes one step down with each row; whether any was not at its leaf yet.
    fn descend(&self, at: &mut [u32], (rows, n_features): (&[f32], usize)) -> bool {
        let mut has_moved = false;
        for (at, row) in at.iter_mut().zip(rows.chunks_exact(n_features)) {
            let node = &self.nodes[*at as usize];
            let next = node.branches[usize::from(row[node.feature as usize] > node.value)];
            has_moved |= next != *at;
            *at = next;
        }
        has_moved
    }

    /// Grows trees; returns them and the number that was best for the held rows.
    fn grow(
        table: &Table,
        examples: Examples<'_>,
        (rows, held): (&[u32], &[u32]),
        (seed, n_trees): (u64, usize),
    ) -> (Self, usize) {
        let mut trees = Self::default();
        let mut errors = examples.targets.to_vec();
        let squares = |errors: &[f32]| held.iter().map(|&row| f64::from(errors[row as usize]).powi(2)).sum::<f64>();
        let mut best = (squares(&errors), 0);
        for number in 0..n_trees {
            let mut random = Random::of(seed, [number as u64, 0, 0]);
            let sampled: Vec<u32> = rows.iter().copied().filter(|_| random.uniform() < ROW_SHARE).collect();
            let mut features: Vec<usize> = (0..table.n_features).collect();
            while features.len() > table.n_features.div_ceil(2) {
                features.swap_remove(random.below(features.len()));
            }
            trees.add_tree(table, &errors, (sampled, &features));
            let root = trees.roots[number];
            trees.add(root, (examples.features, table.n_features), (&mut errors, -1.0));
            let now = squares(&errors);
            if now < best.0 {
                best = (now, number + 1);
            } else if number >= best.1 + PATIENCE && !held.is_empty() {
                break;
            }
        }
        (trees, best.1)
    }

    fn add_tree(&mut self, table: &Table, errors: &[f32], (rows, features): (Vec<u32>, &[usize])) {
        let root = self.add_leaf(&rows, errors);
        self.roots.push(root);
        let histogram = table.histogram(&rows, errors, features);
        let mut leaves = vec![Leaf::new(root, rows, histogram, features)];
        while leaves.len() < MAX_LEAVES {
            let gain = |leaf: &Leaf| leaf.split.map_or(0.0, |split| split.gain);
            let Some(at) = (0..leaves.len()).max_by(|&a, &b| gain(&leaves[a]).total_cmp(&gain(&leaves[b]))) else {
                return;
            };
            let Some(split) = leaves[at].split else { return };
            let Leaf { node, rows, histogram, .. } = leaves.swap_remove(at);
            let column = table.column(split.feature);
            let (left, right): (Vec<u32>, Vec<u32>) =
                rows.into_iter().partition(|&row| column[row as usize] <= split.bin);
            let branches = [self.add_leaf(&left, errors), self.add_leaf(&right, errors)];
            let value = table.bounds[split.feature][usize::from(split.bin)];
            self.nodes[node as usize] = Node { value, feature: split.feature as u32, branches };
            let mut parts = [(branches[0], left), (branches[1], right)];
            // The smaller part first: the larger one's sums are what it leaves.
            parts.sort_by_key(|(_, rows)| rows.len());
            let [(small, small_rows), (large, large_rows)] = parts;
            let small_sums = table.histogram(&small_rows, errors, features);
            let large_sums = histogram.iter().zip(&small_sums).map(|(all, part)| all.minus(*part)).collect();
            leaves.push(Leaf::new(small, small_rows, small_sums, features));
            leaves.push(Leaf::new(large, large_rows, large_sums, features));
        }
    }

    fn add_leaf(&mut self, rows: &[u32], errors: &[f32]) -> u32 {
        let at = self.nodes.len() as u32;
        let sum: f32 = rows.iter().map(|&row| errors[row as usize]).sum();
        let value = LEARNING_RATE * sum / (rows.len() as f32 + LEAF_DAMPING);
        self.nodes.push(Node { value, feature: 0, branches: [at, at] });
        at
    }
}

/// The features cut into bins, by column.
struct Table {
    n_rows: usize,
    n_features: usize,
    bins: Vec<u8>,
    /// Per feature the largest value of each bin but the last.
    bounds: Vec<Vec<f32>>,
}

/// Number of rows and sum of their errors.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    rows: u32,
    error: f32,
}

impl Sums {
    fn minus(self, part: Self) -> Self {
        Self { rows: self.rows - part.rows, error: self.error - part.error }
    }

    fn plus(self, part: Self) -> Self {
        Self { rows: self.rows + part.rows, error: self.error + part.error }
    }

    /// By how much one value for these rows reduces the squared error.
    fn gain(self) -> f32 {
        self.error * self.error / (self.rows as f32 + LEAF_DAMPING)
    }
}

/// Rows with a bin up to `bin` go left.
#[derive(Clone, Copy, Debug)]
struct Split {
    gain: f32,
    feature: usize,
    bin: u8,
}

/// A leaf that may be split.
struct Leaf {
    node: u32,
    rows: Vec<u32>,
    /// Sums per looked-at feature and bin.
    histogram: Vec<Sums>,
    split: Option<Split>,
}

impl Leaf {
    fn new(node: u32, rows: Vec<u32>, histogram: Vec<Sums>, features: &[usize]) -> Self {
        let split = best_split(&histogram, features);
        Self { node, rows, histogram, split }
    }
}

fn best_split(histogram: &[Sums], features: &[usize]) -> Option<Split> {
    let mut best: Option<Split> = None;
    for (bins, &feature) in histogram.chunks_exact(MAX_BINS).zip(features) {
        let all = bins.iter().fold(Sums::default(), |all, bin| all.plus(*bin));
        let mut left = Sums::default();
        for (bin, sums) in bins.iter().enumerate() {
            left = left.plus(*sums);
            let right = all.minus(left);
            if right.rows < MIN_LEAF_ROWS {
                break;
            }
            let gain = left.gain() + right.gain() - all.gain();
            if left.rows >= MIN_LEAF_ROWS && gain > best.map_or(0.0, |best| best.gain) {
                best = Some(Split { gain, feature, bin: bin as u8 });
            }
        }
    }
    best
}

impl Table {
    fn new(examples: Examples<'_>) -> Self {
        let (n_rows, n_features) = (examples.targets.len(), examples.n_features);
        let mut bins = Vec::with_capacity(n_rows * n_features);
        let mut bounds = Vec::with_capacity(n_features);
        for feature in 0..n_features {
            let column = || examples.features.iter().skip(feature).step_by(n_features).copied();
            let mut sorted: Vec<f32> = column().collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let mut column_bounds: Vec<f32> = (1..MAX_BINS)
                .filter_map(|bin| sorted.get((bin * n_rows / MAX_BINS).saturating_sub(1)).copied())
                .collect();
            column_bounds.dedup();
            bins.extend(column().map(|value| column_bounds.partition_point(|&bound| bound < value) as u8));
            bounds.push(column_bounds);
        }
        Self { n_rows, n_features, bins, bounds }
    }

    fn column(&self, feature: usize) -> &[u8] {
        &self.bins[feature * self.n_rows..][..self.n_rows]
    }

    fn histogram(&self, rows: &[u32], errors: &[f32], features: &[usize]) -> Vec<Sums> {
        let mut histogram = vec![Sums::default(); features.len() * MAX_BINS];
        for (sums, &feature) in histogram.chunks_exact_mut(MAX_BINS).zip(features) {
            let column = self.column(feature);
            for &row in rows {
                let bin = &mut sums[usize::from(column[row as usize])];
                bin.rows += 1;
                bin.error += errors[row as usize];
            }
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two features in 0..1 and noise, with a target that the first two make together.
    fn examples(n: usize) -> (Vec<f32>, Vec<f32>) {
        let mut random = Random::new(3);
        let mut features = Vec::new();
        let mut targets = Vec::new();
        for _ in 0..n {
            let row: [f32; 3] = std::array::from_fn(|_| random.uniform() as f32);
            features.extend(row);
            let agree = (row[0] > 0.5) == (row[1] > 0.5);
            targets.push(if agree { 1.0 } else { -1.0 } + 0.3 * random.normal() as f32);
        }
        (features, targets)
    }

    fn fit(n: usize) -> BoostedTrees {
        let (features, targets) = examples(n);
        let held: Vec<bool> = (0..n).map(|row| row % 5 == 0).collect();
        BoostedTrees::fit(Examples { features: &features, n_features: 3, targets: &targets }, &held, 1)
    }

    #[test]
    fn learns_what_features_say_together() {
        let trees = fit(6_000);
        for (row, expected) in [([0.2, 0.3, 0.5], 1.0), ([0.8, 0.9, 0.1], 1.0), ([0.2, 0.8, 0.9], -1.0)] {
            let found = trees.predict(&row, 3)[0];
            assert!((found - expected).abs() < 0.2, "{row:?}: {found}");
        }
        assert_eq!(trees, fit(6_000), "the same seed gives the same trees");
    }

    #[test]
    fn too_few_rows_teach_nothing() {
        for n in [0, 1, 150] {
            assert!(fit(n).predict(&[0.2, 0.3, 0.5], 3)[0].abs() < 0.5, "{n}");
        }
        assert!(BoostedTrees::default().predict(&[1.0], 1) == [0.0]);
    }

    #[test]
    fn rows_side_by_side_get_what_each_gets_alone() {
        let (trees, (rows, _)) = (fit(2_000), examples(LANES + 3));
        let alone: Vec<f32> = rows.chunks(3).flat_map(|row| trees.predict(row, 3)).collect();
        assert_eq!(trees.predict(&rows, 3), alone);
    }

    #[test]
    fn numbers_that_are_none_go_somewhere() {
        assert!(fit(1_000).predict(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY], 3)[0].is_finite());
    }
}
