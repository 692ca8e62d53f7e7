//! A small Debian in a folder, as debootstrap makes it: the ground of the base images, and the
//! machine on which the package is installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{folder, need, remove};
use crate::{Outcome, step::Step};

/// The release that the images are named for.
pub(super) const RELEASE: &str = "bookworm";

/// Makes a fresh one in `target/packaging/NAME`.
///
/// # Errors
///
/// If it cannot be made.
pub(super) fn fresh(name: &str) -> Outcome<PathBuf> {
    let model = model()?;
    let copy = folder()?.join(name);
    remove(&copy)?;
    Step::new("cp").words("--archive").argument(&model).argument(&copy).run()?;
    Ok(copy)
}

/// The one that others are copied from, made once.
fn model() -> Outcome<PathBuf> {
    need(&["debootstrap"])?;
    let model = folder()?.join("debian");
    let (made, half) = (model.join("etc/debian_version"), model.join("debootstrap"));
    if made.is_file() && !half.exists() {
        return Ok(model);
    }
    remove(&model)?;
    Step::new("debootstrap")
        .words("--variant=minbase --include=ca-certificates")
        .argument(RELEASE)
        .argument(&model)
        .run()?;
    // It is to reach what this machine reaches, by the same names and with the same authorities.
    for file in ["etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"] {
        fs::copy(Path::new("/").join(file), model.join(file))
            .map_err(|error| format!("/{file}: {error}"))?;
    }
    Ok(model)
}

/// A command that runs in it, with the environment that root has there and no other.
pub(super) fn inside(debian: &Path, program: &str) -> Command {
    let mut command = Command::new("chroot");
    command.arg(debian).args(["/usr/bin/env", "-i", "DEBIAN_FRONTEND=noninteractive"]);
    command.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").arg(program);
    command
}
