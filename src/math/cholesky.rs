//! Small dense systems with a symmetric positive definite matrix, by Cholesky's factorisation A = L Lᵀ (Golub & Van
//! Loan, "Matrix Computations", §4.2): in place for one solution, or with the factor kept for several.

/// Solves A x = b by Cholesky decomposition: `matrix` holds A (its lower triangle is read and overwritten), `right`
/// holds b and then x. A pivot that rounding made non-positive is taken for a tiny one, so the result is always finite
/// where the input is.
pub fn solve_spd<const N: usize>(matrix: &mut [[f32; N]; N], right: &mut [f32; N]) {
    for column in 0..N {
        let pivot_row = matrix[column];
        let square: f32 = pivot_row[..column].iter().map(|value| value * value).sum();
        let pivot = (pivot_row[column] - square).max(1e-12).sqrt();
        matrix[column][column] = pivot;
        for row in matrix.iter_mut().skip(column + 1) {
            let dot: f32 = row[..column].iter().zip(&pivot_row[..column]).map(|(x, y)| x * y).sum();
            row[column] = (row[column] - dot) / pivot;
        }
    }
    for row in 0..N {
        let known: f32 = (0..row).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    for row in (0..N).rev() {
        let known: f32 = (row + 1..N).map(|column| matrix[column][row] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
}

/// A factor L of an n × n matrix: lower triangle, row-major; what is above the diagonal has no meaning.
#[derive(Clone, Debug)]
pub struct Cholesky {
    n: usize,
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors the matrix of which the lower triangle (row-major, n × n) is given. Pivots that rounding or a singular
    /// matrix left below a trillionth of their diagonal entry are lifted to it, so that every input has a factor.
    ///
    /// # Panics
    /// When there are not n × n entries.
    pub fn factor(n: usize, mut matrix: Vec<f64>) -> Self {
        assert_eq!(matrix.len(), n * n, "a square matrix");
        for j in 0..n {
            let (above, from_j) = matrix.split_at_mut((j + 1) * n);
            let row_j = &mut above[j * n..=j * n + j];
            let entry = row_j[j];
            let square: f64 = row_j[..j].iter().map(|x| x * x).sum();
            let pivot = (entry - square).max(entry.abs() * 1e-12).max(f64::MIN_POSITIVE).sqrt();
            row_j[j] = pivot;
            for row in from_j.chunks_exact_mut(n) {
                let dot: f64 = row[..j].iter().zip(&row_j[..j]).map(|(x, y)| x * y).sum();
                row[j] = (row[j] - dot) / pivot;
            }
        }
        Self { n, lower: matrix }
    }

    /// The solution x of A x = b.
    #[must_use]
    pub fn solve(&self, mut b: Vec<f64>) -> Vec<f64> {
        self.solve_lower(&mut b);
        self.solve_upper(&mut b);
        b
    }

    /// Replaces b by the solution of L x = b.
    pub fn solve_lower(&self, b: &mut [f64]) {
        for i in 0..self.n {
            let row = &self.lower[i * self.n..=i * self.n + i];
            let dot: f64 = row[..i].iter().zip(&*b).map(|(l, x)| l * x).sum();
            b[i] = (b[i] - dot) / row[i];
        }
    }

    /// Replaces b by the solution of Lᵀ x = b. With independent standard normal b, x is normal with covariance A⁻¹.
    pub fn solve_upper(&self, b: &mut [f64]) {
        for i in (0..self.n).rev() {
            let (rest, solved) = b.split_at_mut(i);
            let row = &self.lower[i * self.n..=i * self.n + i];
            solved[0] /= row[i];
            for (x, l) in rest.iter_mut().zip(row) {
                *x -= l * solved[0];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_solution_satisfies_the_system(
            factor in proptest::array::uniform4(proptest::array::uniform4(-2.0_f32..2.0)),
            right in proptest::array::uniform4(-5.0_f32..5.0),
        ) {
            // FᵀF + I is positive definite.
            let mut matrix = [[0.0_f32; 4]; 4];
            for i in 0..4 {
                for j in 0..4 {
                    matrix[i][j] = factor.iter().map(|row| row[i] * row[j]).sum::<f32>() + f32::from(u8::from(i == j));
                }
            }
            let mut solution = right;
            solve_spd(&mut matrix.clone(), &mut solution);
            for (row, &expected) in matrix.iter().zip(&right) {
                let product: f32 = row.iter().zip(&solution).map(|(x, y)| x * y).sum();
                prop_assert!((product - expected).abs() < 1e-3, "{product} {expected}");
            }
        }
    }

    proptest! {
        #[test]
        fn solves_what_it_is_given(entries in proptest::collection::vec(-3.0_f64..3.0, 25), x in proptest::collection::vec(-9.0_f64..9.0, 5)) {
            // B Bᵀ + I is positive definite.
            let product = |i: usize, j: usize| (0..5).map(|k| entries[i * 5 + k] * entries[j * 5 + k]).sum::<f64>();
            let matrix: Vec<f64> = (0..25).map(|at| product(at / 5, at % 5) + f64::from(u8::from(at / 5 == at % 5))).collect();
            let b = (0..5).map(|i| (0..5).map(|j| matrix[i * 5 + j] * x[j]).sum()).collect();
            let solved = Cholesky::factor(5, matrix).solve(b);
            for (found, known) in solved.iter().zip(&x) {
                prop_assert!((found - known).abs() < 1e-7, "{found} {known}");
            }
        }
    }

    #[test]
    fn a_singular_matrix_gives_finite_numbers() {
        let solved = Cholesky::factor(2, vec![1.0, 0.0, 1.0, 1.0]).solve(vec![1.0, 1.0]);
        assert!(solved.iter().all(|x| x.is_finite()), "{solved:?}");
        assert!(Cholesky::factor(1, vec![0.0]).solve(vec![0.0])[0].is_finite());
        assert!(Cholesky::factor(0, Vec::new()).solve(Vec::new()).is_empty());
    }
}
