//! What it costs to watch an answer and to peek into a request, in nanoseconds a piece.
//!
//! `cargo bench -p dialect` prints one line a case: the best of several rounds, which is what the code
//! costs when nobody else wants the core. Given the name of a case, it runs one round of that case
//! alone, for a profiler.

#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use dialect::{Dialect, Shape, Tap, UsageFilter};

const ROUNDS: usize = 20;
const PIECES_PER_ROUND: u32 = 10_000;

const OPENAI_CHUNK: &str = concat!(
    r#"data: {"id":"chatcmpl-BQx1vJ5mYfT0c2a8KpLwZs9eRdUhG","object":"chat.completion.chunk","#,
    r#""created":1745000000,"model":"gemini-2.5-flash","choices":[{"index":0,"#,
    r#""delta":{"content":" of the sea"},"logprobs":null,"finish_reason":null}]}"#,
    "\n\n",
);

const GEMINI_CHUNK: &str = concat!(
    r#"data: {"candidates": [{"content": {"parts": [{"text": " of the sea, which nobody had seen "#,
    r#"before"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 200,"#,
    r#""candidatesTokenCount": 160,"totalTokenCount": 360,"promptTokensDetails": "#,
    r#"[{"modality": "TEXT","tokenCount": 200}]},"modelVersion": "gemini-2.5-flash","#,
    r#""responseId": "mC0aaN3zB8mRz7IPh5eKyAQ"}"#,
    "\r\n\r\n",
);

fn main() {
    let answer = gemini_answer();
    let pretty_answer = pretty_gemini_answer();
    let openai_request = openai_request(0);
    let long_request = openai_request_of(1024);
    let wanted = std::env::args().nth(1).filter(|word| !word.starts_with("--"));
    let rounds = if wanted.is_some() { 1 } else { ROUNDS };
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);

    for (name, chunk) in [("openai chunk", OPENAI_CHUNK), ("gemini chunk", GEMINI_CHUNK)] {
        if is_wanted(name) {
            let mut tap = Tap::new(Dialect::Gemini, Shape::Sse);
            measure(name, chunk.len(), rounds, || {
                tap.see(black_box(chunk.as_bytes()));
                black_box(tap.seen());
            });
        }
    }
    if is_wanted("filtered chunk") {
        let mut filter = UsageFilter::new();
        let chunk = Bytes::from_static(OPENAI_CHUNK.as_bytes());
        measure("filtered chunk", chunk.len(), rounds, || {
            black_box(filter.pass(chunk.clone()).count());
        });
    }
    for (name, answer) in [("answer", &answer), ("pretty answer", &pretty_answer)] {
        if is_wanted(name) {
            measure(name, answer.len(), rounds, || {
                let mut tap = Tap::new(Dialect::Gemini, Shape::Json);
                tap.see(black_box(answer.as_bytes()));
                black_box(tap.seen());
            });
        }
    }
    for (name, body) in [("request", &openai_request), ("request of 1 KiB", &long_request)] {
        if is_wanted(name) {
            measure(name, body.len(), rounds, || {
                let _ = black_box(dialect::peek(Dialect::OpenAi, black_box(body.as_bytes())));
            });
        }
    }
    let picture = [r#"{"data":""#, &base64(64 * 1024), r#""}"#].concat();
    let words = openai_request_of(64 * 1024);
    for (name, body) in [("names in words", &words), ("names in a picture", &picture)] {
        if is_wanted(name) {
            measure(name, body.len(), rounds, || {
                dialect::resource::each_named(black_box(body.as_bytes()), |name| {
                    black_box(name);
                });
            });
        }
    }
}

fn measure(name: &str, bytes: usize, rounds: usize, mut piece: impl FnMut()) {
    let mut best_ns = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        for _ in 0..PIECES_PER_ROUND {
            piece();
        }
        let round_ns = start.elapsed().as_secs_f64() * 1e9;
        best_ns = best_ns.min(round_ns / f64::from(PIECES_PER_ROUND));
    }
    println!("{name:20} {bytes:5} bytes {best_ns:8.0} ns");
}

/// A Gemini answer of about 1 KiB on one line.
fn gemini_answer() -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":200,"candidatesTokenCount":160,"totalTokenCount":360}},"modelVersion":"bench"}}"#,
        "word ".repeat(160),
    )
}

/// The same as Google lays it out.
fn pretty_gemini_answer() -> String {
    format!(
        r#"{{
  "candidates": [
    {{
      "content": {{
        "parts": [
          {{
            "text": "{}"
          }}
        ],
        "role": "model"
      }},
      "finishReason": "STOP",
      "index": 0
    }}
  ],
  "usageMetadata": {{
    "promptTokenCount": 200,
    "candidatesTokenCount": 160,
    "totalTokenCount": 360,
    "promptTokensDetails": [
      {{
        "modality": "TEXT",
        "tokenCount": 200
      }}
    ]
  }},
  "modelVersion": "gemini-2.5-flash",
  "responseId": "mC0aaN3zB8mRz7IPh5eKyAQ"
}}
"#,
        "It was\\na \\\"dark\\\" night. ".repeat(12),
    )
}

fn openai_request(more_bytes: usize) -> String {
    format!(
        r#"{{"model":"gemini-2.5-flash","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"Hello! {}"}}],"stream":true,"stream_options":{{"include_usage":true}},"temperature":0.7,"max_tokens":1024}}"#,
        "w".repeat(more_bytes),
    )
}

fn openai_request_of(bytes: usize) -> String {
    openai_request(bytes.saturating_sub(openai_request(0).len()))
}

/// As the bytes of a picture look, each letter about as often as any other.
fn base64(letters: u32) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let spread = (0..letters)
        .map(|at| at.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(40_503) >> 16);
    spread
        .filter_map(|number| alphabet.get(number as usize % 64))
        .map(|byte| char::from(*byte))
        .collect()
}
