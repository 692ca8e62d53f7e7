//! The live log: the last lines in memory, and every further one to whoever is watching.
//!
//! Publishing never waits. A watcher who cannot keep up loses lines, is told how many, and goes
//! on with the next; nobody else notices.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::Level;

use crate::feed::{Begin, Feed, Item, Kept, Subscription, TooManySubscribers};

/// Room for a line that says how a request ended.
const RENDERED_BYTES: usize = 320;

/// What all kept lines may take.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// One event as it happened, already free of secrets and control characters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Counts up without gaps, also across restarts: a later line has a larger id.
    pub id: u64,
    /// Milliseconds since 1970.
    pub time_ms: i64,
    /// How grave it is.
    #[serde(serialize_with = "level_as_text")]
    pub level: Level,
    /// The module that says it.
    pub target: &'static str,
    /// The sentence for people.
    pub message: String,
    /// The values for machines, outermost span first.
    #[serde(serialize_with = "fields_as_map")]
    pub fields: Vec<(&'static str, Value)>,
}

impl Item for Line {
    fn bytes(&self) -> usize {
        let of_text = |(_, value): &(&str, Value)| value.as_str().map_or(0, str::len);
        let of_fields = self.fields.iter().map(of_text).sum::<usize>();
        let cells = self.fields.capacity() * size_of::<(&str, Value)>();
        size_of::<Self>() + self.message.len() + cells + of_fields
    }
}

impl Line {
    /// The value of a field by its name; of two alike, the innermost.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().rev().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The line as text, in the form the Python version's readers know:
    /// `2026-11-22 20:46:48,435Z - INFO - message name=value`.
    #[must_use]
    pub fn rendered(&self) -> String {
        let mut text = String::with_capacity(RENDERED_BYTES);
        // Writing into a string cannot fail.
        let _ = self.render(&mut text);
        text
    }

    fn render(&self, text: &mut String) -> fmt::Result {
        push_time(text, self.time_ms);
        for part in [" - ", level(self.level), " - ", &self.message] {
            text.push_str(part);
        }
        for (name, value) in &self.fields {
            for part in [" ", name, "="] {
                text.push_str(part);
            }
            match value {
                Value::String(value) if is_plain(value) => text.push_str(value),
                Value::Bool(true) => text.push_str("true"),
                Value::Bool(false) => text.push_str("false"),
                Value::Null
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_) => write!(text, "{value}")?,
            }
        }
        Ok(())
    }
}

fn is_plain(value: &str) -> bool {
    !value.is_empty() && !value.bytes().any(|byte| matches!(byte, b' ' | b'"' | b'='))
}

/// `2026-11-22 20:46:48,435Z`
fn push_time(text: &mut String, time_ms: i64) {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
    let time = Offset::UTC.to_datetime(time);
    let parts = [
        (i32::from(time.year()), 4, '-'),
        (i32::from(time.month()), 2, '-'),
        (i32::from(time.day()), 2, ' '),
        (i32::from(time.hour()), 2, ':'),
        (i32::from(time.minute()), 2, ':'),
        (i32::from(time.second()), 2, ','),
        (i32::from(time.millisecond()), 3, 'Z'),
    ];
    for (number, digits, end) in parts {
        for place in (0..digits).rev() {
            let digit = number / 10_i32.pow(place) % 10;
            text.extend(u8::try_from(digit).map(|digit| char::from(b'0' + digit)));
        }
        text.push(end);
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

fn level_as_text<S: Serializer>(value: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level(*value))
}

fn fields_as_map<S: Serializer>(
    fields: &[(&'static str, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (index, (name, value)) in fields.iter().enumerate() {
        let is_shadowed = fields.iter().skip(index + 1).any(|(later, _)| later == name);
        if !is_shadowed {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}

/// The shared live log; clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Live(Feed<Line>);

impl Live {
    /// Keeps `history_lines_max` lines. Ids begin at `now_ms` (milliseconds since 1970): as long
    /// as a process writes fewer than a thousand lines a second on average, the ids of the next
    /// one are larger, and a watcher who comes back after a restart misses nothing.
    #[must_use]
    pub fn new(history_lines_max: usize, now_ms: i64) -> Self {
        let kept = Kept { items_max: history_lines_max, bytes_max: KEPT_BYTES_MAX };
        Self(Feed::new(kept, u64::try_from(now_ms).unwrap_or_default()))
    }

    /// Gives the line its id, keeps it and shows it to everybody watching.
    pub fn publish(&self, line: Line) -> Arc<Line> {
        self.0.publish(|id| Line { id, ..line })
    }

    /// Watches from here on, with the kept lines first: those after `after_id`, or all of them
    /// when it is absent or not one of ours.
    ///
    /// # Errors
    ///
    /// [`TooManySubscribers`] when too many are watching.
    pub fn subscribe(
        &self,
        after_id: Option<u64>,
    ) -> Result<Subscription<Line>, TooManySubscribers> {
        self.0.subscribe(after_id.map_or(Begin::AtTheOldest, Begin::After))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::feed::Seen;

    #[tokio::test]
    async fn a_watcher_sees_the_last_lines_first_and_then_each_further_one() {
        let live = Live::new(2, 100);
        for message in ["one", "two", "three"] {
            publish(&live, message);
        }
        let mut watcher = live.subscribe(None).unwrap();
        publish(&live, "four");

        assert_eq!(messages(&mut watcher, 3).await, ["two", "three", "four"]);
    }

    #[tokio::test]
    async fn a_watcher_who_comes_back_sees_only_what_it_missed() {
        let live = Live::new(10, 100);
        for message in ["one", "two", "three"] {
            publish(&live, message);
        }

        let mut watcher = live.subscribe(Some(101)).unwrap();

        assert_eq!(messages(&mut watcher, 1).await, ["three"]);
    }

    #[tokio::test]
    async fn an_id_that_was_never_given_shows_everything() {
        let live = Live::new(10, 100);
        publish(&live, "one");

        let mut watcher = live.subscribe(Some(999)).unwrap();

        assert_eq!(messages(&mut watcher, 1).await, ["one"]);
    }

    #[test]
    fn a_line_reads_like_those_of_the_python_version() {
        assert_eq!(
            line("upstream said no").rendered(),
            r#"2026-11-22 20:46:48,435Z - WARNING - upstream said no request_id=ab12 reason="two words" attempt=2"#
        );
    }

    #[test]
    fn a_line_is_json_with_its_fields_by_name() {
        let mut line = line("hello");
        line.fields.push(("attempt", json!(3)));

        assert_eq!(
            serde_json::to_value(&line).unwrap(),
            json!({
                "id": 0, "time_ms": 1_795_380_408_435_i64, "level": "WARNING", "target": "test",
                "message": "hello",
                "fields": {"request_id": "ab12", "reason": "two words", "attempt": 3},
            })
        );
        assert_eq!(line.field("attempt"), Some(&json!(3)));
    }

    async fn messages(watcher: &mut Subscription<Line>, count: usize) -> Vec<String> {
        let mut messages = Vec::new();
        for _ in 0..count {
            match watcher.next().await {
                Some(Seen::Item(line)) => messages.push(line.message.clone()),
                other => panic!("expected a line, saw {other:?}"),
            }
        }
        messages
    }

    fn publish(live: &Live, message: &str) {
        live.publish(line(message));
    }

    fn line(message: &str) -> Line {
        Line {
            id: 0,
            time_ms: 1_795_380_408_435,
            level: Level::WARN,
            target: "test",
            message: message.to_owned(),
            fields: vec![
                ("request_id", json!("ab12")),
                ("reason", json!("two words")),
                ("attempt", json!(2)),
            ],
        }
    }
}
