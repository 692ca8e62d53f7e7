//! A foreign SQLite database, opened so that neither it nor anything beside it changes.
//!
//! Without a log beside it, the file is read where it is: under a lock that keeps its writers
//! waiting, or, if it is of the kind that has a write-ahead log, as something that does not change,
//! since to take part in such a log one has to write beside it; that it has not changed is looked at
//! in the end. With a log beside it, both are copied, and the engine puts the copy together.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::import::error::MoveError;
use crate::random;

/// The header of a database: its mark, and the mark of ours.
const HEADER_BYTES: usize = 100;
const OWN_APPLICATION_ID: u32 = 0x4742_616c;
/// What the header says of a database that is written through a write-ahead log.
const WITH_WAL: u8 = 2;
/// Up to this size the whole file is checked; above it what is read.
const CHECKED_BYTES_MAX: u64 = 64 << 20;
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// How often a copy is begun anew because the file has changed meanwhile.
const COPIES_MAX: usize = 3;
/// How the directories of copies begin.
pub(super) const SCRATCH_PREFIX: &str = "moving-in-";
/// What stands for itself in a path.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An open foreign database; everything that is read from it is of one moment.
#[derive(Debug)]
pub(super) struct OldFile {
    pub(super) connection: Connection,
    /// The file and how it looked, if nothing keeps its writers away.
    watched: Option<(PathBuf, Looks)>,
    /// Removed when this is dropped.
    _scratch: Option<Scratch>,
}

impl OldFile {
    /// Fails if the file has been written since it was opened.
    pub(super) fn check_unchanged(&self) -> Result<(), MoveError> {
        match &self.watched {
            Some((path, looks)) if Looks::of(path)? != *looks => Err(MoveError::InUse),
            Some(_) | None => Ok(()),
        }
    }
}

/// Opens a database.
pub(super) fn open(path: &Path, scratch: &Path) -> Result<OldFile, MoveError> {
    let header = header(path)?;
    check_own(&header)?;
    let has = |suffix| fs::metadata(beside(path, suffix)).is_ok_and(|log| 0 < log.len());
    let log = ["-wal", "-journal"].into_iter().find(|suffix| has(suffix));
    let file = match log {
        Some(suffix) => from_copy(path, suffix, scratch)?,
        None => {
            check_length(path, &header)?;
            in_place(path, &header)?
        }
    };
    checked(file, fs::metadata(path).map_or(0, |file| file.len()))
}

/// Opens a database that is in memory.
pub(super) fn in_memory(bytes: &[u8]) -> Result<OldFile, MoveError> {
    let header = bytes.first_chunk().ok_or_else(cut_short)?;
    check_own(header)?;
    if (bytes.len() as u64) < length(header) {
        return Err(cut_short());
    }
    let mut connection = Connection::open_in_memory()?;
    // The engine takes no database with a write-ahead log into memory, and there is none here.
    let [mark @ .., _, _] = header.first_chunk::<20>().copied().unwrap_or([0; 20]);
    let rest = bytes.get(20..).unwrap_or_default();
    let whole = mark.as_slice().chain([1, 1].as_slice()).chain(rest);
    connection.deserialize_read_exact(MAIN_DB, whole, bytes.len(), true)?;
    checked(OldFile { connection, watched: None, _scratch: None }, bytes.len() as u64)
}

/// Opens what lies where it is.
fn in_place(path: &Path, header: &[u8; HEADER_BYTES]) -> Result<OldFile, MoveError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if header.get(18) != Some(&WITH_WAL) {
        let connection = Connection::open_with_flags(path, flags)?;
        return Ok(OldFile { connection, watched: None, _scratch: None });
    }
    let looks = Looks::of(path)?;
    let absolute = std::path::absolute(path).map_err(MoveError::Unreadable)?;
    let encoded = percent_encode(absolute.as_os_str().as_bytes(), IN_PATH);
    let uri = format!("file://{encoded}?immutable=1");
    let connection = Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?;
    Ok(OldFile { connection, watched: Some((path.to_owned(), looks)), _scratch: None })
}

/// Copies database and log and opens the copy.
fn from_copy(path: &Path, suffix: &str, scratch: &Path) -> Result<OldFile, MoveError> {
    let scratch = Scratch::make(scratch).map_err(MoveError::NoCopy)?;
    let copy = scratch.0.join("old.db");
    let log = beside(path, suffix);
    for _ in 0..COPIES_MAX {
        let before = (Looks::of(path)?, Looks::of(&log)?);
        fs::copy(path, &copy).map_err(MoveError::NoCopy)?;
        fs::copy(&log, beside(&copy, suffix)).map_err(MoveError::NoCopy)?;
        if before == (Looks::of(path)?, Looks::of(&log)?) {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&copy, flags)?;
            return Ok(OldFile { connection, watched: None, _scratch: Some(scratch) });
        }
    }
    Err(MoveError::InUse)
}

/// Begins to read, and looks whether the database is whole.
fn checked(file: OldFile, bytes: u64) -> Result<OldFile, MoveError> {
    let connection = &file.connection;
    connection.busy_timeout(LOCK_WAIT)?;
    // The schema is somebody else's: nothing in it may run.
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;
         PRAGMA query_only = ON; BEGIN;",
    )?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    if bytes <= CHECKED_BYTES_MAX {
        let finding: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if finding != "ok" {
            return Err(MoveError::Damaged(finding.lines().collect::<Vec<_>>().join(" ")));
        }
    }
    Ok(file)
}

fn header(path: &Path) -> Result<[u8; HEADER_BYTES], MoveError> {
    let mut header = [0; HEADER_BYTES];
    let mut file = File::open(path).map_err(MoveError::Unreadable)?;
    match file.read_exact(&mut header) {
        Ok(()) => Ok(header),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(cut_short()),
        Err(error) => Err(MoveError::Unreadable(error)),
    }
}

fn check_own(header: &[u8; HEADER_BYTES]) -> Result<(), MoveError> {
    match number(header, 68) == OWN_APPLICATION_ID {
        true => Err(MoveError::OwnDatabase),
        false => Ok(()),
    }
}

fn check_length(path: &Path, header: &[u8; HEADER_BYTES]) -> Result<(), MoveError> {
    let there = fs::metadata(path).map_err(MoveError::Unreadable)?.len();
    if there < length(header) { Err(cut_short()) } else { Ok(()) }
}

/// How long the file must be; 0 if its header does not say.
fn length(header: &[u8; HEADER_BYTES]) -> u64 {
    let page_bytes = match u64::from(number(header, 16) >> 16) {
        1 => 65_536,
        bytes => bytes,
    };
    // Old engines did not keep the number of pages; then these two differ.
    let is_kept = number(header, 24) == number(header, 92);
    if is_kept { u64::from(number(header, 28)) * page_bytes } else { 0 }
}

fn cut_short() -> MoveError {
    MoveError::Damaged("it is cut short".to_owned())
}

/// The big-endian number at `offset`.
fn number(header: &[u8; HEADER_BYTES], offset: usize) -> u32 {
    header
        .get(offset..offset + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// `path` with `suffix` after its file name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What tells that a file has been written.
#[derive(Debug, PartialEq, Eq)]
struct Looks {
    bytes: u64,
    changed: (i64, i64),
}

impl Looks {
    fn of(path: &Path) -> Result<Self, MoveError> {
        let file = fs::metadata(path).map_err(MoveError::Unreadable)?;
        Ok(Self { bytes: file.len(), changed: (file.mtime(), file.mtime_nsec()) })
    }
}

/// A directory that only we may enter and that goes again.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn make(parent: &Path) -> io::Result<Self> {
        let number = random::random_bytes().map_err(io::Error::other)?;
        let name = format!("{SCRATCH_PREFIX}{:016x}", u64::from_le_bytes(number));
        let path = parent.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "a copy of an old database is left; delete it");
        }
    }
}
