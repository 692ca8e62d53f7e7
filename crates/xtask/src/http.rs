//! Just enough HTTP to speak to our own programs on this machine: one request, one answer,
//! connection closed.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::Duration,
};

use crate::Outcome;

const WAIT_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// Returns the value of the first string field `name` in a JSON body. Values with escapes are
    /// not understood.
    ///
    /// # Errors
    ///
    /// If there is no such field.
    pub(crate) fn field(&self, name: &str) -> Outcome<String> {
        let find = || {
            let (_, rest) = self.body.split_once(&format!("\"{name}\""))?;
            let (_, rest) = rest.split_once('"')?;
            let (value, _) = rest.split_once('"')?;
            Some(value.to_owned())
        };
        find().ok_or_else(|| {
            format!("no `{name}` in the answer ({}): {}", self.status, self.body).into()
        })
    }
}

/// Asks for a path on `port` of this machine.
///
/// # Errors
///
/// If nobody listens, or the answer is not HTTP.
pub(crate) fn get(port: u16, path: &str) -> Outcome<Answer> {
    exchange(port, &format!("GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n"))
}

/// Posts a body; `headers` are whole header lines, each with its line end.
///
/// # Errors
///
/// As [`get`].
pub(crate) fn post(port: u16, path: &str, headers: &str, body: &str) -> Outcome<Answer> {
    let length = body.len();
    exchange(
        port,
        &format!(
            "POST {path} HTTP/1.0\r\nHost: localhost:{port}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ),
    )
}

/// Returns `preferred` if nobody listens there, otherwise a port that the system names.
///
/// # Errors
///
/// If the system has no port left.
pub(crate) fn free_port(preferred: u16) -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, preferred))
        .or_else(|_taken| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(listener.local_addr()?.port())
}

/// Speaks HTTP/1.0, whose answers are never chunked and end with the connection.
fn exchange(port: u16, request: &str) -> Outcome<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| "the answer is not HTTP".into())
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_status_and_its_body() {
        let answer = parse("HTTP/1.0 201 Created\r\nx: y\r\n\r\n{\"api_key\": \"abc\"}").unwrap();

        assert_eq!(answer.status, 201);
        assert_eq!(answer.field("api_key").unwrap(), "abc");
        assert!(answer.field("access_token").is_err());
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert!(parse("hello").is_none());
        assert!(parse("HTTP/1.1 200 OK\r\n").is_none());
    }
}
