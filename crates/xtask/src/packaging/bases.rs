//! Stand-ins for the public base images that the Dockerfile names, for machines that reach no
//! registry of images: a small Debian with the compiler of this machine, and one with its Node.
//!
//! They show that the Dockerfile works and not what the public images hold. An image that is in the
//! store already, pulled or made, is taken as it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{buildah::Buildah, debian, find, output, remove};
use crate::{Outcome, step::Step, workspace};

const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Puts the base images into the store unless they are there.
///
/// # Errors
///
/// If one cannot be made.
pub(super) fn provide(buildah: &Buildah) -> Outcome {
    let dockerfile = fs::read_to_string(workspace::root().join("Dockerfile"))?;
    for (argument, furnish) in [("RUST_IMAGE", rust as Furnish), ("NODE_IMAGE", node as Furnish)] {
        let image = default_of(&dockerfile, argument)
            .ok_or_else(|| format!("the Dockerfile has no `ARG {argument}=…`"))?;
        if !buildah.has(image) {
            println!("\n{image} is not in the store: a stand-in is made");
            make(buildah, image, furnish)?;
        }
    }
    Ok(())
}

/// Puts into a Debian what the image is for, and returns the variables of the image.
type Furnish = fn(&Path) -> Outcome<Vec<String>>;

/// The value of `ARG NAME=value`.
fn default_of<'a>(dockerfile: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = dockerfile.lines();
    lines.find_map(|line| line.strip_prefix("ARG ")?.strip_prefix(name)?.strip_prefix('='))
}

fn make(buildah: &Buildah, image: &str, furnish: Furnish) -> Outcome {
    let folder = debian::fresh("base")?;
    let mut variables = furnish(&folder)?;
    // npm knows only its own authorities otherwise.
    variables.push(format!("NODE_EXTRA_CA_CERTS={CERTIFICATES}"));
    // The engine makes devices, and finds out about names, by itself.
    for left in ["dev", "var/cache/apt", "var/lib/apt/lists"] {
        remove(&folder.join(left))?;
    }
    let container = buildah.ask(&["from", "scratch"])?;
    buildah.step("add --quiet").argument(&container).argument(&folder).words("/").run()?;
    for variable in variables {
        buildah.step("config --env").argument(variable).argument(&container).run()?;
    }
    buildah.step("commit --quiet --rm").argument(&container).argument(image).run()?;
    remove(&folder)
}

/// A C compiler and the Rust of this machine.
fn rust(folder: &Path) -> Outcome<Vec<String>> {
    for words in ["update -qq", "install -y -qq --no-install-recommends gcc libc6-dev"] {
        output(debian::inside(folder, "apt-get").args(words.split(' ')))?;
    }
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let sysroot = fs::canonicalize(sysroot.trim())?;
    let place = folder.join("usr/local/rust");
    fs::create_dir_all(&place)?;
    for part in ["bin", "lib"] {
        copy(&sysroot.join(part), &place.join(part))?;
    }
    Ok(vec![
        "CARGO_HOME=/usr/local/cargo".to_owned(),
        "PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            .to_owned(),
    ])
}

/// The Node and the npm of this machine.
fn node(folder: &Path) -> Outcome<Vec<String>> {
    for words in ["update -qq", "install -y -qq --no-install-recommends libstdc++6"] {
        output(debian::inside(folder, "apt-get").args(words.split(' ')))?;
    }
    let missing = |name: &str| format!("{name} is not there");
    let node = find("node").ok_or_else(|| missing("node"))?;
    let npm = find("npm").ok_or_else(|| missing("npm"))?;
    // npm is a script in the folder `bin` of its package.
    let npm: PathBuf = npm.ancestors().nth(2).ok_or_else(|| missing("npm's package"))?.into();
    let place = folder.join("usr/local");
    fs::create_dir_all(place.join("lib/node_modules"))?;
    copy(&node, &place.join("bin/node"))?;
    copy(&npm, &place.join("lib/node_modules/npm"))?;
    std::os::unix::fs::symlink("../lib/node_modules/npm/bin/npm-cli.js", place.join("bin/npm"))?;
    Ok(Vec::new())
}

fn copy(from: &Path, to: &Path) -> Outcome {
    Step::new("cp").words("--archive").argument(from).argument(to).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_read_out_of_the_dockerfile() {
        let dockerfile =
            "# A\nARG NODE_IMAGE=docker.io/library/node:24\nFROM ${NODE_IMAGE} AS web\n";
        assert_eq!(default_of(dockerfile, "NODE_IMAGE"), Some("docker.io/library/node:24"));
        assert_eq!(default_of(dockerfile, "RUST_IMAGE"), None);
    }
}
