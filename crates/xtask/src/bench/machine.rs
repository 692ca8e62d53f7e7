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
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, model)| model);
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let nginx = nginx::program().ok_or("nginx is gone")?;
    let nginx = said(&nginx, "-v")?;
    let compiler = said("rustc".as_ref(), "--version")?;
    let date = said("date".as_ref(), "-u +%F")?;
    let commit = said("git".as_ref(), "rev-parse --short HEAD")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').nth(2).unwrap_or("unknown");
    Ok(format!(
        "{date}, commit {commit}. {model}, {cores} cores, Linux {}; {nginx}; {compiler}.\n\
         Rounds: {rounds}, of {seconds} s for each server in each cell. Load average of the machine \
         over the last quarter of an hour: {load}; the bench alone makes about 2.",
        kernel.trim(),
    ))
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
