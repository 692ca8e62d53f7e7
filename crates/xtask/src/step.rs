//! A step: one program run to its end in the root of the repository, announced before it starts.
//!
//! Its output goes to the terminal as it is, so that the closing lines of a test runner stay
//! visible.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

use crate::{Outcome, workspace};

/// A program with its arguments, not yet started.
pub(crate) struct Step {
    command: Command,
}

impl Step {
    /// Prepares a run of `program` in the root of the repository, without standard input.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(workspace::root()).stdin(Stdio::null());
        Self { command }
    }

    /// Prepares a run of cargo; `words` are its arguments, separated by spaces.
    pub(crate) fn cargo(words: &str) -> Self {
        Self::new("cargo").like_typed().words(words)
    }

    /// As [`Step::cargo`], with the nightly toolchain.
    pub(crate) fn nightly(words: &str) -> Self {
        // Not `cargo +nightly`: the `cargo` that started this program knows no such word.
        Self::new("rustup").like_typed().words("run nightly cargo").words(words)
    }

    /// Takes away what cargo told this program about itself. Build scripts that look at it, such as
    /// ring's, would run again each time after the same command was typed by hand, and everything
    /// above them with it.
    fn like_typed(mut self) -> Self {
        let is_about_us = |name: &OsStr| {
            let name = name.to_string_lossy();
            ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_us(name)) {
            self.command.env_remove(name);
        }
        self
    }

    /// Adds arguments, separated by spaces.
    pub(crate) fn words(mut self, words: &str) -> Self {
        self.command.args(words.split_whitespace());
        self
    }

    /// Adds one argument as it is, spaces and all.
    pub(crate) fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets a variable in the environment of the program.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    ///
    /// If the program cannot be started, or says that it failed.
    pub(crate) fn run(mut self) -> Outcome {
        let shown = self.shown();
        eprintln!("\n$ {shown}");
        let status =
            self.command.status().map_err(|error| format!("`{shown}` cannot start: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{shown}` failed ({status})").into()) }
    }

    /// Returns whether the program can be started and is content with its arguments, without
    /// showing its output.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.command.status().is_ok_and(|status| status.success())
    }

    fn shown(&self) -> String {
        let words = [self.command.get_program()].into_iter().chain(self.command.get_args());
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_run_as_if_it_had_been_typed() {
        // Cargo sets it for whatever it runs, this test included.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());

        let step = Step::cargo("build");

        let passed_on = |name: &str| step.command.get_envs().find(|(it, _)| *it == name);
        assert_eq!(passed_on("CARGO_PKG_NAME"), Some((OsStr::new("CARGO_PKG_NAME"), None)));
        assert_eq!(passed_on("CARGO_HOME"), None);
    }
}
