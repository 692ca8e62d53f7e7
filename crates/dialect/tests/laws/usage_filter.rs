//! The filter takes whole events out or nothing, and the same ones however the stream was cut.

use bytes::Bytes;
use dialect::UsageFilter;
use memchr::memmem;

use super::pieces::Pieces;

/// Events after which a stream is cut in two; more would only take time.
const ENDS_MAX: usize = 4;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Input: lengths of pieces, and the stream; see [`Pieces`].
pub fn holds(input: &[u8]) {
    let pieces = Pieces::of(input);
    let stream = pieces.stream;
    let [whole, cut, bytes] = pieces.cuts().map(|chunks| filtered(&chunks));
    assert_eq!(whole, cut, "in pieces");
    assert_eq!(whole, bytes, "byte by byte");
    assert!(is_left_over(&whole, stream), "something was added or moved");
    if memmem::find(stream, b"choices").is_none() || memmem::find(stream, b"usage").is_none() {
        assert_eq!(whole, stream);
    }
    // A mark counts only at the start of a stream, so with marks a part is not as in the whole.
    if memmem::find(stream, BYTE_ORDER_MARK).is_none() {
        assert_eq!(filtered(&[&whole]), whole, "twice");
        for end in memmem::find_iter(stream, b"\n\n").map(|at| at + 2).take(ENDS_MAX) {
            let (head, tail) = stream.split_at(end);
            assert_eq!(whole, [filtered(&[head]), filtered(&[tail])].concat(), "cut at {end}");
        }
    }
}

fn filtered(chunks: &[&[u8]]) -> Vec<u8> {
    let mut filter = UsageFilter::new();
    let mut out = Vec::new();
    for chunk in chunks {
        for bytes in filter.pass(Bytes::copy_from_slice(chunk)) {
            assert!(!bytes.is_empty());
            out.extend_from_slice(&bytes);
        }
    }
    out.extend(filter.finish().unwrap_or_default());
    out
}

/// Whether `part` is `whole` with some bytes taken out.
fn is_left_over(part: &[u8], whole: &[u8]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|byte| rest.any(|other| other == byte))
}
