//! A request body that is sent on as it comes, a piece at a time: nothing of it is kept.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;

/// Whoever sends a body stopped before its end: what was sent of it is of no use.
#[derive(Debug, thiserror::Error)]
#[error("the request body broke off")]
pub struct SourceBroke;

/// The body of a request as it comes in.
pub type SourceBody = Pin<Box<dyn Body<Data = Bytes, Error = SourceBroke> + Send>>;

/// A body on its way through, framed as its head says.
pub(super) struct Source {
    body: SourceBody,
    framing: SourceFraming,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SourceFraming {
    /// The head has told so many bytes, of which these are still to come.
    Length(u64),
    /// Chunks, of which the first has not been sent or has.
    Chunks { has_begun: bool },
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("framing", &self.framing).finish_non_exhaustive()
    }
}

impl Source {
    pub(super) fn new(body: SourceBody, length: Option<u64>) -> Self {
        let framing = match length {
            Some(length) => SourceFraming::Length(length),
            None => SourceFraming::Chunks { has_begun: false },
        };
        Self { body, framing }
    }

    /// The next piece: what frames it, and itself; `None` at the end.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<(Bytes, Bytes)>, SourceBroke>> {
        let data = loop {
            match ready!(self.body.as_mut().poll_frame(cx)) {
                None => break None,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => break Some(data),
                    // Trailers end a body and mean nothing to us; an empty chunk would end it.
                    Ok(_) | Err(_) => {}
                },
            }
        };
        let SourceFraming::Length(left) = &mut self.framing else {
            return Poll::Ready(Ok(self.chunk(data)));
        };
        let Some(data) = data else {
            return Poll::Ready(if *left == 0 { Ok(None) } else { Err(SourceBroke) });
        };
        let Some(rest) = left.checked_sub(data.len() as u64) else {
            return Poll::Ready(Err(SourceBroke));
        };
        *left = rest;
        Poll::Ready(Ok(Some((Bytes::new(), data))))
    }

    fn chunk(&mut self, data: Option<Bytes>) -> Option<(Bytes, Bytes)> {
        let SourceFraming::Chunks { has_begun } = self.framing else { return None };
        let line_end = if has_begun { "\r\n" } else { "" };
        let data = data.unwrap_or_default();
        let is_last = data.is_empty();
        let last = if is_last { "\r\n" } else { "" };
        let line = format!("{line_end}{:x}\r\n{last}", data.len());
        self.framing = match is_last {
            // The end is told once.
            true => SourceFraming::Length(0),
            false => SourceFraming::Chunks { has_begun: true },
        };
        Some((line.into(), data))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::poll_fn;

    use http_body::Frame;

    use super::*;

    #[tokio::test]
    async fn a_body_of_unknown_length_is_sent_in_chunks() {
        assert_eq!(sent(None, &["ab", "", "c"]).await.unwrap(), "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
        assert_eq!(sent(None, &[]).await.unwrap(), "0\r\n\r\n");
    }

    #[tokio::test]
    async fn a_body_of_known_length_is_that_long_or_broken() {
        assert_eq!(sent(Some(3), &["ab", "c"]).await.unwrap(), "abc");
        assert!(sent(Some(3), &["ab"]).await.is_err());
        assert!(sent(Some(3), &["ab", "cd"]).await.is_err());
    }

    async fn sent(length: Option<u64>, pieces: &[&'static str]) -> Result<String, SourceBroke> {
        let pieces =
            Pieces(pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect());
        let mut source = Source::new(Box::pin(pieces), length);
        let mut sent = Vec::new();
        while let Some((framing, piece)) = poll_fn(|cx| source.poll_piece(cx)).await? {
            sent.extend_from_slice(&framing);
            sent.extend_from_slice(&piece);
        }
        Ok(String::from_utf8(sent).unwrap())
    }

    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = SourceBroke;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, SourceBroke>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }
}
