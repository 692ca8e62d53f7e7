//! One measurement: a run of the load generator on one server, and what the server used meanwhile.

use std::process::{Command, Stdio};

use super::{
    cell::Cell,
    figures::number,
    process::Processes,
    stage::{Core, Server, Stage, pinned},
};
use crate::{Outcome, workspace};

/// What one run saw. Times are in microseconds.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sample {
    /// Answers a second.
    pub(crate) requests_per_second: f64,
    /// The latency that half of the requests did not exceed.
    pub(crate) p50_us: f64,
    /// The same for nine of ten.
    pub(crate) p90_us: f64,
    /// The same for 99 of 100.
    pub(crate) p99_us: f64,
    /// The same for 999 of 1,000.
    pub(crate) p999_us: f64,
    /// How old half of the stamped events at most were when they came; 0 if there were none.
    pub(crate) age_p50_us: f64,
    /// The same for 99 of 100.
    pub(crate) age_p99_us: f64,
    /// CPU time of the server per answer.
    pub(crate) cpu_us: f64,
    /// Requests without a whole answer of status 200.
    pub(crate) errors: f64,
}

/// Puts the load of a cell on a server of the stage.
///
/// # Errors
///
/// If the load generator does not run, or the server has ended.
pub(crate) fn measure(stage: &Stage, server: Server, cell: &Cell, seconds: u32) -> Outcome<Sample> {
    let processes = stage.processes(server)?;
    on(stage.port(server), stage.user_key(), &processes, cell, seconds)
}

/// Puts the load of a cell on whoever listens on `port`, which are the `processes`.
///
/// # Errors
///
/// As [`measure`].
pub(crate) fn on(
    port: u16,
    user_key: &str,
    processes: &Processes,
    cell: &Cell,
    seconds: u32,
) -> Outcome<Sample> {
    let cpu_before_us = processes.cpu_us()?;
    let output = load(port, user_key, cell, seconds)?.stderr(Stdio::inherit()).output()?;
    let cpu_us = processes.cpu_us()? - cpu_before_us;
    let line = String::from_utf8_lossy(&output.stdout);
    let figure = |name: &str| {
        number(&line, name).ok_or_else(|| format!("no `{name}` from the load generator: {line}"))
    };
    let requests = figure("requests")?;
    let errors = figure("errors")?;
    if 0.0 < errors {
        eprint!("  port {port}: {}", line.trim());
    }
    Ok(Sample {
        requests_per_second: requests / figure("seconds")?,
        p50_us: figure("p50_us")?,
        p90_us: figure("p90_us")?,
        p99_us: figure("p99_us")?,
        p999_us: figure("p999_us")?,
        age_p50_us: figure("age_p50_us")?,
        age_p99_us: figure("age_p99_us")?,
        cpu_us: cpu_us / requests,
        errors,
    })
}

/// Prepares the load generator for a cell on whoever listens on `port`; its line of JSON goes to standard output.
///
/// # Errors
///
/// If it was not built.
pub(crate) fn load(port: u16, user_key: &str, cell: &Cell, seconds: u32) -> Outcome<Command> {
    let Cell { path, connections, body_bytes, rate, ramp_ms, .. } = *cell;
    let mut command = pinned(Core::Load, &workspace::program("release", "load")?);
    command
        .args(["run", &format!("127.0.0.1:{port}"), path])
        .args(["--header", &format!("x-goog-api-key: {user_key}")])
        .args(["--connections", &connections.to_string()])
        .args(["--seconds", &seconds.to_string()])
        .args(["--body-bytes", &body_bytes.to_string()])
        .args(["--ramp-ms", &ramp_ms.to_string()])
        .stdin(Stdio::null());
    if let Some(rate) = rate {
        command.args(["--rate", &rate.to_string()]);
    }
    Ok(command)
}
