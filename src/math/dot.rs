//! Dot products and weighted sums over the widest registers that the processor has, found out at run time: the program is built for every
//! 64-bit processor, whose common part knows registers of four numbers.

#![expect(clippy::inline_always, reason = "only what is inlined into the dispatched call gets the wide registers")]

use pulp::{Arch, NullaryFnOnce};

/// Partial sums that are kept side by side.
const LANES: usize = 32;

/// A number as bfloat16, its upper half, rounded to nearest, ties to even.
pub fn to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    // Half of the last kept bit is added, a little less when that bit is even.
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// The number that a bfloat16 stands for.
#[inline(always)]
pub fn from_bf16(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// The dot product of bfloat16 and single-precision numbers.
pub fn dot_bf16(left: &[u16], right: &[f32]) -> f32 {
    Arch::new().dispatch(HalfDot { left, right })
}

/// The dot product of a vector of small integers, from −127 to 127, with each row of a matrix of them.
pub fn dots_i8(vector: &[i8], rows: &[i8]) -> Vec<i32> {
    let mut dots = vec![0; rows.len() / vector.len().max(1)];
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        simd.vectorize(BytePairDots { simd, vector, rows, dots: &mut dots });
        return dots;
    }
    Arch::new().dispatch(RowDots { vector, rows, dots: &mut dots });
    dots
}

/// Adds to the sums each row of bfloat16 numbers times its factor, row after row.
pub fn add_rows<'a>(sums: &mut [f32], rows: impl Iterator<Item = (f32, &'a [u16])>) {
    Arch::new().dispatch(RowSums { sums, rows });
}

/// Rows that lie side by side, the same component of all of them together, so that their dot products are added up at once.
const PANEL: usize = 16;

/// Many rows of bfloat16 numbers, to be multiplied with one vector.
#[derive(Clone, Debug)]
pub struct Panels<const N: usize>(Vec<[[u16; PANEL]; N]>);

impl<const N: usize> Panels<N> {
    /// Rounds the rows.
    pub fn of(rows: &[[f32; N]]) -> Self {
        let panel = |rows: &[[f32; N]]| {
            let cell = |column: usize, place: usize| rows.get(place).map_or(0, |row| to_bf16(row[column]));
            std::array::from_fn(|column| std::array::from_fn(|place| cell(column, place)))
        };
        Self(rows.chunks(PANEL).map(panel).collect())
    }

    /// Adds to each sum the dot product of the vector with its row, added up component after component.
    pub fn add_dots(&self, sums: &mut [f32], vector: &[f32; N]) {
        Arch::new().dispatch(PanelDots { sums, vector, panels: &self.0 });
    }
}

/// Adds to the sides of a least-squares problem the observations of 1 with weight 1 + w, of which the matrix has the
/// weight 1 already: w x xᵀ to the matrix, (1 + w) x to the right side.
pub fn add_observations<'a, const N: usize>(
    sides: (&mut [[f32; N]; N], &mut [f32; N]),
    observations: impl Iterator<Item = (f32, &'a [f32; N])>,
) {
    Arch::new().dispatch(Observations { sides, observations });
}

// Structures and plain loops instead of closures and iterator chains, which are not always inlined.

struct HalfDot<'a> {
    left: &'a [u16],
    right: &'a [f32],
}

impl NullaryFnOnce for HalfDot<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        let mut sums = [0.0_f32; LANES];
        let (left_lanes, left_rest) = self.left.as_chunks::<LANES>();
        let (right_lanes, right_rest) = self.right.as_chunks::<LANES>();
        for (left, right) in left_lanes.iter().zip(right_lanes) {
            for lane in 0..LANES {
                sums[lane] += from_bf16(left[lane]) * right[lane];
            }
        }
        let mut sum = 0.0;
        for (&x, y) in left_rest.iter().zip(right_rest) {
            sum += from_bf16(x) * y;
        }
        for lane in sums {
            sum += lane;
        }
        sum
    }
}

struct RowDots<'a> {
    vector: &'a [i8],
    rows: &'a [i8],
    dots: &'a mut [i32],
}

impl NullaryFnOnce for RowDots<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (dot, row) in self.dots.iter_mut().zip(self.rows.chunks_exact(self.vector.len().max(1))) {
            let mut sum = 0_i32;
            for (&x, &y) in row.iter().zip(self.vector) {
                // 2^17 products of 127² fit; checked sums would not become wide.
                sum = sum.wrapping_add(i32::from(x).wrapping_mul(i32::from(y)));
            }
            *dot = sum;
        }
    }
}

/// The same by the instruction that multiplies bytes without a sign by bytes with one and adds neighbours: with the sign
/// of the one given to the other, and no sum of two above 2 · 127², it is exact. Twice as quick as widening first, and
/// then as quick as the numbers come from the cache.
#[cfg(target_arch = "x86_64")]
struct BytePairDots<'a> {
    simd: pulp::x86::V3,
    vector: &'a [i8],
    rows: &'a [i8],
    dots: &'a mut [i32],
}

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for BytePairDots<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const WIDTH: usize = 32;
        let (avx, avx2) = (self.simd.avx, self.simd.avx2);
        let ones = avx._mm256_set1_epi16(1);
        let (lanes, rest) = self.vector.as_chunks::<WIDTH>();
        for (dot, row) in self.dots.iter_mut().zip(self.rows.chunks_exact(self.vector.len().max(1))) {
            let (row_lanes, row_rest) = row.as_chunks::<WIDTH>();
            let mut sums = avx._mm256_setzero_si256();
            for (x, y) in row_lanes.iter().zip(lanes) {
                let (x, y) = (pulp::cast(*x), pulp::cast(*y));
                let pairs = avx2._mm256_maddubs_epi16(avx2._mm256_abs_epi8(y), avx2._mm256_sign_epi8(x, y));
                sums = avx2._mm256_add_epi32(sums, avx2._mm256_madd_epi16(pairs, ones));
            }
            let sums: [i32; 8] = pulp::cast(sums);
            let mut sum = 0_i32;
            for lane in sums {
                sum = sum.wrapping_add(lane);
            }
            for (&x, &y) in row_rest.iter().zip(rest) {
                sum = sum.wrapping_add(i32::from(x).wrapping_mul(i32::from(y)));
            }
            *dot = sum;
        }
    }
}

struct PanelDots<'a, const N: usize> {
    sums: &'a mut [f32],
    vector: &'a [f32; N],
    panels: &'a [[[u16; PANEL]; N]],
}

impl<const N: usize> NullaryFnOnce for PanelDots<'_, N> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (sums, panel) in self.sums.chunks_mut(PANEL).zip(self.panels) {
            let mut dots = [0.0_f32; PANEL];
            for (x, column) in self.vector.iter().zip(panel) {
                for lane in 0..PANEL {
                    dots[lane] += x * from_bf16(column[lane]);
                }
            }
            for (sum, dot) in sums.iter_mut().zip(dots) {
                *sum += dot;
            }
        }
    }
}

struct Observations<'s, const N: usize, I> {
    sides: (&'s mut [[f32; N]; N], &'s mut [f32; N]),
    observations: I,
}

impl<'a, const N: usize, I: Iterator<Item = (f32, &'a [f32; N])>> NullaryFnOnce for Observations<'_, N, I> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (matrix, right) = self.sides;
        for (weight, vector) in self.observations {
            for ((row, sum), &x) in matrix.iter_mut().zip(right.iter_mut()).zip(vector) {
                *sum += (1.0 + weight) * x;
                for (cell, &y) in row.iter_mut().zip(vector) {
                    *cell += weight * x * y;
                }
            }
        }
    }
}

struct RowSums<'s, I> {
    sums: &'s mut [f32],
    rows: I,
}

impl<'a, I: Iterator<Item = (f32, &'a [u16])>> NullaryFnOnce for RowSums<'_, I> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (factor, row) in self.rows {
            for (sum, &value) in self.sums.iter_mut().zip(row) {
                *sum += factor * from_bf16(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_to_the_nearest_of_sixteen_bits() {
        let unit = 0x3f80;
        for (bits, expected) in [
            (0x3f80_0000, unit),
            (0x3f80_7fff, unit),
            (0x3f80_8000, unit),
            (0x3f80_8001, 0x3f81),
            (0xbf80_0001, 0xbf80),
        ] {
            assert_eq!(to_bf16(f32::from_bits(bits)), expected, "{bits:x}");
        }
        assert_eq!([to_bf16(0.0), to_bf16(-0.0)], [0, 0x8000]);
    }

    #[test]
    fn dot_products_equal_plain_sums() {
        let value = |place: usize| (place as f32 * 0.37).sin();
        for n in [0, 1, 31, 32, 77, 768] {
            let left: Vec<u16> = (0..n).map(|place| to_bf16(value(place))).collect();
            let right: Vec<f32> = (0..n).map(|place| value(3 * place + 1)).collect();
            let plain: f32 = left.iter().zip(&right).map(|(&x, y)| from_bf16(x) * y).sum();
            assert!((dot_bf16(&left, &right) - plain).abs() < 1e-4, "{n}");
        }
        let rows = [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]].map(|row| row.map(to_bf16));
        let mut sums = [0.5; 3];
        add_rows(&mut sums, [2.0, 0.1].into_iter().zip(rows.iter().map(|row| &row[..])));
        assert_eq!(sums, [3.5, 6.5, 9.5]);
        let mut sums = [1.0, 2.0];
        Panels::of(&[[1.0, 2.0, 3.0], [0.0, 4.0, 0.0]]).add_dots(&mut sums, &[2.0, 0.5, 1.0]);
        assert_eq!(sums, [7.0, 4.0]);
        let rows: Vec<[f32; 2]> = (0..2 * PANEL + 3).map(|row| [row as f32, 1.0]).collect();
        let mut sums = vec![0.5; rows.len()];
        Panels::of(&rows).add_dots(&mut sums, &[2.0, 3.0]);
        assert_eq!(sums, rows.iter().map(|row| 2.0 * row[0] + 3.5).collect::<Vec<_>>());
        let (mut matrix, mut right) = ([[1.0; 2]; 2], [0.0; 2]);
        add_observations((&mut matrix, &mut right), [(2.0, &[1.0, 3.0])].into_iter());
        assert_eq!((matrix, right), ([[3.0, 7.0], [7.0, 19.0]], [3.0, 9.0]));
        for n in [1, 31, 32, 77, 768] {
            let rows: Vec<i8> = (0..3 * n)
                .map(|place| (place * 37 % 255) as u8)
                .map(|byte| byte.wrapping_sub(127).cast_signed())
                .collect();
            for vector in [&rows[n..2 * n], &vec![127; n], &vec![-127; n]] {
                let plain =
                    |row: &[i8]| row.iter().zip(vector).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum::<i32>();
                let rows = [&rows, vector].concat();
                assert_eq!(dots_i8(vector, &rows), rows.chunks(n).map(plain).collect::<Vec<_>>(), "{n}");
            }
        }
    }
}
