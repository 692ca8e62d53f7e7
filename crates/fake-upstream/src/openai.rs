//! Believable answers of Google's OpenAI layer.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    answer::Step,
    call::Call,
    events::{self, Sse},
    gemini,
    options::{LineEnd, Options, UsageForm},
    refusal::Refusal,
    said::{self, Asked, Said},
};

/// When everything was created; the fake has no clock.
const CREATED: u64 = 1_760_000_000;

/// The fields a chat may have.
const FIELDS: &str = "\
    audio extra_body frequency_penalty function_call functions logit_bias logprobs \
    max_completion_tokens max_tokens messages metadata modalities model n \
    parallel_tool_calls prediction presence_penalty reasoning_effort response_format \
    safety_identifier seed service_tier stop store stream stream_options temperature \
    tool_choice tools top_logprobs top_p user verbosity web_search_options";

/// The answer of the real service.
pub(crate) fn answer(call: &Call<'_>, options: &Options) -> Vec<Step> {
    let request = call.request;
    let whole = |object: Value| events::whole(200, events::with_oddities(&object), options);
    match (request.method.as_str(), call.resource) {
        ("POST", "chat/completions") => chat(call, options),
        ("POST", "embeddings") => whole(embeddings(call)),
        ("POST", "images/generations") => {
            let count = call.json().and_then(|body| body.get("n")?.as_u64()).unwrap_or(1).min(10);
            let images: Vec<_> = (0..count).map(|_| json!({"b64_json": gemini::PNG})).collect();
            whole(json!({"created": CREATED, "data": images}))
        }
        ("GET", "models") => {
            let listed: Vec<_> = gemini::MODELS.iter().map(|(name, _)| model(name)).collect();
            whole(json!({"object": "list", "data": listed}))
        }
        ("GET", resource) if resource.starts_with("models/") => {
            let asked_for = call.model().unwrap_or_default();
            match gemini::MODELS.iter().find(|(known, _)| *known == asked_for) {
                Some((name, _)) => whole(model(name)),
                None => Refusal::ModelNotFound.steps(call),
            }
        }
        (_, resource) if resource.split('/').next() == Some("responses") => {
            events::whole(404, String::new(), options)
        }
        _ => {
            let body = events::echo(&request.method, &request.target, &request.body);
            events::whole(200, body, options)
        }
    }
}

/// The first field Google would refuse, as its message.
pub(crate) fn unknown_field(call: &Call<'_>) -> Option<Refusal> {
    if call.resource != "chat/completions" {
        return None;
    }
    gemini::refuse_unknown(call.json()?, FIELDS)
}

fn chat(call: &Call<'_>, options: &Options) -> Vec<Step> {
    let Some(body) = call.json().filter(|body| body.is_object()) else {
        let message = "Invalid JSON payload received. Expected a value.".to_owned();
        return Refusal::BadRequest { message }.steps(call);
    };
    let Some(asked) = asked(body) else {
        let message = "* GenerateContentRequest.contents: contents is not specified\n".to_owned();
        return Refusal::BadRequest { message }.steps(call);
    };
    let said = Said::new(asked, options);
    let answering = Answering { call, options, said: &said };
    if body.get("stream").and_then(Value::as_bool) != Some(true) {
        return events::whole(200, events::with_oddities(&answering.complete()), options);
    }
    let asks_usage = body.pointer("/stream_options/include_usage").and_then(Value::as_bool);
    let chunks = answering.chunks(asks_usage == Some(true));
    let chunks = chunks.iter().map(events::with_oddities).collect();
    events::stream(chunks, Sse { line_end: LineEnd::Lf, has_done: true }, options)
}

struct Answering<'a> {
    call: &'a Call<'a>,
    options: &'a Options,
    said: &'a Said,
}

impl Answering<'_> {
    /// The answer that comes at once.
    fn complete(&self) -> Value {
        let message = match self.tool_calls() {
            Some(calls) => json!({"role": "assistant", "content": null, "tool_calls": calls}),
            None => json!({"role": "assistant", "content": self.said.text}),
        };
        let choice = |index| json!({"index": index, "message": message, "finish_reason": self.finish_reason()});
        let choices: Vec<_> = (0..self.options.candidates).map(choice).collect();
        let has_usage = self.options.usage != UsageForm::Never;
        self.envelope("chat.completion", &choices, has_usage.then(|| self.usage()))
    }

    /// The answer as the events of a stream, without `[DONE]`.
    fn chunks(&self, asks_usage: bool) -> Vec<Value> {
        let form = self.options.usage;
        let has_extra = form == UsageForm::Extra || asks_usage && form == UsageForm::Customary;
        let usage_on_the_way = match form {
            UsageForm::Each => Some(self.usage()),
            UsageForm::Customary if asks_usage => Some(Value::Null),
            UsageForm::Customary | UsageForm::Never | UsageForm::Extra => None,
        };
        let tool_calls = self.tool_calls();
        let pieces = match tool_calls {
            Some(_) => vec![""],
            None => self.said.pieces(self.options.chunks),
        };
        let last = pieces.len();
        let mut chunks: Vec<_> = (1..)
            .zip(pieces)
            .map(|(number, piece)| {
                let mut delta = match &tool_calls {
                    Some(calls) => json!({"tool_calls": calls}),
                    None => json!({"content": piece}),
                };
                if let (1, Some(fields)) = (number, delta.as_object_mut()) {
                    fields.insert("role".to_owned(), "assistant".into());
                }
                let finish = if number == last { self.finish_reason() } else { Value::Null };
                let choice =
                    |index| json!({"index": index, "delta": delta, "finish_reason": finish});
                let choices: Vec<_> = (0..self.options.candidates).map(choice).collect();
                self.envelope("chat.completion.chunk", &choices, usage_on_the_way.clone())
            })
            .collect();
        if has_extra {
            chunks.push(self.envelope("chat.completion.chunk", &[], Some(self.usage())));
        }
        chunks
    }

    fn finish_reason(&self) -> Value {
        match (self.options.finish, &self.said.tool) {
            (false, _) => Value::Null,
            (true, Some(_)) => "tool_calls".into(),
            (true, None) => "stop".into(),
        }
    }

    fn tool_calls(&self) -> Option<Value> {
        let name = self.said.tool.as_ref()?;
        let mut call = json!({
            "index": 0,
            "id": format!("call_{}", self.said.id),
            "type": "function",
            "function": {"name": name, "arguments": json!({"query": self.said.text}).to_string()},
        });
        if let (true, Some(fields)) = (self.options.thought_signature, call.as_object_mut()) {
            let signed = json!({"google": {"thought_signature": "c2lnbmVkIHRob3VnaHQ="}});
            fields.insert("extra_content".to_owned(), signed);
        }
        Some(json!([call]))
    }

    fn envelope(&self, object: &str, choices: &[Value], usage: Option<Value>) -> Value {
        let mut envelope = json!({
            "id": format!("chatcmpl-{}", self.said.id),
            "object": object,
            "created": CREATED,
            "model": self.call.model(),
            "choices": choices,
        });
        if let (Some(usage), Some(fields)) = (usage, envelope.as_object_mut()) {
            fields.insert("usage".to_owned(), usage);
        }
        envelope
    }

    fn usage(&self) -> Value {
        let said = self.said;
        json!({
            "prompt_tokens": said.prompt_tokens,
            "completion_tokens": said.answer_tokens + said.thought_tokens,
            "total_tokens": said.total_tokens(),
            "completion_tokens_details": {"reasoning_tokens": said.thought_tokens},
        })
    }
}

fn asked(body: &Value) -> Option<Asked> {
    let messages = body.get("messages")?.as_array()?;
    let last = messages.last()?;
    let is_from_user = last.get("role").and_then(Value::as_str) != Some("tool");
    let tool = body.pointer("/tools/0/function/name").and_then(Value::as_str);
    Some(Asked {
        prompt: messages.iter().map(text).collect(),
        last: if is_from_user { text(last) } else { String::new() },
        tool: tool.map(str::to_owned),
    })
}

/// The text of a message, given as a string or as parts.
fn text(message: &Value) -> String {
    let Some(content) = message.get("content") else {
        return String::new();
    };
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let parts = content.as_array().map_or(&[][..], Vec::as_slice);
    parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()
}

fn embeddings(call: &Call<'_>) -> Value {
    let field = |name: &str| call.json().and_then(|body| body.get(name));
    let texts = inputs(field("input").unwrap_or(&Value::Null));
    let dimensions = field("dimensions").and_then(Value::as_u64);
    let is_base64 = field("encoding_format").and_then(Value::as_str) == Some("base64");
    let embedded = |(index, text): (usize, &String)| {
        let values = said::embedding(text, dimensions);
        let embedding = if is_base64 {
            let bytes: Vec<u8> = values.iter().copied().flat_map(f32::to_le_bytes).collect();
            json!(BASE64_STANDARD.encode(bytes))
        } else {
            json!(values)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<_> = texts.iter().enumerate().map(embedded).collect();
    let tokens: u64 = texts.iter().map(|text| said::tokens(text)).sum();
    json!({
        "object": "list",
        "data": data,
        "model": call.model(),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

/// The texts to embed: one text, a list of texts, one list of tokens, or a list of such lists.
fn inputs(input: &Value) -> Vec<String> {
    let written = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match input.as_array() {
        Some(list) if !list.iter().all(Value::is_number) => list.iter().map(written).collect(),
        Some(_) | None => vec![written(input)],
    }
}

fn model(name: &str) -> Value {
    json!({
        "id": format!("models/{name}"),
        "object": "model",
        "created": CREATED,
        "owned_by": "google",
    })
}
