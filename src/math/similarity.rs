//! Similarity of two sparse vectors from the sums over their common coordinates.
//!
//! Pearson's correlation is the product-moment formula over the pairs both have, as `pandas.DataFrame.corr` computes it
//! (McKinney, pandas, `nancorr`). The shrunk cosine follows Koren, "Factor in the Neighbors" (2010): cosine ×
//! n / (n + λ), so that an agreement of few says little.

/// Running sums of pairs (x, y) for Pearson's correlation.
#[derive(Clone, Copy, Debug, Default)]
pub struct PearsonSums {
    n: u32,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl PearsonSums {
    /// Adds a pair.
    pub fn add(&mut self, x: f32, y: f32) {
        let (x, y) = (f64::from(x), f64::from(y));
        self.n += 1;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    /// The correlation; absent below `min_pairs` pairs or when one side does not vary.
    pub fn correlation(&self, min_pairs: u32) -> Option<f32> {
        if self.n == 0 || self.n < min_pairs {
            return None;
        }
        let n = f64::from(self.n);
        let variation_x = variation(self.xx, self.x, n)?;
        let variation_y = variation(self.yy, self.y, n)?;
        let covariation = self.xy - self.x * self.y / n;
        Some((covariation / (variation_x * variation_y).sqrt()).clamp(-1.0, 1.0) as f32)
    }
}

/// Σ(x − mean)², or nothing when it is not more than the rounding error of the sums it is computed from.
fn variation(squares: f64, sum: f64, n: f64) -> Option<f64> {
    let variation = squares - sum * sum / n;
    (variation > squares * 1e-12).then_some(variation)
}

/// Running sums of pairs of weights for a shrunk cosine.
#[derive(Clone, Copy, Debug, Default)]
pub struct CosineSums {
    n: u32,
    dot: f32,
}

impl CosineSums {
    /// Adds a pair.
    pub fn add(&mut self, x: f32, y: f32) {
        self.n += 1;
        self.dot += x * y;
    }

    /// Σxy / scale × n / (n + shrinkage), where `scale` is the product of the two norms; absent when that is zero.
    pub fn similarity(&self, scale: f32, shrinkage: f32) -> Option<f32> {
        let n = self.n as f32;
        (scale > 0.0 && self.n > 0).then(|| self.dot / scale * n / (n + shrinkage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correlation(pairs: &[(f32, f32)], min_pairs: u32) -> Option<f32> {
        let mut sums = PearsonSums::default();
        for &(x, y) in pairs {
            sums.add(x, y);
        }
        sums.correlation(min_pairs)
    }

    #[test]
    fn correlation_of_known_pairs() {
        assert_eq!(correlation(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)], 3), Some(1.0));
        assert_eq!(correlation(&[(1.0, 3.0), (3.0, 1.0)], 2), Some(-1.0));
        // numpy.corrcoef([1, 2, 3, 4], [1, 3, 2, 5])[0, 1]
        let value = correlation(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 5.0)], 1).unwrap();
        assert!((value - 0.831_521_8).abs() < 1e-6, "{value}");
    }

    #[test]
    fn too_few_pairs_or_no_variation_is_absent() {
        assert_eq!(correlation(&[], 0), None);
        assert_eq!(correlation(&[(1.0, 2.0), (2.0, 4.0)], 3), None);
        assert_eq!(correlation(&[(3.7, 2.0), (3.7, 4.0), (3.7, 1.0)], 1), None);
    }

    #[test]
    fn cosine_shrinks_with_few_pairs() {
        let mut sums = CosineSums::default();
        sums.add(3.0, 4.0);
        assert_eq!(sums.similarity(12.0, 0.0), Some(1.0));
        assert_eq!(sums.similarity(12.0, 3.0), Some(0.25));
        assert_eq!(sums.similarity(0.0, 3.0), None);
        assert_eq!(CosineSums::default().similarity(1.0, 0.0), None);
    }
}
