//! A connection to an upstream on which HTTP has given way to another protocol: bytes in both
//! directions, until either side ends it.

use std::io;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use super::connection::Connection;

/// A connection that belongs to a caller; dropping it closes it.
#[derive(Debug)]
pub struct Tunnel {
    connection: Connection,
    /// What came together with the head of the answer.
    early: Bytes,
}

impl Tunnel {
    pub(super) fn new(connection: Connection, early: Bytes) -> Self {
        Self { connection, early }
    }

    /// Reads what has arrived and looks at it; `None` at the end. A silent tunnel holds no buffer: all
    /// connections of a client share one, so `look` must not read from another.
    pub fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            return Poll::Ready(Ok(Some(look(&early))));
        }
        self.connection.poll_read(cx, |piece| look(piece))
    }

    /// Writes all of `bytes`; what has been written is gone from them.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        self.connection.poll_write_all(cx, bytes)
    }

    /// Says that nothing more will be written.
    pub fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_finish(cx)
    }
}
