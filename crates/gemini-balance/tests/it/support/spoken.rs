//! Everything that the whole test process has logged, at every level, before anything is cleaned
//! from it.

use std::fmt::Write as _;
use std::sync::OnceLock;

use memchr::memmem;
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// A model whose failed attempts cannot be listened to without a panic: a defect in the middle of
/// a request, which nothing that ships can be told to have.
pub(crate) const DEFECT: &str = "gemini-defect";

/// The events of the process, as text.
#[derive(Debug, Default)]
pub(crate) struct Spoken(Mutex<Vec<u8>>);

impl Spoken {
    /// Listens from here on; later calls give the same ear.
    pub(crate) fn listen() -> &'static Self {
        static SPOKEN: OnceLock<Spoken> = OnceLock::new();
        let mut is_first = false;
        let spoken = SPOKEN.get_or_init(|| {
            is_first = true;
            Self::default()
        });
        if is_first {
            // As the program hears itself: libraries speak from warnings on only.
            let filter = Targets::new().with_default(LevelFilter::WARN).with_targets(
                ["gemini_balance", "keypool", "dialect"].map(|it| (it, LevelFilter::TRACE)),
            );
            let ear = Registry::default().with(Ear(spoken).with_filter(filter));
            tracing::subscriber::set_global_default(ear).unwrap();
        }
        spoken
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        memmem::find(&self.0.lock(), text.as_bytes()).is_some()
    }

    /// How much was said so far.
    pub(crate) fn bytes(&self) -> usize {
        self.0.lock().len()
    }

    /// What was said behind the first `bytes`, by whichever test.
    pub(crate) fn since(&self, bytes: usize) -> Vec<u8> {
        self.0.lock()[bytes..].to_vec()
    }
}

struct Ear(&'static Spoken);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ear {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut line = Line(String::new());
        attributes.record(&mut line);
        self.0.0.lock().extend_from_slice(line.0.as_bytes());
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.0.lock().extend_from_slice(line.0.as_bytes());
        assert!(!(line.0.contains("attempt failed") && line.0.contains(DEFECT)), "a defect");
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = writeln!(self.0, "{field}={value:?}");
    }
}
