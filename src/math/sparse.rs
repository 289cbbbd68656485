//! Compressed sparse rows (CSR): the values of each row lie side by side, columns ascending.

use std::ops::Range;

/// A sparse matrix of `f32`, readable by row.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRows {
    n_columns: usize,
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl SparseRows {
    /// Builds the matrix from `(row, column, value)` entries sorted by row, then column, without repetition.
    ///
    /// # Panics
    /// When the entries are not sorted, or a row or column is outside the matrix.
    pub fn from_sorted(n_rows: usize, n_columns: usize, entries: impl Iterator<Item = (u32, u32, f32)>) -> Self {
        let mut builder = SparseRowsBuilder::new(n_columns);
        builder.matrix.starts.reserve_exact(n_rows);
        let mut n_ended = 0;
        for (row, column, value) in entries {
            assert!((row as usize) < n_rows, "entry outside the matrix");
            assert!(n_ended <= row as usize, "entries must be sorted and distinct");
            while n_ended < row as usize {
                builder.end_row();
                n_ended += 1;
            }
            builder.push(column, value);
        }
        for _ in n_ended..n_rows {
            builder.end_row();
        }
        builder.finish()
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Where a row's entries lie within [`Self::values`].
    pub fn range(&self, row: usize) -> Range<usize> {
        self.starts[row]..self.starts[row + 1]
    }

    /// A row's columns (ascending) and values.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.range(row);
        (&self.columns[range.clone()], &self.values[range])
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Packs rows of `(column, value)` entries.
    ///
    /// # Panics
    /// As [`SparseRowsBuilder::push_row`].
    pub fn from_rows(n_columns: usize, rows: &[Vec<(u32, f32)>]) -> Self {
        let mut packed = SparseRowsBuilder::new(n_columns);
        for row in rows {
            packed.push_row(row);
        }
        packed.finish()
    }

    /// Adds `factor` times a row to `sums`, which has one slot per column.
    pub fn add_row(&self, row: usize, factor: f32, sums: &mut [f32]) {
        let (columns, values) = self.row(row);
        for (&column, &value) in columns.iter().zip(values) {
            sums[column as usize] += factor * value;
        }
    }

    /// The matrix with rows and columns exchanged.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut starts = vec![0_usize; self.n_columns + 1];
        for &column in &self.columns {
            starts[column as usize + 1] += 1;
        }
        for column in 0..self.n_columns {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let mut columns = vec![0_u32; self.columns.len()];
        let mut values = vec![0.0_f32; self.values.len()];
        for row in 0..self.n_rows() {
            let (row_columns, row_values) = self.row(row);
            for (&column, &value) in row_columns.iter().zip(row_values) {
                let slot = &mut next[column as usize];
                columns[*slot] = row as u32;
                values[*slot] = value;
                *slot += 1;
            }
        }
        Self { n_columns: self.n_rows(), starts, columns, values }
    }
}

/// Makes a matrix row by row.
#[derive(Debug)]
pub struct SparseRowsBuilder {
    matrix: SparseRows,
}

impl SparseRowsBuilder {
    /// A matrix without any row yet.
    pub fn new(n_columns: usize) -> Self {
        Self { matrix: SparseRows { n_columns, starts: vec![0], columns: Vec::new(), values: Vec::new() } }
    }

    /// Adds an entry to the current row.
    ///
    /// # Panics
    /// When the columns of a row do not ascend, or one is outside the matrix.
    pub fn push(&mut self, column: u32, value: f32) {
        let SparseRows { n_columns, starts, columns, values } = &mut self.matrix;
        assert!((column as usize) < *n_columns, "entry outside the matrix");
        let is_first = starts.last() == Some(&columns.len());
        assert!(is_first || columns.last() < Some(&column), "entries must be sorted and distinct");
        columns.push(column);
        values.push(value);
    }

    /// Adds a whole row of `(column, value)` entries.
    ///
    /// # Panics
    /// As [`Self::push`], or when the current row has entries already.
    pub fn push_row(&mut self, entries: &[(u32, f32)]) {
        let SparseRows { n_columns, starts, columns, values } = &mut self.matrix;
        assert!(starts.last() == Some(&columns.len()), "the row before has not ended");
        assert!(entries.is_sorted_by(|left, right| left.0 < right.0), "entries must be sorted and distinct");
        assert!(entries.last().is_none_or(|&(last, _)| (last as usize) < *n_columns), "entry outside the matrix");
        columns.extend(entries.iter().map(|&(column, _)| column));
        values.extend(entries.iter().map(|&(_, value)| value));
        starts.push(columns.len());
    }

    /// Ends the current row.
    pub fn end_row(&mut self) {
        self.matrix.starts.push(self.matrix.columns.len());
    }

    /// The matrix of the rows that have ended.
    pub fn finish(mut self) -> SparseRows {
        self.matrix.columns.shrink_to_fit();
        self.matrix.values.shrink_to_fit();
        self.matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> SparseRows {
        SparseRows::from_sorted(4, 3, [(0, 1, 1.0), (2, 0, 2.0), (2, 2, 3.0)].into_iter())
    }

    #[test]
    fn rows_are_found_also_the_empty_ones() {
        let matrix = matrix();
        assert_eq!(matrix.row(0), (&[1][..], &[1.0][..]));
        assert_eq!(matrix.row(1), (&[][..], &[][..]));
        assert_eq!(matrix.row(2), (&[0, 2][..], &[2.0, 3.0][..]));
        assert_eq!(matrix.row(3), (&[][..], &[][..]));
    }

    #[test]
    fn rows_are_added_whole_or_entry_by_entry() {
        let mut builder = SparseRowsBuilder::new(3);
        builder.push_row(&[(1, 1.0)]);
        builder.push_row(&[]);
        builder.push(0, 2.0);
        builder.push(2, 3.0);
        builder.end_row();
        builder.push_row(&[]);
        assert_eq!(builder.finish(), matrix());
        assert_eq!(SparseRows::from_rows(3, &[vec![(1, 1.0)], vec![], vec![(0, 2.0), (2, 3.0)], vec![]]), matrix());
        let mut sums = [1.0; 3];
        matrix().add_row(2, 0.5, &mut sums);
        assert_eq!(sums, [2.0, 1.0, 2.5]);
    }

    #[test]
    #[should_panic(expected = "outside the matrix")]
    fn a_row_that_is_too_long_is_a_bug_of_the_caller() {
        SparseRowsBuilder::new(2).push_row(&[(0, 1.0), (2, 1.0)]);
    }

    #[test]
    fn transposing_twice_gives_the_same_matrix() {
        let transposed = matrix().transposed();
        assert_eq!((transposed.n_rows(), transposed.n_columns()), (3, 4));
        assert_eq!(transposed.row(2), (&[2][..], &[3.0][..]));
        assert_eq!(transposed.transposed(), matrix());
    }

    #[test]
    #[should_panic(expected = "sorted and distinct")]
    fn repeated_entries_are_a_bug_of_the_caller() {
        SparseRows::from_sorted(1, 1, [(0, 0, 1.0), (0, 0, 2.0)].into_iter());
    }
}
