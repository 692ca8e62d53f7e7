//! Why nothing was taken over. In each case nothing has been changed, here or there.

use crate::store::error::StoreError;
use crate::vault::VaultError;

/// Names of tables that are told.
const TABLES_TOLD: usize = 12;

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The system does not let us read it.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// A text that is larger than any list of keys.
    #[error("it is no database, and larger than any list of keys that is read (64 MiB)")]
    TooLarge,
    /// A text in another encoding, or no text.
    #[error("it is neither a database nor a text in UTF-8 (byte {0}); save it as UTF-8")]
    NotUtf8(usize),
    /// A database that is not whole.
    #[error(
        "the database is damaged: {0}; repair it with `sqlite3 FILE .recover`, or use a backup"
    )]
    Damaged(String),
    /// A database that another program is writing.
    #[error("it is being written by another program: stop that one first, then try again")]
    InUse,
    /// A database whose last changes lie in a log, of which no copy can be made.
    #[error("its last changes lie in a log beside it, of which no copy can be made: {0}")]
    NoCopy(std::io::Error),
    /// A database of this program.
    #[error(
        "it is a database of this program: put it into the data directory together with the file \
         `secrets` that lay beside it"
    )]
    OwnDatabase,
    /// A database of a program that is not known here.
    #[error(
        "it is a database of a program that is not known here (tables: {0}); save its keys as a \
         text, one a line"
    )]
    UnknownTables(String),
    /// The predecessor's database as SQL.
    #[error("it is the predecessor's database as SQL: give the file `sqlite.db` itself")]
    DumpOfPredecessor,
    /// A text without any key.
    #[error("{0}")]
    NoKeys(&'static str),
    /// More keys than are taken at once.
    #[error("it holds more than {0} keys; take it over in parts")]
    TooManyKeys(usize),
    /// A key could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Our own database could not take it.
    #[error(transparent)]
    Store(StoreError),
}

impl MoveError {
    /// Whether it is whole and has nothing to do with any of the programs that are known here.
    #[must_use]
    pub fn is_of_something_else(&self) -> bool {
        match self {
            Self::Empty
            | Self::TooLarge
            | Self::NotUtf8(_)
            | Self::OwnDatabase
            | Self::UnknownTables(_)
            | Self::DumpOfPredecessor
            | Self::NoKeys(_) => true,
            Self::Unreadable(_)
            | Self::Damaged(_)
            | Self::InUse
            | Self::NoCopy(_)
            | Self::TooManyKeys(_)
            | Self::Vault(_)
            | Self::Store(_) => false,
        }
    }

    /// Whether the fault is ours and not that of what was to be taken over.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Vault(_) | Self::Store(_))
    }

    pub(super) fn unknown_tables(names: &[String]) -> Self {
        let mut told = names.iter().take(TABLES_TOLD).map(|name| {
            let printable = name.chars().filter(|letter| !letter.is_control());
            printable.take(40).collect::<String>()
        });
        let told = match told.len() {
            0 => "none".to_owned(),
            _ => told.by_ref().collect::<Vec<_>>().join(", "),
        };
        Self::UnknownTables(told)
    }
}

impl From<rusqlite::Error> for MoveError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            _ => Self::Damaged(error.to_string()),
        }
    }
}

impl From<StoreError> for MoveError {
    /// A row of the old log that could not be read ends the import within our own database, which
    /// is not at fault then.
    fn from(error: StoreError) -> Self {
        let StoreError::Failed(cause) = error else {
            return Self::Store(error);
        };
        match cause.downcast::<Self>() {
            Ok(own) => *own,
            Err(cause) => Self::Store(StoreError::Failed(cause)),
        }
    }
}
