//! What comes in on a connection, watched for two things that hyper keeps to itself.
//!
//! Whether a head declares a length beside its chunks: hyper believes the chunks and hides the
//! length, while another server in the row may have believed the length. And whether something is
//! still to come when the connection ends: closing a socket that holds unread bytes resets it,
//! and the reset takes the answer along that explains it.

mod body;
mod raw_head;
mod stream;
mod successor;

use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use body::RequestBody;
pub(crate) use stream::WatchedStream;
use successor::{Successor, Use};

/// What a connection's stream and the bodies of its requests tell each other.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// Whether bytes came after the last request that was read to its end.
    has_unread: AtomicBool,
    /// Whether the whole head of a request came since the last answer, without a length.
    is_lengthless: AtomicBool,
    /// What the connection is for when HTTP has left it.
    successor: Successor,
}

impl Intake {
    /// What a request has made of its connection, if it was one for another protocol.
    pub(crate) fn take_successor(&self) -> Option<Use> {
        self.successor.take()
    }

    fn set_successor(&self, next: Use) {
        self.successor.set(next);
    }

    fn has_unread(&self) -> bool {
        self.has_unread.load(Ordering::Relaxed)
    }

    fn note_unread(&self, has_unread: bool) {
        self.has_unread.store(has_unread, Ordering::Relaxed);
    }

    fn is_lengthless(&self) -> bool {
        self.is_lengthless.load(Ordering::Relaxed)
    }

    fn note_lengthless(&self, is_lengthless: bool) {
        self.is_lengthless.store(is_lengthless, Ordering::Relaxed);
    }
}
