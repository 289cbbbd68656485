//! How long a person's mood lasts: the covariance of two residuals of one person by the time between the ratings, and
//! the estimate of one residual from those around it (simple kriging, Matheron 1963; Cressie, "Statistics for Spatial
//! Data", §3).
//!
//! The covariance is Σ_h a_h exp(−Δt / τ_h) with fixed horizons τ_h from under a second (a page of ratings sent
//! together) to a day. The amplitudes are the least-squares fit with a_h ≥ 0 to the mean products of residuals.

use super::person::Rated;
use crate::math::Cholesky;

/// The horizons in seconds.
const HORIZONS_S: [f32; 5] = [0.3, 30.0, 300.0, 3_600.0, 86_400.0];
/// Upper bounds of the times between ratings, in seconds, that share one mean product.
const LAGS_S: [f32; 12] = [0.0, 5.0, 15.0, 40.0, 100.0, 250.0, 600.0, 1_800.0, 7_200.0, 30_000.0, 100_000.0, 400_000.0];
/// Ratings around the time of asking that are looked at, and later ratings that one is paired with for the fit.
const WINDOW: usize = 40;
/// Rounds of coordinate descent for the amplitudes.
const ROUNDS: usize = 500;

/// A fitted covariance function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Covariogram {
    amplitudes: [f32; HORIZONS_S.len()],
    /// Variance of a residual that nothing around it explains.
    noise: f32,
}

impl Covariogram {
    /// Fits the amplitudes to people's ratings (each person's by ascending time).
    pub(super) fn fit<'a>(people: impl Iterator<Item = &'a [Rated]>) -> Self {
        // Per lag: number, Σ Δt, Σ product.
        let mut bins = [(0.0_f64, 0.0_f64, 0.0_f64); LAGS_S.len()];
        let (mut n, mut squares) = (0.0_f64, 0.0_f64);
        for rated in people {
            for (at, one) in rated.iter().enumerate() {
                n += 1.0;
                squares += f64::from(one.residual).powi(2);
                for other in rated[at + 1..].iter().take(WINDOW) {
                    let lag = (other.time - one.time) as f32;
                    let Some(bin) = LAGS_S.iter().position(|&bound| lag <= bound) else { break };
                    bins[bin].0 += 1.0;
                    bins[bin].1 += f64::from(lag);
                    bins[bin].2 += f64::from(one.residual) * f64::from(other.residual);
                }
            }
        }
        let means = bins.iter().filter(|bin| bin.0 > 0.0).map(|&(n, lag, product)| (n, lag / n, product / n));
        let amplitudes = nonnegative_fit(&means.collect::<Vec<_>>());
        let explained: f32 = amplitudes.iter().sum();
        let variance = (squares / n.max(1.0)) as f32;
        Self { amplitudes, noise: (variance - explained).max(0.1 * variance).max(f32::MIN_POSITIVE) }
    }

    fn at(&self, lag_s: f32) -> f32 {
        self.amplitudes.iter().zip(HORIZONS_S).map(|(amplitude, horizon)| amplitude * (-lag_s / horizon).exp()).sum()
    }

    /// The expected residual at a time, given ratings by ascending time, of which the nearest in order are looked at.
    pub(super) fn expect(&self, rated: &[Rated], time: i64) -> f32 {
        let middle = rated.partition_point(|rated| rated.time < time);
        let start = middle.saturating_sub(WINDOW / 2);
        let window = &rated[start..(start + WINDOW).min(rated.len())];
        let n = window.len();
        let mut matrix = vec![0.0_f64; n * n];
        for (i, one) in window.iter().enumerate() {
            for (j, other) in window[..=i].iter().enumerate() {
                matrix[i * n + j] = f64::from(self.at((one.time - other.time) as f32));
            }
            matrix[i * n + i] += f64::from(self.noise);
        }
        let residuals = window.iter().map(|rated| f64::from(rated.residual)).collect();
        let weights = Cholesky::factor(n, matrix).solve(residuals);
        window.iter().zip(weights).map(|(one, weight)| self.at((one.time - time).abs() as f32) * weight as f32).sum()
    }
}

/// The amplitudes a ≥ 0 that minimise Σ n (c − Σ_h a_h exp(−Δt / τ_h))² over `(n, Δt, c)`, by coordinate descent.
fn nonnegative_fit(means: &[(f64, f64, f64)]) -> [f32; HORIZONS_S.len()] {
    let mut amplitudes = [0.0_f64; HORIZONS_S.len()];
    let basis = |h: usize, lag: f64| (-lag / f64::from(HORIZONS_S[h])).exp();
    for _ in 0..ROUNDS {
        for h in 0..amplitudes.len() {
            let (mut slope, mut curvature) = (0.0, 0.0);
            for &(n, lag, product) in means {
                let fitted: f64 = (0..amplitudes.len()).map(|other| amplitudes[other] * basis(other, lag)).sum();
                let x = basis(h, lag);
                slope += n * x * (product - fitted);
                curvature += n * x * x;
            }
            if curvature > 0.0 {
                amplitudes[h] = (amplitudes[h] + slope / curvature).max(0.0);
            }
        }
    }
    amplitudes.map(|amplitude| amplitude as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Random;

    /// People who rate a page of four movies every half hour, with a mood per page of this deviation.
    fn people(mood: f64) -> Vec<Vec<Rated>> {
        let mut random = Random::new(11);
        let mut person = || {
            let mut rated = Vec::new();
            for page in 0..10 {
                let level = mood * random.normal();
                for item in 0..4 {
                    let residual = (level + 0.8 * random.normal()) as f32;
                    rated.push(Rated { item, time: page * 1_800, value: 0.0, residual });
                }
            }
            rated
        };
        (0..400).map(|_| person()).collect()
    }

    fn fit(people: &[Vec<Rated>]) -> Covariogram {
        Covariogram::fit(people.iter().map(Vec::as_slice))
    }

    #[test]
    fn finds_the_mood_of_a_page() {
        let people = people(0.5);
        let fitted = fit(&people);
        assert!((fitted.at(0.0) - 0.25).abs() < 0.05, "{fitted:?}");
        assert!(fitted.at(1_800.0).abs() < 0.03 && (fitted.noise - 0.64).abs() < 0.05, "{fitted:?}");
        // The mean of the page, shrunk: Σ e · a / (4 a + noise).
        let page = &people[0][8..12];
        let expected = page.iter().map(|rated| rated.residual).sum::<f32>() * 0.25 / (4.0 * 0.25 + 0.64);
        assert!((fitted.expect(&people[0], 3_600) - expected).abs() < 0.08);
    }

    #[test]
    fn without_moods_or_ratings_nothing_is_expected() {
        let fitted = fit(&people(0.0));
        assert!(fitted.at(0.0) < 0.03, "{fitted:?}");
        let nothing = fit(&[]);
        assert_eq!(nothing.expect(&[], 5), 0.0);
        let one = [Rated { item: 0, time: 5, value: 3.0, residual: 1.0 }];
        assert!(nothing.expect(&one, 5).is_finite());
    }
}
