//! The ways to ask the same question: two dialects, whole and streamed.

use dialect::Dialect;
use serde_json::{Value, json};

use crate::support::{Client, Gateway, Reply, Stream};

/// The model that is asked unless a test says otherwise.
pub(crate) const MODEL: &str = "gemini-2.5-flash";

/// One way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A chat completion.
    Chat,
    /// A chat as a stream whose usage nobody asked for, so that the gateway does.
    ChatStream,
    /// A chat as a stream whose caller wants the usage: its bytes pass untouched.
    ChatUsageStream,
    /// A generation.
    Generate,
    /// A generation as an event stream.
    GenerateStream,
    /// A generation as a JSON array that arrives element by element.
    GenerateArray,
}

impl Form {
    /// Every way.
    pub(crate) const ALL: [Self; 6] = [
        Self::Chat,
        Self::ChatStream,
        Self::ChatUsageStream,
        Self::Generate,
        Self::GenerateStream,
        Self::GenerateArray,
    ];
    /// Those that are answered by one JSON object.
    pub(crate) const WHOLE: [Self; 2] = [Self::Chat, Self::Generate];
    /// Those that are answered by an event stream.
    pub(crate) const EVENTS: [Self; 3] =
        [Self::ChatStream, Self::ChatUsageStream, Self::GenerateStream];

    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Chat | Self::ChatStream | Self::ChatUsageStream => Dialect::OpenAi,
            Self::Generate | Self::GenerateStream | Self::GenerateArray => Dialect::Gemini,
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat | Self::ChatStream | Self::ChatUsageStream => "/v1/chat/completions",
            Self::Generate => "/v1beta/models/gemini-2.5-flash:generateContent",
            Self::GenerateStream => "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            Self::GenerateArray => "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        }
    }

    /// A body that asks for an answer to `text`.
    pub(crate) fn body(self, text: &str) -> Value {
        let mut body = match self.dialect() {
            Dialect::OpenAi => {
                json!({"model": MODEL, "messages": [{"role": "user", "content": text}]})
            }
            Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        };
        match self {
            Self::ChatStream => body["stream"] = json!(true),
            Self::ChatUsageStream => {
                body["stream"] = json!(true);
                body["stream_options"] = json!({"include_usage": true});
            }
            Self::Chat | Self::Generate | Self::GenerateStream | Self::GenerateArray => {}
        }
        body
    }
}

impl Gateway {
    /// A client of the dialect with a user key where its SDKs put it.
    pub(crate) fn client(&self, form: Form) -> Client {
        match form.dialect() {
            Dialect::OpenAi => self.openai(),
            Dialect::Gemini => self.gemini(),
        }
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn ask(&self, form: Form) -> Reply {
        self.client(form).post(form.path(), &form.body("hello")).await
    }

    /// Asks and waits for the head of the answer.
    pub(crate) async fn open(&self, form: Form) -> Stream {
        let client = self.client(form).with("content-type", "application/json");
        client.open(http::Method::POST, form.path(), form.body("hello").to_string()).await
    }

    /// The same question put to the upstream itself: what the gateway should pass on.
    pub(crate) async fn ask_upstream(&self, form: Form) -> Reply {
        let client = Client::new(self.upstream.address());
        let (client, path) = match form.dialect() {
            Dialect::OpenAi => {
                (client.bearer("direct"), format!("/v1beta/openai{}", &form.path()[3..]))
            }
            Dialect::Gemini => (client.with("x-goog-api-key", "direct"), form.path().to_owned()),
        };
        client.post(&path, &form.body("hello")).await
    }
}
