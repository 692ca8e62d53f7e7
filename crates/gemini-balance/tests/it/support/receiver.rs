//! Somebody who is told: an HTTP server that keeps what it was sent, and a mail server that does.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// One message by `POST`.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    /// The request line and the fields, in lower case.
    pub(crate) head: String,
    /// The path as it came.
    pub(crate) path: String,
    pub(crate) body: String,
}

impl Posted {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An HTTP server that keeps what it was sent.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
    /// Gone, it does not listen any more.
    _listening: JoinSet<()>,
}

impl Receiver {
    /// One that answers with this status.
    pub(crate) async fn answering(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let kept = Arc::clone(&posted);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(one) = take(stream, status).await {
                    kept.lock().push(one);
                }
            }
        });
        Self { address, posted, _listening: listening }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().clone()
    }
}

async fn take(stream: TcpStream, status: u16) -> Option<Posted> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    let mut path = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if path.is_empty() {
            line.split(' ').nth(1)?.clone_into(&mut path);
        }
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        head.push_str(&line);
        head.push('\n');
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some(Posted { head, path, body: String::from_utf8(body).ok()? })
}

/// A mail server that keeps what it was told, line by line.
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
    _listening: JoinSet<()>,
}

impl MailServer {
    /// One that offers TLS after its greeting, if it has a certificate.
    pub(crate) async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&said);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(serve(stream, tls.clone(), &kept).await);
            }
        });
        Self { address, said, _listening: listening }
    }

    /// What it was told so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().clone()
    }
}

async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    said: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 ready\r\n").await?;
    let offers = if tls.is_some() { "250-hello\r\n250 STARTTLS\r\n" } else { OFFERS };
    let wants_tls = converse(&mut stream, offers, said).await?;
    let (true, Some(tls)) = (wants_tls, tls) else { return Ok(()) };
    let mut stream = BufReader::new(tls.accept(stream.into_inner()).await?);
    said.lock().push("-- TLS --".to_owned());
    converse(&mut stream, OFFERS, said).await?;
    Ok(())
}

const OFFERS: &str = "250-hello\r\n250 AUTH LOGIN PLAIN\r\n";

/// Answers each line; true when TLS is to begin.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    offers: &str,
    said: &Mutex<Vec<String>>,
) -> std::io::Result<bool> {
    let mut is_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim_end().to_owned();
        said.lock().push(line.clone());
        let answer = match line.split(' ').next().unwrap_or_default() {
            "." if is_data => "250 taken\r\n",
            _ if is_data => continue,
            "EHLO" => offers,
            "STARTTLS" => "220 go on\r\n",
            "AUTH" => "235 welcome\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        is_data = line == "DATA" || (is_data && line != ".");
        stream.write_all(answer.as_bytes()).await?;
        if line == "STARTTLS" {
            return Ok(true);
        }
    }
}
