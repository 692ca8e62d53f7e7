//! The Live API: a WebSocket on which each side sends JSON, the client as text and the server as
//! bytes.
//!
//! The handshake is always agreed to; whatever is wrong is told by the code and the reason of a close
//! frame, as the real service does. Without a script a first message is answered by `setupComplete`,
//! and each further one that ends a turn by an echo with its token counts.

mod sha1;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};
use dialect::frames::{Frames, Kind, Side, write, write_close};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{Duration, sleep},
};

use crate::{
    call::{Call, Carrier},
    http::{self, Request},
    record::Outcome,
    upstream::Shared,
};

/// What the digest of a handshake is made of, besides the client's nonce.
const HANDSHAKE: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The longest message that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// How long the other side may take to leave behind a last word.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// How a session goes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Live {
    /// Closes it at some point.
    pub close: Option<LiveClose>,
    /// Ends the connection without a word when so many messages have come; 0: at once.
    pub cut_at: Option<u64>,
    /// Never answers.
    pub is_silent: bool,
    /// Asks whether the client is there before anything else.
    pub pings_first: bool,
    /// Says after so many turns that the session will end, and then ends it.
    pub go_away_after: Option<u64>,
    /// The least size of an answer's text.
    pub text_bytes: usize,
    /// How many messages an answer takes; 0 counts as 1.
    pub messages: usize,
    /// Sends each message in two frames with a ping between them.
    pub is_in_parts: bool,
    /// The pause before an answer.
    pub pause_ms: u64,
    /// Says after each turn by what the session can be resumed, with the same project alone.
    pub is_resumable: bool,
}

/// A last word, and when it is said.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LiveClose {
    /// In place of an answer to the message of this number; 0: at once.
    pub at: u64,
    /// Why, as a number.
    pub code: u16,
    /// Why, in words.
    pub reason: String,
}

impl Live {
    /// Closes in place of an answer to the message of this number; 0: at once.
    pub fn closing(at: u64, code: u16, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { close: Some(LiveClose { at, code, reason }), ..Self::default() }
    }
}

/// What was said in a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// The credential.
    pub key: String,
    /// What the client said, message by message.
    pub messages: Vec<String>,
    /// How often it answered a ping, or just said that it is there.
    pub pongs: u64,
    /// With which code it closed.
    pub closed: Option<u16>,
    /// It is over.
    pub is_over: bool,
}

/// Whether a request asks for a session.
pub(crate) fn is_asked(request: &Request) -> bool {
    let mut upgrades = http::values(&request.headers, "upgrade");
    request.target.starts_with("/ws/") && upgrades.any(|it| it.eq_ignore_ascii_case("websocket"))
}

/// Holds a session to its end.
pub(crate) async fn serve(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    call: &Call<'_>,
    (script, shared): (Option<&Live>, &Shared),
) -> Outcome {
    let nonce = http::values(&call.request.headers, "sec-websocket-key").next();
    let accept =
        STANDARD.encode(sha1::digest([nonce.unwrap_or_default(), HANDSHAKE].concat().as_bytes()));
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    if stream.write_all(agreed.as_bytes()).await.is_err() {
        return Outcome::ClientGone { sent_events: 0 };
    }
    let key = call.key().unwrap_or_default().to_owned();
    let script = match script {
        Some(script) => script.clone(),
        None => refusal(call, shared).or_else(|| by_name(&key)).unwrap_or_default(),
    };
    let number = shared.live.begin(key.clone());
    let frames = Frames::new(Side::Client);
    let talk =
        Talk { stream, buffer, shared, script, number, key, frames, came: 0, turns: 0, sent: 0 };
    let outcome = talk.hold().await;
    shared.live.note(number, |heard| heard.is_over = true);
    outcome
}

/// Why a session is refused that no script is about.
fn refusal(call: &Call<'_>, shared: &Shared) -> Option<Live> {
    let [credential] = call.credentials.as_slice() else {
        let reason = if call.credentials.is_empty() {
            "Method doesn't allow unregistered callers (callers without established identity)."
        } else {
            "Multiple authentication credentials received. Please pass only one."
        };
        return Some(Live::closing(0, 1008, reason));
    };
    let is_token = credential.value.starts_with("auth_tokens/");
    let is_constrained = call.request.target.contains("Constrained");
    let is_good = match credential.carrier {
        Carrier::Authorization => {
            is_token && is_constrained && shared.live.use_up(&credential.value)
        }
        Carrier::Header | Carrier::Query => !is_token,
    };
    (!is_good).then(|| Live::closing(0, 1007, BAD_KEY))
}

const BAD_KEY: &str = "API key not valid. Please pass a valid API key.";

/// What a key does by the word in its name.
fn by_name(key: &str) -> Option<Live> {
    let words = [
        ("-invalid", 1007, BAD_KEY.to_owned()),
        ("-expired", 1007, "API key expired. Please renew the API key.".to_owned()),
        ("-suspended", 1008, format!("Consumer 'api_key:{key}' has been suspended.")),
        ("-nocredit", 1011, "Your prepayment credits are depleted.".to_owned()),
        ("-429", 1011, "You exceeded your current quota, please check your plan.".to_owned()),
        ("-500", 1011, "Internal error encountered.".to_owned()),
    ];
    let (_, code, reason) = words.into_iter().find(|(word, ..)| key.contains(word))?;
    Some(Live::closing(1, code, reason))
}

struct Talk<'a> {
    stream: &'a mut TcpStream,
    buffer: &'a mut BytesMut,
    shared: &'a Shared,
    script: Live,
    number: usize,
    key: String,
    frames: Frames,
    /// How many messages have come.
    came: u64,
    turns: u64,
    /// How many messages were sent.
    sent: u64,
}

/// What a client does next.
enum Next {
    Says(Vec<u8>),
    Closes,
    IsGone,
}

/// The client cannot be reached.
struct Gone;

impl Talk<'_> {
    async fn hold(mut self) -> Outcome {
        match self.talk().await {
            Ok(outcome) => outcome,
            Err(Gone) => Outcome::ClientGone { sent_events: self.sent },
        }
    }

    async fn talk(&mut self) -> Result<Outcome, Gone> {
        if self.script.pings_first {
            self.send(&write(Kind::Ping, b"are you there?", None)).await?;
        }
        loop {
            if self.script.cut_at.is_some_and(|at| at <= self.came) {
                // Closing without lingering makes the kernel send a reset.
                let _ = self.stream.set_zero_linger();
                return Ok(Outcome::Broken);
            }
            if let Some(close) = self.script.close.take_if(|close| close.at <= self.came) {
                return self.close(close.code, &close.reason).await;
            }
            match self.next().await {
                Next::IsGone => return Err(Gone),
                Next::Closes => {
                    let code = self.frames.close().and_then(|close| close.code);
                    self.shared.live.note(self.number, |heard| heard.closed = code);
                    return self.close(code.unwrap_or(1000), "").await;
                }
                Next::Says(message) => {
                    self.came += 1;
                    let text = String::from_utf8_lossy(&message).into_owned();
                    self.shared.live.note(self.number, |heard| heard.messages.push(text));
                    let is_to_end = self.script.close.as_ref().is_some_and(|it| it.at <= self.came)
                        || self.script.cut_at.is_some_and(|at| at <= self.came);
                    if self.script.is_silent || is_to_end {
                        continue;
                    }
                    sleep(Duration::from_millis(self.script.pause_ms)).await;
                    if let Some(outcome) = self.answer(&message).await? {
                        return Ok(outcome);
                    }
                }
            }
        }
    }

    /// Answers a message; an outcome if that was the end.
    async fn answer(&mut self, message: &[u8]) -> Result<Option<Outcome>, Gone> {
        let Ok(message) = serde_json::from_slice::<Value>(message) else {
            return self.close(1007, "Invalid JSON payload received.").await.map(Some);
        };
        if self.came == 1 {
            let model = message.pointer("/setup/model").and_then(Value::as_str).unwrap_or_default();
            if model.contains("unknown") {
                let reason = format!(
                    "{model} is not found for API version v1beta, or is not supported for \
                     bidiGenerateContent."
                );
                return self.close(1008, &reason).await.map(Some);
            }
            let resumed =
                message.pointer("/setup/sessionResumption/handle").and_then(Value::as_str);
            let key = &self.key;
            if resumed.is_some_and(|handle| !handle.ends_with(key)) {
                return self.close(1008, "BidiGenerateContent session not found").await.map(Some);
            }
            self.say(&json!({"setupComplete": {}})).await?;
            return Ok(None);
        }
        let Some(said) = said(&message) else { return Ok(None) };
        let mut text = format!("echo: {said}");
        while text.len() < self.script.text_bytes {
            text.push('x');
        }
        for _ in 0..self.script.messages.max(1) {
            let parts = json!([{"text": text}]);
            self.say(&json!({"serverContent": {"modelTurn": {"role": "model", "parts": parts}}}))
                .await?;
        }
        let [asked, answered] = [&said, &text].map(|text| text.len().div_ceil(4));
        let usage = json!({
            "promptTokenCount": asked, "responseTokenCount": answered,
            "totalTokenCount": asked + answered,
        });
        self.say(&json!({"serverContent": {"generationComplete": true}})).await?;
        self.say(&json!({"serverContent": {"turnComplete": true}, "usageMetadata": usage})).await?;
        self.turns += 1;
        if self.script.is_resumable {
            let handle = format!("turn-{}-of-{}", self.turns, self.key);
            self.say(&json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": true}}))
                .await?;
        }
        if self.script.go_away_after.is_some_and(|turns| turns <= self.turns) {
            self.say(&json!({"goAway": {"timeLeft": "50s"}})).await?;
            return self.close(1008, "The session has reached its limit.").await.map(Some);
        }
        Ok(None)
    }

    async fn say(&mut self, message: &Value) -> Result<(), Gone> {
        let message = message.to_string().into_bytes();
        self.sent += 1;
        if !self.script.is_in_parts {
            return self.send(&write(Kind::Binary, &message, None)).await;
        }
        let (first, rest) = message.split_at(message.len() / 2);
        let mut first = write(Kind::Binary, first, None);
        if let Some(byte) = first.first_mut() {
            *byte &= 0x7F;
        }
        self.send(&first).await?;
        self.send(&write(Kind::Ping, b"between", None)).await?;
        self.send(&write(Kind::Continuation, rest, None)).await
    }

    async fn send(&mut self, frame: &[u8]) -> Result<(), Gone> {
        self.stream.write_all(frame).await.map_err(|_| Gone)
    }

    /// Says the last word and waits until the client has left.
    async fn close(&mut self, code: u16, reason: &str) -> Result<Outcome, Gone> {
        self.send(&write_close(code, reason, None)).await?;
        let had_last_word = self.frames.close().is_some();
        if !had_last_word {
            let leaving = async { while matches!(self.next().await, Next::Says(_)) {} };
            drop(tokio::time::timeout(LEAVE_LIMIT, leaving).await);
        }
        // The client may be gone already; the end is the same.
        let _ = self.stream.shutdown().await;
        Ok(Outcome::Answered)
    }

    async fn next(&mut self) -> Next {
        let mut message = Vec::new();
        loop {
            while !self.buffer.is_empty() {
                let messages = self.frames.messages();
                let step = self.frames.step(self.buffer);
                let payload = step.unmasked(self.buffer);
                self.buffer.advance(step.bytes);
                match self.frames.kind() {
                    Some(Kind::Close) if step.is_end => return Next::Closes,
                    Some(Kind::Ping) if step.is_end => {
                        if self.send(&write(Kind::Pong, &payload, None)).await.is_err() {
                            return Next::IsGone;
                        }
                    }
                    Some(Kind::Pong) if step.is_end => {
                        self.shared.live.note(self.number, |heard| heard.pongs += 1);
                    }
                    Some(Kind::Text | Kind::Binary | Kind::Continuation) => message.extend(payload),
                    Some(Kind::Close | Kind::Ping | Kind::Pong) | None => {}
                }
                if messages < self.frames.messages() {
                    return Next::Says(message);
                }
                if self.frames.is_lost() || MESSAGE_BYTES_MAX < message.len() {
                    return Next::IsGone;
                }
            }
            if http::fill(self.stream, self.buffer).await.is_err() {
                return Next::IsGone;
            }
        }
    }
}

/// What a message says that ends a turn; both spellings of protobuf are right.
fn said(message: &Value) -> Option<String> {
    let either = |value: &Value, names: [&str; 2]| {
        names.iter().find_map(|name| value.get(name)).filter(|it| !it.is_null()).cloned()
    };
    if let Some(content) = either(message, ["clientContent", "client_content"]) {
        let is_over =
            either(&content, ["turnComplete", "turn_complete"]) == Some(Value::Bool(true));
        let turn = content.get("turns").and_then(Value::as_array).and_then(|turns| turns.last());
        let part = turn.and_then(|turn| turn.pointer("/parts/0/text")).and_then(Value::as_str);
        return is_over.then(|| part.unwrap_or_default().to_owned());
    }
    let input = either(message, ["realtimeInput", "realtime_input"])?;
    Some(input.get("text")?.as_str()?.to_owned())
}

/// The sessions that were held, and the tokens that open some.
#[derive(Default)]
pub(crate) struct Sessions {
    heard: parking_lot::Mutex<Vec<Heard>>,
    tokens: parking_lot::Mutex<Vec<Token>>,
}

struct Token {
    name: String,
    uses_left: u64,
}

impl Sessions {
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().clone()
    }

    /// The answer to a call that makes a token.
    pub(crate) fn answer(&self, call: &Call<'_>) -> Option<Value> {
        let path = call.request.target.split('?').next()?;
        if call.request.method != "POST" || !path.ends_with("/auth_tokens") {
            return None;
        }
        let uses = call.json().and_then(|body| body.get("uses")?.as_u64());
        let mut tokens = self.tokens.lock();
        let key = call.key().unwrap_or_default();
        let digest = sha1::digest(format!("{key} {}", tokens.len()).as_bytes());
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("auth_tokens/{digits}");
        tokens.push(Token { name: name.clone(), uses_left: uses.unwrap_or(1) });
        Some(json!({"name": name}))
    }

    /// Whether a token lets in once more.
    fn use_up(&self, name: &str) -> bool {
        let mut tokens = self.tokens.lock();
        let token = tokens.iter_mut().find(|token| token.name == name && 0 < token.uses_left);
        token.map(|token| token.uses_left -= 1).is_some()
    }

    fn begin(&self, key: String) -> usize {
        let mut heard = self.heard.lock();
        heard.push(Heard { key, ..Heard::default() });
        heard.len() - 1
    }

    fn note(&self, number: usize, note: impl FnOnce(&mut Heard)) {
        if let Some(heard) = self.heard.lock().get_mut(number) {
            note(heard);
        }
    }
}
