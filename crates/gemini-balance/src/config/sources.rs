//! The four places where a setting may be written, read whole before any setting is looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use toml::{Table, Value};

use crate::config::live::LIVE;
use crate::config::{ConfigError, Source, stored};

pub(super) const DOT_ENV: &str = ".env";
pub(super) const TOML_FILE: &str = "gemini-balance.toml";

/// Names in upper case → values as they were written.
type Values = BTreeMap<String, String>;

/// One value as it was written.
pub(super) struct Written<'a> {
    /// Which of the setting's names was used.
    pub(super) name: &'static str,
    pub(super) text: &'a str,
    pub(super) source: Source,
}

/// What was written where.
#[derive(Clone, Default)]
pub(super) struct Sources {
    environment: Values,
    dot_env: Values,
    file: Values,
    stored: Values,
}

impl Sources {
    /// Reads everything; what cannot be read becomes a mistake and the rest goes on.
    pub(super) fn gather(
        env: impl Iterator<Item = (String, String)>,
        dir: &Path,
        mistakes: &mut Vec<ConfigError>,
    ) -> Self {
        let dot_env = read(&dir.join(DOT_ENV), Source::DotEnv, mistakes);
        let file = read(&dir.join(TOML_FILE), Source::File, mistakes);
        Self::of(env, &dot_env, &file, mistakes)
    }

    /// What the environment and the texts of the two files say.
    pub(super) fn of(
        env: impl Iterator<Item = (String, String)>,
        dot_env: &str,
        file: &str,
        mistakes: &mut Vec<ConfigError>,
    ) -> Self {
        Self {
            environment: upper_case(env),
            dot_env: read_dot_env(dot_env, mistakes),
            file: read_toml(file, Source::File, mistakes),
            stored: Values::new(),
        }
    }

    /// Reads the file in the data directory, of which the other places say where it is; or takes this
    /// text for it. Only what may change at run time may stand there.
    pub(super) fn read_stored(
        &mut self,
        dir: &Path,
        text: Option<&str>,
        mistakes: &mut Vec<ConfigError>,
    ) {
        let text = match text {
            Some(text) => text.to_owned(),
            None => read(&self.data_dir(dir).join(stored::FILE), Source::Stored, mistakes),
        };
        self.stored = read_toml(&text, Source::Stored, mistakes);
        for name in self.stored.keys().filter(|name| !LIVE.contains(&name.as_str())) {
            let problem = "cannot be changed while the gateway runs; set it elsewhere".to_owned();
            mistakes.push(mistake(&name.to_lowercase(), Source::Stored, problem));
        }
    }

    /// The data directory, as the settings will have it.
    fn data_dir(&self, dir: &Path) -> PathBuf {
        let written = |name| self.find(&[name]).filter(|written| !written.text.trim().is_empty());
        if let Some(written) = written("DATA_DIR") {
            return dir.join(written.text.trim());
        }
        match written("SQLITE_DB").map(|written| dir.join(written.text.trim())) {
            Some(database) => database.parent().map(Into::into).unwrap_or_default(),
            None => dir.join("data"),
        }
    }

    /// The first value that says something under one of these names. If all that were written are
    /// empty, the first of those: for a password that is a mistake and not an absence.
    pub(super) fn find(&self, names: &[&'static str]) -> Option<Written<'_>> {
        let places = [
            (&self.environment, Source::Environment),
            (&self.dot_env, Source::DotEnv),
            (&self.file, Source::File),
            (&self.stored, Source::Stored),
        ];
        let written = || {
            places.into_iter().flat_map(move |(values, source)| {
                names.iter().filter_map(move |name| {
                    let text = values.get(*name)?.as_str();
                    Some(Written { name, text, source })
                })
            })
        };
        written().find(|written| !written.text.trim().is_empty()).or_else(|| written().next())
    }

    /// Names in the settings file that no setting has.
    pub(super) fn unknown_in_file(&self, known: &BTreeSet<&str>) -> Vec<String> {
        self.file
            .keys()
            .filter(|name| !known.contains(name.as_str()))
            .map(|name| name.to_lowercase())
            .collect()
    }
}

/// Upper and lower case are one, as for the Python version and for `http_proxy`; a name that is in
/// upper case already goes before its variants.
fn upper_case(variables: impl Iterator<Item = (String, String)>) -> Values {
    let mut values = Values::new();
    for (name, value) in variables {
        let upper = name.to_uppercase();
        if upper == name || !values.contains_key(&upper) {
            values.insert(upper, value);
        }
    }
    values
}

fn read_dot_env(text: &str, mistakes: &mut Vec<ConfigError>) -> Values {
    let text = text.trim_start_matches('\u{feff}');
    let mut variables = Vec::new();
    for item in dotenvy::from_read_iter(text.as_bytes()) {
        match item {
            Ok(variable) => variables.push(variable),
            // The line itself may hold a secret: only its number is told.
            Err(dotenvy::Error::LineParse(line, _)) => {
                let number = text.lines().position(|each| {
                    !each.trim().is_empty() && line.trim_start().starts_with(each.trim())
                });
                let number = number.map_or(0, |index| index + 1);
                let problem = format!(
                    "line {number} is not NAME=value; put a value with spaces, # or $ in single quotes"
                );
                mistakes.push(mistake(DOT_ENV, Source::DotEnv, problem));
            }
            Err(error) => {
                mistakes.push(mistake(DOT_ENV, Source::DotEnv, error.to_string()));
                break;
            }
        }
    }
    upper_case(variables.into_iter())
}

fn read_toml(text: &str, source: Source, mistakes: &mut Vec<ConfigError>) -> Values {
    let table = text.parse::<Table>().unwrap_or_else(|error| {
        mistakes.push(mistake(&source.to_string(), source, error.message().to_owned()));
        Table::new()
    });
    let mut values = Values::new();
    for (name, value) in table {
        match plain(&value) {
            Some(value) => {
                values.insert(name.to_uppercase(), value);
            }
            None => {
                let problem = "must be a text, a number, true, false or a list of texts".to_owned();
                mistakes.push(mistake(&name, source, problem));
            }
        }
    }
    values
}

/// A TOML value as it would stand in the environment.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        Value::Datetime(_) | Value::Table(_) => None,
    }
}

/// The text of a file; an absent one says nothing.
fn read(path: &Path, source: Source, mistakes: &mut Vec<ConfigError>) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let name = source.to_string();
            mistakes.push(mistake(&name, source, format!("cannot be read: {error}")));
            String::new()
        }
    }
}

fn mistake(name: &str, source: Source, problem: String) -> ConfigError {
    ConfigError { name: name.to_owned(), source, problem }
}
