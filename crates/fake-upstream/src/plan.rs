//! From steps to what the socket does: lengths are filled in, faults happen, neighbouring bytes
//! melt into one write. Pure; nothing here waits or writes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::{
    answer::{Ending, Fault, Point, Step},
    http,
};

/// What the socket does for one answer.
pub(crate) struct Plan {
    pub(crate) acts: Vec<Act>,
    /// Whether another request may follow.
    pub(crate) keeps_connection: bool,
}

/// One thing the socket does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// One write, by which so many events are complete.
    Write {
        bytes: Bytes,
        events: u64,
    },
    Wait(Duration),
    Stall,
    Reset,
    Close,
}

impl Plan {
    /// Joins framed steps.
    pub(crate) fn new(steps: &[Step]) -> Self {
        let mut plan = Self { acts: Vec::new(), keeps_connection: true };
        let mut waiting = Waiting::default();
        for step in steps {
            match step {
                Step::Head { status, headers } => {
                    let closes = |value: &str| value.eq_ignore_ascii_case("close");
                    plan.keeps_connection &= !http::values(headers, "connection").any(closes);
                    waiting.bytes.extend_from_slice(http::head(*status, headers).as_bytes());
                }
                Step::Bytes(bytes) => waiting.bytes.extend_from_slice(bytes),
                Step::Chunk(bytes) => waiting.chunk(bytes),
                Step::Flush => plan.write(&mut waiting),
                Step::Wait { ms } => {
                    plan.write(&mut waiting);
                    plan.acts.push(Act::Wait(Duration::from_millis(*ms)));
                }
                Step::Stall => return plan.ended_by(&mut waiting, Act::Stall),
                Step::Reset => return plan.ended_by(&mut waiting, Act::Reset),
                Step::Close => return plan.ended_by(&mut waiting, Act::Close),
            }
        }
        if waiting.is_chunked {
            waiting.bytes.extend_from_slice(b"0\r\n\r\n");
        }
        plan.write(&mut waiting);
        plan
    }

    fn write(&mut self, waiting: &mut Waiting) {
        if !waiting.bytes.is_empty() {
            let bytes = waiting.bytes.split().freeze();
            self.acts.push(Act::Write { bytes, events: waiting.events });
            waiting.events = 0;
        }
    }

    fn ended_by(mut self, waiting: &mut Waiting, act: Act) -> Self {
        self.write(waiting);
        self.acts.push(act);
        self
    }
}

/// Bytes that have not been put into a write yet.
#[derive(Default)]
struct Waiting {
    bytes: BytesMut,
    events: u64,
    is_chunked: bool,
}

impl Waiting {
    fn chunk(&mut self, data: &Bytes) {
        self.bytes.extend_from_slice(&chunk(data));
        self.events += 1;
        self.is_chunked = true;
    }
}

fn chunk_size(data: &[u8]) -> String {
    format!("{:x}\r\n", data.len())
}

fn chunk(data: &[u8]) -> Bytes {
    // An empty chunk would end the body.
    if data.is_empty() {
        return Bytes::new();
    }
    [chunk_size(data).as_bytes(), data, b"\r\n"].concat().into()
}

/// Tells the length in the head if the head does not.
pub(crate) fn frame(steps: &mut [Step]) {
    let length: usize = steps.iter().filter_map(body).map(Bytes::len).sum();
    let is_chunked = steps.iter().any(|step| matches!(step, Step::Chunk(_)));
    let Some((status, headers)) = head(steps) else {
        return;
    };
    let is_told = ["content-length", "transfer-encoding"]
        .into_iter()
        .any(|name| http::values(headers, name).next().is_some());
    if is_told || matches!(status, 204 | 304) {
        return;
    }
    headers.push(if is_chunked {
        ("transfer-encoding".to_owned(), "chunked".to_owned())
    } else {
        ("content-length".to_owned(), length.to_string())
    });
}

/// Takes the body away, as the answer to a HEAD request has none.
pub(crate) fn without_body(steps: Vec<Step>) -> Vec<Step> {
    steps.into_iter().filter(|step| body(step).is_none()).collect()
}

/// Lets a fault happen to framed steps.
pub(crate) fn spoil(steps: Vec<Step>, fault: &Fault) -> Vec<Step> {
    match fault {
        Fault::Cut { at, ending } => cut(steps, *at, *ending),
        Fault::Length { difference } => misdeclare(steps, *difference),
        Fault::Headers(added) => {
            let mut steps = steps;
            if let Some((_, headers)) = head(&mut steps) {
                headers.extend(added.iter().cloned());
            }
            steps
        }
        Fault::Pieces { bytes } => pieces(steps, (*bytes).max(1)),
    }
}

fn cut(steps: Vec<Step>, at: Point, ending: Ending) -> Vec<Step> {
    let ending = match ending {
        Ending::Reset => Step::Reset,
        Ending::Close => Step::Close,
        Ending::Stall => Step::Stall,
    };
    let (events_max, part) = match at {
        Point::Start => return vec![ending],
        Point::StatusLine => {
            let line = steps.iter().find_map(|step| match step {
                Step::Head { status, .. } => Some(http::status_line(*status)),
                Step::Bytes(_)
                | Step::Chunk(_)
                | Step::Flush
                | Step::Wait { .. }
                | Step::Stall
                | Step::Reset
                | Step::Close => None,
            });
            return vec![Step::Bytes(line.unwrap_or_default().into()), ending];
        }
        Point::Events(events) => (events, 0),
        Point::Inside { events, bytes } => (events, bytes),
    };
    let mut kept = Vec::with_capacity(steps.len());
    let mut events = 0;
    for step in steps {
        // Without a byte to follow, the cut comes right behind the event, before any pause.
        let is_pause = matches!(step, Step::Wait { .. } | Step::Flush);
        if events == events_max && events > 0 && part == 0 && is_pause {
            break;
        }
        if let Some(data) = body(&step) {
            if events == events_max {
                let sent = data.slice(..part.min(data.len()));
                if matches!(step, Step::Chunk(_)) && !sent.is_empty() {
                    kept.push(Step::Bytes(chunk_size(data).into()));
                }
                kept.push(Step::Bytes(sent));
                break;
            }
            events += 1;
        }
        kept.push(step);
    }
    kept.push(ending);
    kept
}

fn misdeclare(mut steps: Vec<Step>, difference: i64) -> Vec<Step> {
    let length: usize = steps.iter().filter_map(body).map(Bytes::len).sum();
    let declared = i64::try_from(length).unwrap_or(i64::MAX).saturating_add(difference).max(0);
    if let Some((_, headers)) = head(&mut steps) {
        headers.retain(|(name, _)| {
            !["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str())
        });
        headers.push(("content-length".to_owned(), declared.to_string()));
    }
    let unchunked = steps.into_iter().map(|step| match step {
        Step::Chunk(data) => Step::Bytes(data),
        Step::Head { .. }
        | Step::Bytes(_)
        | Step::Flush
        | Step::Wait { .. }
        | Step::Stall
        | Step::Reset
        | Step::Close => step,
    });
    unchunked.chain([Step::Close]).collect()
}

fn pieces(steps: Vec<Step>, size: usize) -> Vec<Step> {
    let mut split = Vec::with_capacity(steps.len());
    for step in steps {
        let Some(data) = body(&step) else {
            split.push(step);
            continue;
        };
        let is_chunk = matches!(step, Step::Chunk(_));
        for start in (0..data.len()).step_by(size) {
            let piece = data.slice(start..data.len().min(start + size));
            split.push(Step::Flush);
            split.push(if is_chunk { Step::Chunk(piece) } else { Step::Bytes(piece) });
        }
    }
    split
}

fn head(steps: &mut [Step]) -> Option<(u16, &mut Vec<(String, String)>)> {
    steps.iter_mut().find_map(|step| match step {
        Step::Head { status, headers } => Some((*status, headers)),
        Step::Bytes(_)
        | Step::Chunk(_)
        | Step::Flush
        | Step::Wait { .. }
        | Step::Stall
        | Step::Reset
        | Step::Close => None,
    })
}

fn body(step: &Step) -> Option<&Bytes> {
    match step {
        Step::Bytes(data) | Step::Chunk(data) => Some(data),
        Step::Head { .. }
        | Step::Flush
        | Step::Wait { .. }
        | Step::Stall
        | Step::Reset
        | Step::Close => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpaced_steps_leave_in_one_write() {
        let plan = planned(&[]);

        let [Act::Write { bytes, events: 2 }] = plan.acts.as_slice() else {
            panic!("{:?}", plan.acts)
        };
        let text =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(bytes, text);
    }

    #[test]
    fn a_cut_keeps_exactly_what_comes_before_it() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let check = |at, expected: String| {
            let plan = planned(&[Fault::Cut { at, ending: Ending::Reset }]);
            assert_eq!(written(&plan), expected, "{at:?}");
            assert_eq!(plan.acts.last(), Some(&Act::Reset));
        };

        check(Point::Start, String::new());
        check(Point::StatusLine, "HTTP/1.1 200 OK\r\n".to_owned());
        check(Point::Events(0), head.to_owned());
        check(Point::Events(1), format!("{head}2\r\nab\r\n"));
        check(Point::Events(2), format!("{head}2\r\nab\r\n1\r\nc\r\n"));
        check(Point::Inside { events: 0, bytes: 1 }, format!("{head}2\r\na"));
    }

    #[test]
    fn a_wrong_length_replaces_the_chunks_and_closes() {
        let plan = planned(&[Fault::Length { difference: 5 }]);

        assert_eq!(written(&plan), "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nabc");
        assert_eq!(plan.acts.last(), Some(&Act::Close));
    }

    #[test]
    fn pieces_are_writes_of_their_own() {
        let plan = planned(&[Fault::Pieces { bytes: 1 }]);

        assert_eq!(plan.acts.len(), 4);
        assert!(written(&plan).ends_with("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"));
    }

    fn planned(faults: &[Fault]) -> Plan {
        let mut steps = vec![
            Step::Head { status: 200, headers: Vec::new() },
            Step::Chunk("ab".into()),
            Step::Chunk("c".into()),
        ];
        frame(&mut steps);
        Plan::new(&faults.iter().fold(steps, spoil))
    }

    fn written(plan: &Plan) -> String {
        let writes = plan.acts.iter().map(|act| match act {
            Act::Write { bytes, .. } => std::str::from_utf8(bytes).unwrap(),
            Act::Wait(_) | Act::Stall | Act::Reset | Act::Close => "",
        });
        writes.collect()
    }
}
