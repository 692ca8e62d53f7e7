//! The cells of a bench: each one kind of load.

/// One kind of load. Every request has a JSON body and calls a model of the bench's upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// What stands in the tables.
    pub(crate) name: &'static str,
    /// The path, which chooses the answer.
    pub(crate) path: &'static str,
    /// How many connections send requests.
    pub(crate) connections: u32,
    /// Size of a request body.
    pub(crate) body_bytes: u32,
    /// Requests a second, in an open loop.
    pub(crate) rate: Option<u32>,
    /// Time over which the first requests are spread, in milliseconds.
    pub(crate) ramp_ms: u32,
}

const JSON_PATH: &str = "/v1beta/models/bench-json:generateContent";
const BURST_PATH: &str = "/v1beta/models/bench-burst:streamGenerateContent?alt=sse";
const PACED_PATH: &str = "/v1beta/models/bench-paced:streamGenerateContent?alt=sse";

const JSON_ONE: Cell = Cell {
    name: "JSON, 1 connection",
    path: JSON_PATH,
    connections: 1,
    body_bytes: 1 << 10,
    rate: None,
    ramp_ms: 0,
};
/// One caller; for latency.
pub(crate) const JSON_1: &Cell = &JSON_ONE;
/// Enough callers to keep a core busy; for cost.
pub(crate) const JSON_64: &Cell =
    &Cell { name: "JSON, 64 connections", connections: 64, ..JSON_ONE };
/// A queue before the core; for the tail.
pub(crate) const JSON_256: &Cell =
    &Cell { name: "JSON, 256 connections", connections: 256, ..JSON_ONE };
/// So many callers that their number alone might cost.
pub(crate) const JSON_4096: &Cell =
    &Cell { name: "JSON, 4,096 connections", connections: 4096, ramp_ms: 500, ..JSON_ONE };
/// Streams of twenty events that come at once.
pub(crate) const BURST: &Cell =
    &Cell { name: "SSE, 20 events at once, 64 streams", path: BURST_PATH, ..*JSON_64 };
/// Streams of fifty events 20 ms apart, which begin spread over the second that each lasts.
pub(crate) const PACED: &Cell = &Cell {
    name: "SSE, 50 events 20 ms apart, 500 streams",
    path: PACED_PATH,
    connections: 500,
    ramp_ms: 1000,
    ..JSON_ONE
};
/// Prompts with a picture.
pub(crate) const BODY_1MB: &Cell =
    &Cell { name: "1 MB bodies, 8 connections", connections: 8, body_bytes: 1 << 20, ..JSON_ONE };
/// Prompts with a film.
pub(crate) const BODY_10MB: &Cell =
    &Cell { name: "10 MB bodies, 2 connections", connections: 2, body_bytes: 10 << 20, ..JSON_ONE };

/// All cells, in the order of the tables.
pub(crate) const CELLS: &[&Cell] = &[
    JSON_1,
    &Cell { name: "JSON, 16 connections", connections: 16, ..JSON_ONE },
    JSON_64,
    JSON_256,
    JSON_4096,
    &Cell { name: "JSON, open loop, 1,000/s", connections: 64, rate: Some(1000), ..JSON_ONE },
    &Cell { name: "JSON, open loop, 5,000/s", connections: 64, rate: Some(5000), ..JSON_ONE },
    BURST,
    PACED,
    BODY_1MB,
    BODY_10MB,
];
