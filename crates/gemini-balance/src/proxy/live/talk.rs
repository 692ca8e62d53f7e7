//! What is said in a session: which bytes go where, and what is known of them.
//!
//! No socket and no clock. Bytes pass as they came; what is our own is put between them, where a
//! frame may stand. Until the upstream has said something, what the caller says is kept, so that it
//! can be said to another key; and the last word of the upstream is looked at before it is passed.

use bytes::{Bytes, BytesMut};
use dialect::failure::of_close;
use dialect::frames::{Frames, Kind, Side, write, write_close};
use dialect::live::{Setup, Turns, go_away, setup};
use dialect::{Failure, Usage};

use crate::admission::Reservation;
use crate::pool::ServiceKey;
use crate::proxy::serve::redact;

/// How much of what the caller says is kept for another key; beyond that, there is none.
const KEPT_BYTES_MAX: usize = 256 * 1024;
/// A part of a key at the cut end of a reason that is taken for one, in characters.
const KEY_PART_MIN: usize = 8;
/// What is asked in a ping of ours.
const PING: &[u8] = b"gemini-balance";
/// The code of a close by which a server says that it goes away.
const GOING_AWAY: u16 = 1001;
/// The code of a close for no reason that has a code.
const INTERNAL: u16 = 1011;

/// What is said in a session.
pub(super) struct Talk {
    /// From the caller on.
    up: Frames,
    /// From the upstream on.
    down: Frames,
    /// Bytes ready for the upstream.
    pub(super) to_upstream: BytesMut,
    /// Bytes ready for the caller.
    pub(super) to_caller: BytesMut,
    /// A control frame of the upstream that is not whole.
    held: BytesMut,
    /// What the caller has said, as long as it may be said to another key.
    kept: Option<Kept>,
    /// The upstream has sent a message.
    is_proven: bool,
    refusal: Option<(Failure, Bytes)>,
    /// What the caller is still to be told about the end that nears.
    farewell: Option<Bytes>,
    /// Who has said the last word first.
    ended_by: Option<Side>,
    turns: Turns,
}

struct Kept {
    bytes: BytesMut,
    reservation: Reservation,
}

impl Talk {
    /// Nothing is said yet; what is kept is reserved.
    pub(super) fn new(reservation: Reservation) -> Self {
        Self {
            up: Frames::new(Side::Client),
            down: Frames::new(Side::Server),
            to_upstream: BytesMut::new(),
            to_caller: BytesMut::new(),
            held: BytesMut::new(),
            kept: Some(Kept { bytes: BytesMut::new(), reservation }),
            is_proven: false,
            refusal: None,
            farewell: None,
            ended_by: None,
            turns: Turns::default(),
        }
    }

    /// The caller has said more.
    pub(super) fn caller_said(&mut self, piece: &[u8]) {
        let is_kept = self.kept.as_mut().is_some_and(|kept| kept.add(piece));
        if !is_kept {
            self.kept = None;
        }
        let mut rest = piece;
        while !rest.is_empty() {
            let step = self.up.step(rest);
            (_, rest) = rest.split_at(step.bytes);
        }
        if self.up.close().is_some() {
            self.ended_by.get_or_insert(Side::Client);
        }
        self.to_upstream.extend_from_slice(piece);
    }

    /// The upstream, which was let in by `key`, has said more.
    pub(super) fn upstream_said(&mut self, piece: &[u8], key: Option<&ServiceKey>) {
        let mut rest = piece;
        while !rest.is_empty() && self.refusal.is_none() {
            self.say_farewell();
            let messages = self.down.messages();
            let step = self.down.step(rest);
            let (now, later) = rest.split_at(step.bytes);
            rest = later;
            match self.down.kind() {
                Some(kind) if kind.is_control() && !self.down.is_lost() => {
                    self.held.extend_from_slice(now);
                    if step.is_end {
                        let frame = std::mem::take(&mut self.held).freeze();
                        self.control(kind, frame, key);
                    }
                }
                kind => {
                    self.prove();
                    self.to_caller.extend(std::mem::take(&mut self.held));
                    self.to_caller.extend_from_slice(now);
                    if kind.is_some() {
                        self.turns.see(now.get(step.payload).unwrap_or_default());
                    }
                    if messages < self.down.messages() {
                        self.turns.message_ended();
                    }
                }
            }
        }
        self.say_farewell();
    }

    /// Starts anew with another upstream, which hears everything that was said.
    pub(super) fn begin_again(&mut self) {
        self.down = Frames::new(Side::Server);
        self.held.clear();
        self.refusal = None;
        let kept = self.kept.as_ref().map(|kept| kept.bytes.clone());
        self.to_upstream = kept.unwrap_or_default();
    }

    /// Asks the caller whether it is there, if that may be asked now.
    pub(super) fn ping(&mut self) {
        if self.may_put_in() {
            self.to_caller.extend(write(Kind::Ping, PING, None));
        }
    }

    /// Tells the caller, as soon as it may be told, that the session has so long to live.
    pub(super) fn announce_end(&mut self, time_left_ms: u64) {
        let message = go_away(time_left_ms);
        self.farewell = Some(write(Kind::Binary, message.as_bytes(), None).into());
        self.say_farewell();
    }

    /// Says the last word to the caller, and goes away from the upstream. Inside a frame there is no
    /// room for it.
    pub(super) fn end(&mut self, code: u16, reason: &str, mask: [u8; 4]) {
        if self.ended_by.is_some() {
            return;
        }
        if self.may_put_in() {
            self.to_caller.extend(write_close(code, reason, None));
        }
        if self.up.is_between_frames() {
            self.to_upstream.extend(write_close(GOING_AWAY, "", Some(mask)));
        }
        self.ended_by.get_or_insert(Side::Server);
    }

    /// Says a last word of the upstream's to the caller.
    pub(super) fn pass_on_close(&mut self, frame: &[u8]) {
        if self.may_put_in() {
            self.to_caller.extend_from_slice(frame);
        }
    }

    /// Why the upstream has refused the session before it said anything, and in which frame.
    pub(super) fn take_refusal(&mut self) -> Option<(Failure, Bytes)> {
        self.refusal.take()
    }

    /// What the caller has asked for, if its first message has come and was kept.
    pub(super) fn setup(&self) -> Option<Setup> {
        setup(&self.kept.as_ref()?.bytes)
    }

    /// By what the session can be resumed, if the upstream has said something new of it.
    pub(super) fn take_handle(&mut self) -> Option<String> {
        self.turns.take_handle()
    }

    /// Whether what the caller has said can be said to another key.
    pub(super) fn may_begin_again(&self) -> bool {
        !self.is_proven && self.kept.is_some()
    }

    /// Whether there is room for more that is kept.
    pub(super) fn has_room(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.bytes.len() < KEPT_BYTES_MAX / 2)
    }

    /// Whether the upstream has sent a message.
    pub(super) fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// How many messages both have sent, and how many frames.
    pub(super) fn counts(&self) -> (u64, u64) {
        let frames = self.up.frames() + self.down.frames();
        (self.up.messages() + self.down.messages(), frames)
    }

    /// Whether the caller has sent a message.
    pub(super) fn has_asked(&self) -> bool {
        0 < self.up.messages()
    }

    /// Who has said the last word first.
    pub(super) fn ended_by(&self) -> Option<Side> {
        self.ended_by
    }

    /// Why the upstream has closed the session, if that was a failure. One that was announced is none.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.down.close().and_then(of_close).filter(|_| !self.turns.has_go_away())
    }

    /// Whether the upstream has said its last word.
    pub(super) fn is_closed(&self) -> bool {
        self.down.close().is_some()
    }

    /// What it cost so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.turns.usage()
    }

    fn control(&mut self, kind: Kind, frame: Bytes, key: Option<&ServiceKey>) {
        let Some(close) = self.down.close().filter(|_| kind == Kind::Close) else {
            self.to_caller.extend_from_slice(&frame);
            return;
        };
        let reason = key.map(|key| without_key(&close.reason, key));
        let frame = match reason.filter(|clean| *clean != close.reason) {
            Some(clean) => write_close(close.code.unwrap_or(INTERNAL), &clean, None).into(),
            None => frame,
        };
        match of_close(close).filter(|_| !self.is_proven && self.ended_by.is_none()) {
            Some(failure) => self.refusal = Some((failure, frame)),
            None => {
                self.ended_by.get_or_insert(Side::Server);
                self.to_caller.extend_from_slice(&frame);
            }
        }
    }

    /// The upstream serves: nothing needs to be kept for another one.
    fn prove(&mut self) {
        self.is_proven = true;
        self.kept = None;
    }

    fn say_farewell(&mut self) {
        let is_possible = self.is_proven && self.down.is_between_messages() && self.may_put_in();
        if is_possible && let Some(farewell) = self.farewell.take() {
            self.to_caller.extend(farewell);
        }
    }

    fn may_put_in(&self) -> bool {
        self.down.is_between_frames() && self.held.is_empty() && self.ended_by.is_none()
    }
}

impl Kept {
    /// Keeps more, if there is room for it.
    fn add(&mut self, piece: &[u8]) -> bool {
        let length = self.bytes.len() + piece.len();
        if KEPT_BYTES_MAX < length || self.reservation.grow_to(length as u64).is_err() {
            return false;
        }
        self.bytes.extend_from_slice(piece);
        true
    }
}

/// The upstream's words without our key, of which the end may have been cut off.
fn without_key(reason: &str, key: &ServiceKey) -> String {
    let reason = redact(reason, key);
    let secret = key.secret.expose();
    let mut parts = (KEY_PART_MIN..secret.len()).rev().filter_map(|length| secret.get(..length));
    match parts.find_map(|part| reason.strip_suffix(part)) {
        Some(before) => [before, key.brief.as_str()].concat(),
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use keypool::KeyId;

    use super::*;
    use crate::admission::BodyBudget;
    use crate::secret::Secret;

    const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);
    const SETUP: &str = r#"{"setup":{"model":"models/m"}}"#;
    const READY: &str = r#"{"setupComplete":{}}"#;

    fn talk() -> Talk {
        Talk::new(BodyBudget::new(1 << 20).reservation())
    }

    fn key() -> ServiceKey {
        ServiceKey {
            id: KeyId(1),
            brief: "AIza...wxyz".to_owned(),
            identifier: String::new(),
            secret: Secret::new("secret-key-of-the-house"),
        }
    }

    fn said(bytes: &[u8], side: Side) -> Vec<(Kind, String)> {
        let (mut frames, mut rest, mut said) = (Frames::new(side), bytes, Vec::new());
        while !rest.is_empty() {
            let step = frames.step(rest);
            assert!(step.is_end, "a whole frame");
            let payload = String::from_utf8_lossy(&step.unmasked(rest)).into_owned();
            said.push((frames.kind().unwrap(), payload));
            rest = &rest[step.bytes..];
        }
        said
    }

    #[test]
    fn bytes_pass_as_they_came_however_they_are_cut() {
        let up =
            [write(Kind::Text, SETUP.as_bytes(), MASK), write(Kind::Ping, b"x", MASK)].concat();
        let mut down = write(Kind::Binary, READY.as_bytes(), None);
        down.extend(write(Kind::Pong, b"x", None));
        down.extend(write_close(1000, "bye", None));
        for piece in 1..up.len() {
            let mut talk = talk();
            up.chunks(piece).for_each(|piece| talk.caller_said(piece));
            assert_eq!(talk.setup().unwrap().model.as_deref(), Some("m"));
            down.chunks(piece).for_each(|piece| talk.upstream_said(piece, Some(&key())));

            assert_eq!((&talk.to_upstream[..], &talk.to_caller[..]), (&up[..], &down[..]));
            assert_eq!((talk.counts(), talk.ended_by()), ((2, 5), Some(Side::Server)));
            assert!(talk.is_proven() && talk.failure().is_none());
        }
    }

    #[test]
    fn a_refusal_before_any_message_is_held_back_and_the_same_is_said_again() {
        let mut talk = talk();
        let up = write(Kind::Text, SETUP.as_bytes(), MASK);
        talk.caller_said(&up);
        talk.to_upstream.clear();
        talk.upstream_said(&write(Kind::Ping, b"", None), None);

        talk.upstream_said(&write_close(1007, "API key not valid.", None), Some(&key()));

        let (failure, frame) = talk.take_refusal().unwrap();
        assert_eq!(failure.kind, dialect::FailureKind::KeyInvalid);
        assert_eq!(frame, write_close(1007, "API key not valid.", None));
        assert_eq!(said(&talk.to_caller, Side::Server), [(Kind::Ping, String::new())]);
        assert!(talk.may_begin_again());
        talk.begin_again();
        assert_eq!(&talk.to_upstream[..], &up[..]);
        talk.upstream_said(&write(Kind::Binary, READY.as_bytes(), None), None);
        assert!(!talk.may_begin_again());
        talk.upstream_said(&write_close(1011, "Internal error", None), None);
        assert!(talk.take_refusal().is_none() && talk.failure().is_some());
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut talk = talk();
        let long = write(Kind::Text, &vec![b'x'; KEPT_BYTES_MAX], MASK);

        talk.caller_said(&long);

        assert!(!talk.may_begin_again() && talk.setup().is_none());
        assert_eq!(talk.to_upstream.len(), long.len());
        let budget = BodyBudget::new(10);
        let mut talk = Talk::new(budget.reservation());
        talk.caller_said(b"twelve bytes");
        assert!(!talk.may_begin_again());
        assert_eq!(budget.free_bytes(), 10);
    }

    #[test]
    fn our_key_is_taken_out_of_the_last_word_also_where_it_is_cut() {
        for (reason, expected) in [
            (
                "Consumer 'api_key:secret-key-of-the-house' has been suspended.",
                "Consumer 'api_key:AIza...wxyz' has been suspended.",
            ),
            ("Consumer 'api_key:secret-key-of-t", "Consumer 'api_key:AIza...wxyz"),
            ("a secret", "a secret"),
        ] {
            let mut talk = talk();
            talk.upstream_said(&write(Kind::Binary, b"{}", None), None);
            talk.to_caller.clear();

            talk.upstream_said(&write_close(1008, reason, None), Some(&key()));

            assert_eq!(talk.to_caller[..], write_close(1008, expected, None)[..], "{reason}");
        }
    }

    #[test]
    fn the_end_is_announced_between_two_messages_and_never_inside_one() {
        let mut first = write(Kind::Text, b"half ", None);
        first[0] &= 0x7F;
        let rest = write(Kind::Continuation, b"whole", None);
        let mut talk = talk();

        talk.announce_end(25_000);
        assert!(talk.to_caller.is_empty(), "nothing may come before the first message");
        talk.upstream_said(&first, None);
        talk.ping();
        talk.upstream_said(&rest[..3], None);
        talk.ping();
        talk.upstream_said(&rest[3..], None);

        let said = said(&talk.to_caller, Side::Server);
        let words: Vec<_> = said.iter().map(|(_, words)| words.as_str()).collect();
        let farewell = r#"{"goAway":{"timeLeft":"25s"}}"#;
        assert_eq!(words, ["half ", "gemini-balance", "whole", farewell]);
        talk.end(1001, "over", [0; 4]);
        talk.end(1001, "twice", [0; 4]);
        talk.ping();
        assert!(talk.to_caller.ends_with(b"over"));
    }

    #[test]
    fn what_is_no_websocket_passes_all_the_same() {
        let mut talk = talk();
        let odd = [0x83, 0x01, 0x02, 0xFF, 0x00];

        odd.chunks(1).for_each(|piece| talk.upstream_said(piece, None));
        talk.caller_said(&odd);
        talk.ping();
        talk.end(1001, "", [0; 4]);

        assert_eq!((&talk.to_caller[..], &talk.to_upstream[..]), (&odd[..], &odd[..]));
    }
}
