//! Backups: copies of everything that a gateway needs to go on elsewhere.
//!
//! A plain one is the database alone; the file `secrets` must be kept with it. One that is sealed under
//! a passphrase holds both, and the settings, so that it can lie anywhere. Always true: a file with a
//! backup's final name is whole and on the disk, and only its owner may read it.

mod restore;
mod schedule;

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use restore::{Place, Restored, Source, restore};
pub use schedule::{Backups, Schedule};

use crate::secret::Secret;
use crate::store::Store;
use crate::vault::RootSecrets;
use crate::vault::sealed_file::{SealedReader, SealedWriter};

/// Longest description in front of a sealed database.
const MANIFEST_BYTES_MAX: u32 = 1024 * 1024;
/// What the copies are called that are made in the data directory on the way to a backup.
const COPY: &str = "backup-copy-";
/// The backup that is on its way to whoever downloads it, in the data directory.
pub const DOWNLOAD: &str = "download.db";
/// A copy that has not changed for this long belongs to nobody any more, in ms: another process may
/// make one beside us.
const COPY_AGE_MS: i64 = 24 * 60 * 60 * 1_000;

/// A backup that is to be made.
#[derive(Debug, Clone)]
pub struct Order {
    /// The file, which takes the place of one of that name.
    pub destination: PathBuf,
    /// The data directory that is backed up.
    pub data_dir: PathBuf,
    /// What it is sealed under; without it, it is plain.
    pub passphrase: Option<Secret>,
    /// The settings as a file `.env` has them, which go into a sealed backup.
    pub settings: Option<Secret>,
    /// The wall clock, in ms since the epoch.
    pub now_ms: i64,
}

/// What stands in front of the database in a sealed backup.
#[derive(Serialize, Deserialize)]
struct Manifest {
    /// The version of the program that made it.
    program: String,
    /// When, in ms since the epoch.
    made_at_ms: i64,
    /// The text of the file `secrets`, if there was one.
    secrets: Option<String>,
    /// The settings as a file `.env` has them.
    settings: Option<String>,
}

impl Order {
    /// Makes the backup of the database at `database`, which another process may have open. Blocks.
    ///
    /// # Errors
    ///
    /// What cannot be read or written; nothing has the name of the backup then but what had it before.
    pub fn carry_out(&self, database: &Path) -> anyhow::Result<u64> {
        let directory = self.destination.parent().filter(|it| !it.as_os_str().is_empty());
        if let Some(directory) = directory
            && !directory.is_dir()
        {
            bail!("there is no directory {}", directory.display());
        }
        self.check_destination()?;
        let copy = self.copy_path();
        Store::backup_file(database, &copy)
            .with_context(|| format!("{} was not copied", database.display()))?;
        self.finish(&copy)
    }

    /// Where a plain copy of the database is to be made first.
    #[must_use]
    pub fn copy_path(&self) -> PathBuf {
        match self.passphrase {
            None => self.destination.clone(),
            // In the data directory, since it is not sealed yet.
            Some(_) => self.data_dir.join(format!("{COPY}{}.db", std::process::id())),
        }
    }

    /// Makes the backup of the plain copy, which is gone then, and answers its size in bytes. Blocks.
    ///
    /// # Errors
    ///
    /// What cannot be read or written.
    pub fn finish(&self, copy: &Path) -> anyhow::Result<u64> {
        if let Some(passphrase) = &self.passphrase {
            let sealed = self.seal(copy, passphrase);
            fs::remove_file(copy).with_context(|| format!("{} is left", copy.display()))?;
            sealed.with_context(|| format!("cannot write {}", self.destination.display()))?;
        }
        Ok(fs::metadata(&self.destination)?.len())
    }

    fn seal(&self, copy: &Path, passphrase: &Secret) -> anyhow::Result<()> {
        let manifest = Manifest {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made_at_ms: self.now_ms,
            secrets: RootSecrets::of(&self.data_dir)?.map(|secrets| secrets.text().to_string()),
            settings: self.settings.as_ref().map(|settings| settings.expose().to_owned()),
        };
        let manifest = Zeroizing::new(serde_json::to_vec(&manifest)?);
        let length = u32::try_from(manifest.len()).ok().filter(|it| *it <= MANIFEST_BYTES_MAX);
        let length = length.context("the settings are too long for a backup")?;
        let database = File::open(copy)?;
        let mut unfinished = self.destination.clone().into_os_string();
        unfinished.push(".part");
        let unfinished = PathBuf::from(unfinished);
        let file = create_private(&unfinished)?;
        let mut writer = SealedWriter::begin(BufWriter::new(file), passphrase)?;
        writer.write_all(&length.to_le_bytes())?;
        writer.write_all(&manifest)?;
        io::copy(&mut BufReader::new(database), &mut writer)?;
        let file = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.destination)?;
        sync_directory(&self.destination)?;
        Ok(())
    }

    /// A backup must not take the place of what it is made of.
    fn check_destination(&self) -> anyhow::Result<()> {
        let directory = self.destination.parent().filter(|it| !it.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let is_inside = directory.canonicalize().ok() == self.data_dir.canonicalize().ok();
        let name = self.destination.file_name().unwrap_or_default().to_string_lossy();
        if name.is_empty() {
            bail!("{} is no name of a file", self.destination.display());
        }
        if is_inside && (name.starts_with("gemini-balance.db") || name.starts_with("secrets")) {
            bail!("{} belongs to the gateway; choose another name", self.destination.display());
        }
        Ok(())
    }
}

/// Removes from the data directory what a death has left half done. Blocks.
pub fn sweep(data_dir: &Path, now_ms: i64) {
    let is_old = |entry: &DirEntry| {
        let changed = entry.metadata().and_then(|it| it.modified()).ok();
        let changed = changed.and_then(|it| Timestamp::try_from(it).ok());
        changed.is_some_and(|it| it.as_millisecond().saturating_add(COPY_AGE_MS) < now_ms)
    };
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(DOWNLOAD) || (name.starts_with(COPY) && is_old(&entry)) {
            // What cannot be removed only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Manifest {
    /// Reads it; the database follows.
    fn read(reader: &mut SealedReader<impl io::Read>) -> anyhow::Result<Self> {
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if MANIFEST_BYTES_MAX < length {
            bail!("its description is too long");
        }
        let mut text = Zeroizing::new(Vec::new());
        reader.by_ref().take(u64::from(length)).read_to_end(&mut text)?;
        serde_json::from_slice(&text).context("its description cannot be understood")
    }
}

/// Makes an empty file that only we may read, in place of whatever has that name.
fn create_private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Has the name of a file on the disk, too.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_death_has_left_is_removed_and_what_may_be_under_way_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["backup-copy-7.db", "download.db", "download.db.part", "gemini-balance.db"];
        for name in names {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let left = || {
            let entries = fs::read_dir(directory.path()).unwrap();
            let mut left: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
            left.sort();
            left
        };

        sweep(directory.path(), 0);
        assert_eq!(left(), ["backup-copy-7.db", "gemini-balance.db"]);
        sweep(directory.path(), i64::MAX);
        assert_eq!(left(), ["gemini-balance.db"]);
    }
}
