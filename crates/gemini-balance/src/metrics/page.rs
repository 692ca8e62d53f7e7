//! Writes the Prometheus text format.

use std::fmt::{Display, Write as _};

use crate::metrics::histogram::Histogram;

/// The page so far, and the metric whose samples come next.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    name: String,
}

impl Page {
    /// Begins a metric.
    pub(super) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        name.clone_into(&mut self.name);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value of the metric.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, value);
    }

    /// All values of one histogram of the metric.
    pub(super) fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut count = 0;
        for (bound, up_to) in histogram.cumulated() {
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.line("_bucket", &labels, up_to);
            count = up_to;
        }
        self.line("_sum", labels, histogram.sum());
        self.line("_count", labels, count);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (index, (name, value)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{name}=\"{}\"", escaped(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut page = Page::default();

        page.metric("m", "gauge", "Help.");
        page.sample(&[("a", "x\"} 1\ny\\"), ("b", "2")], 7);

        assert_eq!(
            page.into_text(),
            "# HELP m Help.\n# TYPE m gauge\nm{a=\"x\\\"} 1\\ny\\\\\",b=\"2\"} 7\n"
        );
    }
}
