//! The front door: HTTP/1.1 in, JSON out. The only room that knows hyper.
//!
//! A handler reads parameters into domain values, calls the engine, and writes the answer; nothing else. What the
//! routes take and give is contracted in `schema/openapi.json`.

mod access;
mod error;
mod handlers;
mod hosts;
mod model_wire;
mod params;
mod reply_memory;
mod respond;
mod route;
mod server;
mod settings;
mod stream;
mod wire;

pub use access::{Keys, KeysError};
pub use server::{Drain, MetricsPage, Server};
pub use settings::LiveSettings;

#[cfg(test)]
mod contract;
