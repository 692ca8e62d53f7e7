//! Tables of figures, in Markdown: they are read at the terminal and in the page alike.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

/// The variable that names a file to which the tables are added.
const REPORT: &str = "ROWS_REPORT";

/// Shows a part of the report, and keeps it if the chore wants it.
pub(super) fn say(text: &str) {
    println!("{text}\n");
    if let Some(path) = std::env::var_os(REPORT) {
        let mut report = OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(report, "{text}\n").unwrap();
    }
}

/// A table with a name; each row begins with what it is about.
pub(super) fn table(title: &str, columns: &[&str], rows: &[Vec<String>]) {
    let rule = columns.iter().map(|_| "--:|").collect::<String>();
    let mut text = format!("#### {title}\n\n| | {} |\n|---|{rule}", columns.join(" | "));
    for row in rows {
        text += &format!("\n| {} |", row.join(" | "));
    }
    say(&text);
}

/// Milliseconds, as precisely as one reads them.
pub(super) fn ms(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1_000.0;
    if ms < 100.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}
