//! Puts the built web UI into a release build: a table of every file below `web/build`.
//!
//! Nothing is built here. Without that folder the table is empty, and the gateway shows a plain
//! notice instead. Other builds read the folder when they start, so that a change of the UI costs no
//! compilation.
//!
//! A program that is linked statically also gets `static/names.c`.
#![expect(clippy::disallowed_methods, reason = "cargo speaks to a build script by the environment")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let web = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../web");
    let mut table = String::from("&[\n");
    if env::var("PROFILE")? == "release" && web.is_dir() {
        let built = web.canonicalize()?.join("build");
        // What is not there cannot be watched; the folder around it can.
        let watched = if built.is_dir() { &built } else { &web };
        println!("cargo::rerun-if-changed={}", watched.display());
        for path in files(&built)? {
            let name = path.strip_prefix(&built)?.to_str().ok_or("a file name is not UTF-8")?;
            let path = path.to_str().ok_or("the path of the repository is not UTF-8")?;
            writeln!(table, "    ({:?}, include_bytes!({path:?})),", format!("/{name}"))?;
        }
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("web_files.rs"), table)?;
    if is_static_glibc() { look_names_up_without_plugins(&out) } else { Ok(()) }
}

/// Whether the C library goes into the program, and is the one that loads plugins.
fn is_static_glibc() -> bool {
    let is = |name, value| env::var(name).is_ok_and(|it| it.split(',').any(|one| one == value));
    is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("CARGO_CFG_TARGET_FEATURE", "crt-static")
}

fn look_names_up_without_plugins(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=static/names.c");
    println!("cargo::rerun-if-env-changed=CC");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let object = out.join("names.o");
    let status = Command::new(&compiler)
        .args(["-c", "-O2", "-Wall", "-Werror", "static/names.c", "-o"])
        .arg(&object)
        .status()
        .map_err(|error| format!("{compiler} cannot start: {error}"))?;
    if !status.success() {
        return Err(format!("{compiler} did not compile static/names.c").into());
    }
    println!("cargo::rustc-link-arg-bins={}", object.display());
    Ok(())
}

/// Every file below a folder, in the order of their paths. A link is no file.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
