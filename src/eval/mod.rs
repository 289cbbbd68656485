//! Offline evaluation: how good answers are, measured on what is known to be right.

mod prompts;
mod titles;

pub use prompts::{Estimate, Grades, PromptScore, estimate, score_prompt};
pub use titles::TitleOutcomes;
