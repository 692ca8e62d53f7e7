//! `cargo xtask tidy`: the rules of the house that the compiler does not know.
//!
//! Every finding names file and line and says what is allowed there; all are shown before the chore
//! fails.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Outcome, arrows, crates, faults, packaging, workspace};

/// Checks the arrows between rooms, the arrows between crates, the first line of every file, the page
/// of faults, and the files of packaging.
///
/// # Errors
///
/// If there is a finding, or a file cannot be read.
pub(crate) fn tidy() -> Outcome {
    let folder = workspace::root().join("crates");
    let mut findings = faults::findings()?;
    findings.extend(packaging::findings()?);
    let mut sources_read = 0_usize;
    for name in crate_names(&folder)? {
        let manifest = fs::read_to_string(folder.join(&name).join("Cargo.toml"))?;
        findings.extend(crates::findings(&name, &manifest));
        let sources = folder.join(&name).join("src");
        for path in rust_files(&sources)? {
            let text = fs::read_to_string(&path)?;
            let inside = path.strip_prefix(&sources)?;
            let shown = format!("crates/{name}/src/{}", inside.display());
            if !text.starts_with("//!") {
                findings
                    .push(format!("{shown}:1: starts without a `//!` paragraph about the file"));
            }
            if name == "gemini-balance" {
                let found = arrows::findings(inside, &text);
                findings.extend(
                    found.into_iter().map(|(line, what)| format!("{shown}:{line}: {what}")),
                );
            }
            sources_read += 1;
        }
    }

    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {sources_read} files keep the rules of the house");
        Ok(())
    } else {
        Err(format!("{} findings; the rules stand in ARCHITECTURE.md", findings.len()).into())
    }
}

fn crate_names(folder: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Returns all Rust files below `folder`, in the order of their paths.
fn rust_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
