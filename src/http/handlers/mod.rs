//! Handlers, by subject.

pub(super) mod models;
pub(super) mod recommend;
pub(super) mod search;
pub(super) mod status;
