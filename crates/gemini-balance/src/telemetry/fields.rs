//! Collects the fields of an event or a span, cleaned as they come in.

use std::fmt::{Debug, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};

use crate::telemetry::clean::{Bounded, FIELD_BYTES_MAX, MESSAGE_BYTES_MAX, clean};

/// The sentence and the values of one event, or the values of one span.
#[derive(Debug, Default)]
pub(super) struct Fields {
    message: String,
    values: Vec<(&'static str, Value)>,
}

impl Fields {
    pub(super) fn extend(&mut self, outer: &Self) {
        self.values.extend(outer.values.iter().cloned());
    }

    pub(super) fn into_parts(self) -> (String, Vec<(&'static str, Value)>) {
        (self.message, self.values)
    }

    fn push(&mut self, field: &Field, value: Value) {
        self.values.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let is_message = field.name() == "message";
        let bytes_max = if is_message { MESSAGE_BYTES_MAX } else { FIELD_BYTES_MAX };
        let mut text = Bounded::new(bytes_max);
        // Ends early when the text is full, which is the point.
        let _ = write!(text, "{value:?}");
        let text = clean(&text.into_text(), bytes_max);
        if is_message {
            self.message = text;
        } else {
            self.push(field, text.into());
        }
    }
}
