//! A tap sees the same however the answer was cut, and ends a stream only where no event is open.

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
    let mut known = certain(tap.seen());
    for chunk in chunks {
        tap.see(chunk);
        known = grown(known, certain(tap.seen()));
    }
    let last = tap.seen().clone();
    let closing = tap.closing_error(&ERROR);
    match (shape, &closing) {
        (Shape::Sse, closing) => {
            let starts_at_once = closing.as_ref().is_some_and(|bytes| bytes.starts_with(b"data: "));
            assert_eq!(starts_at_once, last.at_boundary);
        }
        (Shape::JsonArray, closing) if !last.is_complete && !last.is_malformed => {
            assert_eq!(closing.is_some(), last.at_boundary);
        }
        (Shape::JsonArray | Shape::Json, _) => {}
    }
    tap.end();
    grown(known, certain(tap.seen()));
    (last, tap.seen().clone(), closing)
}

/// What once seen is never unseen.
fn certain(seen: &Seen) -> (u64, [bool; 6]) {
    let has_usage = seen.usage.is_some();
    let has_error = seen.error.is_some();
    let Seen { is_finished, has_content, is_malformed, is_complete, .. } = *seen;
    (seen.events, [has_usage, has_error, is_finished, has_content, is_malformed, is_complete])
}

fn grown(before: (u64, [bool; 6]), after: (u64, [bool; 6])) -> (u64, [bool; 6]) {
    assert!(before.0 <= after.0, "{before:?} {after:?}");
    assert!(before.1.iter().zip(after.1).all(|(before, after)| after || !before), "{after:?}");
    after
}
