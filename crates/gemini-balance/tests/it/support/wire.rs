//! A connection of bare bytes, for what no HTTP client would send.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, Reply};

/// A connection of bare bytes; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes; a peer that has closed already is no failure, what it said is read next.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Closes the way out; the way in stays open.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads until `text` has come, and returns everything received so far.
    pub(crate) async fn read_until(&mut self, text: &str) -> String {
        while !self.text().contains(text) {
            let is_open = self.read().await;
            assert!(is_open, "closed before {text:?}: {}", self.text());
        }
        self.text()
    }

    /// Reads one answer with a declared length; what came behind it is kept for the next.
    pub(crate) async fn read_reply(&mut self) -> Reply {
        let head = self.read_until("\r\n\r\n").await;
        let head = head.split_once("\r\n\r\n").unwrap().0;
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            headers.append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
        let end = head.len() + "\r\n\r\n".len() + length;
        while self.received.len() < end && self.read().await {}
        let rest = self.received.split_off(end.min(self.received.len()));
        let answer = std::mem::replace(&mut self.received, rest);
        let body: Bytes = answer[head.len() + "\r\n\r\n".len()..].to_vec().into();
        Reply { status, headers, is_cut: body.len() < length, body }
    }

    /// Reads until the peer closes, and returns everything received.
    pub(crate) async fn read_to_end(&mut self) -> String {
        while self.read().await {}
        self.text()
    }

    /// Everything that was said until now, without waiting for more.
    pub(crate) fn said_so_far(mut self) -> String {
        while self.stream.try_read_buf(&mut self.received).is_ok_and(|count| count > 0) {}
        self.text()
    }

    /// Sends bytes and expects the peer to take them all.
    pub(crate) async fn send_whole(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.is_taken(bytes).await, "the peer has had enough");
    }

    /// Whether the peer takes all these bytes.
    pub(crate) async fn is_taken(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sending = tokio::time::timeout(PATIENCE, self.stream.write_all(bytes.as_ref()));
        sending.await.expect("the peer takes nothing more").is_ok()
    }

    /// Sends byte by byte with a pause before each until the peer closes, and returns everything
    /// received; when all is sent, nothing more comes.
    pub(crate) async fn drip(mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> String {
        let (mut reader, mut writer) = self.stream.split();
        let dripping = async {
            for byte in bytes.as_ref() {
                tokio::time::sleep(pause).await;
                drop(writer.write_all(&[*byte]).await);
            }
            std::future::pending::<()>().await;
        };
        let talking = async {
            tokio::select! {
                _ = reader.read_to_end(&mut self.received) => {}
                () = dripping => {}
            }
        };
        let ended = tokio::time::timeout(PATIENCE, talking).await;
        ended.expect("the peer keeps the connection open");
        self.text()
    }

    /// Sends everything while it reads until the peer closes, and returns everything received.
    pub(crate) async fn exchange(mut self, bytes: impl AsRef<[u8]>) -> String {
        let (mut reader, mut writer) = self.stream.split();
        let talking = async {
            // A reset is an end as well.
            tokio::join!(reader.read_to_end(&mut self.received), writer.write_all(bytes.as_ref()))
        };
        let ended = tokio::time::timeout(PATIENCE, talking).await;
        drop(ended.expect("the peer keeps the connection open"));
        self.text()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    async fn read(&mut self) -> bool {
        let reading = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.received));
        // A reset is an end as well.
        reading.await.expect("nothing came in time").is_ok_and(|count| count > 0)
    }
}

/// The statuses of all answers in what came, in order.
pub(crate) fn statuses(answers: &str) -> Vec<u16> {
    let heads = answers.split("HTTP/1.").skip(1);
    heads.filter_map(|head| head.get(2..5)?.parse().ok()).collect()
}
