//! Watches an answer go by and knows what it cost, whether it is whole, and whether it went wrong.
//!
//! A tap is shown the same bytes the caller gets. It cannot fail and holds none of them: whatever the
//! size of the answer and however it was cut, it costs less than 128 KiB and ends up knowing the same.
//! One JSON scanner serves all shapes; an event stream is a series of documents in `data` fields, an
//! array stream a series of elements.

mod record;

use record::Record;

use crate::failure::Failure;
use crate::json::{self, Gap};
use crate::resource::Made;
use crate::sse::{self, Piece};
use crate::usage::Usage;
use crate::{Dialect, ErrorBody};

/// How an answer is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `text/event-stream`.
    Sse,
    /// One JSON array delivered element by element: a Gemini stream without `alt=sse`.
    JsonArray,
    /// One JSON object.
    Json,
}

/// What a tap has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The last value of each count that was sent.
    pub usage: Option<Usage>,
    /// The caller has everything that matters: a finish reason, `[DONE]`, a refused prompt, a
    /// completed response, or the closed JSON document. The first of several candidates counts.
    pub is_finished: bool,
    /// Something that is not an error has gone by, so the answer cannot be started again. True as
    /// soon as it is certain, which may be long before the event is whole.
    pub has_content: bool,
    /// The last error inside the body or stream.
    pub error: Option<Failure>,
    /// Events, elements or documents that were whole, errors and `[DONE]` included.
    pub events: u64,
    /// This is not an answer of the expected shape: a web page, a list, `null`, no JSON.
    pub is_malformed: bool,
    /// Bytes may be put in here: no event or element is open.
    pub at_boundary: bool,
    /// The JSON document, or the JSON array, is closed. Never true of an event stream.
    pub is_complete: bool,
    /// What the answer says of the resource that it tells of, if the tap was asked to note it.
    pub made: Made,
}

/// The watcher; see the module.
#[derive(Clone, Debug)]
pub struct Tap {
    dialect: Dialect,
    sse: sse::Scanner,
    json: json::Scanner,
    event: Event,
    record: Record,
}

/// The `data` of the current event of an event stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Event {
    #[default]
    Empty,
    /// The beginning of `[DONE]`, and how much of it.
    Begun(usize),
    /// `[DONE]`, and nothing but white space behind it.
    Done,
    Other,
}

impl Event {
    const DONE: &[u8] = b"[DONE]";

    /// The event with more data behind it.
    fn with(self, data: &[u8]) -> Self {
        let begun = match self {
            Self::Empty => 0,
            Self::Begun(bytes) => bytes,
            Self::Done => Self::DONE.len(),
            Self::Other => return self,
        };
        let lacking = Self::DONE.get(begun..).unwrap_or_default();
        let (head, tail) = data.split_at(data.len().min(lacking.len()));
        if !lacking.starts_with(head) || !tail.iter().all(u8::is_ascii_whitespace) {
            return Self::Other;
        }
        match begun + head.len() {
            0 => Self::Empty,
            bytes if bytes < Self::DONE.len() => Self::Begun(bytes),
            _ => Self::Done,
        }
    }
}

impl Tap {
    /// Starts at the beginning of a body.
    pub fn new(dialect: Dialect, shape: Shape) -> Self {
        Self {
            dialect,
            sse: sse::Scanner::new(),
            json: json::Scanner::new(),
            event: Event::default(),
            record: Record::new(shape),
        }
    }

    /// Notes what the answer says of a resource.
    #[must_use]
    pub fn noting_resource(mut self) -> Self {
        self.record.is_noting = true;
        self
    }

    /// Looks at the next bytes of the body, after decompression if there was any.
    pub fn see(&mut self, chunk: &[u8]) {
        match self.record.shape {
            Shape::Sse => {
                self.see_events(chunk);
                self.record.seen.at_boundary = self.sse.is_at_boundary();
            }
            Shape::JsonArray | Shape::Json => {
                let Self { json, record, .. } = self;
                json.scan(chunk, |find| record.take(find));
                record.seen.at_boundary = json.gap() != Gap::Inside;
            }
        }
    }

    /// Notes the end of the body: a last event may lack its blank line.
    pub fn end(&mut self) {
        if self.record.shape == Shape::Sse && (self.event == Event::Done || self.record.is_whole) {
            self.event_end();
        }
    }

    /// Returns what is known so far.
    pub fn seen(&self) -> &Seen {
        &self.record.seen
    }

    /// Writes the bytes that end this stream with one error: an open event is closed first. `None`
    /// where none can be put: inside or behind an array, or in a plain JSON document.
    pub fn closing_error(&self, error: &ErrorBody<'_>) -> Option<Vec<u8>> {
        match self.record.shape {
            Shape::Sse => Some([self.sse.closing(), &self.dialect.error_event(error)].concat()),
            Shape::Json => None,
            Shape::JsonArray => {
                let before: &[u8] = match self.json.gap() {
                    Gap::Before => b"[",
                    Gap::Vacant => b"",
                    Gap::Occupied => b",\n",
                    Gap::Behind | Gap::Inside => return None,
                };
                let element = self.dialect.error_element(error);
                Some([before, element.as_slice(), b"]"].concat())
            }
        }
    }

    fn see_events(&mut self, chunk: &[u8]) {
        let mut input = chunk;
        while let Some(piece) = self.sse.next(&mut input) {
            match piece {
                Piece::Data(bytes) => {
                    if self.record.is_bare {
                        self.start_event();
                    }
                    self.event = self.event.with(bytes);
                    self.scan(bytes);
                }
                Piece::Unknown { bytes, is_start } => self.see_unknown(bytes, is_start),
                // A blank line between lines of bare JSON is only white space.
                Piece::EventEnd if self.record.is_bare => {}
                Piece::EventEnd => self.event_end(),
            }
        }
    }

    /// Google may break off an event stream with an error object on lines of its own. Anything else
    /// without a field name is only worth a thought if it is all there is.
    fn see_unknown(&mut self, bytes: &[u8], is_start: bool) {
        let opens_json = matches!(bytes.first(), Some(b'{' | b'['));
        if is_start && opens_json && self.event == Event::Empty {
            self.record.is_bare = true;
        }
        if self.record.is_bare {
            self.scan(bytes);
            if self.json.gap() == Gap::Behind {
                self.record.seen.events += 1;
                self.start_event();
            }
        } else if self.record.seen.events == 0 && self.event == Event::Empty {
            self.record.seen.is_malformed = true;
        }
    }

    fn scan(&mut self, bytes: &[u8]) {
        let Self { json, record, .. } = self;
        json.scan(bytes, |find| record.take(find));
    }

    fn event_end(&mut self) {
        if self.event == Event::Done {
            self.record.seen.is_finished = true;
        } else if self.event != Event::Empty && !self.record.is_whole {
            // Data that is no JSON document was passed on, so it is content all the same.
            self.record.seen.has_content = true;
        }
        if self.event != Event::Empty {
            self.record.seen.events += 1;
        }
        self.start_event();
    }

    fn start_event(&mut self) {
        self.event = Event::default();
        self.json.reset();
        self.record.start_event();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}"#;
    const LAST: &str = r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3}}"#;
    const ERROR: &str = r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#;

    #[test]
    fn an_event_stream_is_finished_by_a_finish_reason() {
        check(Shape::Sse, &format!("data: {TEXT}\n\n"), "content 1 boundary");
        check(
            Shape::Sse,
            &format!("data: {TEXT}\n\ndata: {LAST}\n\n"),
            "content finished 2 boundary total=5",
        );
        check(Shape::Sse, &format!("data: {TEXT}\r\rdata: {LAST}"), "content finished 2 total=5");
        check(
            Shape::Sse,
            "data: {\"choices\":[]}\n\ndata: [DONE]\n\n",
            "content finished 2 boundary",
        );
        check(Shape::Sse, "data: [DONE]", "finished 1");
        check(
            Shape::Sse,
            "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n",
            "content finished 1 boundary",
        );
        check(
            Shape::Sse,
            "data: {\"candidates\":[{\"finishReason\":1}]}\n\n",
            "content finished 1 boundary",
        );
        check(
            Shape::Sse,
            "data: {\"candidates\":[{\"finishReason\":\"FINISH_REASON_UNSPECIFIED\"}]}\n\n",
            "content 1 boundary",
        );
    }

    #[test]
    fn an_event_stream_with_event_lines_is_finished_by_its_type() {
        check(
            Shape::Sse,
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":1,\"output_tokens\":4}}}\n\n",
            "content finished 1 boundary total=5",
        );
        check(
            Shape::Sse,
            "event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"slow\",\"sequence_number\":1}\n\n",
            "error=429 slow 1 boundary",
        );
        check(
            Shape::Sse,
            "data: {\"event_type\":\"error\",\"error\":{\"code\":\"not_found\",\"message\":\"gone\"}}\n\n",
            "error=404 gone 1 boundary",
        );
    }

    #[test]
    fn an_error_before_any_content_is_not_content() {
        check(Shape::Sse, &format!("data: {ERROR}\n\n"), "error=503 overloaded 1 boundary");
        check(Shape::Sse, &format!("data: [{ERROR}]\n\n"), "error=503 overloaded 1 boundary");
        check(Shape::Sse, &format!("{ERROR}\n"), "error=503 overloaded 1");
        let pretty =
            "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"overloaded\"\n  }\n}\n";
        check(Shape::Sse, pretty, "error=503 overloaded 1");
        check(
            Shape::Sse,
            &format!("data: {TEXT}\n\n{ERROR}\n\n"),
            "content error=503 overloaded 2 boundary",
        );
        check(
            Shape::JsonArray,
            &format!("[{ERROR}]"),
            "finished error=503 overloaded 1 boundary complete",
        );
        check(Shape::JsonArray, ERROR, "finished error=503 overloaded 1 boundary complete");
        check(Shape::Json, ERROR, "finished error=503 overloaded 1 boundary complete");
        check(
            Shape::Json,
            &format!("[{ERROR}]\n"),
            "finished error=503 overloaded 1 boundary complete",
        );
    }

    #[test]
    fn a_resource_may_have_an_error_of_its_own() {
        let operation = r#"{"name":"operations/1","done":true,"error":{"code":13}}"#;
        check(Shape::Json, operation, "content finished 1 boundary complete");
        check(Shape::Json, r#"{"id":"r","error":null}"#, "content finished 1 boundary complete");
        check(Shape::Json, "{}", "content finished 1 boundary complete");
    }

    #[test]
    fn what_is_not_of_the_expected_shape_is_malformed() {
        for text in
            ["<!DOCTYPE html>\n<html>\n", "null\n", "internal error\n", "upstream timed out"]
        {
            let tap = tap(Shape::Sse, std::iter::once(text.as_bytes()));
            assert!(tap.seen().is_malformed && !tap.seen().has_content, "{text}");
        }
        check(Shape::Sse, &format!("{TEXT}\n"), "malformed 1");
        check(Shape::Json, "<html>", "malformed");
        check(Shape::Json, "null", "malformed");
        check(Shape::Json, "[]", "finished malformed 0 boundary complete");
        check(Shape::Json, &format!("[{TEXT}]"), "finished malformed 1 boundary complete");
        check(Shape::JsonArray, TEXT, "finished malformed 1 boundary complete");
        check(Shape::JsonArray, "data: {}", "malformed");
    }

    #[test]
    fn oddities_of_a_stream_are_not_malformed() {
        check(Shape::Sse, "", "boundary");
        check(Shape::Sse, ": ping\n\n\n\n", "boundary");
        check(Shape::Sse, "data: not json\n\ndata: \u{1}\n\n", "content 2 boundary");
        check(Shape::Sse, "id: 1\nretry: 5\n\n", "boundary");
        check(Shape::Sse, "data:\n\n", "boundary");
        check(
            Shape::Sse,
            &format!("\u{feff}event: x\ndata:{LAST}\n\n"),
            "content finished 1 boundary total=5",
        );
        let split = LAST.replace(",\"usage", ",\ndata: \"usage");
        check(Shape::Sse, &format!("data: {split}\n\n"), "content finished 1 boundary total=5");
        check(
            Shape::Sse,
            &format!("data: {TEXT}\n\n{{oops\n\ndata: {LAST}\n\n"),
            "content finished malformed 2 boundary total=5",
        );
    }

    #[test]
    fn a_list_has_boundaries_between_its_elements() {
        check(Shape::JsonArray, "[", "boundary");
        check(Shape::JsonArray, &format!("[{TEXT}"), "content 1 boundary");
        check(Shape::JsonArray, &format!("[{TEXT},\r\n"), "content 1 boundary");
        check(Shape::JsonArray, "[{\"candidates\"", "content");
        check(
            Shape::JsonArray,
            &format!("[{TEXT},{LAST}]"),
            "content finished 2 boundary complete total=5",
        );
    }

    #[test]
    fn a_broken_stream_is_closed_with_valid_bytes() {
        let error = ErrorBody {
            status: 502,
            message: "broke",
            code: "upstream_broke",
            retry_after_ms: None,
        };
        let close =
            |shape, text: &str| tap(shape, std::iter::once(text.as_bytes())).closing_error(&error);

        for start in ["", "[", &format!("[{TEXT}"), &format!("[{TEXT}\n,\n")] {
            let mut list = start.as_bytes().to_vec();
            list.extend(close(Shape::JsonArray, start).unwrap());
            assert!(serde_json::from_slice::<Vec<serde_json::Value>>(&list).is_ok(), "{start}");
        }
        assert_eq!(close(Shape::JsonArray, "[{"), None);
        assert_eq!(close(Shape::JsonArray, "[]"), None);
        assert_eq!(close(Shape::Json, "{"), None);
        let event = Dialect::Gemini.error_event(&error);
        for (text, closing) in [
            ("", ""),
            ("data: {}\n\n", ""),
            ("data: {", "\n\n"),
            ("data: {}\r", "\n\n"),
            ("data: {}\r\n", "\n"),
            ("data: {}\r\n\r", "\n"),
            ("data: {}\r\n\r\n", ""),
        ] {
            let expected = [closing.as_bytes(), &event].concat();
            assert_eq!(close(Shape::Sse, text), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn counts_are_kept_one_by_one() {
        let stream = concat!(
            "data: {\"usageMetadata\":{\"promptTokenCount\":9,\"thoughtsTokenCount\":100}}\n\n",
            "data: {\"usageMetadata\":{}}\n\n",
            "data: {\"usageMetadata\":{\"candidatesTokenCount\":\"20\",\"totalTokenCount\":129}}\n\n",
        );

        let tap = tap(Shape::Sse, std::iter::once(stream.as_bytes()));

        let usage = tap.seen().usage.unwrap();
        assert_eq!((usage.prompt, usage.completion), (Some(9), Some(120)));
        assert_eq!((usage.thinking, usage.total), (Some(100), Some(129)));
    }

    #[test]
    fn a_line_of_any_length_costs_no_memory() {
        let mut tap = Tap::new(Dialect::Gemini, Shape::Sse);
        let mebibyte = "键".repeat((1 << 20) / 3);

        tap.see(b"data: {\"error\":{\"message\":\"");
        for _ in 0..64 {
            tap.see(mebibyte.as_bytes());
        }
        tap.see(b"\"},\"usageMetadata\":{\"totalTokenCount\":7}}\n\n");

        assert!(tap.json.held_bytes() < 256 * 1024);
        assert_eq!(tap.seen().usage.unwrap().total, Some(7));
        assert!(tap.seen().error.as_ref().unwrap().message.len() <= 4 * 500);
    }

    fn check(shape: Shape, text: &str, expected: &str) {
        let whole = tap(shape, std::iter::once(text.as_bytes()));
        let bytes = tap(shape, text.as_bytes().chunks(1));
        assert_eq!(whole.seen(), bytes.seen(), "byte by byte: {text}");
        assert_eq!(words(whole.seen()), expected, "{text}");
    }

    fn tap<'a>(shape: Shape, chunks: impl Iterator<Item = &'a [u8]>) -> Tap {
        let mut tap = Tap::new(Dialect::Gemini, shape);
        chunks.for_each(|chunk| tap.see(chunk));
        tap.end();
        tap
    }

    fn words(seen: &Seen) -> String {
        let mut words = Vec::new();
        let mut say = |is_so: bool, word: &str| words.extend(is_so.then(|| word.to_owned()));
        say(seen.has_content, "content");
        say(seen.is_finished, "finished");
        say(seen.is_malformed, "malformed");
        if let Some(error) = &seen.error {
            say(true, &format!("error={} {}", error.status, error.message));
        }
        say(seen.events > 0 || seen.is_complete, &seen.events.to_string());
        say(seen.at_boundary, "boundary");
        say(seen.is_complete, "complete");
        if let Some(total) = seen.usage.and_then(|usage| usage.total) {
            say(true, &format!("total={total}"));
        }
        words.join(" ")
    }
}
