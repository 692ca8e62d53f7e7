//! What must be true of the parsers whatever bytes they are given, one law a parser.
//!
//! Each law is a function that takes any bytes and panics if they break it. The fuzzer in `fuzz/` looks
//! for such bytes; `corpus.rs` shows each law the ones that were kept.

pub mod failure;
pub mod frames;
mod object;
pub mod path;
mod pieces;
pub mod request;
pub mod resource;
pub mod tap;
pub mod usage_filter;
