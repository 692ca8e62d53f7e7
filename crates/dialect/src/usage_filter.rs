//! Takes one event back out of an OpenAI stream: the usage event that the gateway asked for and the
//! client did not.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::json::{self, Find};
use crate::sse::{self, Piece};

/// Drops from an OpenAI stream the one event that exists only because the gateway set
/// `stream_options.include_usage`: empty `choices` and a `usage`. Everything else passes as it came.
///
/// An event is held back only while it may still turn out to be that one, and never more than 64 KiB
/// of it; longer events pass unseen. So the bytes that come out do not depend on how the stream was
/// cut.
#[derive(Clone, Debug)]
pub struct UsageFilter {
    sse: sse::Scanner,
    json: json::Scanner,
    /// The beginning of an event that came with earlier chunks and is not decided.
    held: Vec<u8>,
    event: EventClues,
    /// What became of the event whose last CR ended the last chunk: its LF, if any, goes with it.
    last: Option<Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passed,
    Dropped,
}

/// What is known of the current event.
#[derive(Clone, Copy, Debug, Default)]
struct EventClues {
    has_usage: bool,
    has_no_choices: bool,
    /// It is certainly not the extra event.
    is_passing: bool,
}

impl UsageFilter {
    /// The most that is ever held back, in bytes.
    const HELD_BYTES_MAX: usize = 64 * 1024;

    /// Starts at the beginning of a stream.
    #[expect(clippy::new_without_default, reason = "a filter has no empty value, only a start")]
    pub fn new() -> Self {
        Self {
            sse: sse::Scanner::new(),
            json: json::Scanner::new(),
            held: Vec::new(),
            event: EventClues::default(),
            last: None,
        }
    }

    /// Takes a chunk and returns what may go on to the client, in order. Whole events are slices of
    /// the chunk, not copies.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a chunk passes through, its slices come out"
    )]
    pub fn pass(&mut self, chunk: Bytes) -> FilteredChunks {
        let mut out = FilteredChunks::default();
        // Bytes before `sent` are dealt with; the current event begins at `event_at`.
        let (mut sent, mut event_at) = (0, 0);
        if chunk.first() == Some(&b'\n') {
            match self.last {
                Some(Fate::Passed) => event_at = 1,
                Some(Fate::Dropped) => (sent, event_at) = (1, 1),
                None => {}
            }
        }
        if !chunk.is_empty() {
            self.last = None;
        }
        let mut rest: &[u8] = &chunk;
        while let Some(piece) = self.sse.next(&mut rest) {
            let at = chunk.len() - rest.len();
            match piece {
                Piece::Data(bytes) => self.look(bytes),
                Piece::Unknown { .. } => {}
                Piece::EventEnd => {
                    let end = self.event_end(&chunk, at);
                    if self.is_extra(self.held.len() + at - event_at) {
                        self.held.clear();
                        out.push(chunk.slice(sent..event_at));
                        sent = end;
                        self.note_end(&chunk, at, Fate::Dropped);
                    } else {
                        out.push(Bytes::from(std::mem::take(&mut self.held)));
                        self.note_end(&chunk, at, Fate::Passed);
                    }
                    event_at = end;
                    self.event = EventClues::default();
                    self.json.reset();
                }
            }
        }
        let is_too_long = self.held.len() + chunk.len() - event_at > Self::HELD_BYTES_MAX;
        if self.event.is_passing || is_too_long {
            self.event.is_passing = true;
            out.push(Bytes::from(std::mem::take(&mut self.held)));
            out.push(chunk.slice(sent..));
        } else {
            out.push(chunk.slice(sent..event_at));
            self.held.extend_from_slice(&chunk.slice(event_at..));
        }
        out
    }

    /// Returns what is still held back when the stream has ended.
    pub fn finish(&mut self) -> Option<Bytes> {
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then(|| Bytes::from(held))
    }

    fn look(&mut self, data: &[u8]) {
        let event = &mut self.event;
        self.json.scan(data, |find| match find {
            Find::Count(..) => event.has_usage = true,
            Find::NoChoices => event.has_no_choices = true,
            Find::Choice | Find::ListOpened | Find::Broken => event.is_passing = true,
            Find::Value(json::Want::Error, raw) if raw != b"null" => event.is_passing = true,
            Find::Key(_) | Find::Value(..) | Find::DocumentClosed | Find::RootClosed => {}
        });
    }

    fn is_extra(&self, event_bytes: usize) -> bool {
        let event = self.event;
        event.has_usage
            && event.has_no_choices
            && !event.is_passing
            && event_bytes <= Self::HELD_BYTES_MAX
    }

    /// Where the event found to end `at` really ends: the LF of a CRLF belongs to it.
    fn event_end(&self, chunk: &Bytes, at: usize) -> usize {
        match chunk.get(at) {
            Some(b'\n') if self.sse.is_after_cr() => at + 1,
            Some(_) | None => at,
        }
    }

    /// Remembers the event's fate if its LF may only come with the next chunk.
    fn note_end(&mut self, chunk: &Bytes, at: usize, fate: Fate) {
        self.last = (self.sse.is_after_cr() && at == chunk.len()).then_some(fate);
    }
}

/// What [`UsageFilter::pass`] lets through: pieces in order, none of them empty.
#[derive(Debug, Default)]
pub struct FilteredChunks {
    /// Nearly always the only pieces: what was held, and the chunk.
    first: Option<Bytes>,
    second: Option<Bytes>,
    more: VecDeque<Bytes>,
}

impl FilteredChunks {
    fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        match (&self.first, &self.second) {
            (None, _) => self.first = Some(bytes),
            (Some(_), None) => self.second = Some(bytes),
            (Some(_), Some(_)) => self.more.push_back(bytes),
        }
    }
}

impl Iterator for FilteredChunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.first.take().or_else(|| self.second.take()).or_else(|| self.more.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTRA: &str = r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":1}}"#;

    #[test]
    fn only_the_extra_usage_event_is_dropped() {
        let content = r#"data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}"#;
        let filtered = r#"data: {"choices":[],"prompt_filter_results":[{}],"usage":null}"#;
        let failed = r#"data: {"choices":[],"usage":{"prompt_tokens":1},"error":{"code":500}}"#;
        for (end, text) in ["\n\n", "\r\n\r\n", "\r\r"].iter().flat_map(|end| {
            [content, filtered, failed, "data: [DONE]", ": ping"].map(|text| (end, text))
        }) {
            let stream = format!("{text}{end}{EXTRA}{end}{text}{end}");
            assert_eq!(filter(stream.as_bytes()), format!("{text}{end}{text}{end}"));
        }
    }

    #[test]
    fn an_event_that_never_ends_comes_out_with_the_end_of_the_stream() {
        assert_eq!(filter(EXTRA.as_bytes()), EXTRA);
    }

    #[test]
    fn an_event_longer_than_the_limit_passes() {
        let long = EXTRA.replace("\"c\"", &format!("\"{}\"", "c".repeat(70_000)));
        let stream = format!("{long}\n\n{EXTRA}\n\n");

        assert_eq!(filter(stream.as_bytes()), format!("{long}\n\n"));
    }

    #[test]
    fn whole_events_are_passed_without_a_copy() {
        let chunk = Bytes::from(format!("data: 1\n\n{EXTRA}\n\ndata: 2\n\n"));
        let out: Vec<Bytes> = UsageFilter::new().pass(chunk.clone()).collect();

        assert_eq!(out, ["data: 1\n\n", "data: 2\n\n"]);
        assert_eq!(out[0].as_ptr(), chunk.as_ptr());
    }

    /// Filters in one piece and byte by byte, which must agree.
    fn filter(stream: &[u8]) -> String {
        let whole = filter_pieces(std::iter::once(stream));
        let bytes = filter_pieces(stream.chunks(1));
        assert_eq!(whole, bytes);
        whole
    }

    fn filter_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
        let mut filter = UsageFilter::new();
        let mut out = Vec::new();
        for piece in pieces {
            for bytes in filter.pass(Bytes::copy_from_slice(piece)) {
                assert!(!bytes.is_empty());
                out.extend_from_slice(&bytes);
            }
        }
        out.extend(filter.finish().unwrap_or_default());
        String::from_utf8(out).unwrap()
    }
}
