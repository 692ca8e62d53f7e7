//! Finds out what a path asks for, however crooked it is.
//!
//! Base URLs are typed by people: versions are missing or doubled, slashes too, models are prefixed
//! twice, mounts of other programs are left in. Every such path becomes one target or a refusal that
//! says what would have worked. A version is kept as asked; a resource or verb that is not known here
//! goes upstream all the same, once it is clear which dialect it is.

mod live;
mod mount;
mod names;
mod slip;

use std::borrow::Cow;

use mount::{Mount, unwrap_models};
use names::{is_gemini_name, is_known_verb, is_openai_name, is_shared_name, name_of};

use crate::Dialect;
use crate::request::MODEL_BYTES_MAX;
use crate::segment::{encode, encode_id, split};

/// What tells the dialects apart where they share a path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker {
    /// There is a non-empty `x-goog-api-key` header or a `?key=`.
    pub has_google_key: bool,
    /// There is an `x-goog-api-client` header.
    pub has_google_client: bool,
}

impl Asker {
    /// Returns the dialect in which this asker is answered where both could be meant.
    pub fn dialect(self) -> Dialect {
        if self.has_google_key || self.has_google_client {
            Dialect::Gemini
        } else {
            Dialect::OpenAi
        }
    }
}

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Gemini `:generateContent`.
    Generate,
    /// Gemini `:streamGenerateContent`.
    StreamGenerate,
    /// Gemini `:countTokens`.
    Count,
    /// Gemini `:embedContent` and `:batchEmbedContents`.
    Embed,
    /// OpenAI `chat/completions`.
    Chat,
    /// OpenAI `completions`.
    Completions,
    /// OpenAI `embeddings`.
    Embeddings,
    /// OpenAI `images/…`.
    Images,
    /// OpenAI `audio/…`.
    Audio,
    /// The list of models, in either dialect.
    ModelList,
    /// One model, in either dialect.
    ModelGet,
    /// OpenAI `responses` and Gemini `interactions`, with everything below.
    Responses,
    /// A conversation over a WebSocket: Gemini `BidiGenerateContent` and its kin.
    Live,
    /// Anything else that is forwarded without understanding it.
    Other,
}

impl Op {
    /// Returns the stable word for this kind of call in logs and statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generate => "generateContent",
            Self::StreamGenerate => "streamGenerateContent",
            Self::Count => "countTokens",
            Self::Embed => "embedContent",
            Self::Chat => "chat.completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Images => "images",
            Self::Audio => "audio",
            Self::ModelList => "models.list",
            Self::ModelGet => "models.get",
            Self::Responses => "responses",
            Self::Live => "live",
            Self::Other => "other",
        }
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The dialect of the path, and of every error on it.
    pub dialect: Dialect,
    /// What kind of call it is.
    pub op: Op,
    /// The encoded upstream path below the base URL, with a slash in front. Gemini paths have their
    /// version (`/v1beta/models/m:verb`), OpenAI paths have none (`/chat/completions`).
    pub path: String,
    /// The decoded model in the path, without `models/`.
    pub model: Option<String>,
    /// What stands behind the colon of a Gemini path.
    pub verb: Option<String>,
}

impl Target {
    /// The same call of another model; a path without a model stays as it is.
    #[must_use]
    pub fn of_model(&self, model: &str) -> Self {
        let tail = |model: &str| match &self.verb {
            Some(verb) => format!("/models/{}:{verb}", encode_id(model)),
            None => format!("/models/{}", encode_id(model)),
        };
        let former = self.model.as_deref().map(tail);
        let base = former.and_then(|former| self.path.strip_suffix(&former));
        match base {
            None => self.clone(),
            Some(base) => Self {
                path: base.to_owned() + &tail(model),
                model: Some(model.to_owned()),
                ..self.clone()
            },
        }
    }
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// Nothing of ours; a 404.
    NotOurs,
    /// Nothing of ours, for a reason that is known; a 404.
    Slip(&'static str),
    /// The model cannot be one; a 400.
    BadModel(&'static str),
    /// The path cannot be one; a 400.
    BadPath(&'static str),
}

impl PathError {
    /// Returns the HTTP status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::NotOurs | Self::Slip(_) => 404,
            Self::BadModel(_) | Self::BadPath(_) => 400,
        }
    }

    /// Returns what to tell the caller: what is wrong, or what would be right.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NotOurs => {
                "there is nothing at this path; the base URL of an OpenAI client ends in /v1 \
                 (POST /v1/chat/completions), the base URL of a Gemini client has no path \
                 (POST /v1beta/models/{model}:generateContent)"
            }
            Self::Slip(hint) | Self::BadModel(hint) | Self::BadPath(hint) => hint,
        }
    }
}

impl std::fmt::Display for PathError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.hint())
    }
}

impl std::error::Error for PathError {}

/// Resolves a raw path (percent-encoded, without its query).
///
/// # Errors
///
/// See [`PathError`]; [`guess`] tells in which dialect to say so.
pub fn resolve(path: &str, method: &str, asker: &Asker) -> Result<Target, PathError> {
    let mut segments = split(path)?;
    let mount = Mount::take_off(&mut segments);
    if let Some(target) = live::target(&segments) {
        return Ok(target);
    }
    if let Some(hint) = slip::hint(&mount, &segments, method) {
        return Err(PathError::Slip(hint));
    }
    unwrap_models(&mut segments);
    let route = Route::of(&mount, segments, method, *asker)?;
    match route {
        Route::OpenAi(segments) => openai_target(&segments, method),
        Route::Gemini(segments) => gemini_target(&mount, &segments, method),
    }
}

/// Returns the upstream path of the free call that counts a model's tokens.
pub fn count_tokens(model: &str) -> String {
    format!("/v1beta/models/{}:countTokens", encode_id(model))
}

/// Guesses the dialect of a path that leads nowhere, so that the refusal is understood.
pub fn guess(path: &str, asker: &Asker) -> Dialect {
    let has = |word: &str| path.split('/').any(|segment| segment.eq_ignore_ascii_case(word));
    if has("openai") {
        Dialect::OpenAi
    } else if has("v1beta")
        || has("v1alpha")
        || has("gemini")
        || path.contains("generateContent")
        || path.contains("GenerativeService")
    {
        Dialect::Gemini
    } else {
        asker.dialect()
    }
}

/// The dialect of a resource, and its segments.
enum Route<'p> {
    OpenAi(Segments<'p>),
    Gemini(Segments<'p>),
}

/// Decoded segments; most stand in the path as they are.
type Segments<'p> = Vec<Cow<'p, str>>;

impl<'p> Route<'p> {
    fn of(
        mount: &Mount,
        mut segments: Segments<'p>,
        method: &str,
        asker: Asker,
    ) -> Result<Self, PathError> {
        let Some(head) = segments.first().map(Cow::as_ref) else {
            return Err(PathError::NotOurs);
        };
        if mount.is_openai {
            return Ok(Self::OpenAi(segments));
        }
        let verb = verb(&segments, method);
        // Below v1beta everything is Gemini's, but for the one path that can only be a slip.
        let is_beta = matches!(mount.version, Some("v1beta" | "v1alpha"));
        if verb.is_none() && is_openai_name(head) && (!is_beta || head == "chat") {
            return Ok(Self::OpenAi(segments));
        }
        // `/{m}:{verb}`: the collection was forgotten.
        if let (Some(verb), [only]) = (verb, segments.as_slice()) {
            let name = only.split(':').next().unwrap_or_default();
            if !is_gemini_name(name) && !is_shared_name(name) {
                if mount.version.is_none() && !mount.is_gemini && !is_known_verb(verb) {
                    return Err(PathError::NotOurs);
                }
                segments.insert(0, "models".into());
                return Ok(Self::Gemini(segments));
            }
        }
        let is_gemini = mount.is_gemini
            || mount.transfer.is_some()
            || is_gemini_name(head)
            || (verb.is_some() && (mount.version.is_some() || is_shared_name(name_of(head))))
            || is_beta;
        if is_gemini {
            return Ok(Self::Gemini(segments));
        }
        if mount.version.is_none() && !is_shared_name(head) {
            return Err(PathError::NotOurs);
        }
        Ok(match asker.dialect() {
            Dialect::OpenAi => Self::OpenAi(segments),
            Dialect::Gemini => Self::Gemini(segments),
        })
    }
}

/// The verb behind the last colon. The id of a model that is only read or deleted may have a colon of
/// its own (`ft:gpt-4o:org::id`), so there a verb has to be known.
fn verb<'s>(segments: &'s [Cow<'_, str>], method: &str) -> Option<&'s str> {
    let (_, verb) = segments.last()?.rsplit_once(':')?;
    let is_word = !verb.is_empty() && verb.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_model = segments.first().is_some_and(|head| head == "models");
    let only_reads = matches!(method, "GET" | "HEAD" | "DELETE");
    (is_word && (is_known_verb(verb) || !(is_model && only_reads))).then_some(verb)
}

fn openai_target(segments: &[Cow<'_, str>], method: &str) -> Result<Target, PathError> {
    let (head, tail) = segments.split_first().ok_or(PathError::NotOurs)?;
    let is_get = matches!(method, "GET" | "HEAD");
    let (op, model, path) = match (head.as_ref(), tail) {
        ("models", []) if is_get => (Op::ModelList, None, "/models".to_owned()),
        ("models", [_, ..]) => {
            // An id with slashes may have come without encoding them.
            let id = checked_model(tail.join("/"))?;
            let op = if is_get { Op::ModelGet } else { Op::Other };
            let path = format!("/models/{}", encode_id(&id));
            (op, Some(id), path)
        }
        (name, tail) => {
            let op = match (name, tail) {
                ("chat", [below]) if below == "completions" => Op::Chat,
                ("completions", []) => Op::Completions,
                ("embeddings", []) => Op::Embeddings,
                ("images", _) => Op::Images,
                ("audio", _) => Op::Audio,
                ("responses", _) => Op::Responses,
                _ => Op::Other,
            };
            (op, None, joined(segments))
        }
    };
    Ok(Target { dialect: Dialect::OpenAi, op, path, model, verb: None })
}

fn gemini_target(
    mount: &Mount,
    segments: &[Cow<'_, str>],
    method: &str,
) -> Result<Target, PathError> {
    let version = mount.version.unwrap_or("v1beta");
    let base = match mount.transfer {
        Some(transfer) => ["/", transfer, "/", version].concat(),
        None => ["/", version].concat(),
    };
    let verb = verb(segments, method).map(str::to_owned);
    let is_get = matches!(method, "GET" | "HEAD");
    let (head, tail) = segments.split_first().ok_or(PathError::NotOurs)?;
    let is_model_kind = matches!(head.as_ref(), "models" | "tunedModels" | "dynamic");
    let (op, model, path) = match (tail, &verb) {
        ([_, ..], Some(verb)) if is_model_kind => {
            let named = tail.join("/");
            let id = named.strip_suffix(verb.as_str()).and_then(|id| id.strip_suffix(':'));
            let id = checked_model(id.unwrap_or_default().to_owned())?;
            let path = ["/", head, "/", &encode_id(&id), ":", verb].concat();
            let model = if head == "models" { id } else { format!("{head}/{id}") };
            (op_of_verb(verb), Some(model), path)
        }
        ([id, below @ ..], None) if head == "models" => {
            let id = checked_model(id.clone().into_owned())?;
            let op = if is_get && below.is_empty() { Op::ModelGet } else { Op::Other };
            let path = format!("/models/{}{}", encode_id(&id), joined(below));
            (op, Some(id), path)
        }
        _ => {
            let op = match head.as_ref() {
                "models" if is_get => Op::ModelList,
                "interactions" => Op::Responses,
                _ => Op::Other,
            };
            (op, None, joined(segments))
        }
    };
    Ok(Target { dialect: Dialect::Gemini, op, path: base + &path, model, verb })
}

fn op_of_verb(verb: &str) -> Op {
    match verb {
        "generateContent" => Op::Generate,
        "streamGenerateContent" => Op::StreamGenerate,
        "countTokens" | "countTextTokens" | "countMessageTokens" => Op::Count,
        "embedContent" | "batchEmbedContents" | "embedText" | "batchEmbedText" => Op::Embed,
        _ => Op::Other,
    }
}

fn checked_model(id: String) -> Result<String, PathError> {
    if id.trim().is_empty() {
        return Err(PathError::BadModel("the path names no model before the colon"));
    }
    if MODEL_BYTES_MAX < id.len() {
        return Err(PathError::BadModel("the model in the path is longer than 256 bytes"));
    }
    Ok(id)
}

fn joined(segments: &[Cow<'_, str>]) -> String {
    segments.iter().flat_map(|segment| [Cow::Borrowed("/"), encode(segment)]).collect()
}

#[cfg(test)]
mod tests;
