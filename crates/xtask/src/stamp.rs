//! A stamp: tells whether a folder was furnished from the very list that is there today.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Outcome;

/// A copy of the list lies in the folder that was furnished from it.
pub(crate) struct Stamp {
    path: PathBuf,
    list: Vec<u8>,
}

impl Stamp {
    /// Looks at a folder and at the list that it is to be furnished from.
    ///
    /// # Errors
    ///
    /// If the list cannot be read.
    pub(crate) fn new(folder: &Path, list: &Path) -> Outcome<Self> {
        let list = fs::read(list).map_err(|error| format!("{}: {error}", list.display()))?;
        Ok(Self { path: folder.join(".furnished"), list })
    }

    /// Returns whether the folder was furnished from this list.
    pub(crate) fn is_current(&self) -> bool {
        fs::read(&self.path).is_ok_and(|copy| copy == self.list)
    }

    /// Remembers that it now is.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn set(&self) -> Outcome {
        Ok(fs::write(&self.path, &self.list)?)
    }
}
