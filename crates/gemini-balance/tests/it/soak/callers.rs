//! Those who ask: mostly well, sometimes badly, and some leave early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Ask, Client, FORMS, Mode, Reply};

use super::dice::Dice;
use super::weather::{MODELS, SLOW_MODEL, Sky};

/// How many ask at once.
const CALLERS: u64 = 24;
/// The longest pause between two questions of one caller, in ms.
const PAUSE_MS: u64 = 100;
/// A little more than the body limit of the run, 1 MiB.
const TOO_LARGE: usize = (1 << 20) + 1;

/// What the callers of one life of the gateway have seen.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Answers that must have a row.
    pub(super) answered: Mutex<Vec<Answered>>,
    /// Whole answers to good questions.
    pub(super) served: AtomicU64,
    /// Errors in weather in which there may be some.
    pub(super) failed: AtomicU64,
    /// Callers who left before the end.
    pub(super) left: AtomicU64,
    /// Refusals of strangers and of bad questions.
    pub(super) refused: AtomicU64,
    /// What must not happen.
    pub(super) complaints: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// One complete answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) at: Instant,
    /// The id of its request, in hexadecimal.
    pub(super) id: String,
    pub(super) status: u16,
    /// Its last characters.
    pub(super) end: String,
}

/// The callers of one life of the gateway.
pub(super) struct Callers {
    pub(super) told: Arc<Told>,
    running: JoinSet<()>,
}

impl Callers {
    pub(super) fn begin(client: &Client, stranger: &Client, sky: &Arc<Sky>, seed: u64) -> Self {
        let told = Arc::new(Told::default());
        let mut running = JoinSet::new();
        for number in 0..CALLERS {
            let caller = Caller {
                client: client.clone(),
                stranger: stranger.clone(),
                sky: Arc::clone(sky),
                told: Arc::clone(&told),
                dice: Dice::new(seed.wrapping_add(number)),
            };
            running.spawn(caller.go_on());
        }
        Self { told, running }
    }

    /// Fails as soon as one of them does.
    pub(super) async fn stay(&mut self) {
        if let Some(ended) = self.running.join_next().await {
            ended.unwrap();
        }
    }

    /// Lets each caller end what it has begun.
    pub(super) async fn end(mut self) -> Arc<Told> {
        self.told.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.running.join_next().await {
            ended.unwrap();
        }
        self.told
    }

    /// Ends all callers where they are.
    pub(super) async fn abort(mut self) -> Arc<Told> {
        self.running.shutdown().await;
        self.told
    }
}

struct Caller {
    client: Client,
    stranger: Client,
    sky: Arc<Sky>,
    told: Arc<Told>,
    dice: Dice,
}

impl Caller {
    async fn go_on(mut self) {
        while !self.told.is_over.load(Ordering::SeqCst) {
            match self.dice.below(100) {
                0..8 => self.leave().await,
                8..12 => self.list_models().await,
                12..16 => self.ask_badly().await,
                _ => self.ask().await,
            }
            let pause = self.dice.below(PAUSE_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    fn question(&mut self) -> Ask {
        let (dialect, mode) = self.dice.one_of(&FORMS);
        let is_slow = mode == Mode::Streamed && self.dice.below(20) == 0;
        let model = if is_slow { SLOW_MODEL } else { self.dice.one_of(&MODELS) };
        // The text is longer than the events of the slow model are many.
        let (words, is_long) = (10 + self.dice.below(20), self.dice.below(40) == 0);
        let words = if is_long { words * 1_000 } else { words };
        let word = self.dice.below(1_000_000);
        Ask::new(dialect, mode)
            .model(model)
            .text(format!("{word}{}", " ü🎈".repeat(usize::try_from(words).unwrap())))
    }

    async fn ask(&mut self) {
        let question = self.question();
        let client = self.client.with("content-type", "application/json");
        let before = self.sky.season();
        let reply = send(&client, &question.path(), question.body()).await;
        let is_served = reply.as_ref().is_some_and(|reply| question.is_answered_by(reply));
        let is_expected = before.serves_all && before == self.sky.season();
        if is_served {
            self.told.served.fetch_add(1, Ordering::Relaxed);
        } else {
            self.told.failed.fetch_add(1, Ordering::Relaxed);
            if is_expected {
                self.complain("not served though a key could serve", &reply);
            } else if !reply.as_ref().is_none_or(is_proper_failure) {
                self.complain("a failure that is not told as one", &reply);
            }
        }
        self.note(reply);
    }

    /// Goes away before the head of the answer, after it, or after its first piece.
    async fn leave(&mut self) {
        let question = self.question();
        let client = self.client.with("content-type", "application/json");
        let path = question.path();
        let opening = client.try_open(Method::POST, &path, question.body());
        let patience = Duration::from_millis(self.dice.below(20));
        if let Ok(Ok(mut stream)) = tokio::time::timeout(patience, opening).await {
            let _ = tokio::time::timeout(patience, stream.try_next()).await;
        }
        self.told.left.fetch_add(1, Ordering::Relaxed);
    }

    async fn list_models(&mut self) {
        let path = self.dice.one_of(&["/v1/models", "/v1beta/models"]);
        let before = self.sky.season();
        let opened = self.client.try_open(Method::GET, path, Bytes::new()).await;
        let Ok(opened) = opened else { return };
        let reply = opened.collect().await;
        if reply.status != 200 && before.serves_all && before == self.sky.season() {
            self.complain("no list of models though a key could serve", &Some(reply));
            return;
        }
        self.note(Some(reply));
    }

    /// A stranger, a body that is no JSON, one that is too large.
    async fn ask_badly(&mut self) {
        let question = self.question();
        let (client, body, expected) = match self.dice.below(3) {
            0 => (&self.stranger, question.body(), 401),
            1 => (&self.client, "{\"contents\":".to_owned(), 400),
            _ => (&self.client, "x".repeat(TOO_LARGE), 413),
        };
        let client = client.with("content-type", "application/json");
        // The refusal of a large body may end the connection while the body still arrives.
        let Some(reply) = send(&client, &question.path(), body).await else { return };
        let status = reply.status.as_u16();
        if status != expected && !is_leaving(&reply) {
            self.complain(&format!("{expected} expected"), &Some(reply));
        } else {
            self.told.refused.fetch_add(1, Ordering::Relaxed);
            self.note(Some(reply));
        }
    }

    /// Remembers an answer that must have a row.
    fn note(&self, reply: Option<Reply>) {
        let Some(reply) = reply else { return };
        if reply.status != 401 && !is_leaving(&reply) {
            self.told.answered.lock().push(Answered {
                at: Instant::now(),
                id: reply.header("x-request-id").to_owned(),
                status: reply.status.as_u16(),
                end: end_of(&reply, 100),
            });
        }
    }

    fn complain(&self, what: &str, reply: &Option<Reply>) {
        let seen = reply.as_ref().map_or_else(
            || "no answer".to_owned(),
            |reply| {
                let end = end_of(reply, 500);
                format!("{}, cut {}, at its end: {end}", reply.status, reply.is_cut)
            },
        );
        self.told.complaints.lock().push(format!("{what}: {seen}"));
    }
}

/// Sends a question; nothing if nobody listens any more.
async fn send(client: &Client, path: &str, body: String) -> Option<Reply> {
    let opened = client.try_open(Method::POST, path, body).await.ok()?;
    Some(opened.collect().await)
}

/// The last characters of an answer.
fn end_of(reply: &Reply, characters: usize) -> String {
    let end: Vec<char> = reply.text().chars().rev().take(characters).collect();
    end.into_iter().rev().collect()
}

/// Whether the gateway was on its way out.
fn is_leaving(reply: &Reply) -> bool {
    reply.status == 503 && reply.text().contains("is restarting")
}

/// Whether a caller learns in its own dialect that its request failed: by an error with a status,
/// by an error event at the end of a stream, or by an answer that visibly breaks off. A stream that
/// lacks only what comes behind its finish reason has not failed.
fn is_proper_failure(reply: &Reply) -> bool {
    if reply.status != 200 {
        // Google lists its one error where it speaks OpenAI's dialect.
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let message = body.pointer("/error/message").or_else(|| body.pointer("/0/error/message"));
        return message.is_some_and(Value::is_string);
    }
    let says = |words| reply.text().contains(words);
    reply.is_cut || says(r#""error""#) || says(r#""finish_reason":"stop""#)
}

/// What an admin does all the time: looks, adds, takes away.
pub(super) async fn administer(admin: Client, mut dice: Dice) {
    let looks = [
        "/api/stats/overview",
        "/api/stats/by_model",
        "/api/stats/by_user_key",
        "/api/request_logs",
        "/api/request_logs?status=429",
        "/api/keys",
        "/api/keys/status",
        "/api/auth_keys",
        "/api/system",
        "/metrics",
    ];
    loop {
        match dice.below(6) {
            0 => {
                let made = admin.post("/api/auth_keys", &json!({"alias": "guest"})).await.json();
                admin.delete(&format!("/api/auth_keys/{}", made["id"])).await;
            }
            1 => {
                let mut watching = admin.open(Method::GET, "/api/logs/sse", "").await;
                drop(watching.next().await);
            }
            _ => {
                let look = dice.one_of(&looks);
                assert_eq!(admin.get(look).await.status, 200, "{look}");
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
