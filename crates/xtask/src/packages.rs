//! Programs that a chore needs and a fresh machine may lack: brought by Debian's packages where that is possible.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, step::Step};

/// Returns where the program `name` is, after installing `packages` if it is nowhere and this is a Debian
/// where we may.
///
/// # Errors
///
/// If it is not there and cannot be installed; the error says how to get it.
pub(crate) fn program(name: &str, packages: &[&str]) -> Outcome<PathBuf> {
    if let Some(found) = find(name) {
        return Ok(found);
    }
    if is_root() && find("apt-get").is_some() {
        Step::new("apt-get").words("update -qq").run()?;
        Step::new("apt-get")
            .words("install -y -qq --no-install-recommends")
            .words(&packages.join(" "))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .run()?;
    }
    find(name).ok_or_else(|| {
        format!("{name} is needed; on Debian `apt install {}` brings it", packages.join(" ")).into()
    })
}

fn find(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| Path::is_file(path))
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_along_the_path() {
        assert!(find("cargo").is_some());
        assert_eq!(find("a-program-that-nobody-wrote"), None);
    }
}
