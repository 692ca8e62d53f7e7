//! The beginning of a connection over TLS.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::tls::Tls;

/// How much of a plain request is taken in before it is answered.
const PLAIN_BYTES: usize = 16 * 1024;

/// What somebody hears who does not speak TLS.
const PLAIN: &str = r#"{"error":{"code":"tls_needed","message":"This port speaks TLS: write https:// instead of http:// in the base URL.","type":"invalid_request_error","param":null}}"#;

/// Shakes hands; `None` if that fails or takes longer than `limit`, and the connection is over.
pub(super) async fn shake(
    tls: &Tls,
    stream: TcpStream,
    limit: Duration,
) -> Option<TlsStream<TcpStream>> {
    let shaking = async {
        let mut first = [0];
        // A handshake begins with 22, plain HTTP with the first letter of a method.
        if 0 < stream.peek(&mut first).await? && first[0].is_ascii_uppercase() {
            refuse(stream).await?;
            return Ok(None);
        }
        tls.acceptor().accept(stream).await.map(Some)
    };
    match tokio::time::timeout(limit, shaking).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::trace!(%error, "no handshake");
            None
        }
        Err(_) => None,
    }
}

/// Tells a caller in plain text that the port speaks TLS.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    // What is left unread would take the answer along.
    drop(stream.try_read(&mut vec![0; PLAIN_BYTES]));
    let length = PLAIN.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{PLAIN}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
