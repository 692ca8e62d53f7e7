//! The house tests: a real server, a real database and a scripted upstream over real sockets.
//!
//! One binary, so that the server is linked once. No test sleeps; each waits for a fact.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(
    clippy::large_futures,
    reason = "the future of a test is polled once, on a stack of its own"
)]
#![expect(
    clippy::print_stdout,
    reason = "long runs show how they go, and a test that a machine cannot run says so"
)]

mod support;

mod admin_events;
mod admin_jobs;
mod admin_keys;
mod admin_login;
mod admin_logs;
mod admin_pages;
mod admin_routes;
mod admin_stats;
mod alerts;
mod at_rest;
mod backups;
mod byte_fidelity;
mod canary;
mod choosing;
mod cli;
mod cooldown;
mod credentials;
mod disconnect;
mod doctor;
mod drain;
mod elsewhere;
mod exhaustion;
mod health;
mod hostile_values;
mod http_edge;
mod limits;
mod live_api;
mod live_flood;
mod load;
mod many_rows;
mod master_key;
mod memory;
mod moving_in;
mod observability;
mod otlp;
mod outbound_proxy;
mod own_tls;
mod paths_and_credentials;
mod pool_rows;
mod process;
mod proxy_gemini;
mod proxy_openai;
mod resources;
mod restart;
mod soak;
mod storage;
mod streaming;
mod sudden_death;
mod ten_keys;
mod tls;
mod trouble;
mod tuning;
mod upstream_faults;
