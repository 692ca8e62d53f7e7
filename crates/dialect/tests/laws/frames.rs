//! Frames end where they end, however their bytes were cut; little is held of them; and what is
//! written is read as it was meant.

use dialect::frames::{Frames, Kind, Side, write};
use dialect::live::{Turns, setup};

use super::pieces::Pieces;

/// What a scanner may hold of any stream, in bytes.
const HELD_BYTES_MAX: usize = 256;

/// Input: lengths of pieces, and the stream; see [`Pieces`].
pub fn holds(input: &[u8]) {
    let pieces = Pieces::of(input);
    for side in [Side::Client, Side::Server] {
        let [whole, cut, bytes] = pieces.cuts().map(|chunks| known(side, &chunks));
        assert_eq!(whole, cut, "in pieces");
        assert_eq!(whole, bytes, "byte by byte");
    }
    let _ = setup(pieces.stream);
    let is_short = pieces.stream.len() <= 125;
    for (side, mask) in [(Side::Server, None), (Side::Client, Some([1, 2, 3, 4]))] {
        for kind in [Kind::Text, Kind::Binary, Kind::Ping, Kind::Pong] {
            if is_short || !kind.is_control() {
                let frame = write(kind, pieces.stream, mask);
                let mut frames = Frames::new(side);
                let step = frames.step(&frame);
                assert!(step.is_end && step.bytes == frame.len() && frames.kind() == Some(kind));
                assert_eq!(step.unmasked(&frame), pieces.stream);
                assert!(frames.is_between_messages());
            }
        }
    }
}

/// Everything that can be asked behind a stream.
fn known(side: Side, chunks: &[&[u8]]) -> String {
    let mut frames = Frames::new(side);
    let mut turns = Turns::default();
    let mut payload = Vec::new();
    for chunk in chunks {
        let mut rest = *chunk;
        while !rest.is_empty() {
            let before = frames.messages();
            let step = frames.step(rest);
            assert!(0 < step.bytes && step.bytes <= rest.len());
            assert!(step.payload.end <= step.bytes);
            assert!(frames.held_bytes() <= HELD_BYTES_MAX);
            if !frames.kind().is_none_or(Kind::is_control) {
                let part = step.unmasked(rest);
                turns.see(&part);
                payload.extend(part);
            }
            if before < frames.messages() {
                turns.message_ended();
            }
            (_, rest) = rest.split_at(step.bytes);
        }
    }
    let failure = frames.close().and_then(dialect::failure::of_close);
    format!(
        "{payload:?} {:?} {failure:?} {:?} {} {} {} {} {}",
        frames.close(),
        turns.usage(),
        frames.frames(),
        frames.messages(),
        frames.is_between_frames(),
        frames.is_between_messages(),
        frames.is_lost(),
    )
}
