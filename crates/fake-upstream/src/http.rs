//! As much HTTP/1.1 as a fake needs: whole requests in, heads out exactly as told.

use std::fmt::Write as _;

use bytes::{Buf as _, Bytes, BytesMut};
use httparse::Status;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const HEADERS_MAX: usize = 256;
const HEAD_BYTES_MAX: usize = 1 << 20;
const BODY_BYTES_MAX: usize = 512 << 20;
/// A larger piece of an upload is not kept.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// Room made before each read.
const READ_BYTES: usize = 16 << 10;

/// A request that was read to its end.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query as they came.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Empty for a piece of an upload that is too large to be kept.
    pub(crate) body: Bytes,
    /// How long the body was.
    pub(crate) length: u64,
    /// A few bytes of a body that was not kept, which tell whether it came in order.
    pub(crate) sample: u64,
    pub(crate) keeps_connection: bool,
}

/// Why there is no request.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The client left, or never asked.
    Gone,
    /// This is no request, or too large a one.
    Malformed,
}

/// Reads the next request; bytes behind it stay in `buffer`.
pub(crate) async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
) -> Result<Request, Unread> {
    let head = loop {
        if let Some(head) = parse_head(buffer)? {
            break head;
        }
        if buffer.len() > HEAD_BYTES_MAX {
            return Err(Unread::Malformed);
        }
        fill(stream, buffer).await?;
    };
    if head.expects_continue && buffer.is_empty() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Unread::Gone)?;
    }
    let is_upload = ["x-goog-upload-command", "x-goog-upload-protocol"]
        .into_iter()
        .any(|name| values(&head.request.headers, name).next().is_some());
    let body = match head.body {
        Length::Known(length) if is_upload && KEPT_BYTES_MAX < length => {
            let sample = pass_over(stream, buffer, length).await?;
            return Ok(Request { length: length as u64, sample, ..head.request });
        }
        Length::Known(length) => read_exactly(stream, buffer, length).await?,
        Length::Chunked => read_chunks(stream, buffer).await?,
    };
    Ok(Request { length: body.len() as u64, body, ..head.request })
}

struct Head {
    request: Request,
    body: Length,
    expects_continue: bool,
}

#[derive(Clone, Copy)]
enum Length {
    Known(usize),
    Chunked,
}

/// Takes a head from the front of the buffer, if it is there wholly.
fn parse_head(buffer: &mut BytesMut) -> Result<Option<Head>, Unread> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(buffer) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(Unread::Malformed),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<_> =
        parsed.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    let says = |name, word: &str| {
        values(&headers, name).any(|value| value.to_ascii_lowercase().contains(word))
    };
    let body = if says("transfer-encoding", "chunked") {
        Length::Chunked
    } else {
        let declared = values(&headers, "content-length").next().unwrap_or("0");
        Length::Known(declared.trim().parse().map_err(|_| Unread::Malformed)?)
    };
    let keeps_connection = if parsed.version == Some(0) {
        says("connection", "keep-alive")
    } else {
        !says("connection", "close")
    };
    let head = Head {
        expects_continue: says("expect", "100-continue"),
        body,
        request: Request {
            method: parsed.method.unwrap_or_default().to_owned(),
            target: parsed.path.unwrap_or_default().to_owned(),
            headers,
            body: Bytes::new(),
            length: 0,
            sample: 0,
            keeps_connection,
        },
    };
    buffer.advance(length);
    Ok(Some(head))
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<Bytes, Unread> {
    let mut body = BytesMut::new();
    loop {
        let (line, size) = match httparse::parse_chunk_size(buffer) {
            Ok(Status::Complete(found)) => found,
            Ok(Status::Partial) if buffer.len() < HEAD_BYTES_MAX => {
                fill(stream, buffer).await?;
                continue;
            }
            Ok(Status::Partial) | Err(_) => return Err(Unread::Malformed),
        };
        buffer.advance(line);
        let size = usize::try_from(size).map_err(|_| Unread::Malformed)?;
        if size == 0 {
            skip_trailers(stream, buffer).await?;
            return Ok(body.freeze());
        }
        body.extend_from_slice(&read_exactly(stream, buffer, size).await?);
        if body.len() > BODY_BYTES_MAX || read_exactly(stream, buffer, 2).await? != "\r\n" {
            return Err(Unread::Malformed);
        }
    }
}

/// Reads a body without keeping it, but for a byte of every page.
async fn pass_over(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    length: usize,
) -> Result<u64, Unread> {
    const PAGE: usize = 4_096;
    let (mut left, mut at, mut sample) = (length, 0, 0_u64);
    while left > 0 {
        if buffer.is_empty() {
            fill(stream, buffer).await?;
        }
        let taken = left.min(buffer.len());
        let first = (PAGE - at % PAGE) % PAGE;
        for place in (first..taken).step_by(PAGE) {
            let byte = buffer.get(place).copied().unwrap_or_default();
            let page = ((at + place) / PAGE) as u64;
            sample = sample.wrapping_add(u64::from(byte).wrapping_mul(page + 1));
        }
        buffer.advance(taken);
        at += taken;
        left -= taken;
    }
    Ok(sample)
}

async fn skip_trailers(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<(), Unread> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            buffer.advance(end + 2);
            if end == 0 {
                return Ok(());
            }
        } else if buffer.len() < HEAD_BYTES_MAX {
            fill(stream, buffer).await?;
        } else {
            return Err(Unread::Malformed);
        }
    }
}

async fn read_exactly(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    length: usize,
) -> Result<Bytes, Unread> {
    if length > BODY_BYTES_MAX {
        return Err(Unread::Malformed);
    }
    while buffer.len() < length {
        fill(stream, buffer).await?;
    }
    Ok(buffer.split_to(length).freeze())
}

/// Reads whatever comes next.
///
/// # Cancellation
///
/// Nothing is lost.
pub(crate) async fn fill(stream: &mut TcpStream, buffer: &mut BytesMut) -> Result<(), Unread> {
    buffer.reserve(READ_BYTES);
    match stream.read_buf(buffer).await {
        Ok(0) | Err(_) => Err(Unread::Gone),
        Ok(_) => Ok(()),
    }
}

/// The status line with its line end.
pub(crate) fn status_line(status: u16) -> String {
    format!("HTTP/1.1 {status} {}\r\n", reason(status))
}

/// The status line, the headers, and the blank line.
pub(crate) fn head(status: u16, headers: &[(String, String)]) -> String {
    let mut head = status_line(status);
    for (name, value) in headers {
        // Writing into a string cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    head
}

/// The values of all headers of this name.
pub(crate) fn values<'a>(
    headers: &'a [(String, String)],
    name: &str,
) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
