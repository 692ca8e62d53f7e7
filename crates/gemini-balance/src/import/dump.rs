//! SQL as `mysqldump`, `pg_dump --inserts` and `sqlite3 .dump` write it: the rows that its
//! `INSERT`s put into tables.
//!
//! It is read as text and never run. Quotes and escapes are those of the program that wrote it:
//! MySQL escapes with a backslash, the others by doubling the quote.

use std::collections::BTreeMap;

use crate::import::tables::Cells;

/// Most rows that are kept of one table.
const ROWS_MAX: usize = 200_000;

/// The rows of a dump, by table.
#[derive(Debug, Default)]
pub(super) struct Dump {
    tables: BTreeMap<String, Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// From its `CREATE TABLE`.
    columns: Vec<String>,
    rows: Vec<(Option<Vec<String>>, Cells)>,
}

impl Dump {
    /// Whether a text looks like one: it puts something into a table, or makes one.
    pub(super) fn is_one(text: &str) -> bool {
        text.lines().any(|line| {
            let line = line.trim_start();
            starts_with_words(line, "INSERT INTO ") || starts_with_words(line, "CREATE TABLE ")
        })
    }

    /// Reads the rows of these tables alone: a log may be a thousand times as large.
    pub(super) fn read(text: &str, wanted: &[&str]) -> Self {
        let mut dump = Self::default();
        let mut words = Words { text, at: 0, has_backslashes: !is_standard(text) };
        while let Some(statement) = words.statement() {
            match statement {
                Statement::Create => dump.create(&mut words),
                Statement::Insert => dump.insert(&mut words, wanted),
                Statement::Other => words.skip_statement(),
            }
        }
        dump
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    pub(super) fn rows(&self, table: &str, columns: &[&str]) -> Vec<Cells> {
        let Some(table) = self.tables.get(table) else {
            return Vec::new();
        };
        let rows = table.rows.iter().map(|(named, cells)| {
            let there = named.as_ref().unwrap_or(&table.columns);
            let cell = |column: &&str| {
                let place = there.iter().position(|name| name == column)?;
                cells.get(place)?.clone()
            };
            columns.iter().map(cell).collect()
        });
        rows.collect()
    }

    /// `CREATE TABLE name (column type …, KEY …);`
    fn create(&mut self, words: &mut Words<'_>) {
        let Some(name) = words.table_name() else {
            return words.skip_statement();
        };
        let mut columns = Vec::new();
        if words.take("(") {
            loop {
                let is_quoted = words.peek().is_some_and(|letter| "`\"[".contains(letter));
                match words.name() {
                    Some(name) if is_quoted || !is_constraint(&name) => columns.push(name),
                    Some(_) => {}
                    None => break,
                }
                if !words.skip_to_comma() {
                    break;
                }
            }
        }
        self.tables.entry(name).or_default().columns = columns;
        words.skip_statement();
    }

    /// `INSERT INTO name [(columns)] VALUES (…), (…);`
    fn insert(&mut self, words: &mut Words<'_>, wanted: &[&str]) {
        let Some(name) = words.table_name() else {
            return words.skip_statement();
        };
        if !wanted.contains(&name.as_str()) {
            self.tables.entry(name).or_default();
            return words.skip_statement();
        }
        let columns = words.take("(").then(|| {
            let mut columns = Vec::new();
            while let Some(name) = words.name() {
                columns.push(name);
                if !words.take(",") {
                    break;
                }
            }
            words.take(")");
            columns
        });
        if !words.take_word("VALUES") {
            return words.skip_statement();
        }
        let table = self.tables.entry(name).or_default();
        while words.take("(") {
            let mut cells = Vec::new();
            loop {
                cells.push(words.value());
                if !words.take(",") {
                    break;
                }
            }
            words.take(")");
            if table.rows.len() < ROWS_MAX {
                table.rows.push((columns.clone(), cells));
            }
            if !words.take(",") {
                break;
            }
        }
        words.skip_statement();
    }
}

/// PostgreSQL and SQLite say so at the top, and write standard quotes.
fn is_standard(text: &str) -> bool {
    let head: String = text.chars().take(4_096).collect();
    head.contains("PostgreSQL database dump")
        || head.contains("standard_conforming_strings = on")
        || head.contains("PRAGMA foreign_keys")
}

fn starts_with_words(line: &str, words: &str) -> bool {
    line.get(..words.len()).is_some_and(|head| head.eq_ignore_ascii_case(words))
}

/// What may stand among the columns of a table without being one.
fn is_constraint(name: &str) -> bool {
    ["PRIMARY", "UNIQUE", "KEY", "INDEX", "CONSTRAINT", "FOREIGN", "CHECK", "FULLTEXT"]
        .iter()
        .any(|word| name.eq_ignore_ascii_case(word))
}

/// How a statement begins.
enum Statement {
    Create,
    Insert,
    Other,
}

/// Goes through a text word by word.
struct Words<'t> {
    text: &'t str,
    at: usize,
    has_backslashes: bool,
}

impl<'t> Words<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What comes next behind white space and comments.
    fn peek(&mut self) -> Option<char> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            let comment = if trimmed.starts_with("--") || trimmed.starts_with('#') {
                trimmed.find('\n').map_or(trimmed.len(), |at| at + 1)
            } else if trimmed.starts_with("/*") {
                trimmed.find("*/").map_or(trimmed.len(), |at| at + 2)
            } else {
                return trimmed.chars().next();
            };
            self.at += comment;
        }
    }

    fn take(&mut self, mark: &str) -> bool {
        self.peek();
        let is_there = self.rest().starts_with(mark);
        self.at += if is_there { mark.len() } else { 0 };
        is_there
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.peek();
        let is_there = starts_with_words(self.rest(), word);
        self.at += if is_there { word.len() } else { 0 };
        is_there
    }

    fn statement(&mut self) -> Option<Statement> {
        self.peek()?;
        if self.take_word("CREATE TABLE") {
            self.take_word("IF NOT EXISTS");
            return Some(Statement::Create);
        }
        if self.take_word("INSERT") {
            let _is_lax = self.take_word("IGNORE") || self.take_word("OR IGNORE");
            return Some(match self.take_word("INTO") {
                true => Statement::Insert,
                false => Statement::Other,
            });
        }
        Some(Statement::Other)
    }

    /// A name, quoted or not.
    fn name(&mut self) -> Option<String> {
        let end = match self.peek()? {
            '`' => '`',
            '"' => '"',
            '[' => ']',
            _ => {
                let rest = self.rest();
                let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
                let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
                let name = rest.get(..end).filter(|name| !name.is_empty())?;
                self.at += end;
                return Some(name.to_owned());
            }
        };
        let inside = self.rest().get(1..)?;
        let length = inside.find(end)?;
        self.at += length + 2;
        inside.get(..length).map(str::to_owned)
    }

    /// The name of a table without the schema before it.
    fn table_name(&mut self) -> Option<String> {
        let mut name = self.name()?;
        while self.take(".") {
            name = self.name()?;
        }
        Some(name)
    }

    /// A value; `None` for NULL. What is no literal is kept as it is written.
    fn value(&mut self) -> Option<String> {
        // MySQL names the character set, PostgreSQL marks escapes.
        for prefix in ["_binary", "_utf8mb4", "E", "N", "X"] {
            let quoted = self.rest().trim_start().strip_prefix(prefix);
            if quoted.is_some_and(|rest| rest.trim_start().starts_with('\'')) {
                self.take_word(prefix);
            }
        }
        if self.peek()? == '\'' {
            return Some(self.quoted());
        }
        let rest = self.rest();
        let end = rest.find([',', ')', ';']).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().trim();
        self.at += end;
        (!word.eq_ignore_ascii_case("NULL")).then(|| word.to_owned())
    }

    fn quoted(&mut self) -> String {
        let mut text = String::new();
        let mut letters = self.rest().char_indices().skip(1).peekable();
        let mut end = self.rest().len();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\'' if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                    letters.next();
                    text.push('\'');
                }
                '\'' => {
                    end = at + 1;
                    break;
                }
                '\\' if self.has_backslashes => match letters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, '0')) => text.push('\0'),
                    Some((_, other)) => text.push(other),
                    None => {}
                },
                other => text.push(other),
            }
        }
        self.at += end;
        text
    }

    /// Behind the next comma that stands within no parentheses; false at the end of the list.
    fn skip_to_comma(&mut self) -> bool {
        let mut depth = 0_usize;
        while let Some(letter) = self.peek() {
            match letter {
                '\'' => drop(self.quoted()),
                ';' => return false,
                ')' if depth == 0 => return false,
                ',' if depth == 0 => {
                    self.at += 1;
                    return true;
                }
                '(' => {
                    depth += 1;
                    self.at += 1;
                }
                ')' => {
                    depth -= 1;
                    self.at += 1;
                }
                '`' | '"' => match self.name() {
                    Some(_) => {}
                    None => self.at += 1,
                },
                other => self.at += other.len_utf8(),
            }
        }
        false
    }

    /// Behind the semicolon.
    fn skip_statement(&mut self) {
        while let Some(letter) = self.peek() {
            match letter {
                '\'' => drop(self.quoted()),
                ';' => {
                    self.at += 1;
                    return;
                }
                '`' | '"' => match self.name() {
                    Some(_) => {}
                    None => self.at += 1,
                },
                other => self.at += other.len_utf8(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_mysqldump_writes_them() {
        let text = "-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\n\
            DROP TABLE IF EXISTS `t_settings`;\n\
            CREATE TABLE `t_settings` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  \
            `key` varchar(100) NOT NULL COMMENT 'it''s; (a key)',\n  `value` longtext,\n  \
            PRIMARY KEY (`id`),\n  UNIQUE KEY `key` (`key`)\n) ENGINE=InnoDB;\n\
            INSERT INTO `t_settings` VALUES (1,'API_KEYS','[\\\"a\\\", \\\"b\\\"]'),\
            (2,'NOTE','it\\'s; two\\nlines'),(3,'NONE',NULL);\n\
            INSERT INTO `t_request_log` VALUES (1,'x');\n";

        let dump = Dump::read(text, &["t_settings"]);

        assert_eq!(dump.names(), ["t_request_log", "t_settings"]);
        let cell = |text: &str| Some(text.to_owned());
        assert_eq!(
            dump.rows("t_settings", &["value", "key", "absent"]),
            [
                vec![cell(r#"["a", "b"]"#), cell("API_KEYS"), None],
                vec![cell("it's; two\nlines"), cell("NOTE"), None],
                vec![None, cell("NONE"), None],
            ]
        );
        assert_eq!(dump.rows("t_request_log", &["id"]), Vec::<Cells>::new());
    }

    #[test]
    fn columns_may_be_named_and_backslashes_mean_themselves_elsewhere() {
        let text = "--\n-- PostgreSQL database dump\n--\n\
            INSERT INTO public.channels (id, \"key\", type) VALUES (7, 'a\\b''c', 24);\n";

        let dump = Dump::read(text, &["channels"]);

        let cell = |text: &str| Some(text.to_owned());
        assert_eq!(dump.rows("channels", &["type", "key"]), [[cell("24"), cell("a\\b'c")]]);
    }

    #[test]
    fn whatever_is_cut_off_ends() {
        let text = "CREATE TABLE `a` (`b` int, `c` text);INSERT INTO `a` (`b`) VALUES (1,'x\\'y');";
        for end in 0..=text.len() {
            drop(Dump::read(&text[..end], &["a"]));
        }
        drop(Dump::read("INSERT INTO `a", &["a"]));
        drop(Dump::read("((((''`\"", &["a"]));
    }
}
