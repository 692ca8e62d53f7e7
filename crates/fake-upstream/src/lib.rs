//! A scripted Gemini and OpenAI upstream, over raw sockets.
//!
//! It answers believably by itself, and wrongly on request: any refusal Google knows, any way a
//! connection can break, any odd spelling of a stream. HTTP libraries are too polite for that, so
//! it speaks its own small HTTP/1.1.
//!
//! A test starts one [`Upstream`], adds rules ([`When`] → [`Answer`]) and asks what was seen:
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use fake_upstream::{Answer, Ending, Fault, Point, Upstream, When};
//!
//! let upstream = Upstream::start().await?;
//! upstream.on(When::any().key("a"), Answer::quota_per_minute(7));
//! upstream.on(
//!     When::any().model("gemini-2.5-pro").times(1),
//!     Answer::believable().with(Fault::Cut { at: Point::Events(2), ending: Ending::Reset }),
//! );
//! // … point the gateway at upstream.url() and send requests …
//! assert_eq!(upstream.seen().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! Without a rule the answer is a function of the request alone: the text is
//! `echo: <last user text>`, token counts are a quarter of the bytes, rounded up, and every
//! generated object carries the field `x_unknown` whose odd spelling shows whether bytes pass
//! untouched. Requests with tools whose last text contains the word `tool` get a call of the
//! first tool. Exactly one credential is required.
//!
//! # Keys that misbehave by name
//!
//! Without any script a credential that contains one of these words behaves like it:
//!
//! | word | behaviour |
//! |---|---|
//! | `-invalid` | 400 `API_KEY_INVALID` |
//! | `-expired` | 400 `API_KEY_INVALID`, "API key expired" |
//! | `-suspended` | 403 `CONSUMER_SUSPENDED`, the key repeated in the body |
//! | `-leaked` | 403 "reported as leaked" |
//! | `-nocredit` | 402 "prepayment credits are depleted" |
//! | `-429m` | 429, quota per minute, 30 s to wait |
//! | `-429d` | 429, quota per day |
//! | `-limit0` | 429, "limit: 0" |
//! | `-500`, `-503` | 500 `INTERNAL`, 503 overloaded |
//! | `-reset` | the connection is reset before any byte |
//! | `-stall` | nothing is ever answered |
//! | `-slow` | the first byte after 2 s, 500 ms between events |
//!
//! # What is kept for a project
//!
//! After [`Upstream::keep_resources`] files (with the resumable protocol), cached contents, batches,
//! operations, interactions and every other kind are kept, each for the project of the key that made
//! it: what follows `-in-` in the key, else the key itself. [`Upstream::strays`] tells who named what
//! another project keeps.
//!
//! # Live sessions
//!
//! A WebSocket below `/ws/` is agreed to and answered as [`Live`] says: by itself with `setupComplete`
//! and an echo of each turn. Keys that misbehave by name close it with the code and the words of the
//! real service, [`Upstream::heard`] tells what was said. `POST …/auth_tokens` makes a token that opens
//! one session, or as many as `uses` says.
//!
//! # Control from other processes
//!
//! `POST /__fake/rules` takes one rule or a list of rules as JSON
//! (`{"when":{"key":"a"},"answer":{"refusal":"key_invalid"}}`), `DELETE /__fake/rules` forgets
//! them, `GET /__fake/seen` lists what was seen (`DELETE` empties the list), `GET /__fake/asked`
//! how many requests came with each key, `GET /__fake/strays` tells who named what another project
//! keeps, `GET /__fake/state` counts. None of these needs a credential or is recorded.

mod answer;
mod call;
mod connection;
mod control;
mod events;
mod faults;
mod gemini;
mod http;
mod kept;
mod live;
mod openai;
mod options;
mod plan;
mod record;
mod refusal;
mod reply;
mod said;
mod script;
#[cfg(test)]
mod tests;
mod upstream;

pub use answer::{Answer, Ending, Fault, Point, Step};
pub use live::{Heard, Live, LiveClose};
pub use options::{Decoration, ErrorForm, LineEnd, Options, StreamError, UsageForm};
pub use record::{Outcome, Seen};
pub use refusal::Refusal;
pub use script::{Rule, When};
pub use upstream::{Settings, Upstream, WaitedTooLong};
