//! An upstream that answers with fixed bytes and costs next to nothing, so that what is measured is
//! what stands before it.
//!
//! The model in the path chooses the answer: `bench-burst` streams twenty events in one piece,
//! `bench-paced` fifty events 20 ms apart, each stamped as it leaves; everything else gets about
//! 1 KB of JSON.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::ensure;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time,
};

use crate::{message::Message, stamp};

const BURST_EVENTS: usize = 20;
const PACED_EVENTS: usize = 50;
const PACE: Duration = Duration::from_millis(20);
const JSON_TEXT_BYTES: usize = 800;
/// The text of an event: some words, as models send them.
const EVENT_TEXT_BYTES: usize = 60;
/// Room for large bodies: fewer reads, less work here.
const READ_BYTES: usize = 64 * 1024;
const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    transfer-encoding: chunked\r\n\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Answers until the program is ended.
///
/// # Errors
///
/// If the address cannot be listened on. A connection that breaks is no error.
pub(crate) async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let answers = Arc::new(Answers::new());
    let mut connection_tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connection_tasks.spawn(answer_all(stream, Arc::clone(&answers)));
            }
            Some(_ended) = connection_tasks.join_next() => {}
        }
    }
}

/// The bytes of the answers, made once.
struct Answers {
    json: Vec<u8>,
    burst: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let body = event_json(&"word ".repeat(JSON_TEXT_BYTES / 5), true);
        let mut json = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        json.extend_from_slice(body.as_bytes());

        let mut burst = STREAM_HEAD.to_vec();
        let text = "word ".repeat(EVENT_TEXT_BYTES / 5);
        for index in 1..=BURST_EVENTS {
            burst.extend_from_slice(chunk(&text, index == BURST_EVENTS).as_bytes());
        }
        burst.extend_from_slice(LAST_CHUNK);
        Self { json, burst }
    }
}

async fn answer_all(mut stream: TcpStream, answers: Arc<Answers>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut message = Message::default();
    loop {
        message.clear();
        while !message.is_complete() {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                ensure!(message.is_empty(), "the connection ended within a request");
                return Ok(());
            }
            message.feed(buffer.get(..read).unwrap_or_default(), |_| {})?;
        }
        match wanted(message.head()) {
            Wanted::Json => stream.write_all(&answers.json).await?,
            Wanted::Burst => stream.write_all(&answers.burst).await?,
            Wanted::Paced => pace(&mut stream).await?,
        }
        if message.is_last() {
            return Ok(());
        }
    }
}

enum Wanted {
    Json,
    Burst,
    Paced,
}

fn wanted(head: &[u8]) -> Wanted {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let asks_for = |model: &[u8]| line.windows(model.len()).any(|window| window == model);
    if asks_for(b"bench-burst") {
        Wanted::Burst
    } else if asks_for(b"bench-paced") {
        Wanted::Paced
    } else {
        Wanted::Json
    }
}

/// Sends the stream whose events say when they left.
async fn pace(stream: &mut TcpStream) -> anyhow::Result<()> {
    stream.write_all(STREAM_HEAD).await?;
    let mut beats = time::interval(PACE);
    for index in 1..=PACED_EVENTS {
        beats.tick().await;
        let is_last = index == PACED_EVENTS;
        let mut event = chunk(&stamp::stamp(stamp::now_us()), is_last).into_bytes();
        if is_last {
            event.extend_from_slice(LAST_CHUNK);
        }
        stream.write_all(&event).await?;
    }
    Ok(())
}

/// Returns an event as a chunk of its own.
fn chunk(text: &str, is_last: bool) -> String {
    let json = event_json(text, is_last);
    let event = format!("data: {json}\r\n\r\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}

/// Returns what Gemini says for some text; the last words come with the reason of the end.
fn event_json(text: &str, is_last: bool) -> String {
    let end = if is_last { r#","finishReason":"STOP""# } else { "" };
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}}{end},"index":0}}],"usageMetadata":{{"promptTokenCount":200,"candidatesTokenCount":160,"totalTokenCount":360}},"modelVersion":"bench"}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixed_answer_is_one_whole_message() {
        let Answers { json, burst } = Answers::new();

        let body = check(&json);
        assert!(body.len().abs_diff(1024) < 100, "{} bytes", body.len());
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        let body = String::from_utf8(check(&burst)).unwrap();
        assert_eq!(body.matches("\r\n\r\n").count(), BURST_EVENTS);
        assert_eq!(body.matches("STOP").count(), 1);
    }

    fn check(answer: &[u8]) -> Vec<u8> {
        let mut message = Message::default();
        let mut body = Vec::new();
        message.feed(answer, |bytes| body.extend_from_slice(bytes)).unwrap();
        assert!(message.is_complete());
        assert_eq!(message.status(), Some(200));
        body
    }
}
