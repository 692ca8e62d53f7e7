//! Memory of a server that has just started: idle, under load, and some seconds after.

use std::{process::Stdio, thread, time::Duration};

use super::{
    cell::JSON_256,
    measure,
    stage::{Server, Stage},
};
use crate::Outcome;

/// How often a server under load is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Resident memory of one server, in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Whose it is.
    pub(crate) server: Server,
    /// Before the first proxied request, after an admin has logged in.
    pub(crate) idle_mib: f64,
    /// The most that was seen under load at 256 connections.
    pub(crate) under_load_mib: f64,
    /// After a rest as long as two cells.
    pub(crate) after_mib: f64,
}

/// Measures nginx and the gateway; to be called before anything else is asked of them.
///
/// # Errors
///
/// As [`measure::measure`].
pub(crate) fn measure(stage: &Stage, seconds: u32) -> Outcome<[Memory; 2]> {
    Ok([of(stage, Server::Nginx, seconds)?, of(stage, Server::Gateway, seconds)?])
}

fn of(stage: &Stage, server: Server, seconds: u32) -> Outcome<Memory> {
    eprintln!("memory of the {}", server.name());
    let rest = Duration::from_secs(u64::from(seconds) * 2);
    let processes = stage.processes(server)?;
    thread::sleep(rest);
    let idle_mib = processes.resident_mib()?;

    let mut load = measure::load(stage.port(server), stage.user_key(), JSON_256, seconds)?
        .stdout(Stdio::null())
        .spawn()?;
    let mut under_load_mib = idle_mib;
    while load.try_wait()?.is_none() {
        under_load_mib = under_load_mib.max(processes.resident_mib()?);
        thread::sleep(LOOK_EVERY);
    }
    thread::sleep(rest);
    Ok(Memory { server, idle_mib, under_load_mib, after_mib: processes.resident_mib()? })
}
