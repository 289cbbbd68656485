//! Random numbers that are the same on every machine for a seed.
//!
//! The stream is xoshiro256++ seeded by splitmix64 (Blackman & Vigna 2021, "Scrambled Linear Pseudorandom Number
//! Generators"), normal deviates are Box & Muller's (1958), gamma deviates Marsaglia & Tsang's (2000, "A Simple Method
//! for Generating Gamma Variables").

/// A seeded stream of random numbers. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
    spare: Option<f64>,
}

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self { state: std::array::from_fn(|_| splitmix(&mut state)), spare: None }
    }

    /// The stream of a seed and a path of numbers, such as a round and a row: streams of different paths are unrelated,
    /// so that work split over threads draws the same numbers in any order.
    pub fn of(seed: u64, path: [u64; 3]) -> Self {
        let mut state = seed;
        for step in path {
            state = splitmix(&mut state) ^ step.wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        Self::new(splitmix(&mut state))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Uniform in the open interval from 0 to 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Uniform among the indexes below `n`, which must not be 0 (bias below n / 2⁶⁴).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Puts the items into a random order (Fisher, Yates 1938).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.below(place + 1));
        }
    }

    /// Normal with mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// Gamma with this shape (at least 1) and rate.
    pub fn gamma(&mut self, shape: f64, rate: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let cube = (1.0 + c * x).powi(3);
            if cube > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * cube + d * cube.ln() {
                return d * cube / rate;
            }
        }
    }
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of so many draws.
    fn moments(n: usize, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = std::iter::repeat_with(&mut draw).take(n).collect();
        let mean = draws.iter().sum::<f64>() / n as f64;
        (mean, draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64)
    }

    #[test]
    fn deviates_have_the_moments_of_their_distribution() {
        let mut random = Random::new(7);
        let close = |(mean, variance): (f64, f64), (m, v): (f64, f64)| {
            assert!((mean - m).abs() < 0.03 && (variance - v).abs() < 0.05, "{mean} {variance}");
        };
        close(moments(100_000, || random.uniform()), (0.5, 1.0 / 12.0));
        close(moments(100_000, || random.normal()), (0.0, 1.0));
        close(moments(100_000, || random.gamma(1.0, 2.0)), (0.5, 0.25));
        close(moments(100_000, || random.gamma(8.0, 4.0)), (2.0, 0.5));
        close(moments(100_000, || random.below(3) as f64), (1.0, 2.0 / 3.0));
    }

    #[test]
    fn a_seed_and_a_path_name_a_stream() {
        let draw = |seed, path| Random::of(seed, path).bits();
        assert_eq!(draw(1, [2, 3, 4]), draw(1, [2, 3, 4]));
        for other in [draw(2, [2, 3, 4]), draw(1, [3, 2, 4]), draw(1, [2, 4, 3]), draw(1, [2, 3, 5])] {
            assert_ne!(draw(1, [2, 3, 4]), other);
        }
    }

    #[test]
    fn the_stream_is_xoshiro() {
        // First outputs of the reference implementation for the state 1, 2, 3, 4.
        let mut random = Random { state: [1, 2, 3, 4], spare: None };
        assert_eq!([random.bits(), random.bits(), random.bits()], [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }
}
