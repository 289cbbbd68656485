//! Unit vectors, and what makes two of them comparable.

use std::fmt;

/// The model, the text recipe and the dimension that make two embeddings comparable. Two spaces with the same id are
/// the same space; a vector of one is never compared with a vector of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmbeddingSpace {
    /// Identifier of the encoder artifact (its content decides it).
    pub encoder: String,
    /// Number of components.
    pub dim: usize,
}

impl fmt::Display for EmbeddingSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} dimensions)", self.encoder, self.dim)
    }
}

/// Why numbers are not an embedding.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum EmbeddingError {
    /// A component is NaN or infinite.
    #[error("component {0} is not a finite number")]
    NotFinite(usize),
    /// All components are zero, so there is no direction.
    #[error("the vector is zero")]
    Zero,
}

/// A vector of length one, so that the dot product of two is their cosine similarity.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// Checks the components and scales them to unit length.
    pub fn new(mut components: Vec<f32>) -> Result<Self, EmbeddingError> {
        if let Some(position) = components.iter().position(|component| !component.is_finite()) {
            return Err(EmbeddingError::NotFinite(position));
        }
        let norm = components.iter().map(|&component| f64::from(component).powi(2)).sum::<f64>().sqrt();
        if norm < 1e-12 {
            return Err(EmbeddingError::Zero);
        }
        for component in &mut components {
            *component = (f64::from(*component) / norm) as f32;
        }
        Ok(Self(components))
    }

    /// The components.
    pub fn components(&self) -> &[f32] {
        &self.0
    }

    /// The cosine with another embedding of the same space.
    pub fn cosine(&self, other: &Self) -> f32 {
        self.components().iter().zip(other.components()).map(|(one, other)| one * other).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_scaled_to_unit_length_or_refused() {
        assert_eq!(Embedding::new(vec![3.0, 4.0]).unwrap().components(), [0.6, 0.8]);
        assert_eq!(Embedding::new(vec![0.0, 0.0]), Err(EmbeddingError::Zero));
        assert_eq!(Embedding::new(vec![1.0, f32::NAN]), Err(EmbeddingError::NotFinite(1)));
    }
}
