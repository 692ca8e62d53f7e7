//! What a run has seen, as the one line of JSON that it prints.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

use crate::histogram::Histogram;

/// The counts of a run while it runs.
#[derive(Debug)]
pub(crate) struct Tally {
    /// From the first byte sent, or the instant at which it was due, to the last byte read.
    pub(crate) latencies: Histogram,
    /// How old each stamped chunk was when it was read.
    pub(crate) ages: Histogram,
    /// Requests without a whole answer of status 200.
    pub(crate) errors: u64,
    /// What the first of them died of.
    pub(crate) first_error: Option<String>,
}

impl Tally {
    /// Makes one for a run that has seen nothing.
    pub(crate) fn new() -> Self {
        Self { latencies: Histogram::new(), ages: Histogram::new(), errors: 0, first_error: None }
    }

    /// Counts a request without a good answer.
    pub(crate) fn fail(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }

    /// Sums up a run of so much time.
    pub(crate) fn summary(&self, took: Duration) -> Summary {
        let Self { latencies, ages, errors, first_error } = self;
        Summary {
            requests: latencies.count(),
            errors: *errors,
            first_error: first_error.clone(),
            seconds: took.as_secs_f64(),
            p50_us: latencies.quantile_us(500),
            p90_us: latencies.quantile_us(900),
            p99_us: latencies.quantile_us(990),
            p999_us: latencies.quantile_us(999),
            max_us: latencies.max_us(),
            chunks: ages.count(),
            age_p50_us: ages.quantile_us(500),
            age_p99_us: ages.quantile_us(990),
            age_max_us: ages.max_us(),
        }
    }
}

/// A run, summed up. Flat, so that a reader without a JSON parser finds every figure by its name.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    requests: u64,
    errors: u64,
    seconds: f64,
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p999_us: u64,
    max_us: u64,
    chunks: u64,
    age_p50_us: u64,
    age_p99_us: u64,
    age_max_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_error: Option<String>,
}

impl Summary {
    /// Prints the line.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(io::stdout().write_all(&line)?)
    }
}
