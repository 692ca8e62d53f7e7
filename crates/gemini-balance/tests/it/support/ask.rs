//! Questions to a model, in both dialects, plain and streamed.

use dialect::Dialect;
use serde_json::{Value, json};

use crate::support::{Client, MODEL, Reply, Stream};

/// Every way to ask.
pub(crate) const FORMS: [(Dialect, Mode); 4] = [
    (Dialect::OpenAi, Mode::Plain),
    (Dialect::OpenAi, Mode::Streamed),
    (Dialect::Gemini, Mode::Plain),
    (Dialect::Gemini, Mode::Streamed),
];

/// Whether the answer comes at once or piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    Streamed,
}

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    dialect: Dialect,
    mode: Mode,
    model: String,
    text: String,
}

impl Ask {
    pub(crate) fn new(dialect: Dialect, mode: Mode) -> Self {
        Self { dialect, mode, model: MODEL.to_owned(), text: "hello".to_owned() }
    }

    /// A plain question in Google's dialect.
    pub(crate) fn gemini() -> Self {
        Self::new(Dialect::Gemini, Mode::Plain)
    }

    /// A plain question in OpenAI's dialect.
    pub(crate) fn openai() -> Self {
        Self::new(Dialect::OpenAi, Mode::Plain)
    }

    /// The same question, answered piece by piece.
    pub(crate) fn streamed(self) -> Self {
        Self { mode: Mode::Streamed, ..self }
    }

    /// The same question for another model.
    pub(crate) fn model(self, model: &str) -> Self {
        Self { model: model.to_owned(), ..self }
    }

    /// Another question for the same model.
    pub(crate) fn text(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn of(&self, client: &Client) -> Reply {
        client
            .with("content-type", "application/json")
            .send(http::Method::POST, &self.path(), self.body())
            .await
    }

    /// Asks and waits for the head of the answer.
    pub(crate) async fn open(&self, client: &Client) -> Stream {
        client
            .with("content-type", "application/json")
            .open(http::Method::POST, &self.path(), self.body())
            .await
    }

    /// Whether this is the whole answer to the question, from its first byte to its proper end.
    pub(crate) fn is_answered_by(&self, reply: &Reply) -> bool {
        if reply.status != 200 || reply.is_cut {
            return false;
        }
        match (self.dialect, self.mode) {
            (_, Mode::Plain) => reply.text().contains(&format!("echo: {}", self.text)),
            (Dialect::OpenAi, Mode::Streamed) => {
                let events = reply.events();
                self.text_of(&events) == format!("echo: {}", self.text)
                    && events.last().is_some_and(|event| event == "[DONE]")
            }
            (Dialect::Gemini, Mode::Streamed) => {
                let events = reply.events();
                self.text_of(&events) == format!("echo: {}", self.text)
                    && events.last().is_some_and(|event| event.contains("finishReason"))
            }
        }
    }

    /// Asks and insists on the whole answer.
    pub(crate) async fn is_answered(&self, client: &Client) {
        let reply = self.of(client).await;
        assert!(self.is_answered_by(&reply), "{self:?}: {} {}", reply.status, reply.text());
    }

    /// Where the question goes.
    pub(crate) fn path(&self) -> String {
        match (self.dialect, self.mode) {
            (Dialect::OpenAi, _) => "/v1/chat/completions".to_owned(),
            (Dialect::Gemini, Mode::Plain) => {
                format!("/v1beta/models/{}:generateContent", self.model)
            }
            (Dialect::Gemini, Mode::Streamed) => {
                format!("/v1beta/models/{}:streamGenerateContent?alt=sse", self.model)
            }
        }
    }

    /// What is sent.
    pub(crate) fn body(&self) -> String {
        let (text, model) = (&self.text, &self.model);
        let body = match self.dialect {
            Dialect::OpenAi => json!({
                "model": model,
                "messages": [{"role": "user", "content": text}],
                "stream": self.mode == Mode::Streamed,
            }),
            Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        };
        body.to_string()
    }

    /// The words of a stream, put together.
    fn text_of(&self, events: &[String]) -> String {
        let words = events.iter().filter_map(|event| {
            let event: Value = serde_json::from_str(event).ok()?;
            let text = match self.dialect {
                Dialect::OpenAi => event.pointer("/choices/0/delta/content")?,
                Dialect::Gemini => event.pointer("/candidates/0/content/parts/0/text")?,
            };
            text.as_str().map(str::to_owned)
        });
        words.collect()
    }
}
