//! The SDK tests: the official clients, each in the versions people use, against the real gateway.
//!
//! Two major versions of google-genai cannot live in one Python environment, so each has its own
//! below `target/sdk-venv`. An environment is furnished again only when its requirements changed.

use std::path::PathBuf;

use crate::{Outcome, stamp::Stamp, step::Step, workspace};

const FOLDER: &str = "tests/sdk";

const PYTHON_CHECK: &str = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
const PYTHON_WANTED: &str = "the SDK tests need python3, 3.11 or later, with its venv module \
                             (on Debian: apt install python3-venv)";

/// A Python environment and the tests that run in it. `requirements-NAME.txt` says what is
/// installed, each package by its hashes.
struct Environment {
    name: &'static str,
    tests: &'static [&'static str],
}

const ENVIRONMENTS: &[Environment] = &[
    Environment {
        name: "genai3",
        tests: &[
            "test_genai.py",
            "test_resources.py",
            "test_many_users.py",
            "test_live.py",
            "test_openai.py",
            "test_shared_paths.py",
            "test_node.py",
        ],
    },
    Environment {
        name: "genai2",
        tests: &["test_genai.py", "test_resources.py", "test_many_users.py", "test_live.py"],
    },
];

/// Installs what is missing and runs the tests against the programs of the development profile.
///
/// # Errors
///
/// If Python is missing, the packages cannot be installed, or a test fails.
pub(crate) fn run() -> Outcome {
    let gateway = workspace::program("debug", "gemini-balance")?;
    let upstream = workspace::program("debug", "fake-upstream")?;
    node_packages()?;
    for environment in ENVIRONMENTS {
        let python = environment.furnish()?;
        let mut step = Step::new(python).words("-m pytest");
        for test in environment.tests {
            step = step.argument(format!("{FOLDER}/{test}"));
        }
        step.env("GATEWAY_BIN", &gateway)
            .env("FAKE_UPSTREAM_BIN", &upstream)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .run()?;
    }
    Ok(())
}

impl Environment {
    /// Makes the environment as its requirements say and returns its Python.
    fn furnish(&self) -> Outcome<PathBuf> {
        let requirements = format!("{FOLDER}/requirements-{}.txt", self.name);
        let folder = workspace::target()?.join("sdk-venv").join(self.name);
        let python = folder.join("bin/python");
        let stamp = Stamp::new(&folder, &workspace::root().join(&requirements))?;
        if !stamp.is_current() {
            if !Step::new("python3").words("-c").argument(PYTHON_CHECK).succeeds() {
                return Err(PYTHON_WANTED.into());
            }
            Step::new("python3").words("-m venv --clear").argument(&folder).run()?;
            Step::new(&python)
                .words("-m pip install --quiet --only-binary :all: --require-hashes --requirement")
                .argument(&requirements)
                .run()?;
            stamp.set()?;
        }
        Ok(python)
    }
}

/// Installs the JavaScript SDKs. Where Node is missing their tests are skipped, and pytest says so.
fn node_packages() -> Outcome {
    let folder = workspace::root().join(FOLDER).join("node");
    let stamp = Stamp::new(&folder.join("node_modules"), &folder.join("package-lock.json"))?;
    if stamp.is_current() || !Step::new("npm").words("--version").succeeds() {
        return Ok(());
    }
    Step::new("npm")
        .words("ci --ignore-scripts --no-audit --no-fund --prefix")
        .argument(&folder)
        .run()?;
    stamp.set()
}
