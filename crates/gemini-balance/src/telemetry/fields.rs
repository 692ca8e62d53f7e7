//! Collects the fields of an event or a span, cleaned as they come in.

use std::fmt::{Debug, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};

use crate::telemetry::clean::{Bounded, FIELD_BYTES_MAX, MESSAGE_BYTES_MAX, clean};

/// The sentence and the values of one event, or the values of one span.
#[derive(Debug)]
pub(super) struct Fields {
    message: String,
    values: Vec<(&'static str, Value)>,
}

impl Default for Fields {
    /// Room for the event that says how a request ended.
    fn default() -> Self {
        Self { message: String::new(), values: Vec::with_capacity(12) }
    }
}

impl Fields {
    pub(super) fn extend(&mut self, outer: &Self) {
        self.values.extend(outer.values.iter().cloned());
    }

    pub(super) fn into_parts(self) -> (String, Vec<(&'static str, Value)>) {
        (self.message, self.values)
    }

    /// Takes a text, which is told how long it may be.
    fn take(&mut self, field: &Field, text: impl FnOnce(usize) -> String) {
        if field.name() == "message" {
            self.message = text(MESSAGE_BYTES_MAX);
        } else {
            self.push(field, text(FIELD_BYTES_MAX).into());
        }
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
        self.take(field, |bytes_max| clean(value, bytes_max));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, |bytes_max| {
            let mut text = Bounded::new(bytes_max);
            // Ends early when the text is full, which is the point.
            let _ = write!(text, "{value:?}");
            clean(&text.into_text(), bytes_max)
        });
    }
}
