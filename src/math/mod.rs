//! Plain slices in, plain values out. Floor 0; knows nothing of movies.

mod accumulator;
mod boosting;
mod cholesky;
mod dot;
mod lbfgs;
mod random;
mod similarity;
mod sparse;
mod top_k;

pub use accumulator::Accumulator;
pub use boosting::{BoostedTrees, Examples};
pub use cholesky::{Cholesky, solve_spd};
pub use dot::{Panels, add_observations, add_rows, dot_bf16, dots_i8, from_bf16, to_bf16};
pub use lbfgs::minimize;
pub use random::Random;
pub use similarity::{CosineSums, PearsonSums};
pub use sparse::{SparseRows, SparseRowsBuilder};
pub use top_k::{Survey, best_entries, largest_entries, top_k};
