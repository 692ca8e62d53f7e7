//! A tap sees the same however the answer was cut, and can only end a stream where no event is open.

use dialect::{Dialect, ErrorBody, Seen, Shape, Tap};

use super::pieces::Pieces;

const ERROR: ErrorBody<'static> =
    ErrorBody { status: 502, message: "broke", code: "upstream_broke", retry_after_ms: None };

/// Input: lengths of pieces, and the stream; see [`Pieces`].
pub fn holds(input: &[u8]) {
    let pieces = Pieces::of(input);
    for dialect in [Dialect::OpenAi, Dialect::Gemini] {
        for shape in [Shape::Sse, Shape::JsonArray, Shape::Json] {
            let [whole, cut, bytes] = pieces.cuts().map(|chunks| watched(dialect, shape, &chunks));
            assert_eq!(whole, cut, "{dialect:?} {shape:?} in pieces");
            assert_eq!(whole, bytes, "{dialect:?} {shape:?} byte by byte");
        }
    }
}

/// What is known before the end and at the end, and the bytes that could have ended the stream.
fn watched(dialect: Dialect, shape: Shape, chunks: &[&[u8]]) -> (Seen, Seen, Option<Vec<u8>>) {
    let mut tap = Tap::new(dialect, shape);
    let mut last = tap.seen().clone();
    for chunk in chunks {
        tap.see(chunk);
        has_only_grown(&last, tap.seen());
        last = tap.seen().clone();
    }
    let closing = tap.closing_error(&ERROR);
    if shape != Shape::Json && !last.is_complete && !last.is_malformed {
        assert_eq!(closing.is_some(), last.at_boundary, "{shape:?}");
    }
    tap.end();
    has_only_grown(&last, tap.seen());
    (last, tap.seen().clone(), closing)
}

/// Nothing that was seen is ever unseen.
fn has_only_grown(before: &Seen, after: &Seen) {
    assert!(before.events <= after.events);
    assert!(after.usage.is_some() || before.usage.is_none());
    assert!(after.error.is_some() || before.error.is_none());
    assert!(after.is_finished || !before.is_finished);
    assert!(after.has_content || !before.has_content);
    assert!(after.is_malformed || !before.is_malformed);
    assert!(after.is_complete || !before.is_complete);
}
