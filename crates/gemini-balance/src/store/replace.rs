//! Putting another database in the place of the one that is there, as when a backup is restored.
//!
//! Always true: the place is ours alone meanwhile; the new database is checked before the old one is
//! touched, takes its place in one step, and the old one is kept under another name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::store::Store;
use crate::store::error::{OpenError, StoreError};
use crate::store::open::{self, OpenOptions, PROOF};

/// A place that is to get another database.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    /// Held until the end.
    _lock: File,
}

impl Store {
    /// What the master key of the database at `path` proves itself with; `None` if there is no database,
    /// or one that was never opened. Blocks.
    ///
    /// # Errors
    /// If the database is in use or cannot be read.
    pub fn proof(path: &Path) -> Result<Option<[u8; 32]>, OpenError> {
        let _lock = open::lock(path)?;
        if !open::exists(path)? {
            return Ok(None);
        }
        read_proof(path).map_err(|source| open::engine(path, source))
    }
}

impl Replacement {
    /// Takes the place of the database at `path`, whether there is one or not. Blocks, as everything here.
    ///
    /// # Errors
    /// If a process has the database open.
    pub fn begin(path: &Path) -> Result<Self, OpenError> {
        let lock = open::lock(path)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Whether there is a database so far.
    ///
    /// # Errors
    /// The file system's word.
    pub fn has_former(&self) -> Result<bool, OpenError> {
        open::exists(&self.path)
    }

    /// Makes the file that is to become the database, empty and for our eyes only.
    ///
    /// # Errors
    /// The file system's word.
    pub fn create(&self) -> Result<File, OpenError> {
        let incoming = self.incoming();
        open::remove_companions(&incoming)?;
        open::create_private_file(&incoming).map_err(|source| open::files(&incoming, source))
    }

    /// Checks that what was written is a sound database of a version we know, and that it belongs to the
    /// master key behind `proof`. Ends the sessions in it, which may have been ended since.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, proof: [u8; 32]) -> Result<(), OpenError> {
        let incoming = self.incoming();
        let backup_dir = open::directory(&self.path).join("backups");
        open::check(&OpenOptions { path: incoming.clone(), backup_dir, now_ms: 0, proof })?;
        end_sessions(&incoming).map_err(|source| open::engine(&incoming, source))?;
        File::open(&incoming)
            .and_then(|file| file.sync_all())
            .map_err(|source| open::files(&incoming, source))
    }

    /// Gives the former database a second name, and everything that was written to it a place in that one
    /// file where that is still possible.
    ///
    /// # Errors
    /// The file system's word.
    pub fn keep_former(&self, kept: &Path) -> Result<(), OpenError> {
        let failed = |source| open::files(kept, source);
        open::create_private_directory(open::directory(kept)).map_err(failed)?;
        if fold(&self.path).is_err() {
            // Damaged, or no database: what lies beside it goes with it.
            for suffix in ["-wal", "-journal"] {
                let (from, to) = (open::beside(&self.path, suffix), open::beside(kept, suffix));
                match fs::rename(from, to) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(failed(error));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
        }
        open::remove_companions(&self.path)?;
        second_name(&self.path, kept).map_err(failed)
    }

    /// Puts the new database in its place.
    ///
    /// # Errors
    /// The file system's word; then the former one is there as before.
    pub fn finish(self) -> Result<(), OpenError> {
        let failed = |source| open::files(&self.path, source);
        open::remove_companions(&self.incoming())?;
        fs::rename(self.incoming(), &self.path).map_err(failed)?;
        File::open(open::directory(&self.path)).and_then(|it| it.sync_all()).map_err(failed)
    }

    /// Gives up: the former database stays.
    pub fn give_up(self) {
        // What cannot be removed is replaced by the next try.
        let _ = fs::remove_file(self.incoming());
        let _ = open::remove_companions(&self.incoming());
    }

    fn incoming(&self) -> PathBuf {
        open::beside(&self.path, ".restoring")
    }
}

/// Gives a file a second name, or makes a copy where the file system has none.
///
/// # Errors
///
/// The file system's word, also when the name is taken: a copy onto that could be one onto itself.
pub fn second_name(path: &Path, second: &Path) -> io::Result<()> {
    match fs::hard_link(path, second) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            fs::copy(path, second).map(drop)
        }
        linked => linked,
    }
}

fn read_proof(path: &Path) -> Result<Option<[u8; 32]>, StoreError> {
    let connection = open::connect_to_read(path)?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        return Ok(None);
    }
    let sql = "SELECT value FROM meta WHERE key = ?1";
    Ok(connection.query_row(sql, [PROOF], |row| row.get(0)).optional()?)
}

fn end_sessions(path: &Path) -> Result<(), StoreError> {
    let connection = connect(path)?;
    connection.execute("DELETE FROM sessions", [])?;
    Ok(connection.close().map_err(|(_, error)| error)?)
}

/// Writes everything into the one database file: the last connection does so when it is closed.
fn fold(path: &Path) -> Result<(), StoreError> {
    let connection = connect(path)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(connection.close().map_err(|(_, error)| error)?)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;")?;
    Ok(connection)
}
