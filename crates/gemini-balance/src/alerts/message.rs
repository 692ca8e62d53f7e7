//! What is told, and how it looks where it is told.
//!
//! Nothing secret is ever in a message: keys are named by their identifiers.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::HookForm;
use crate::moment::Moment;
use crate::secret::Secret;

/// Longest text, in characters: Discord takes 2,000, and a message is no report.
const TEXT_CHARS_MAX: usize = 1_500;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertKind)]
pub enum Kind {
    /// Fewer service keys than wanted could serve at once.
    FewKeysLeft,
    /// Every service key rests.
    AllCooling,
    /// The upstream has locked keys, or does not know them.
    KeySuspended,
    /// Many requests fail.
    ErrorSpike,
    /// The disk has little room left.
    DiskNearlyFull,
    /// Nothing: somebody wants to see that it arrives.
    Test,
}

/// Whether something begins to hold or no longer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It holds.
    Begun,
    /// It no longer does.
    Over,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about.
    pub kind: Kind,
    /// Whether it begins or is over.
    pub phase: Phase,
    /// The whole in a few words, in ASCII.
    pub title: &'static str,
    /// What exactly, and what to do.
    pub text: String,
    /// When, in ms since the epoch.
    pub at_ms: i64,
}

impl Message {
    /// The one by which it is seen that messages arrive.
    #[must_use]
    pub fn test(at_ms: i64) -> Self {
        let text = "This is a test. Alerts of this gateway arrive here.".to_owned();
        Self { kind: Kind::Test, phase: Phase::Begun, title: "Gemini Balance: test", text, at_ms }
    }

    /// The text, cut to what every receiver takes.
    #[must_use]
    pub fn text(&self) -> String {
        self.text.chars().take(TEXT_CHARS_MAX).collect()
    }

    /// Header fields and body of a `POST` in the form of a receiver.
    #[must_use]
    pub fn posted(&self, form: HookForm, token: Option<&Secret>) -> (HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        let agent = concat!("gemini-balance/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let bearer = token.map(|token| HeaderValue::try_from(format!("Bearer {}", token.expose())));
        if let Some(Ok(mut bearer)) = bearer {
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let (title, text) = (self.title, self.text());
        let body = match form {
            HookForm::Json => json!({
                "source": "gemini-balance",
                "kind": self.kind,
                "state": self.phase,
                "title": title,
                "text": text,
                "at": Moment::from_ms(self.at_ms),
                "version": env!("CARGO_PKG_VERSION"),
            }),
            HookForm::Slack => json!({"text": format!("*{title}*\n{}", for_slack(&text))}),
            // Nobody is called by name, whatever a text holds.
            HookForm::Discord => json!({
                "content": format!("**{title}**\n{text}"),
                "allowed_mentions": {"parse": []},
            }),
            HookForm::Ntfy => return (ntfy(headers, self), Bytes::from(text)),
        };
        (with_json(headers), bytes(&body))
    }

    /// The same for Telegram's `sendMessage`.
    #[must_use]
    pub fn for_telegram(&self, chat: &str) -> (HeaderMap, Bytes) {
        let text = format!("{}\n{}", self.title, self.text());
        let body = json!({
            "chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true},
        });
        (with_json(HeaderMap::new()), bytes(&body))
    }
}

/// Slack reads three characters as its own.
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn ntfy(mut headers: HeaderMap, message: &Message) -> HeaderMap {
    let is_over = message.phase == Phase::Over;
    let (priority, tags) = if is_over { ("3", "white_check_mark") } else { ("4", "warning") };
    let fields = [("title", message.title), ("priority", priority), ("tags", tags)];
    for (name, value) in fields {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers
}

fn with_json(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn bytes(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_receiver_gets_its_own_form() {
        let message = Message { text: "a <b> & c".to_owned(), ..Message::test(1_796_000_000_000) };
        let body = |form| serde_json::from_slice::<Value>(&message.posted(form, None).1).unwrap();

        let plain = body(HookForm::Json);
        assert_eq!((&plain["kind"], &plain["state"]), (&json!("test"), &json!("begun")));
        assert_eq!(plain["at"], "2026-11-30T00:53:20Z");
        assert_eq!(body(HookForm::Slack)["text"], "*Gemini Balance: test*\na &lt;b&gt; &amp; c");
        assert_eq!(body(HookForm::Discord)["content"], "**Gemini Balance: test**\na <b> & c");
        let (headers, text) = message.posted(HookForm::Ntfy, Some(&Secret::new("tk_1")));
        assert_eq!(&text[..], b"a <b> & c");
        assert_eq!(headers["title"], "Gemini Balance: test");
        assert_eq!(headers[AUTHORIZATION], "Bearer tk_1");
        let (_, telegram) = message.for_telegram("-100");
        assert_eq!(serde_json::from_slice::<Value>(&telegram).unwrap()["chat_id"], "-100");
    }

    #[test]
    fn a_text_is_never_longer_than_every_receiver_takes() {
        let message = Message { text: "ü".repeat(5_000), ..Message::test(0) };

        assert_eq!(message.text().chars().count(), TEXT_CHARS_MAX);
    }
}
