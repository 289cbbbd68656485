//! Minimisation of smooth functions by L-BFGS (Liu, Nocedal 1989) with a backtracking line search.

use std::collections::VecDeque;

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 10;
/// Halvings of a step before it is given up.
const MAX_HALVINGS: usize = 30;
/// The decrease a step must bring, as a share of what the gradient promises (Armijo 1966).
const SUFFICIENT: f64 = 1e-4;

/// Minimises a function from a starting point. `evaluate` gives value and gradient; the search ends after `max_rounds`,
/// when the gradient's length is below `tolerance`, or when no step leads downwards.
pub fn minimize(
    mut point: Vec<f64>,
    (max_rounds, tolerance): (usize, f64),
    mut evaluate: impl FnMut(&[f64]) -> (f64, Vec<f64>),
) -> Vec<f64> {
    let (mut value, mut gradient) = evaluate(&point);
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::with_capacity(MEMORY);
    for _ in 0..max_rounds {
        if dot(&gradient, &gradient).sqrt() < tolerance {
            break;
        }
        let mut direction = descent(&gradient, &memory);
        if dot(&direction, &gradient) >= 0.0 {
            memory.clear();
            direction = descent(&gradient, &memory);
        }
        let slope = dot(&direction, &gradient);
        let mut length = if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let mut found = None;
        for _ in 0..MAX_HALVINGS {
            let next: Vec<f64> = point.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (next_value, next_gradient) = evaluate(&next);
            if next_value <= value + SUFFICIENT * length * slope {
                found = Some((next, next_value, next_gradient));
                break;
            }
            length /= 2.0;
        }
        let Some((next, next_value, next_gradient)) = found else { break };
        let step: Vec<f64> = next.iter().zip(&point).map(|(x, y)| x - y).collect();
        let change: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(x, y)| x - y).collect();
        if dot(&step, &change) > 1e-12 {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back((step, change));
        }
        (point, value, gradient) = (next, next_value, next_gradient);
    }
    point
}

/// The two-loop recursion: minus the approximate inverse Hessian times the gradient.
fn descent(gradient: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|value| -value).collect();
    let mut weights = Vec::with_capacity(memory.len());
    for (step, change) in memory.iter().rev() {
        let weight = dot(step, &direction) / dot(step, change);
        add(&mut direction, -weight, change);
        weights.push(weight);
    }
    if let Some((step, change)) = memory.back() {
        let scale = dot(step, change) / dot(change, change);
        for value in &mut direction {
            *value *= scale;
        }
    }
    for ((step, change), weight) in memory.iter().zip(weights.into_iter().rev()) {
        let correction = dot(change, &direction) / dot(step, change);
        add(&mut direction, weight - correction, step);
    }
    direction
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(x, y)| x * y).sum()
}

fn add(target: &mut [f64], factor: f64, source: &[f64]) {
    for (x, y) in target.iter_mut().zip(source) {
        *x += factor * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_minimum_of_a_curved_valley() {
        // Rosenbrock's function: minimum 0 at (1, 1).
        let valley = |p: &[f64]| {
            let (a, b) = (1.0 - p[0], p[1] - p[0] * p[0]);
            (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * p[0] * b, 200.0 * b])
        };
        let found = minimize(vec![-1.2, 1.0], (500, 1e-8), valley);
        assert!((found[0] - 1.0).abs() < 1e-5 && (found[1] - 1.0).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn a_minimum_at_the_start_stays() {
        assert_eq!(minimize(vec![0.0], (10, 1e-9), |p| (p[0] * p[0], vec![2.0 * p[0]])), [0.0]);
    }
}
