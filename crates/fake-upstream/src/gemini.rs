//! Believable answers of the native Gemini API.

use serde_json::{Value, json};

use crate::{
    answer::Step,
    call::Call,
    events::{self, Sse},
    options::{LineEnd, Options, UsageForm},
    refusal::Refusal,
    said::{self, Asked, Said},
};

/// One grey pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";
const SIGNATURE: &str = "c2lnbmVkIHRob3VnaHQ=";
const GENERATES: &[&str] = &["generateContent", "countTokens", "batchGenerateContent"];
const EMBEDS: &[&str] = &["embedContent", "countTextTokens", "asyncBatchEmbedContent"];

/// The models there are, and their methods.
pub(crate) const MODELS: &[(&str, &[&str])] = &[
    ("gemini-2.5-flash", GENERATES),
    ("gemini-2.5-flash-lite", GENERATES),
    ("gemini-2.5-pro", GENERATES),
    ("gemini-3.5-flash-lite", GENERATES),
    ("gemini-3.8-flash", GENERATES),
    ("gemini-flash-latest", GENERATES),
    ("gemini-pro-latest", GENERATES),
    ("gemini-embedding-001", EMBEDS),
    ("imagen-4.0-generate-001", &["predict"]),
    ("veo-3.1-generate-preview", &["predictLongRunning"]),
];

/// The fields a generation may have, in both spellings.
const FIELDS: &str = "\
    contents systemInstruction system_instruction tools toolConfig tool_config \
    safetySettings safety_settings generationConfig generation_config cachedContent \
    cached_content serviceTier service_tier store labels model";

/// The answer of the real service.
pub(crate) fn answer(call: &Call<'_>, options: &Options) -> Vec<Step> {
    let (name, verb) = call.verb();
    let whole = |object: Value| events::whole(200, events::with_oddities(&object), options);
    match (call.request.method.as_str(), verb) {
        ("POST", Some("generateContent" | "streamGenerateContent")) => match asked(call) {
            Ok(asked) => generate(call, asked, options),
            Err(refusal) => refusal.steps(call),
        },
        ("POST", Some("countTokens")) => whole(counted(call)),
        ("POST", Some("embedContent")) => whole(json!({"embedding": embedding(call.json())})),
        ("POST", Some("batchEmbedContents")) => {
            let embeddings: Vec<_> =
                list(call.json(), "requests").iter().map(|one| embedding(Some(one))).collect();
            whole(json!({"embeddings": embeddings}))
        }
        ("POST", Some("predict")) => {
            let image = json!({"mimeType": "image/png", "bytesBase64Encoded": PNG});
            let count = list(call.json(), "instances").len().max(1);
            whole(json!({"predictions": vec![image; count]}))
        }
        ("POST", Some("predictLongRunning")) => {
            whole(json!({"name": format!("{name}/operations/0123456789abcdef")}))
        }
        ("GET", None) if name == "models" => whole(models(call)),
        ("GET", None) if name.starts_with("models/") && !name.contains("/operations/") => {
            let asked_for = call.model().unwrap_or_default();
            match MODELS.iter().find(|(known, _)| *known == asked_for) {
                Some(known) => whole(model(known)),
                None => Refusal::ModelNotFound.steps(call),
            }
        }
        _ => {
            let request = call.request;
            let body = events::echo(&request.method, &request.target, &request.body);
            events::whole(200, body, options)
        }
    }
}

/// The first field Google would refuse, as its message.
pub(crate) fn unknown_field(call: &Call<'_>) -> Option<Refusal> {
    if !matches!(call.verb().1, Some("generateContent" | "streamGenerateContent")) {
        return None;
    }
    refuse_unknown(call.json()?, FIELDS)
}

/// Refuses the first field of an object that is not among the words of a list.
pub(crate) fn refuse_unknown(body: &Value, known: &str) -> Option<Refusal> {
    let unknown = body
        .as_object()?
        .keys()
        .find(|name| known.split(' ').all(|field| field != name.as_str()))?;
    let message =
        format!("Invalid JSON payload received. Unknown name \"{unknown}\": Cannot find field.");
    Some(Refusal::BadRequest { message })
}

fn generate(call: &Call<'_>, asked: Asked, options: &Options) -> Vec<Step> {
    let said = &Said::new(asked, options);
    let answering = Answering { call, options, said };
    if call.verb().1 == Some("generateContent") {
        return events::whole(200, events::with_oddities(&answering.complete()), options);
    }
    let chunks = answering.chunks().iter().map(events::with_oddities).collect();
    if call.parameter("alt").as_deref() == Some("sse") {
        events::stream(chunks, Sse { line_end: LineEnd::CrLf, has_done: false }, options)
    } else {
        events::array(chunks, options)
    }
}

struct Answering<'a> {
    call: &'a Call<'a>,
    options: &'a Options,
    said: &'a Said,
}

impl Answering<'_> {
    /// The answer that comes at once.
    fn complete(&self) -> Value {
        let ending = Ending { finishes: true, has_usage: self.options.usage != UsageForm::Never };
        if let Some(reason) = &self.options.block_reason {
            return self.blocked(reason);
        }
        self.response(Some(self.parts(&self.said.text, true)), ending)
    }

    /// The answer as the events of a stream.
    fn chunks(&self) -> Vec<Value> {
        if let Some(reason) = &self.options.block_reason {
            return vec![self.blocked(reason)];
        }
        let usage = self.options.usage;
        let pieces = match self.said.tool {
            Some(_) => vec![""],
            None => self.said.pieces(self.options.chunks),
        };
        let last = pieces.len();
        let mut chunks: Vec<_> = (1..)
            .zip(pieces)
            .map(|(number, piece)| {
                let is_last = number == last;
                let has_usage =
                    usage == UsageForm::Each || is_last && usage == UsageForm::Customary;
                let ending = Ending { finishes: is_last, has_usage };
                self.response(Some(self.parts(piece, is_last)), ending)
            })
            .collect();
        if usage == UsageForm::Extra {
            chunks.push(self.response(None, Ending { finishes: false, has_usage: true }));
        }
        chunks
    }

    fn parts(&self, text: &str, is_last: bool) -> Value {
        let signs = self.options.thought_signature && is_last;
        let mut parts = match &self.said.tool {
            Some(name) => vec![json!({"functionCall": {
                "id": format!("call_{}", self.said.id),
                "name": name,
                "args": {"query": self.said.text},
            }})],
            None => vec![json!({"text": text})],
        };
        if signs {
            if self.said.tool.is_none() {
                parts.push(json!({"text": ""}));
            }
            if let Some(part) = parts.last_mut().and_then(Value::as_object_mut) {
                part.insert("thoughtSignature".to_owned(), SIGNATURE.into());
            }
        }
        parts.into()
    }

    fn response(&self, parts: Option<Value>, ending: Ending) -> Value {
        let mut response = self.envelope();
        let Some(fields) = response.as_object_mut() else {
            return response;
        };
        if let Some(parts) = parts {
            let candidate = |index| self.candidate(index, &parts, ending);
            let candidates: Vec<_> = (0..self.options.candidates).map(candidate).collect();
            fields.insert("candidates".to_owned(), candidates.into());
        }
        if ending.has_usage {
            fields.insert("usageMetadata".to_owned(), self.usage());
        }
        response
    }

    fn candidate(&self, index: usize, parts: &Value, ending: Ending) -> Value {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": index});
        if let (true, Some(fields)) =
            (ending.finishes && self.options.finish, candidate.as_object_mut())
        {
            // The retired Python library asks for numbers in place of names.
            let has_numbers = self.call.query.contains("enum-encoding");
            let reason = if has_numbers { json!(1) } else { json!("STOP") };
            fields.insert("finishReason".to_owned(), reason);
        }
        candidate
    }

    fn blocked(&self, reason: &str) -> Value {
        let mut response = self.envelope();
        if let Some(fields) = response.as_object_mut() {
            fields.insert("promptFeedback".to_owned(), json!({"blockReason": reason}));
            let tokens = self.said.prompt_tokens;
            let usage = json!({"promptTokenCount": tokens, "totalTokenCount": tokens});
            fields.insert("usageMetadata".to_owned(), usage);
        }
        response
    }

    fn envelope(&self) -> Value {
        json!({"modelVersion": self.call.model(), "responseId": self.said.id})
    }

    fn usage(&self) -> Value {
        let said = self.said;
        let mut usage = json!({
            "promptTokenCount": said.prompt_tokens,
            "candidatesTokenCount": said.answer_tokens,
            "totalTokenCount": said.total_tokens(),
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": said.prompt_tokens}],
            "serviceTier": "standard",
        });
        if let (true, Some(fields)) = (said.thought_tokens > 0, usage.as_object_mut()) {
            fields.insert("thoughtsTokenCount".to_owned(), said.thought_tokens.into());
        }
        usage
    }
}

/// What one response has besides its parts.
#[derive(Clone, Copy)]
struct Ending {
    finishes: bool,
    has_usage: bool,
}

fn asked(call: &Call<'_>) -> Result<Asked, Refusal> {
    let refuse = |message: &str| Refusal::BadRequest { message: message.to_owned() };
    let body = call.json().filter(|body| body.is_object());
    let body = body.ok_or_else(|| refuse("Invalid JSON payload received. Expected a value."))?;
    let contents = list(Some(body), "contents");
    let last = contents
        .last()
        .ok_or_else(|| refuse("* GenerateContentRequest.contents: contents is not specified\n"))?;
    let brings_result = list(Some(last), "parts").iter().any(|part| {
        part.get("functionResponse").or_else(|| part.get("function_response")).is_some()
    });
    let declared = list(Some(body), "tools").iter().find_map(|tool| {
        let declarations =
            tool.get("functionDeclarations").or_else(|| tool.get("function_declarations"))?;
        Some(declarations.get(0)?.get("name")?.as_str()?.to_owned())
    });
    Ok(Asked {
        prompt: prompt(body),
        last: if brings_result { String::new() } else { text(last) },
        tool: declared,
    })
}

fn prompt(body: &Value) -> String {
    let system = body.get("systemInstruction").or_else(|| body.get("system_instruction"));
    system.into_iter().chain(list(Some(body), "contents")).map(text).collect()
}

/// The text of a content's parts.
fn text(content: &Value) -> String {
    let parts = list(Some(content), "parts").iter();
    parts.filter_map(|part| part.get("text")?.as_str()).collect()
}

fn counted(call: &Call<'_>) -> Value {
    let body = call.json();
    let body = body.and_then(|body| body.get("generateContentRequest")).or(body);
    let tokens = body.map_or(0, |body| said::tokens(&prompt(body)));
    json!({
        "totalTokens": tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
    })
}

fn embedding(request: Option<&Value>) -> Value {
    let field = |name: &str| request.and_then(|request| request.get(name));
    let text = field("content").map(text).unwrap_or_default();
    let dimensions = field("outputDimensionality").or_else(|| field("output_dimensionality"));
    json!({"values": said::embedding(&text, dimensions.and_then(Value::as_u64))})
}

fn models(call: &Call<'_>) -> Value {
    let number = |name| call.parameter(name).and_then(|value| value.parse::<usize>().ok());
    let start = number("pageToken").unwrap_or(0).min(MODELS.len());
    let size = number("pageSize").filter(|size| *size > 0).unwrap_or(50);
    let page: Vec<_> = MODELS.iter().skip(start).take(size).map(model).collect();
    let next = start + page.len();
    let mut listed = json!({"models": page});
    if let (true, Some(fields)) = (next < MODELS.len(), listed.as_object_mut()) {
        fields.insert("nextPageToken".to_owned(), next.to_string().into());
    }
    listed
}

fn model((name, methods): &(&str, &[&str])) -> Value {
    json!({
        "name": format!("models/{name}"),
        "version": "001",
        "displayName": name,
        "description": "A model of the fake upstream",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
    })
}

fn list<'a>(object: Option<&'a Value>, name: &str) -> &'a [Value] {
    let found = object.and_then(|object| object.get(name)).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}
