//! What a running server has used, out of `/proc`: the kernel's own accounting of the process.
//!
//! A server is the process that was started and its children of the same name, such as the worker
//! of nginx.

use std::{fs, path::Path};

use crate::Outcome;

/// The kernel tells CPU time in ticks of `USER_HZ`, which is 100 on every Linux we build for.
const TICK_US: f64 = 10_000.0;

/// The processes of one server.
#[derive(Debug)]
pub(crate) struct Processes {
    ids: Vec<u32>,
}

impl Processes {
    /// Looks for the process `id` and its children.
    ///
    /// # Errors
    ///
    /// If there is no such process.
    pub(crate) fn find(id: u32) -> Outcome<Self> {
        let parent = read(id)?;
        let mut ids = vec![id];
        for entry in fs::read_dir("/proc")? {
            let Some(child_id) = entry?.file_name().to_str().and_then(|name| name.parse().ok())
            else {
                continue;
            };
            // Others may end while we look.
            let child = read(child_id).ok();
            if child.is_some_and(|child| child.parent_id == id && child.name == parent.name) {
                ids.push(child_id);
            }
        }
        Ok(Self { ids })
    }

    /// Returns the CPU time that they have used, in microseconds.
    ///
    /// # Errors
    ///
    /// If one has ended.
    pub(crate) fn cpu_us(&self) -> Outcome<f64> {
        self.ids.iter().try_fold(0.0, |sum, &id| Ok(sum + read(id)?.ticks * TICK_US))
    }

    /// Returns the memory that they hold, in MiB; what two of them share counts twice.
    ///
    /// # Errors
    ///
    /// If one has ended.
    pub(crate) fn resident_mib(&self) -> Outcome<f64> {
        self.ids.iter().try_fold(0.0, |sum, &id| {
            let status =
                fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status"))?;
            Ok(sum + resident_kib(&status).ok_or("no VmRSS in /proc")? / 1024.0)
        })
    }
}

#[derive(Debug, PartialEq)]
struct Stat {
    name: String,
    parent_id: u32,
    ticks: f64,
}

fn read(id: u32) -> Outcome<Stat> {
    let path = Path::new("/proc").join(id.to_string()).join("stat");
    let line = fs::read_to_string(path).map_err(|_| format!("process {id} has ended"))?;
    stat(&line).ok_or_else(|| format!("/proc/{id}/stat is not understood").into())
}

/// Reads a line as in proc(5): `id (name) state parent …`, where the name may hold anything; user
/// and system time are its fields 14 and 15.
fn stat(line: &str) -> Option<Stat> {
    let (before, after) = line.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Stat {
        name: name.to_owned(),
        parent_id: fields.get(1)?.parse().ok()?,
        ticks: ticks(11)? + ticks(12)?,
    })
}

fn resident_kib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_tells_parent_and_time_whatever_the_name() {
        let line = "31 (a (b) c) S 7 31 31 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 1 0 5 0 0";

        let found = stat(line).unwrap();

        assert_eq!(found, Stat { name: "a (b) c".to_owned(), parent_id: 7, ticks: 300.0 });
        assert_eq!(stat("31 (a) S 7"), None);
    }

    #[test]
    fn resident_memory_is_read_in_kib() {
        assert_eq!(resident_kib("VmHWM:\t  9 kB\nVmRSS:\t  2048 kB\n"), Some(2048.0));
        assert_eq!(resident_kib("Name: x\n"), None);
    }
}
