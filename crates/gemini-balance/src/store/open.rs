//! From a path to a checked, current database that is ours alone.
//!
//! Always true: what is not a sound database of this program, of a version we know, is refused before a byte of it
//! changes; a database comes into being under another name and is renamed when it is whole.

use std::fs::{self, File, OpenOptions as FileOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::store::backup;
use crate::store::error::{OpenError, StoreError};
use crate::store::migrate;

/// Written into the header of every database of ours: "GBal".
pub(super) const APPLICATION_ID: i32 = 0x4742_616c;

/// The first version without the race between a journal reset and a checkpoint.
const ENGINE_NEEDED: (i32, &str) = (3_051_003, "3.51.3");
const HEADER_BYTES: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
/// What the header says of a database that is written through a write-ahead log.
const WITH_WAL: u8 = 2;
/// What the engine keeps beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Up to this size the whole file is checked at start; above it only the tables that cannot be made again.
const CHECKED_BYTES_MAX: u64 = 32 << 20;
const PRECIOUS_TABLES: [&str; 4] = ["meta", "admin", "user_keys", "service_keys"];
const OPEN_WAIT: Duration = Duration::from_secs(5);

/// The name under which the proof of the master key is kept.
pub const PROOF: &str = "vault_check_value";

/// Where the database lies and where its backups go.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The database file; made if it does not exist.
    pub path: PathBuf,
    /// Directory of the backups made before a change of schema; made when needed.
    pub backup_dir: PathBuf,
    /// The wall clock, in ms since the epoch: dates the backup.
    pub now_ms: i64,
    /// What the master key proves itself with: kept at the first opening, compared at each other.
    pub proof: [u8; 32],
}

/// An open database: its write connection and the lock that keeps other processes out.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: File,
}

/// Opens, checks and migrates the database at `options.path`, or makes it.
pub(super) fn open(options: &OpenOptions) -> Result<Opened, OpenError> {
    let path = &options.path;
    check_engine()?;
    let lock = lock(path)?;
    if exists(path)? {
        check(options)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|source| files(path, source))?;
    } else {
        create(path)?;
    }
    let mut connection = connect(path).map_err(|source| engine(path, source))?;
    migrate::migrate(&mut connection, options, &migrate::MIGRATIONS)?;
    connection
        .execute("INSERT OR IGNORE INTO meta VALUES (?1, ?2)", (PROOF, options.proof))
        .map_err(|error| engine(path, error.into()))?;
    Ok(Opened { connection, lock })
}

/// Opens one more connection that can only read.
pub(super) fn connect_to_read(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(OPEN_WAIT)?;
    connection.execute_batch(
        "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -1536;",
    )?;
    connection.set_prepared_statement_cache_capacity(48);
    Ok(connection)
}

/// Opens one more connection that makes checkpoints and nothing else.
pub(super) fn connect_to_checkpoint(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // A checkpoint knows the log only after a first look at the database.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA cache_size = 16; PRAGMA trusted_schema = OFF;
         PRAGMA schema_version;",
    )?;
    Ok(connection)
}

/// Makes an empty file that only we may read, in place of whatever has that name.
pub(super) fn create_private_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    FileOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes a directory that only we may enter, if there is none.
pub(super) fn create_private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// `path` with `suffix` after its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn check_engine() -> Result<(), OpenError> {
    let (needed_number, needed) = ENGINE_NEEDED;
    if needed_number <= rusqlite::version_number() {
        return Ok(());
    }
    Err(OpenError::EngineTooOld { found: rusqlite::version().to_owned(), needed })
}

/// Keeps other processes out of the database at `path` for as long as the file lives.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let directory = directory(path);
    create_private_directory(directory).map_err(|source| files(directory, source))?;
    let lock_path = beside(path, ".lock");
    let lock = FileOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .map_err(|source| files(&lock_path, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(files(&lock_path, source)),
    }
}

/// The directory in which `path` lies.
pub(super) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether there is a database.
pub(super) fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(|source| files(path, source))
}

/// Whether this file is a sound database of this program that belongs to the master key, of a version
/// that we know. Nothing of it changes.
pub(super) fn check(options: &OpenOptions) -> Result<(), OpenError> {
    check_header(options)?;
    check_contents(options)
}

/// Looks at the first bytes of the file, so that a foreign or newer one is refused without the engine touching it.
fn check_header(options: &OpenOptions) -> Result<(), OpenError> {
    let path = &options.path;
    let mut header = [0; HEADER_BYTES];
    let mut file = File::open(path).map_err(|source| files(path, source))?;
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(corrupt(options, "shorter than a header".to_owned()));
        }
        other => other.map_err(|source| files(path, source))?,
    }
    if header.iter().all(|byte| *byte == 0) {
        return Err(corrupt(options, "its header is empty".to_owned()));
    }
    if !header.starts_with(MAGIC) {
        return Err(OpenError::Foreign { path: path.clone(), detail: "not SQLite".to_owned() });
    }
    check_application(path, number(&header, 68).cast_signed())?;
    check_version(path, number(&header, 60))?;
    check_companions(path, &header)?;

    // After a crash the rest of the file may still lie in the write-ahead log.
    let length = file.metadata().map_err(|source| files(path, source))?.len();
    let page_bytes = match u64::from(number(&header, 16) >> 16) {
        1 => 65_536,
        bytes => bytes,
    };
    let is_clean = fs::metadata(beside(path, "-wal")).map_or(true, |wal| wal.len() == 0);
    if is_clean && length < u64::from(number(&header, 28)) * page_bytes {
        return Err(corrupt(options, "shorter than its header says".to_owned()));
    }
    Ok(())
}

/// Finds logs that the engine would replay although they belong to another file.
///
/// A database at work keeps a write-ahead log and never a journal, and says so in its header. A
/// backup says that it has no write-ahead log: one beside it was left when the backup was put back.
fn check_companions(path: &Path, header: &[u8; HEADER_BYTES]) -> Result<(), OpenError> {
    let [.., write_version, _] = header.first_chunk::<20>().copied().unwrap_or([0; 20]);
    let strays = if write_version == WITH_WAL { &["-journal"][..] } else { &["-journal", "-wal"] };
    for suffix in strays {
        let stray = beside(path, suffix);
        if fs::metadata(&stray).is_ok_and(|stray| 0 < stray.len()) {
            return Err(OpenError::Stray { path: stray });
        }
    }
    Ok(())
}

/// The big-endian number at `offset`.
fn number(header: &[u8; HEADER_BYTES], offset: usize) -> u32 {
    header
        .get(offset..offset + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// Asks the engine, through a connection that cannot write and therefore leaves the file as it is.
fn check_contents(options: &OpenOptions) -> Result<(), OpenError> {
    let path = &options.path;
    let refuse = |error: StoreError| {
        if let StoreError::Corrupt(detail) = error {
            corrupt(options, detail)
        } else {
            engine(path, error)
        }
    };
    let connection = connect_to_read(path).map_err(refuse)?;
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
            .map_err(StoreError::from)
    };
    check_application(path, pragma("application_id").map_err(refuse)?)?;
    let version = pragma("user_version").map_err(refuse)?;
    check_version(path, version.cast_unsigned())?;
    if 0 < version {
        check_proof(&connection, options).map_err(refuse)??;
    }

    let length = fs::metadata(path).map_err(|source| files(path, source))?.len();
    let finding = if length <= CHECKED_BYTES_MAX {
        quick_check(&connection, "PRAGMA quick_check(1)")
    } else {
        PRECIOUS_TABLES.iter().try_fold(None, |found: Option<String>, table| match found {
            Some(found) => Ok(Some(found)),
            None => quick_check(&connection, &format!("PRAGMA quick_check({table})")),
        })
    };
    match finding.map_err(refuse)? {
        Some(detail) => Err(corrupt(options, detail)),
        None => Ok(()),
    }
}

/// Whether this is the master key that the database was made with, before anything is changed.
fn check_proof(
    connection: &Connection,
    options: &OpenOptions,
) -> Result<Result<(), OpenError>, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let kept: Option<Vec<u8>> = connection.query_row(sql, [PROOF], |row| row.get(0)).optional()?;
    let is_other = kept.is_some_and(|kept| kept != options.proof);
    Ok(if is_other {
        Err(OpenError::OtherMasterKey { path: options.path.clone() })
    } else {
        Ok(())
    })
}

fn quick_check(connection: &Connection, sql: &str) -> Result<Option<String>, StoreError> {
    let finding: String = connection.query_row(sql, [], |row| row.get(0))?;
    Ok((finding != "ok").then_some(finding))
}

fn check_application(path: &Path, found: i32) -> Result<(), OpenError> {
    if found == APPLICATION_ID {
        return Ok(());
    }
    let detail = format!("SQLite of another program, application id {found}");
    Err(OpenError::Foreign { path: path.to_owned(), detail })
}

fn check_version(path: &Path, found: u32) -> Result<(), OpenError> {
    let known = migrate::newest();
    if found <= known {
        return Ok(());
    }
    Err(OpenError::Newer { path: path.to_owned(), found, known })
}

fn create(path: &Path) -> Result<(), OpenError> {
    let unfinished = beside(path, ".new");
    // Left over from a database that somebody removed, they would be taken for parts of this one.
    for path in [&unfinished, path] {
        remove_companions(path)?;
    }
    create_private_file(&unfinished).map_err(|source| files(&unfinished, source))?;
    mark(&unfinished).map_err(|source| engine(&unfinished, source))?;
    fs::rename(&unfinished, path).map_err(|source| files(path, source))?;
    File::open(directory(path))
        .and_then(|directory| directory.sync_all())
        .map_err(|source| files(path, source))
}

/// Removes what the engine keeps beside a database.
pub(super) fn remove_companions(path: &Path) -> Result<(), OpenError> {
    for suffix in COMPANIONS {
        match fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(files(path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes a header with our mark and the settings that can only be chosen while a database is
/// empty. Closing folds everything into the one file.
fn mark(path: &Path) -> Result<(), StoreError> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;",
    )?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(connection.close().map_err(|(_, error)| error)?)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(OPEN_WAIT)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 16777216;
         PRAGMA cache_size = -4096;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn corrupt(options: &OpenOptions, detail: String) -> OpenError {
    let backup = backup::newest_good(options);
    OpenError::Corrupt { path: options.path.clone(), detail, backup }
}

/// What the file system has refused.
pub(super) fn files(path: &Path, source: io::Error) -> OpenError {
    OpenError::Files { path: path.to_owned(), source }
}

/// What the engine has refused.
pub(super) fn engine(path: &Path, source: StoreError) -> OpenError {
    OpenError::Engine { path: path.to_owned(), source }
}
