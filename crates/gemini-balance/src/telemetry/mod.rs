//! What the process says about itself: one event, one line, to standard output, to files and to
//! the live log.
//!
//! An event is collected once, cleaned once (`clean.rs`) and then written everywhere, so no way
//! out can be forgotten. Writing never waits: each output is an outlet (`outlet.rs`) with a thread and
//! a bound, and a line that does not fit is dropped and counted. Libraries speak from `warn` on only:
//! what they say at `debug` may hold headers, and with them keys.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use self::fields::Fields;
use self::log_file::LogFile;
use self::outlet::{Outlet, OutletGuard};
use crate::clock::Clock;
use crate::config::{LogFormat, Logging};
use crate::live::{Line, Live};
use crate::random::RequestId;

mod clean;
mod fields;
mod log_file;
mod outlet;

/// Why the log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log files' directory cannot be used.
    #[error("LOG_FILE_DIR cannot be written: {0}")]
    File(#[source] io::Error),
    /// The system has no thread left.
    #[error("the log has no thread: {0}")]
    Thread(#[source] io::Error),
    /// Something else in this process receives events already.
    #[error("the log is set up already")]
    Twice,
}

/// Keeps the outputs open; dropping it writes what still waits, for at most a second each.
#[derive(Debug)]
pub struct Telemetry {
    outlets: Vec<Outlet>,
    _guards: Vec<OutletGuard>,
}

impl Telemetry {
    /// Lines lost because an output was slower than the events, since the start.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.outlets.iter().map(Outlet::lines_dropped).sum()
    }
}

/// Receives this process's events from here on.
///
/// # Errors
///
/// When the log files' directory cannot be used, or on the second call.
pub fn start(logging: &Logging, clock: Clock, live: Live) -> Result<Telemetry, TelemetryError> {
    let mut opened =
        vec![Outlet::open(io::stdout(), "log-stdout").map_err(TelemetryError::Thread)?];
    if let Some(files) = &logging.files {
        let file = LogFile::open(files.clone()).map_err(TelemetryError::File)?;
        opened.push(Outlet::open(file, "log-file").map_err(TelemetryError::Thread)?);
    }
    let (outlets, guards): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
    let recorder = Recorder { clock, live, format: logging.format, outlets: outlets.clone() };
    tracing::subscriber::set_global_default(subscriber(recorder, logging.level))
        .map_err(|_| TelemetryError::Twice)?;
    Ok(Telemetry { outlets, _guards: guards })
}

/// The span of one request: every event within carries its id. At every level, since a warning
/// without its request is of little use.
#[must_use]
pub fn request_span(request_id: RequestId) -> Span {
    tracing::error_span!("request", %request_id)
}

fn subscriber(recorder: Recorder, level: Level) -> impl Subscriber {
    let ours = LevelFilter::from_level(level);
    let filter = Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_targets(["gemini_balance", "keypool", "dialect"].map(|target| (target, ours)));
    Registry::default().with(recorder).with(filter)
}

/// Turns events into lines and hands them out.
struct Recorder {
    clock: Clock,
    live: Live,
    format: LogFormat,
    outlets: Vec<Outlet>,
}

impl Recorder {
    fn written(&self, line: &Line) -> String {
        let mut text = match self.format {
            LogFormat::Text => line.rendered(),
            LogFormat::Json => serde_json::to_string(line).unwrap_or_default(),
        };
        text.push('\n');
        text
    }
}

impl<S> Layer<S> for Recorder
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in ctx.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.extend(of_span);
            }
        }
        event.record(&mut fields);
        let (message, fields) = fields.into_parts();
        let line = self.live.publish(Line {
            id: 0,
            time_ms: self.clock.wall_ms(),
            level: *event.metadata().level(),
            target: event.metadata().target(),
            message,
            fields,
        });
        let text = self.written(&line);
        for outlet in &self.outlets {
            outlet.push(&text);
        }
    }
}

#[cfg(test)]
mod tests;
