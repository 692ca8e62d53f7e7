//! Buildah, with a store of its own, chroot isolation and plain folders for layers: it needs no
//! daemon, no namespace of users and no file system that others do not have.

use std::{path::PathBuf, process::Command};

use super::{folder, need, output};
use crate::{Outcome, step::Step};

/// Buildah on its store in `target/packaging`.
pub(super) struct Buildah {
    store: PathBuf,
}

impl Buildah {
    /// Sees that it is there.
    ///
    /// # Errors
    ///
    /// If it is not and cannot be installed.
    pub(super) fn new() -> Outcome<Self> {
        need(&["buildah"])?;
        Ok(Self { store: folder()?.join("images") })
    }

    /// A step, its output at the terminal.
    pub(super) fn step(&self, words: &str) -> Step {
        let mut step = Step::new("buildah");
        for word in self.place() {
            step = step.argument(word);
        }
        step.words(words)
    }

    /// What a command with these arguments says.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub(super) fn ask(&self, arguments: &[&str]) -> Outcome<String> {
        let said = output(Command::new("buildah").args(self.place()).args(arguments))?;
        Ok(said.trim().to_owned())
    }

    /// Whether an image of this name is in the store.
    pub(super) fn has(&self, image: &str) -> bool {
        self.step("inspect --type image").argument(image).succeeds()
    }

    fn place(&self) -> [String; 6] {
        let (images, run) = (self.store.join("root"), self.store.join("run"));
        let [images, run] = [images, run].map(|path| path.display().to_string());
        ["--storage-driver", "vfs", "--root", &images, "--runroot", &run].map(str::to_owned)
    }
}
