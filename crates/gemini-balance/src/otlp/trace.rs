//! One exchange as a span, and its place in a trace, as W3C's Trace Context (level 1) tells it.

use http::{HeaderMap, HeaderValue};

/// Where a caller says which trace a request belongs to.
pub(super) const TRACEPARENT: &str = "traceparent";

/// The place of one exchange in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Names the trace.
    pub trace_id: u128,
    /// The span of the caller, if it has one.
    pub parent_id: Option<u64>,
    /// Our own span.
    pub span_id: u64,
    /// Whether it is told to the collector.
    pub is_sampled: bool,
}

/// One exchange, when it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its place.
    pub trace: TraceContext,
    /// What was asked for, in the words of the conventions.
    pub operation: &'static str,
    /// Who was asked, in the words of the conventions.
    pub provider: &'static str,
    /// The model; empty if none was named.
    pub model: String,
    /// Whether the answer was to come in pieces.
    pub is_stream: bool,
    /// The name of the exchange in the log.
    pub request_id: String,
    /// Tries with service keys.
    pub attempts: u32,
    /// The status that the caller got.
    pub status: u16,
    /// A stable code of what went wrong.
    pub error: Option<&'static str>,
    /// When it ended, in ms since the epoch.
    pub ended_ms: i64,
    /// How long it took, in ms.
    pub duration_ms: u64,
    /// Until the first piece of a stream, in ms.
    pub first_chunk_ms: Option<u32>,
    /// Tokens of the prompt, of the answer, of the prompt from a cache, of thoughts.
    pub tokens: [Option<u32>; 4],
}

impl TraceContext {
    /// The place that the header fields of a request name, or one in a trace of its own. `unique` is like
    /// no other number; `sample` is the share of own traces that are told.
    pub(super) fn of(headers: &HeaderMap, unique: u128, sample: f64) -> Self {
        // Both halves are random; the lower one is the same for a trace and its first span.
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
        let span_id = (unique as u64).max(1);
        let told = headers.get(TRACEPARENT).and_then(|value| parse(value.to_str().ok()?));
        match told {
            Some((trace_id, parent_id, is_sampled)) => {
                Self { trace_id, parent_id: Some(parent_id), span_id, is_sampled }
            }
            None => Self {
                trace_id: unique.max(1),
                parent_id: None,
                span_id,
                is_sampled: is_chosen(unique, sample),
            },
        }
    }

    /// The same place as it is told to the upstream.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let flags = u8::from(self.is_sampled);
        let text = format!("00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id);
        HeaderValue::try_from(text).ok()
    }
}

/// Whether one of many traces is told; evenly, since the number is random.
fn is_chosen(unique: u128, sample: f64) -> bool {
    let upper = (unique >> 64) as u64;
    (upper as f64) < sample * (u64::MAX as f64) || 1.0 <= sample
}

/// Trace, span and whether it is told; `None` for what is no such field.
fn parse(text: &str) -> Option<(u128, u64, bool)> {
    let mut parts = text.trim().split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|it| b"0123456789abcdef".contains(&it))
    };
    // Later versions may add parts behind; the first has none.
    let is_version = is_hex(version, 2) && version != "ff";
    if !is_version || (version == "00" && parts.next().is_some()) {
        return None;
    }
    if !is_hex(trace, 32) || !is_hex(parent, 16) || !is_hex(flags, 2) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let parent = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace, parent, flags & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_request_stays_in_the_trace_of_its_caller_with_a_span_of_its_own() {
        let trace = of(PARENT, 7);

        assert_eq!(trace.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((trace.parent_id, trace.span_id), (Some(0xb7ad_6b71_6920_3331), 7));
        assert_eq!(
            trace.header().unwrap(),
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000007-01"
        );
        assert!(!of(&PARENT.replace("-01", "-00"), 7).is_sampled, "its caller decides");
    }

    #[test]
    fn what_is_no_trace_begins_one() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            let trace = of(text, 7);
            assert_eq!((trace.trace_id, trace.parent_id), (7, None), "{text}");
        }
        let later = PARENT.replacen("00", "01", 1) + "-more";
        assert!(of(&later, 7).parent_id.is_some());
    }

    #[test]
    fn of_own_traces_only_a_share_is_told() {
        let chosen = |sample| (0..1_000_u128).filter(|it| is_chosen(it << 118, sample)).count();

        assert_eq!((chosen(0.0), chosen(1.0)), (0, 1_000));
        assert!((240..260).contains(&chosen(0.25)), "{}", chosen(0.25));
    }

    fn of(traceparent: &str, unique: u128) -> TraceContext {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_str(traceparent).unwrap());
        TraceContext::of(&headers, unique, 1.0)
    }
}
