//! Small symmetric positive definite systems, in place.

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
}
