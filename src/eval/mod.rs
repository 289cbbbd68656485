//! Offline evaluation: how good answers are, measured on what is known to be right.
//!
//! Lists are judged by these definitions: all movies unseen in training are ranked, nothing is sampled. A *relevant* movie
//! is a test rating of 4 or more of 5; an *evaluated* person has a training rating and a relevant movie; movies the
//! person rated in training do not count.

mod measures;
mod prompts;
mod report;
mod titles;

pub use measures::{ListMetrics, Mean, mean_absolute_error, paired, root_mean_square_error};
pub use prompts::{Grades, PromptScore, score_prompt};
pub use report::{Judged, LIST_LENGTH, ListReport, TestCase, judge, test_cases};
pub use titles::TitleOutcomes;
