//! What was measured, where and when: the first lines of a report.

use std::{fs, path::Path, process::Command};

use super::{Plan, nginx};
use crate::{Outcome, workspace};

/// Describes machine, programs and extent of a bench in one paragraph.
///
/// # Errors
///
/// If a program that the chore has used cannot be asked.
pub(crate) fn describe(plan: Plan) -> Outcome<String> {
    let Plan { rounds, seconds, .. } = plan;
    let nginx = nginx::program().ok_or("nginx is gone")?;
    Ok(format!(
        "{}; {}.\n\
         Rounds: {rounds}, of {seconds} s for each server in each cell. Load average of the machine \
         over the last quarter of an hour: {}; the bench alone makes about 2.",
        named()?,
        said(&nginx, "-v")?,
        load()?,
    ))
}

/// Names date, commit, machine and compiler.
///
/// # Errors
///
/// If a program cannot be asked.
pub(crate) fn named() -> Outcome<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, model)| model);
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let compiler = said("rustc".as_ref(), "--version")?;
    let date = said("date".as_ref(), "-u +%F")?;
    let commit = said("git".as_ref(), "rev-parse --short HEAD")?;
    let kernel = kernel.trim();
    Ok(format!("{date}, commit {commit}. {model}, {cores} cores, Linux {kernel}; {compiler}"))
}

/// Returns the load average of the machine over the last quarter of an hour.
///
/// # Errors
///
/// If the system does not tell.
pub(crate) fn load() -> Outcome<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').nth(2).unwrap_or("unknown").to_owned())
}

/// Returns what a program says about itself, on either output.
fn said(program: &Path, words: &str) -> Outcome<String> {
    let output = Command::new(program)
        .args(words.split(' '))
        .current_dir(workspace::root())
        .output()
        .map_err(|error| format!("{} cannot start: {error}", program.display()))?;
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}
