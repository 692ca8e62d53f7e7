//! What people install: a static program, an archive, a container image, a Debian package.
//!
//! Neither a container engine nor systemd is needed to see that they work: images are built and run
//! by Buildah with chroot isolation, on stand-ins for the public base images (`bases.rs`), and the
//! package is installed in a small Debian of its own. All of that wants to be root on a Debian, and
//! leaves nothing outside `target/packaging`.

pub(crate) mod deb;
pub(crate) mod dist;
pub(crate) mod image;

mod bases;
mod bill;
mod buildah;
mod debian;
mod drift;
mod loader;
mod memory;
mod stage;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub(crate) use drift::findings;

use crate::{Outcome, step::Step, workspace};

/// Where everything lies that is made on the way, made if it is not there.
fn folder() -> Outcome<PathBuf> {
    let folder = workspace::target()?.join("packaging");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Sees that programs are there; where that is possible, Debian's packages of the same names bring
/// them.
fn need(programs: &[&str]) -> Outcome {
    let missing: Vec<_> = programs.iter().filter(|it| find(it).is_none()).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_root() {
        return Err(format!("{names} must be there, and this chore must be run as root").into());
    }
    Step::new("apt-get").words("update -qq").run()?;
    Step::new("apt-get")
        .words("install -y -qq --no-install-recommends")
        .words(&names)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

/// Where a program lies that can be called by its name, links followed.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(program)).find(|path| path.is_file())?;
    fs::canonicalize(found).ok()
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// What a program says, run to its end; what it complains of goes to the terminal.
fn output(command: &mut Command) -> Outcome<String> {
    let shown = format!("{:?}", command.get_program());
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{shown} cannot start: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!("{shown} failed ({})", output.status).into())
    }
}

/// Removes a folder with all that is in it, if it is there.
fn remove(folder: &Path) -> Outcome {
    if folder.exists() { Ok(fs::remove_dir_all(folder)?) } else { Ok(()) }
}

/// A size for people.
#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// SHA-256 of a file, in hexadecimal digits.
fn sha256(file: &Path) -> Outcome<String> {
    let line = output(Command::new("sha256sum").arg("--").arg(file))?;
    Ok(line.split_whitespace().next().unwrap_or_default().to_owned())
}

/// The version of the server.
fn version() -> Outcome<String> {
    let manifest = workspace::root().join("crates/gemini-balance/Cargo.toml");
    let manifest = fs::read_to_string(manifest)?;
    let mut lines = manifest.lines();
    let version = lines.find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(version.ok_or("the server has no version")?.to_owned())
}
