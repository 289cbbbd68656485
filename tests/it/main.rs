//! Behaviour of the real program through its real sockets, files and signals.
//!
//! Assets that are fetched rather than committed (ONNX Runtime, MovieLens 100K, the encoder) come from the cache folder
//! that `tools/test` fills before it runs this.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "this is how a test fails")]

mod access;
mod catalogue;
mod cli;
mod commands;
mod drops;
mod encoder;
mod evaluation;
mod http;
mod models_page;
mod newcomer;
mod one_question;
mod people;
mod reload;
mod server;
mod service;
mod store_crash;
mod support;
mod versions;
