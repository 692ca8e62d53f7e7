//! Reads settings one by one: looks a value up, checks it, and writes down what it saw. A value
//! that is wrong becomes a mistake and its default goes on, so that one run finds all of them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::sources::Sources;
use crate::config::{Config, ConfigError, ConfigErrors, Setting, Source};
use crate::secret::Secret;

/// All names of one setting; the first is the one we document.
pub(super) type Names = &'static [&'static str];

/// How a kind of value is described to people and read from text.
pub(super) struct Kind<T> {
    pub(super) form: &'static str,
    pub(super) parse: fn(&str) -> Result<T, String>,
}

/// Reads settings in the order of the documentation.
pub(super) struct Reader<'a> {
    sources: Sources,
    dir: &'a Path,
    section: &'static str,
    settings: Vec<Setting>,
    mistakes: Vec<ConfigError>,
    notices: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: Sources, dir: &'a Path, mistakes: Vec<ConfigError>) -> Self {
        Self { sources, dir, section: "", settings: Vec::new(), mistakes, notices: Vec::new() }
    }

    /// The configuration with what was seen, or everything that was wrong.
    pub(super) fn finish(mut self, mut config: Config) -> Result<Config, ConfigErrors> {
        let known: BTreeSet<&str> = self
            .settings
            .iter()
            .flat_map(|setting| setting.aliases.iter().copied().chain([setting.name]))
            .collect();
        for name in self.sources.unknown_in_file(&known) {
            let problem = "is no setting; see docs/configuration.md for those there are".to_owned();
            self.mistakes.push(ConfigError { name, source: Source::File, problem });
        }
        if !self.mistakes.is_empty() {
            return Err(ConfigErrors(self.mistakes));
        }
        config.settings = self.settings;
        config.notices = self.notices;
        Ok(config)
    }

    /// Begins a section of the documentation.
    pub(super) fn section(&mut self, section: &'static str) {
        self.section = section;
    }

    /// A mistake that shows only when several settings are looked at together.
    pub(super) fn mistake(&mut self, name: &'static str, problem: impl Into<String>) {
        let source = self.sources.find(&[name]).map_or(Source::Default, |written| written.source);
        self.mistakes.push(ConfigError { name: name.to_owned(), source, problem: problem.into() });
    }

    /// A whole number.
    pub(super) fn count<N: FromStr + Display + PartialOrd>(
        &mut self,
        names: Names,
        default: N,
        range: RangeInclusive<N>,
        doc: &'static str,
    ) -> N {
        let form = format!("{} to {}", range.start(), range.end());
        let parse = |text: &str| {
            let number = text.parse().ok().filter(|number| range.contains(number));
            number.ok_or_else(|| format!("must be a whole number, {form}"))
        };
        let declared = Declared { names, form: form.clone(), default: default.to_string(), doc };
        self.read(declared, as_written(parse)).unwrap_or(default)
    }

    /// A duration, written in seconds (a fraction is allowed) and kept in milliseconds.
    pub(super) fn seconds(
        &mut self,
        names: Names,
        default_ms: u64,
        range_ms: RangeInclusive<u64>,
        doc: &'static str,
    ) -> u64 {
        let [least, most] = [*range_ms.start(), *range_ms.end()].map(seconds);
        let form = format!("seconds, {least} to {most}");
        let parse = |text: &str| {
            let ms = milliseconds(text).filter(|ms| range_ms.contains(ms));
            ms.ok_or_else(|| format!("must be {form}"))
        };
        let declared = Declared { names, form: form.clone(), default: seconds(default_ms), doc };
        self.read(declared, as_written(parse)).unwrap_or(default_ms)
    }

    /// True or false.
    pub(super) fn flag(&mut self, names: Names, default: bool, doc: &'static str) -> bool {
        let parse = |text: &str| match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        };
        let form = "true or false".to_owned();
        let declared = Declared { names, form, default: default.to_string(), doc };
        self.read(declared, as_written(parse)).unwrap_or(default)
    }

    /// One of several words; the first word that means `default` is the default.
    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        names: Names,
        default: T,
        words: &[(&'static str, T)],
        doc: &'static str,
    ) -> T {
        let form = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let parse = |text: &str| {
            let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            found.map(|(_, value)| *value).ok_or_else(|| format!("must be one of {form}"))
        };
        let default_word = words.iter().find(|(_, value)| *value == default);
        let default_word = default_word.map_or("", |(word, _)| *word).to_owned();
        let declared = Declared { names, form: form.clone(), default: default_word, doc };
        self.read(declared, as_written(parse)).unwrap_or(default)
    }

    /// A value of a kind that has a default.
    pub(super) fn value<T: Display>(
        &mut self,
        names: Names,
        default: T,
        kind: &Kind<T>,
        doc: &'static str,
    ) -> T {
        let form = kind.form.to_owned();
        let declared = Declared { names, form, default: default.to_string(), doc };
        self.read(declared, |text| (kind.parse)(text).map(displayed)).unwrap_or(default)
    }

    /// A value of a kind that may be absent.
    pub(super) fn optional<T: Display>(
        &mut self,
        names: Names,
        kind: &Kind<T>,
        doc: &'static str,
    ) -> Option<T> {
        let declared = Declared { names, form: kind.form.to_owned(), default: String::new(), doc };
        self.read(declared, |text| (kind.parse)(text).map(displayed))
    }

    /// Any number of values of a kind, separated by commas or spaces.
    pub(super) fn list<T>(&mut self, names: Names, kind: &Kind<T>, doc: &'static str) -> Vec<T> {
        let parse = |text: &str| {
            let items = text.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty());
            items.map(kind.parse).collect()
        };
        let form = format!("list of {}", kind.form);
        let declared = Declared { names, form, default: String::new(), doc };
        self.read(declared, as_written(parse)).unwrap_or_default()
    }

    /// A path; a relative one is taken from the working directory.
    pub(super) fn path(&mut self, names: Names, default: &str, doc: &'static str) -> PathBuf {
        let declared =
            Declared { names, form: "path".to_owned(), default: default.to_owned(), doc };
        let path = self.read(declared, as_written(|text| Ok(PathBuf::from(text))));
        self.dir.join(path.unwrap_or_else(|| default.into()))
    }

    /// A path that may be absent.
    pub(super) fn optional_path(&mut self, names: Names, doc: &'static str) -> Option<PathBuf> {
        let declared = Declared { names, form: "path".to_owned(), default: String::new(), doc };
        let path = self.read(declared, as_written(|text| Ok(PathBuf::from(text))));
        path.map(|path| self.dir.join(path))
    }

    /// A secret that may be absent; only whether it is there is ever shown. Unlike elsewhere an
    /// empty text is no absence: for a password that would be a dangerous guess.
    pub(super) fn secret(
        &mut self,
        names: Names,
        kind: &Kind<Option<Secret>>,
        doc: &'static str,
    ) -> Option<Secret> {
        let declared = Declared { names, form: kind.form.to_owned(), default: String::new(), doc };
        let parsed = self.sources.find(names).map(|written| Parsed {
            name: written.name,
            source: written.source,
            outcome: (kind.parse)(written.text).map(|secret| {
                let shown = secret.as_ref().map_or_else(String::new, ToString::to_string);
                (secret, shown)
            }),
        });
        self.settle(declared, parsed).flatten()
    }

    /// A setting of the Python version that has no effect: accepted, and said once.
    pub(super) fn without_effect(&mut self, names: Names, doc: &'static str) {
        let declared = Declared { names, form: "anything".to_owned(), default: String::new(), doc };
        let name = declared.name();
        if self.read(declared, as_written(|_| Ok(()))).is_some() {
            self.notices.push(format!("{name} has no effect and can be removed"));
        }
    }

    /// Reads one setting. `parse` returns the value and how it may be shown.
    fn read<T>(
        &mut self,
        declared: Declared,
        parse: impl FnOnce(&str) -> Result<(T, String), String>,
    ) -> Option<T> {
        let written = self.sources.find(declared.names);
        let written = written.filter(|written| !written.text.trim().is_empty());
        let parsed = written.map(|written| Parsed {
            name: written.name,
            source: written.source,
            outcome: parse(written.text.trim()),
        });
        self.settle(declared, parsed)
    }

    /// Writes down what came of a setting. A wrong one is written down too, lest its name count as
    /// unknown.
    fn settle<T>(&mut self, declared: Declared, parsed: Option<Parsed<T>>) -> Option<T> {
        let (value, shown, source) = match parsed {
            None => (None, declared.default.clone(), Source::Default),
            Some(Parsed { outcome: Ok((value, shown)), source, .. }) => {
                (Some(value), shown, source)
            }
            Some(Parsed { outcome: Err(problem), source, name }) => {
                self.mistakes.push(ConfigError { name: name.to_owned(), source, problem });
                (None, String::new(), source)
            }
        };
        self.settings.push(Setting {
            name: declared.name(),
            aliases: declared.names.get(1..).unwrap_or_default(),
            section: self.section,
            form: declared.form,
            default: declared.default,
            doc: declared.doc,
            value: shown,
            source,
        });
        value
    }
}

/// What the table says about one setting.
struct Declared {
    names: Names,
    form: String,
    default: String,
    doc: &'static str,
}

impl Declared {
    fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// What became of a written value: the value and how it may be shown, or what is wrong with it.
struct Parsed<T> {
    name: &'static str,
    source: Source,
    outcome: Result<(T, String), String>,
}

/// For values that are shown as they were written.
fn as_written<T>(
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> impl FnOnce(&str) -> Result<(T, String), String> {
    |text| Ok((parse(text)?, text.to_owned()))
}

/// For values that know what may be shown of them.
fn displayed<T: Display>(value: T) -> (T, String) {
    let shown = value.to_string();
    (value, shown)
}

/// Milliseconds as people write seconds: `0.25`, `120`.
fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Seconds with at most three decimals as milliseconds; `None` for anything else.
fn milliseconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let fraction_ms: u64 = format!("{fraction:0<3}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(fraction_ms)
}
