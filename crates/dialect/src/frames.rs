//! Looks at WebSocket frames as they go by (RFC 6455, 5.2), and writes the few that are our own.
//!
//! [`Frames`] is shown the bytes of one direction, cut anywhere, and knows what each belongs to and
//! where frames and messages end. It changes nothing and holds a head and the payload of a control
//! frame at most: lengths are counted, never believed. What breaks the protocol is for the two ends
//! to find; from there on nothing is known any more, and everything may still pass.

use std::ops::Range;

/// The longest head of a frame, in bytes.
const HEAD_BYTES_MAX: usize = 14;
/// The longest payload of a control frame, in bytes (RFC 6455, 5.5).
const CONTROL_BYTES_MAX: u64 = 125;
/// The longest reason of a close frame, in bytes: two of the payload are the code.
const REASON_BYTES_MAX: usize = 123;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// More of a message that an earlier frame has begun.
    Continuation,
    /// A message of text, or its first part.
    Text,
    /// A message of bytes, or its first part.
    Binary,
    /// The last word of one side.
    Close,
    /// A question whether the other side is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Kind {
    /// Whether frames of this kind stand between those of a message, and whole.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn of(opcode: u8) -> Option<Self> {
        match opcode {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    fn opcode(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

/// Which side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that connected; its payloads are masked.
    Client,
    /// The one that was connected to; its payloads are not.
    Server,
}

/// What one step along the bytes has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many bytes: those of one frame at most, and one at least.
    pub bytes: usize,
    /// Which of them are payload.
    pub payload: Range<usize>,
    /// What the payload is to be combined with, by exclusive or and from its first byte on.
    pub mask: [u8; 4],
    /// Whether a frame ends with them.
    pub is_end: bool,
}

impl Step {
    /// The payload of the bytes that were stepped along, unmasked.
    pub fn unmasked(&self, bytes: &[u8]) -> Vec<u8> {
        let payload = bytes.get(self.payload.clone()).unwrap_or_default();
        payload.iter().zip(self.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }
}

/// The last word of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Close {
    /// Why, as a number; some say nothing.
    pub code: Option<u16>,
    /// Why, in words.
    pub reason: String,
}

/// The scanner of one direction; see the module.
#[derive(Clone, Debug)]
pub struct Frames {
    side: Side,
    state: State,
    /// What the current frame is, or the last one.
    kind: Option<Kind>,
    /// A message has begun and not ended.
    is_in_message: bool,
    frames: u64,
    messages: u64,
    /// The payload of a close frame so far.
    last_words: Vec<u8>,
    close: Option<Close>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head(Head),
    Payload(Payload),
    /// The protocol is broken.
    Lost,
}

/// The beginning of a head.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    length: usize,
}

/// A frame behind its head.
#[derive(Clone, Copy, Debug)]
struct Payload {
    kind: Kind,
    is_final: bool,
    left: u64,
    /// Of the next byte on.
    mask: [u8; 4],
}

impl Head {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn is_whole(&self) -> bool {
        let [_, second, ..] = self.bytes;
        let extended = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        2 <= self.length && self.length == 2 + extended + mask
    }
}

impl Frames {
    /// At the beginning of what this side sends.
    pub fn new(side: Side) -> Self {
        Self {
            side,
            state: State::Head(Head::default()),
            kind: None,
            is_in_message: false,
            frames: 0,
            messages: 0,
            last_words: Vec::new(),
            close: None,
        }
    }

    /// Goes on along the bytes to the end of the current frame, or to theirs.
    pub fn step(&mut self, bytes: &[u8]) -> Step {
        let mut taken = 0;
        if let State::Head(head) = &mut self.state {
            let mut is_whole = false;
            for byte in bytes {
                if head.length == 0 {
                    self.kind = Kind::of(byte & 0x0F);
                }
                head.push(*byte);
                taken += 1;
                is_whole = head.is_whole();
                if is_whole {
                    break;
                }
            }
            if !is_whole {
                return Step { bytes: taken, payload: taken..taken, mask: [0; 4], is_end: false };
            }
            let head = *head;
            self.state = self.begin(head).map_or(State::Lost, State::Payload);
        }
        let State::Payload(mut frame) = self.state else {
            self.kind = None;
            return Step { bytes: bytes.len(), payload: 0..0, mask: [0; 4], is_end: false };
        };
        let rest = bytes.get(taken..).unwrap_or_default();
        let count = usize::try_from(frame.left).unwrap_or(usize::MAX).min(rest.len());
        let mut step = Step {
            bytes: taken + count,
            payload: taken..taken + count,
            mask: frame.mask,
            is_end: false,
        };
        if frame.kind == Kind::Close {
            self.last_words.extend(step.unmasked(bytes));
        }
        frame.left -= count as u64;
        let masked = count % frame.mask.len();
        frame.mask.rotate_left(masked);
        self.state = State::Payload(frame);
        if frame.left == 0 {
            step.is_end = true;
            self.end(frame);
        }
        step
    }

    /// What the frame is to which the last step belonged; known from its first byte on.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether a frame may be put in here.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Head(Head { length: 0, .. }))
    }

    /// Whether a message may be put in here.
    pub fn is_between_messages(&self) -> bool {
        self.is_between_frames() && !self.is_in_message
    }

    /// Whether this is no WebSocket protocol, so that nothing is known any more.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// How many frames have ended.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How many messages have ended.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The last word of this side, once it has been said.
    pub fn close(&self) -> Option<&Close> {
        self.close.as_ref()
    }

    /// What is held of what went by, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.last_words.capacity()
    }

    /// Reads a whole head; `None` if it breaks the protocol.
    fn begin(&mut self, head: Head) -> Option<Payload> {
        let [first, second, ..] = head.bytes;
        let mut rest = head.bytes.into_iter().skip(2);
        let kind = Kind::of(first & 0x0F)?;
        let is_final = first & 0x80 != 0;
        let is_masked = second & 0x80 != 0;
        let mut number =
            |count| rest.by_ref().take(count).fold(0, |sum, byte| (sum << 8) | u64::from(byte));
        let (left, least) = match second & 0x7F {
            126 => (number(2), 126),
            127 => (number(8), 1 << 16),
            short => (u64::from(short), 0),
        };
        let mut mask = [0; 4];
        if is_masked {
            mask.iter_mut().zip(rest).for_each(|(place, byte)| *place = byte);
        }
        let is_sound = first & 0x70 == 0
            && is_masked == (self.side == Side::Client)
            && least <= left
            && left <= u64::MAX >> 1
            && match kind {
                Kind::Close => is_final && left <= CONTROL_BYTES_MAX && left != 1,
                Kind::Ping | Kind::Pong => is_final && left <= CONTROL_BYTES_MAX,
                Kind::Continuation => self.is_in_message,
                Kind::Text | Kind::Binary => !self.is_in_message,
            };
        self.is_in_message |= !kind.is_control();
        is_sound.then_some(Payload { kind, is_final, left, mask })
    }

    fn end(&mut self, frame: Payload) {
        self.state = State::Head(Head::default());
        self.frames += 1;
        if frame.kind == Kind::Close {
            let words = std::mem::take(&mut self.last_words);
            self.close.get_or_insert_with(|| Close::of(&words));
        } else if !frame.kind.is_control() && frame.is_final {
            self.is_in_message = false;
            self.messages += 1;
        }
    }
}

impl Close {
    fn of(payload: &[u8]) -> Self {
        match payload.split_first_chunk() {
            Some((code, reason)) => Self {
                code: Some(u16::from_be_bytes(*code)),
                reason: String::from_utf8_lossy(reason).into_owned(),
            },
            None => Self::default(),
        }
    }
}

/// Writes a whole frame, masked with `mask` if there is one.
pub fn write(kind: Kind, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEAD_BYTES_MAX + payload.len());
    frame.push(0x80 | kind.opcode());
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..=125 => frame.push(masked | u8::try_from(length).unwrap_or_default()),
        length => match u16::try_from(length) {
            Ok(length) => {
                frame.push(masked | 126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(masked | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        },
    }
    match mask {
        None => frame.extend_from_slice(payload),
        Some(mask) => {
            frame.extend(mask);
            frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
    }
    frame
}

/// Writes a close frame; a reason that is too long is cut between two characters.
pub fn write_close(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let end = (0..=REASON_BYTES_MAX.min(reason.len())).rfind(|end| reason.is_char_boundary(*end));
    let reason = reason.get(..end.unwrap_or(0)).unwrap_or_default();
    write(Kind::Close, &[code.to_be_bytes().as_slice(), reason.as_bytes()].concat(), mask)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is known behind some bytes.
    #[derive(Debug, PartialEq, Eq)]
    struct Known {
        payload: Vec<u8>,
        close: Option<Close>,
        counts: (u64, u64),
        is_between: (bool, bool),
        is_lost: bool,
    }

    fn look<'b>(side: Side, pieces: impl IntoIterator<Item = &'b [u8]>) -> Known {
        let mut frames = Frames::new(side);
        let mut payload = Vec::new();
        for piece in pieces {
            let mut rest = piece;
            while !rest.is_empty() {
                let step = frames.step(rest);
                assert!(0 < step.bytes && step.bytes <= rest.len());
                assert!(frames.held_bytes() <= 256);
                if !frames.kind().is_none_or(Kind::is_control) {
                    payload.extend(step.unmasked(rest));
                }
                rest = &rest[step.bytes..];
            }
        }
        Known {
            payload,
            close: frames.close().cloned(),
            counts: (frames.frames(), frames.messages()),
            is_between: (frames.is_between_frames(), frames.is_between_messages()),
            is_lost: frames.is_lost(),
        }
    }

    #[test]
    fn lengths_of_every_form_are_counted() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![7; length];
            for (side, mask) in [(Side::Server, None), (Side::Client, Some([1, 2, 3, 4]))] {
                let frame = write(Kind::Binary, &payload, mask);

                let known = look(side, [frame.as_slice()]);

                assert_eq!((known.counts, known.is_lost), ((1, 1), false), "{length}");
                assert_eq!(known.payload, payload);
            }
        }
    }

    #[test]
    fn a_control_frame_stands_between_the_parts_of_a_message() {
        let mut bytes = write(Kind::Text, b"one ", None);
        bytes[0] &= 0x7F;
        let first = bytes.len();
        bytes.extend(write(Kind::Ping, b"there?", None));
        bytes.extend(write(Kind::Continuation, b"two", None));

        let known = look(Side::Server, [&bytes[..first]]);
        assert_eq!((known.is_between, known.counts), ((true, false), (1, 0)));
        let known = look(Side::Server, [bytes.as_slice()]);

        assert_eq!((known.is_between, known.counts), ((true, true), (3, 1)));
        assert_eq!(known.payload, b"one two");
    }

    #[test]
    fn the_last_word_is_read_with_and_without_a_mask() {
        let reason = "API key not valid. Please pass a valid API key.";
        for (side, mask) in [(Side::Server, None), (Side::Client, Some([9, 8, 7, 6]))] {
            let known = look(side, write_close(1007, reason, mask).chunks(1));

            assert_eq!(known.close, Some(Close { code: Some(1007), reason: reason.to_owned() }));
        }
        let silent = look(Side::Server, [write(Kind::Close, b"", None).as_slice()]);
        assert_eq!(silent.close, Some(Close::default()));
    }

    #[test]
    fn a_reason_is_cut_between_two_characters() {
        let frame = write_close(1011, &"键".repeat(60), None);

        let known = look(Side::Server, [frame.as_slice()]);

        assert_eq!(known.close.unwrap().reason, "键".repeat(41));
    }

    #[test]
    fn what_breaks_the_protocol_is_not_followed() {
        let text = write(Kind::Text, b"x", None);
        let begun = [0x01, 0x01, b'x'];
        for (side, bytes) in [
            (Side::Server, vec![0x83, 0x00]),
            (Side::Server, vec![0xC1, 0x00]),
            (Side::Server, vec![0x09, 0x00]),
            (Side::Server, vec![0x89, 126, 0, 126]),
            (Side::Server, vec![0x88, 1, 0]),
            (Side::Server, vec![0x80, 0x00]),
            (Side::Server, vec![0x82, 126, 0, 125]),
            (Side::Server, [[0x82, 127].as_slice(), &[0xFF; 8]].concat()),
            (Side::Server, [begun.as_slice(), &text].concat()),
            (Side::Client, text.clone()),
            (Side::Server, write(Kind::Text, b"x", Some([1; 4]))),
            (Side::Server, b"HTTP/1.1 400 Bad Request\r\n".to_vec()),
        ] {
            let known = look(side, [bytes.as_slice()]);

            assert!(known.is_lost && !known.is_between.0, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_same_is_known(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                prop::collection::vec(frame(), 0..6).prop_map(|frames| frames.concat()),
            ],
            cut in 1_usize..40,
        ) {
            for side in [Side::Client, Side::Server] {
                let whole = look(side, [bytes.as_slice()]);
                prop_assert_eq!(&whole, &look(side, bytes.chunks(cut)));
                prop_assert_eq!(&whole, &look(side, bytes.chunks(1)));
            }
        }
    }

    /// A frame that is mostly a sound one.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let kind = prop::sample::select(vec![
            Kind::Continuation,
            Kind::Text,
            Kind::Binary,
            Kind::Close,
            Kind::Ping,
            Kind::Pong,
        ]);
        let payload = prop::collection::vec(any::<u8>(), 0..300);
        (kind, payload, any::<Option<[u8; 4]>>(), any::<bool>()).prop_map(
            |(kind, mut payload, mask, is_final)| {
                if kind.is_control() {
                    payload.truncate(125);
                }
                let mut frame = write(kind, &payload, mask);
                if !is_final && !kind.is_control() {
                    frame[0] &= 0x7F;
                }
                frame
            },
        )
    }
}
