//! Marquee: movie recommendations from one daemon on one host.
//!
//! # The idea
//!
//! The program answers a question ("what should this person watch?") from an immutable snapshot. What is slow, fallible
//! or foreign happens while a snapshot is being *built*; answering *reads* one. The exceptions, encoding a query text and
//! scoring with the rating network, go over a bounded queue to a thread that owns the model; the ranking model is so
//! quick that the asking thread runs it.
//!
//! # The floors
//!
//! | floor | rooms | may touch the outside world? |
//! |---|---|---|
//! | 4 entrance | [`cli`], [`daemon`] | wires everything |
//! | 3 doors | [`http`], [`watch`], [`import`] | one protocol or file format each |
//! | 2 hall | [`engine`] | through floor 1 only |
//! | 1 cellars | [`store`], [`vector`], [`inference`], [`artifact`] | one foreign thing each: redb and bincode, usearch, ort and tokenizers, folders and hashes |
//! | 0 study | [`math`], [`domain`], [`understand`], [`recommend`], [`eval`] | never |
//!
//! [`config`] and [`telemetry`] are fittings that the entrance creates and hands in.
//!
//! # The rules
//!
//! * Arrows point down. [`recommend`] says what it needs from floor 1 as traits
//!   ([`TextEncoder`](recommend::TextEncoder), [`NearestNeighbors`](recommend::NearestNeighbors),
//!   [`PairScorer`](recommend::PairScorer), [`Ranker`](recommend::Ranker)); [`vector`] and [`inference`] fulfil them.
//! * A foreign crate has one room, and its types stay out of that room's public signatures.
//! * Domain types carry no serialisation: stored forms, JSON forms and manifest forms live in `store`, `http`, `artifact`.
//! * Dense indexes ([`ItemIdx`](domain::ItemIdx)) mean something only within one snapshot; everything that leaves it says
//!   [`MovieId`](domain::MovieId).
//! * One process owns the store.
//!
//! `tests/architecture.rs` holds the code to this.
//!
//! # Where to read
//!
//! A request: [`http`] → [`engine`] (`list` and `answers`, or `search`) → [`recommend`]. A change: [`http`] → [`engine`]
//! (`people`, `catalogue`) → [`store`], then the snapshot's overlay; `refit` takes it into the next fit. What somebody is
//! recommended:
//! [`signals`](recommend::signals) → candidates and features → [`Hybrid`](recommend::ranking::Hybrid), whose ranker learnt
//! from [`RankingExamples`](recommend::ranking::RankingExamples); the engine fits them in `background_fit`. How good that
//! is: [`cli`] (`evaluate`) → [`eval`]. A dropped model: [`watch`] → [`engine`] (`looker` decides; `trial` loads it in a
//! process of its own and asks it the `rehearsal` there; `network_lane`, `ranking_lane`, `item_item_lane` or
//! `encoder_lane` make it serve; `canary` asks it first; `versions` knows which one was chosen) → [`artifact`] →
//! [`inference`] → the swap in `engine/cell`. An import: [`cli`] →
//! [`import`] → [`store`]. The contracts with the outside are in `schema/`.
//!
//! # Absent on purpose
//!
//! No accounts and no encryption: API keys tell who may read and who may write; the daemon listens on loopback, put a proxy
//! in front of it. No network access
//! of its own: `tools/` fetches and trains, the daemon only reads folders. No global state but the metrics recorder, the
//! log subscriber and the model runtime, of which a process has one each.

pub mod artifact;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod engine;
pub mod eval;
pub mod http;
pub mod import;
pub mod inference;
pub mod math;
pub mod recommend;
pub mod store;
pub mod telemetry;
pub mod understand;
pub mod vector;
pub mod watch;
