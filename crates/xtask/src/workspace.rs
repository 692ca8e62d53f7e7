//! Where things lie: the root of the repository, the folder of build results, the programs in it.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::Outcome;

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Returns the folder of build results, which is two above this very program, wherever
/// `CARGO_TARGET_DIR` points.
///
/// # Errors
///
/// If the system does not tell where this program lies.
pub(crate) fn target() -> Outcome<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.ancestors().nth(2).ok_or("xtask does not lie in a target folder")?;
    Ok(folder.to_owned())
}

/// Returns the path of a program of ours that was built with `profile` (`debug` or `release`).
///
/// # Errors
///
/// As [`target`], or if the program is not there.
pub(crate) fn program(profile: &str, name: &str) -> Outcome<PathBuf> {
    let path = target()?.join(profile).join(name).with_extension(env::consts::EXE_EXTENSION);
    if path.is_file() { Ok(path) } else { Err(format!("{} was not built", path.display()).into()) }
}
