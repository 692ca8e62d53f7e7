//! Disks that fail: a small one that fills up, one that is read-only, one that refuses to be
//! written.
//!
//! A real process sees them through the kernel: a name space of its own with a file system in
//! memory, or a limit on the size of its files. Where the system grants no name space, a test says
//! so and passes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::process::Process;

/// Makes a name space in which file systems may be mounted.
const OWN_MOUNTS: &str = "exec unshare --user --map-root-user --mount sh -c";

/// Whether the system grants a name space; says so if not.
pub(crate) fn can_mount() -> bool {
    let shell = format!("{OWN_MOUNTS} 'mount -t tmpfs none /tmp'");
    let can = Command::new("sh").args(["-c", &shell]).status().is_ok_and(|it| it.success());
    if !can {
        // Not `eprintln!`, which a passing test keeps to itself.
        let mut out = std::io::stderr();
        writeln!(out, "SKIPPED: this system grants no user name space to mount a disk in").unwrap();
    }
    can
}

/// Starts the program with a file system of this many MiB in memory at `data`.
pub(crate) fn start_on_small_disk(
    directory: &Path,
    mebibytes: u32,
    settings: &[(&str, &str)],
) -> Process {
    fs::create_dir_all(directory.join("data")).unwrap();
    let mount = format!("mount -t tmpfs -o size={mebibytes}m none data");
    let shell = format!("{OWN_MOUNTS} '{mount} && exec \"$0\"' \"$0\"");
    Process::start_from(&shell, directory, settings)
}

/// Starts the program with `data` mounted for reading only.
pub(crate) fn start_read_only(directory: &Path, settings: &[(&str, &str)]) -> Process {
    let mount = "mount --bind data data && mount -o remount,bind,ro data";
    let shell = format!("{OWN_MOUNTS} '{mount} && exec \"$0\"' \"$0\"");
    Process::start_from(&shell, directory, settings)
}

/// Starts the program with a full file system of one MiB at `data` that holds what lay there.
pub(crate) fn start_on_full_disk(directory: &Path, settings: &[(&str, &str)]) -> Process {
    let mount = "mount -t tmpfs -o size=1m none /mnt && cp data/* /mnt && mount --move /mnt data";
    let fill = "{ dd if=/dev/zero of=data/ballast bs=1k 2>/dev/null || true; }";
    let shell = format!("{OWN_MOUNTS} '{mount} && {fill} && exec \"$0\"' \"$0\"");
    Process::start_from(&shell, directory, settings)
}

/// Starts the program so that [`refuse_writes`] does not end it.
pub(crate) fn start_on_fickle_disk(directory: &Path, settings: &[(&str, &str)]) -> Process {
    Process::start_from("trap '' XFSZ; exec \"$0\"", directory, settings)
}

/// Has the system refuse every write of the process to a file.
pub(crate) fn refuse_writes(process: &Process) {
    limit_files(process, "0:unlimited");
}

/// Has the system accept writes again.
pub(crate) fn accept_writes(process: &Process) {
    limit_files(process, "unlimited:unlimited");
}

fn limit_files(process: &Process, limit: &str) {
    let (pid, size) = (process.id().to_string(), format!("--fsize={limit}"));
    assert!(Command::new("prlimit").args(["--pid", &pid, &size]).status().unwrap().success());
}

/// A path as the process sees it, with its own mounts.
pub(crate) fn seen_by(process: &Process, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", process.id()));
    root.join(path.strip_prefix("/").unwrap())
}

/// Fills the file system to its last byte; removing the file makes room again.
pub(crate) fn fill(ballast: &Path) {
    let piece = vec![b'x'; 1 << 16];
    let mut file = fs::File::create(ballast).unwrap();
    for size in [1 << 16, 1] {
        while file.write(&piece[..size]).is_ok() {}
    }
}
