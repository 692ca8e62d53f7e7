//! The settings that were changed while a gateway runs, in a file of our own in the data directory.
//!
//! What is written elsewhere goes before it; only settings that may change at run time stand in it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use toml::{Table, Value};

/// The name of the file in the data directory.
pub const FILE: &str = "settings.toml";

/// What stands in that file: names in upper case, and values as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored(BTreeMap<String, String>);

impl Stored {
    /// Reads the text of the file; what is no such text says nothing here, and is a mistake where the
    /// settings are read.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let table = text.parse::<Table>().unwrap_or_default();
        let texts = table.into_iter().filter_map(|(name, value)| {
            let Value::String(text) = value else { return None };
            Some((name.to_uppercase(), text))
        });
        Self(texts.collect())
    }

    /// Reads the file of a data directory, which need not be there.
    ///
    /// # Errors
    ///
    /// The file system's word: what cannot be read must not be written over.
    pub fn read(data_dir: &Path) -> io::Result<Self> {
        match fs::read_to_string(data_dir.join(FILE)) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Changes one setting, or takes it out.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => drop(self.0.insert(name.to_uppercase(), value)),
            None => drop(self.0.remove(&name.to_uppercase())),
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let table: Table = self
            .0
            .iter()
            .map(|(name, value)| (name.to_lowercase(), Value::String(value.clone())))
            .collect();
        format!(
            "# Written by the page of settings and by `gemini-balance settings`.\n\
             # The environment, .env and gemini-balance.toml go before it.\n{table}"
        )
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// The file system's word.
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let (path, draft) = (data_dir.join(FILE), data_dir.join("settings.toml.part"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(data_dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut stored = Stored::default();
        stored.set("DRAIN_SECONDS", Some("7".to_owned()));
        stored.set("CORS_ORIGINS", Some("https://a.example, \"x\"".to_owned()));
        stored.set("MAX_RETRIES", Some("1".to_owned()));
        stored.set("MAX_RETRIES", None);

        stored.write(directory.path()).unwrap();

        let text = fs::read_to_string(directory.path().join(FILE)).unwrap();
        assert_eq!(Stored::parse(&text), stored);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
