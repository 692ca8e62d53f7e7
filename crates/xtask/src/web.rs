//! The web UI: builds it, checks it, drives it in a browser.
//!
//! Where Node is missing, whatever needs the built UI goes on without it, and says so; its tests fail
//! instead, since a test that did not run has shown nothing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use crate::{Outcome, packages, stamp::Stamp, step::Step, workspace};

/// What the UI is made of, below `web`.
const SOURCES: [&str; 7] = [
    "src",
    "static",
    "package-lock.json",
    "package.json",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];
/// The oldest Node that builds it.
const NODE: (u32, u32) = (20, 19);

/// Builds the UI if there is a Node for it and something has changed.
///
/// # Errors
///
/// If the packages cannot be installed, or the build fails.
pub(crate) fn build_if_possible() -> Outcome {
    if has_node() {
        build()
    } else {
        println!(
            "Node {}.{} or later is not there: the gateway is built without its web UI.",
            NODE.0, NODE.1
        );
        Ok(())
    }
}

/// Writes the types of the API into the UI's source.
///
/// # Errors
///
/// If Node is missing, or the document cannot be read.
pub(crate) fn api() -> Outcome {
    install()?;
    npm("run --silent api").run()
}

/// Checks types, style, unit tests, build and the weight of each page.
///
/// # Errors
///
/// If Node is missing, or one of them fails.
pub(crate) fn test() -> Outcome {
    install()?;
    for script in ["check", "lint", "test"] {
        npm("run --silent").argument(script).run()?;
    }
    build()?;
    npm("run --silent budget").run()
}

/// Drives the gateway, built with the development profile, through its UI in a browser. `words` go to
/// Playwright: the name of a file, `--headed`, … With `--large` first, it is the release build with
/// 50,000 keys and a log of a million rows, held to its budgets of time.
///
/// # Errors
///
/// If Node or the browser is missing, or a test fails.
pub(crate) fn end_to_end(words: &[&str]) -> Outcome {
    match words {
        ["--large", words @ ..] => in_browser("large", "release", words),
        words => in_browser("e2e", "debug", words),
    }
}

/// Makes pictures of every page into `web/screenshots`; with `--readme`, those that the README shows.
///
/// # Errors
///
/// As [`end_to_end`].
pub(crate) fn screenshots(words: &[&str]) -> Outcome {
    match words {
        ["--readme", words @ ..] => in_browser("readme", "debug", words),
        words => in_browser("screenshots", "debug", words),
    }
}

fn in_browser(script: &str, profile: &str, words: &[&str]) -> Outcome {
    let browser = browser()?;
    install()?;
    build()?;
    Step::cargo("build --locked --workspace --bins --example long_log").run()?;
    if profile == "release" {
        Step::cargo("build --locked --release --bin gemini-balance").run()?;
    }
    let mut step = npm("run --silent").argument(script).words("--");
    for word in words {
        step = step.argument(word);
    }
    step.env("GATEWAY_BIN", workspace::program(profile, "gemini-balance")?)
        .env("LONG_LOG_BIN", workspace::program("debug/examples", "long_log")?)
        .env("FAKE_UPSTREAM_BIN", workspace::program("debug", "fake-upstream")?)
        .env("CHROMIUM_BIN", browser)
        .run()
}

/// Builds the UI unless nothing has changed since.
fn build() -> Outcome {
    install()?;
    let folder = folder();
    let built = folder.join("build/index.html");
    let newest = SOURCES.iter().filter_map(|source| changed(&folder.join(source))).max();
    if changed(&built) <= newest {
        npm("run --silent build").run()?;
    }
    Ok(())
}

/// Installs the packages of the lock file unless they are there.
fn install() -> Outcome {
    if !has_node() {
        return Err(format!(
            "the web UI needs Node {}.{} or later with npm (https://nodejs.org)",
            NODE.0, NODE.1
        )
        .into());
    }
    let folder = folder();
    let stamp = Stamp::new(&folder.join("node_modules"), &folder.join("package-lock.json"))?;
    if stamp.is_current() {
        return Ok(());
    }
    npm("ci --ignore-scripts --no-audit --no-fund").run()?;
    stamp.set()
}

/// When a file, or the newest below a folder, was changed.
fn changed(path: &Path) -> Option<SystemTime> {
    if path.is_dir() {
        let entries = fs::read_dir(path).ok()?;
        entries.filter_map(|entry| changed(&entry.ok()?.path())).max()
    } else {
        fs::metadata(path).ok()?.modified().ok()
    }
}

fn npm(words: &str) -> Step {
    Step::new("npm")
        .words("--prefix")
        .argument(folder())
        .words(words)
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
}

fn folder() -> PathBuf {
    workspace::root().join("web")
}

/// Whether there is a Node that is new enough, with npm.
pub(crate) fn has_node() -> bool {
    let output = Command::new("node").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let is_new = version.ok().and_then(|version| parse(&version)).is_some_and(|it| NODE <= it);
    is_new && Step::new("npm").words("--version").succeeds()
}

/// Major and minor of `v20.19.1`.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The browser: what `CHROMIUM_BIN` names, or Debian's, which is installed where that is possible.
fn browser() -> Outcome<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM_BIN") {
        return Ok(named.into());
    }
    packages::program("chromium", &["chromium", "fonts-noto-cjk"])
        .map_err(|error| format!("{error}; CHROMIUM_BIN=/path/to/chromium names another").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_its_version() {
        assert_eq!(parse("v20.19.2\n"), Some((20, 19)));
        assert!(parse("v20.20.2").is_some_and(|it| NODE <= it));
        assert!(parse("v22.0.0").is_some_and(|it| NODE <= it));
        assert!(parse("v20.18.9").is_some_and(|it| it < NODE));
        assert_eq!(parse("nonsense"), None);
    }
}
