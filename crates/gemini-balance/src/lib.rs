//! Gemini Balance: a gateway in front of LLM APIs that keeps a pool of keys alive.
//!
//! In reading order: how a process starts, how a request comes in, what it meets on its way to
//! an upstream and back, what is remembered of it, and how an admin looks at it all.
//! `ARCHITECTURE.md` draws the map; `cargo xtask tidy` holds the arrows between the rooms.

pub mod cli;
pub mod start;

pub mod admin;
pub mod commands;
pub mod connections;
pub mod health;
pub mod intake;
pub mod listener;
pub mod metrics_listener;
pub mod origin;
pub mod proxy;
pub mod request_head;
pub mod router;
pub mod sessions;
pub mod stall;
pub mod tls;
pub mod tuning;
pub mod web;

pub mod admission;
pub mod alerts;
pub mod app;
pub mod pool;
pub mod resources;
pub mod service_keys;
pub mod upstream;
pub mod user_keys;

pub mod backups;
pub mod data;
pub mod import;
pub mod jobs;
pub mod journal;
pub mod keyed_hash;
pub mod login_throttle;
pub mod lookout;
pub mod password;
pub mod store;
pub mod token;
pub mod vault;

pub mod events;
pub mod feed;
pub mod lifecycle;
pub mod live;
pub mod live_sessions;
pub mod log_row;
pub mod metrics;
pub mod moment;
pub mod otlp;
pub mod telemetry;

pub mod clock;
pub mod config;
pub mod disk;
pub mod random;
pub mod secret;

#[cfg(any(test, fuzzing))]
pub mod laws;
