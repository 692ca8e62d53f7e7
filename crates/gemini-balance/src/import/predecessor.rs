//! The database of the Python version, in any of its schema versions.
//!
//! Its tables grew and shrank over ten versions, and a migration that broke off has left some of
//! them under another name. So columns are looked up, never counted on, and of each table all that
//! bear its name are read. Odd rows are normal there: rows of keys and users that are gone, keys
//! left in use, two users of one name, keys with spaces around them or several in one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::types::ValueRef;

use crate::import::cells;
use crate::import::error::MoveError;
use crate::import::findings::{Findings, FoundServiceKey, FoundUserKey, Source};
use crate::import::old_file::OldFile;
use crate::import::predecessor_log::{LogTable, OldLog, Whose};
use crate::import::tables::{columns_of, selected};
use crate::store::import::ImportedRest;

/// Models for which a resting key goes on resting.
const MODELS_MAX: usize = 64;
/// The highest level that a rest comes with: the predecessor counted the mistakes of callers too.
const LEVEL_MAX: u32 = 8;
/// Most failures in a row that a rest comes with.
const FAILURES_MAX: u32 = 100;

/// Reads keys and users, and gets the log ready to be read.
pub(super) fn read(file: OldFile, now_ms: i64) -> Result<Findings, MoveError> {
    let version: i64 = file.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut findings = Findings::new(Source::Predecessor, format!("schema version {version}"));
    let traffic = Traffic::read(&file)?;
    let mut whose = Whose::default();
    service_keys(&file, now_ms, &traffic, &mut findings, &mut whose)?;
    user_keys(&file, &mut findings, &mut whose)?;
    whose.add_deleted(&traffic.service_keys, &traffic.user_keys);
    tell_of_orphans(&traffic, &whose, &mut findings.notes);
    findings.notes.push(
        "The Python version kept all keys in clear, in its database and perhaps in its logs: \
         replace them one by one when you find the time."
            .to_owned(),
    );
    findings.notes.push(
        "Its settings keep their names: the `.env` beside it goes on working as it is.".to_owned(),
    );
    findings.log = Some(OldLog::new(file, traffic.tables, traffic.rows, whose));
    findings.bounded()
}

/// Tables of one kind: the one that should be there, then what a migration has left.
fn tables_of(file: &OldFile, name: &str) -> Result<Vec<(String, Vec<String>)>, MoveError> {
    let mut found = Vec::new();
    let left = [
        format!("old_{name}"),
        format!("{name}_old"),
        format!("temp_{name}"),
        format!("new_{name}"),
    ];
    for table in std::iter::once(name.to_owned()).chain(left) {
        let columns = columns_of(file, &table)?;
        if !columns.is_empty() {
            found.push((table, columns));
        }
    }
    Ok(found)
}

fn service_keys(
    file: &OldFile,
    now_ms: i64,
    traffic: &Traffic,
    findings: &mut Findings,
    whose: &mut Whose,
) -> Result<(), MoveError> {
    const COLUMNS: [&str; 9] = [
        "key_identifier",
        "api_key",
        "cool_down_until",
        "request_fail_count",
        "cool_down_entry_count",
        "last_usage_time",
        "is_in_use",
        "usage_today",
        "is_cooled_down",
    ];
    let mut known = HashSet::new();
    let (mut resting, mut in_use) = (0, 0);
    for (table, columns) in tables_of(file, "key_states")? {
        let is_left = table != "key_states" && !known.is_empty();
        let sql = format!("SELECT {} FROM \"{table}\"", selected(&columns, &COLUMNS));
        let mut statement = file.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let identifier = cells::text(row.get_ref(0)?).unwrap_or_default();
            let written = cells::text(row.get_ref(1)?).unwrap_or_default();
            if !known.insert(written.clone()) {
                continue;
            }
            let place = format!("{table} {identifier}");
            let rest = Rest::read(row, now_ms)?;
            let models = traffic.models_of(&identifier, row.get_ref(7)?);
            let mut parts = written.split_whitespace().peekable();
            if parts.peek().is_none() {
                findings.service_keys.push(FoundServiceKey::refused(place, "empty"));
                continue;
            }
            let position = findings.service_keys.len();
            whose.service_keys.entry(identifier).or_insert(position);
            for part in parts {
                let mut key = FoundServiceKey::new(place.clone(), part);
                key.last_used_at_ms = cells::number(row.get_ref(5)?)
                    .filter(|seconds| 0.0 < *seconds)
                    .and_then(cells::moment_ms);
                if let Some(rest) = rest {
                    key.rests = models.iter().map(|model| rest.of(model)).collect();
                }
                if is_left {
                    key = key.switched_off(
                        "stood only in a table that a broken migration has left: switched off",
                    );
                }
                findings.service_keys.push(key.tagged(if is_left { table.as_str() } else { "" }));
            }
            resting += usize::from(rest.is_some());
            in_use += usize::from(cells::number(row.get_ref(6)?).is_some_and(|flag| flag != 0.0));
            if rest.is_some() && models.is_empty() {
                findings.notes.push(format!(
                    "{place} rests there, but there is no model that it was used for: it serves at \
                     once."
                ));
            }
        }
    }
    if 0 < resting {
        findings.notes.push(format!(
            "{resting} service keys rest there and go on resting, for the models that they were \
             used for."
        ));
    }
    if 0 < in_use {
        findings
            .notes
            .push(format!("{in_use} service keys were left in use there: they are free."));
    }
    Ok(())
}

/// How a key rests.
#[derive(Clone, Copy)]
struct Rest {
    until_ms: i64,
    level: u32,
    failures: u32,
}

impl Rest {
    /// `None` if the key does not rest, or no longer.
    fn read(row: &rusqlite::Row<'_>, now_ms: i64) -> Result<Option<Self>, MoveError> {
        let until_ms = cells::number(row.get_ref(2)?).and_then(cells::moment_ms);
        let Some(until_ms) = until_ms.filter(|until_ms| now_ms < *until_ms) else {
            return Ok(None);
        };
        let count = |index: usize| Ok::<_, rusqlite::Error>(cells::count(row.get_ref(index)?));
        let level = count(4)?.unwrap_or(0).clamp(1, LEVEL_MAX);
        let failures = count(3)?.unwrap_or(0).min(FAILURES_MAX);
        Ok(Some(Self { until_ms, level, failures }))
    }

    fn of(self, model: &str) -> ImportedRest {
        let Self { until_ms, level, failures } = self;
        ImportedRest { model: model.to_owned(), until_ms, level, failures }
    }
}

fn user_keys(file: &OldFile, findings: &mut Findings, whose: &mut Whose) -> Result<(), MoveError> {
    let mut known = HashSet::new();
    for (table, columns) in tables_of(file, "auth_keys")? {
        let is_left = table != "auth_keys" && !known.is_empty();
        let sql = format!("SELECT {} FROM \"{table}\"", selected(&columns, &["api_key", "alias"]));
        let mut statement = file.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let written = cells::text(row.get_ref(0)?).unwrap_or_default();
            let alias = cells::text(row.get_ref(1)?).unwrap_or_default();
            if !known.insert(written.clone()) {
                continue;
            }
            let key = FoundUserKey::new(table.clone(), &alias, &written);
            let key = match is_left {
                true => key.switched_off(
                    "stood only in a table that a broken migration has left: switched off",
                ),
                false => key,
            };
            whose.user_keys.entry(alias).or_insert(findings.user_keys.len());
            findings.user_keys.push(key);
        }
    }
    Ok(())
}

/// What the log says, in sums: whom its rows belong to.
#[derive(Default)]
struct Traffic {
    tables: Vec<LogTable>,
    rows: u64,
    /// Rows and brief of each service key.
    service_keys: BTreeMap<String, (u64, String)>,
    /// Rows of each user key.
    user_keys: BTreeMap<String, u64>,
    /// The models of each service key.
    models: HashMap<String, BTreeSet<String>>,
    /// All models.
    all_models: BTreeSet<String>,
}

impl Traffic {
    fn read(file: &OldFile) -> Result<Self, MoveError> {
        let mut traffic = Self::default();
        for (name, columns) in tables_of(file, "request_logs")? {
            let has = |column: &str| columns.iter().any(|name| name == column);
            if !has("request_time") || !has("key_identifier") {
                continue;
            }
            let is_left = !traffic.tables.is_empty();
            let table = LogTable::new(name, &columns, is_left);
            traffic.add_keys(file, &table)?;
            traffic.add_users(file, &table)?;
            traffic.tables.push(table);
        }
        Ok(traffic)
    }

    fn add_keys(&mut self, file: &OldFile, table: &LogTable) -> Result<(), MoveError> {
        let sql = format!(
            "SELECT {}, {}, count(*), max({}) FROM {} GROUP BY 1, 2",
            table.column("key_identifier"),
            table.column("model_name"),
            table.column("key_brief"),
            table.source(),
        );
        let mut statement = file.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let identifier = cells::text(row.get_ref(0)?).unwrap_or_default();
            let model = cells::text(row.get_ref(1)?).unwrap_or_default();
            let count: i64 = row.get(2)?;
            let count = count.max(0).cast_unsigned();
            self.rows += count;
            if !model.is_empty() && self.all_models.len() < MODELS_MAX {
                self.all_models.insert(model.clone());
            }
            let models = self.models.entry(identifier.clone()).or_default();
            if !model.is_empty() && models.len() < MODELS_MAX {
                models.insert(model);
            }
            let (rows, brief) = self.service_keys.entry(identifier).or_default();
            *rows += count;
            if let Some(shown) = cells::text(row.get_ref(3)?).filter(|shown| !shown.is_empty()) {
                *brief = shown.chars().filter(|letter| !letter.is_control()).take(40).collect();
            }
        }
        Ok(())
    }

    fn add_users(&mut self, file: &OldFile, table: &LogTable) -> Result<(), MoveError> {
        let sql = format!(
            "SELECT {}, count(*) FROM {} GROUP BY 1",
            table.column("auth_key_alias"),
            table.source()
        );
        let mut statement = file.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let alias = cells::text(row.get_ref(0)?).unwrap_or_default();
            let count: i64 = row.get(1)?;
            *self.user_keys.entry(alias).or_default() += count.max(0).cast_unsigned();
        }
        Ok(())
    }

    /// The models that a key was used for: by the log, else by what older versions counted in the
    /// key's row, else all that anybody has used.
    fn models_of(&self, identifier: &str, counted: ValueRef<'_>) -> BTreeSet<String> {
        if let Some(models) = self.models.get(identifier).filter(|models| !models.is_empty()) {
            return models.clone();
        }
        let counted: HashMap<String, serde_json::Value> = cells::text(counted)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        match counted.is_empty() {
            true => self.all_models.clone(),
            false => counted.into_keys().take(MODELS_MAX).collect(),
        }
    }
}

fn tell_of_orphans(traffic: &Traffic, whose: &Whose, notes: &mut Vec<String>) {
    let keys = traffic.service_keys.iter().filter(|(name, _)| whose.lacks_service_key(name));
    let (count, rows) = keys.fold((0, 0), |(count, rows), (_, (more, _))| (count + 1, rows + more));
    if 0 < count {
        notes.push(format!("{rows} log rows of {count} deleted service keys are kept."));
    }
    let users = traffic.user_keys.iter().filter(|(name, _)| whose.lacks_user_key(name));
    let (count, rows) = users.fold((0, 0), |(count, rows), (_, more)| (count + 1, rows + more));
    if 0 < count {
        notes.push(format!("{rows} log rows of {count} deleted user keys are kept."));
    }
}
