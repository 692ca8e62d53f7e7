//! What was found in a file, before anything of ours is looked at.

use serde::Serialize;
use utoipa::ToSchema;

use crate::import::error::MoveError;
use crate::import::predecessor_log::OldLog;
use crate::secret::Secret;
use crate::service_keys;
use crate::store::import::ImportedRest;

/// Most service keys, and most user keys, that are taken over at once.
pub(super) const KEYS_MAX: usize = 100_000;
/// Longest user key that is looked up: what is longer lets nobody in.
const USER_KEY_BYTES_MAX: usize = 512;
/// A shorter user key can be guessed.
const USER_KEY_BYTES_GOOD: usize = 16;
/// Longest name of a user key.
const NAME_CHARS_MAX: usize = 50;

/// Where something comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MovingInSource)]
pub enum Source {
    /// The Python version of this program.
    Predecessor,
    /// snailyp/gemini-balance.
    Snailyp,
    /// gpt-load, version 1.
    GptLoad,
    /// gpt-load, version 2.
    GptLoad2,
    /// one-api, or new-api and other programs that have grown out of it.
    OneApi,
    /// A list of service keys.
    KeyList,
}

impl Source {
    /// What people call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Predecessor => "the Python version of Gemini Balance",
            Self::Snailyp => "snailyp/gemini-balance",
            Self::GptLoad => "gpt-load 1.x",
            Self::GptLoad2 => "gpt-load 2.x",
            Self::OneApi => "one-api or new-api",
            Self::KeyList => "a list of keys",
        }
    }
}

/// A setting of elsewhere, and what does the same here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MovingInHint)]
pub struct Hint {
    /// Its name there.
    pub name: String,
    /// What to write here, or why there is nothing to write.
    pub advice: String,
}

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// Where it comes from.
    pub source: Source,
    /// Which form of it that is, as `schema version 10`.
    pub form: String,
    pub(super) service_keys: Vec<FoundServiceKey>,
    pub(super) user_keys: Vec<FoundUserKey>,
    pub(super) hints: Vec<Hint>,
    /// What is to be known besides, a sentence each.
    pub(super) notes: Vec<String>,
    pub(super) log: Option<OldLog>,
}

impl Findings {
    pub(super) fn new(source: Source, form: impl Into<String>) -> Self {
        Self {
            source,
            form: form.into(),
            service_keys: Vec::new(),
            user_keys: Vec::new(),
            hints: Vec::new(),
            notes: Vec::new(),
            log: None,
        }
    }

    /// Refuses what is too much.
    pub(super) fn bounded(self) -> Result<Self, MoveError> {
        match KEYS_MAX < self.service_keys.len().max(self.user_keys.len()) {
            true => Err(MoveError::TooManyKeys(KEYS_MAX)),
            false => Ok(self),
        }
    }

    /// How many log rows there are to be taken over.
    #[must_use]
    pub fn log_rows(&self) -> u64 {
        self.log.as_ref().map_or(0, OldLog::rows)
    }

    /// Leaves the log where it is.
    pub fn without_log(&mut self) {
        self.log = None;
    }
}

/// A service key that was found.
#[derive(Debug)]
pub(super) struct FoundServiceKey {
    /// Where it stands, in words: `line 3`.
    pub(super) place: String,
    /// The key, or why it is none.
    pub(super) key: Result<Secret, &'static str>,
    pub(super) note: String,
    pub(super) tags: Vec<String>,
    pub(super) is_enabled: bool,
    /// In ms since the epoch.
    pub(super) last_used_at_ms: Option<i64>,
    pub(super) rests: Vec<ImportedRest>,
    /// What is odd about it.
    pub(super) remark: Option<&'static str>,
}

impl FoundServiceKey {
    /// A key as it was written, checked as any other that is added.
    pub(super) fn new(place: String, written: &str) -> Self {
        Self {
            place,
            key: service_keys::parse(written),
            note: String::new(),
            tags: Vec::new(),
            is_enabled: true,
            last_used_at_ms: None,
            rests: Vec::new(),
            remark: None,
        }
    }

    /// What cannot be taken for a key, for a reason that is known.
    pub(super) fn refused(place: String, reason: &'static str) -> Self {
        Self { key: Err(reason), ..Self::new(place, "") }
    }

    /// The key comes over, and does not serve until somebody switches it on.
    pub(super) fn switched_off(self, remark: &'static str) -> Self {
        Self { is_enabled: false, remark: Some(remark), ..self }
    }

    pub(super) fn tagged(mut self, tag: &str) -> Self {
        let tag: String = tag.chars().filter(|letter| !letter.is_control()).take(50).collect();
        if !tag.trim().is_empty() {
            self.tags.push(tag.trim().to_owned());
        }
        self
    }
}

/// A user key that was found.
#[derive(Debug)]
pub(super) struct FoundUserKey {
    /// Where it stands, in words.
    pub(super) place: String,
    pub(super) name: String,
    /// The key, or why it is none.
    pub(super) key: Result<Secret, &'static str>,
    pub(super) is_enabled: bool,
    /// In ms since the epoch.
    pub(super) expires_at_ms: Option<i64>,
    /// What is odd about it.
    pub(super) remark: Option<&'static str>,
}

impl FoundUserKey {
    /// A user key as it was written. Unlike a service key it is somebody's choice: it goes on
    /// letting its callers in, also where a better one would be advisable.
    pub(super) fn new(place: String, name: &str, written: &str) -> Self {
        let key = user_key(written);
        let is_short = |key: &Secret| key.expose().len() < USER_KEY_BYTES_GOOD;
        let is_short = key.as_ref().is_ok_and(is_short);
        Self {
            name: shown_name(name),
            place,
            key,
            is_enabled: true,
            expires_at_ms: None,
            remark: is_short.then_some("short enough to be guessed: give out another one"),
        }
    }

    pub(super) fn switched_off(self, remark: &'static str) -> Self {
        Self { is_enabled: false, remark: Some(remark), ..self }
    }
}

fn user_key(written: &str) -> Result<Secret, &'static str> {
    let key = written.trim();
    if key.is_empty() {
        return Err("empty");
    }
    if USER_KEY_BYTES_MAX < key.len() {
        return Err("too long for a key");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds a space or a character that no header carries");
    }
    Ok(Secret::new(key))
}

/// A name that fits into a list.
fn shown_name(name: &str) -> String {
    let printable = name.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let short: String = printable.take(NAME_CHARS_MAX).collect();
    match short.trim() {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    }
}
