//! Paths that lead nowhere for a reason that can be told: what people type when a base URL is not quite right.

use std::borrow::Cow;

use super::mount::Mount;
use super::names::is_known_verb;

const GEMINI_BASE: &str = "this is the base of the Gemini API: its paths go on, for example POST \
    /v1beta/models/{model}:generateContent or GET /v1beta/models. A client that adds the version itself wants a base URL \
    without any path";
const OPENAI_BASE: &str = "this is the base of the OpenAI API, which is the right base URL for OpenAI clients; its paths \
    go on, for example POST /v1/chat/completions or GET /v1/models. Gemini clients want a base URL without any path";
const NO_VERB: &str = "the path does not say what the model is to do: write POST \
    /v1beta/models/{model}:generateContent, or :streamGenerateContent?alt=sse, :countTokens, :embedContent";
const SLASH_BEFORE_VERB: &str = "between the model and what it is to do stands a colon: POST \
    /v1beta/models/{model}:generateContent";
const HALF_A_CHAT: &str = "the path of a chat is POST /v1/chat/completions";
const WHOLE_PATH_AS_BASE: &str = "the path of a request stands in it twice: the base URL of the client must end before \
    it, in /v1 for OpenAI clients and without any path for Gemini clients";
const ANTHROPIC: &str = "the gateway speaks the dialects of OpenAI (POST /v1/chat/completions) and Gemini (POST \
    /v1beta/models/{model}:generateContent), not that of Anthropic";

/// What is wrong with a path that is none, and what would be right; `None` if nothing is known to be wrong.
pub(super) fn hint(mount: &Mount, segments: &[Cow<'_, str>], method: &str) -> Option<&'static str> {
    let is_post = method == "POST";
    let segments: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
    match segments.as_slice() {
        [] if mount.is_openai => Some(OPENAI_BASE),
        [] if mount.is_gemini => Some(GEMINI_BASE),
        [] => match mount.version? {
            "v1" => Some(OPENAI_BASE),
            _ => Some(GEMINI_BASE),
        },
        ["chat"] => Some(HALF_A_CHAT),
        ["messages"] | ["messages", "count_tokens"] if is_post => Some(ANTHROPIC),
        ["models"] if is_post && !mount.is_openai => Some(NO_VERB),
        ["models", .., verb] if is_post && is_known_verb(verb) => Some(SLASH_BEFORE_VERB),
        ["models", id] if is_post && !mount.is_openai && !id.contains(':') => Some(NO_VERB),
        [_, rest @ ..] if begins_anew(rest) => Some(WHOLE_PATH_AS_BASE),
        _ => None,
    }
}

/// Whether the path of a request follows behind another one.
fn begins_anew(rest: &[&str]) -> bool {
    rest.windows(2).any(|pair| match pair {
        ["chat", "completions"] => true,
        ["v1" | "v1beta" | "v1alpha", next] => matches!(*next, "models" | "chat" | "embeddings"),
        _ => false,
    })
}
