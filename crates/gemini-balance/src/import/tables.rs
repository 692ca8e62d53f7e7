//! Tables of another program, whether they come as a database or as SQL.

use crate::import::cells;
use crate::import::dump::Dump;
use crate::import::error::MoveError;
use crate::import::old_file::OldFile;

/// Most tables of a database that is looked at.
const TABLES_MAX: u32 = 1_000;
/// Most rows of a table that holds keys.
const ROWS_MAX: usize = 200_000;

/// Tables of another program.
#[derive(Debug)]
pub(super) enum Tables {
    Sqlite(Box<OldFile>),
    Dump(Dump),
}

/// One row: the columns that were asked for, each absent if it is NULL or there is none.
pub(super) type Cells = Vec<Option<String>>;

impl Tables {
    /// What kind they are, in words.
    pub(super) fn form(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite database",
            Self::Dump(_) => "SQL dump",
        }
    }

    /// The names of the tables.
    pub(super) fn names(&self) -> Result<Vec<String>, MoveError> {
        match self {
            Self::Dump(dump) => Ok(dump.names()),
            Self::Sqlite(file) => {
                // A view could compute anything, so it is none.
                let mut statement = file.connection.prepare(
                    "SELECT name FROM sqlite_master
                     WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name LIMIT ?1",
                )?;
                let names =
                    statement.query_map([TABLES_MAX], |row| Ok(cells::text(row.get_ref(0)?)))?;
                Ok(names.filter_map(Result::transpose).collect::<Result<_, _>>()?)
            }
        }
    }

    /// Rows of a table in its order; none if there is no such table.
    pub(super) fn rows(&self, table: &str, columns: &[&str]) -> Result<Vec<Cells>, MoveError> {
        match self {
            Self::Dump(dump) => Ok(dump.rows(table, columns)),
            Self::Sqlite(file) => sqlite_rows(file, table, columns),
        }
    }
}

/// The columns of a table in a database.
pub(super) fn columns_of(file: &OldFile, table: &str) -> Result<Vec<String>, MoveError> {
    let is_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
    if !file.connection.prepare(is_table)?.exists([table])? {
        return Ok(Vec::new());
    }
    let mut statement =
        file.connection.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    let names = statement.query_map([table], |row| Ok(cells::text(row.get_ref(0)?)))?;
    Ok(names.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// Columns as they stand in a query: NULL for those that are not there.
pub(super) fn selected(there: &[String], wanted: &[&str]) -> String {
    let columns = wanted.iter().map(|column| match there.iter().any(|name| name == column) {
        true => format!("\"{column}\""),
        false => "NULL".to_owned(),
    });
    columns.collect::<Vec<_>>().join(", ")
}

fn sqlite_rows(file: &OldFile, table: &str, columns: &[&str]) -> Result<Vec<Cells>, MoveError> {
    let there = columns_of(file, table)?;
    if there.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT {} FROM \"{table}\" LIMIT ?1", selected(&there, columns));
    let mut statement = file.connection.prepare(&sql)?;
    let mut rows = statement.query([ROWS_MAX as i64 + 1])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if ROWS_MAX <= found.len() {
            return Err(MoveError::TooManyKeys(ROWS_MAX));
        }
        let cells: Result<Cells, rusqlite::Error> =
            (0..columns.len()).map(|index| Ok(cells::text(row.get_ref(index)?))).collect();
        found.push(cells?);
    }
    Ok(found)
}
