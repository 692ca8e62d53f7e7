//! The settings of snailyp/gemini-balance, and what does the same here.

use crate::import::findings::Hint;
use crate::import::snailyp::Settings;

/// A setting there, and what to do here.
enum Counterpart {
    /// A number means the same under another name.
    Number(&'static str),
    /// A sentence.
    Words(&'static str),
}

use Counterpart::{Number, Words};

const COUNTERPARTS: [(&str, Counterpart); 24] = [
    (
        "BASE_URL",
        Words(
            "GEMINI_API_BASE_URL and OPENAI_API_BASE_URL, each without the version; only for another upstream than Google",
        ),
    ),
    ("MAX_FAILURES", Number("API_KEY_FAILURE_THRESHOLD")),
    ("MAX_RETRIES", Number("MAX_RETRIES")),
    ("TIME_OUT", Number("REQUEST_TIMEOUT_SECONDS")),
    ("PROXIES", Words("HTTPS_PROXY takes one proxy, by which all requests leave")),
    ("AUTH_TOKEN", Words("PASSWORD is what the admin logs in with: choose another one")),
    ("LOG_LEVEL", Words("LOG_LEVEL, in capitals")),
    ("AUTO_DELETE_REQUEST_LOGS_DAYS", Number("LOG_RETENTION_DAYS")),
    ("SEARCH_MODELS", Words("MODEL_SUFFIXES=true: `-search` works with every Gemini model")),
    (
        "IMAGE_MODELS",
        Words(
            "MODEL_SUFFIXES=true: `-image` works with the models of Gemini 2.0; later ones have names of their own for pictures",
        ),
    ),
    (
        "THINKING_MODELS",
        Words("MODEL_SUFFIXES=true: `-non-thinking` works with every Gemini model"),
    ),
    ("THINKING_BUDGET_MAP", Words("callers say `thinking_budget` or `thinkingConfig` themselves")),
    ("URL_NORMALIZATION_ENABLED", Words("crooked URLs always work")),
    ("FILTERED_MODELS", Words("the list of models is Google's, whole")),
    ("CUSTOM_HEADERS", Words("none: what callers send goes through")),
    ("TOOLS_CODE_EXECUTION_ENABLED", Words("none: callers ask for tools themselves")),
    ("SAFETY_SETTINGS", Words("none: callers set `safetySettings` themselves")),
    ("CREATE_IMAGE_MODEL", Words("none: callers name the model")),
    ("UPLOAD_PROVIDER", Words("none: pictures come back as Google sends them")),
    ("STREAM_OPTIMIZER_ENABLED", Words("none: streams go through as they come")),
    (
        "FAKE_STREAM_ENABLED",
        Words("none: a stream that is slow to begin is kept alive by itself (HEARTBEAT_SECONDS)"),
    ),
    ("CHECK_INTERVAL_HOURS", Words("none: a key is asked about when it is due")),
    ("TIMEZONE", Words("none: each page of statistics is shown in the zone of who looks at it")),
    ("TTS_MODEL", Words("none: callers name the model")),
];

/// What to write here for those settings that were written there.
pub(super) fn hints(settings: &Settings) -> Vec<Hint> {
    let written = COUNTERPARTS.iter().filter_map(|(name, counterpart)| {
        let value = settings.get(*name)?.trim();
        let is_set = !matches!(value, "" | "[]" | "{}" | "false" | "False");
        is_set.then(|| Hint { name: (*name).to_owned(), advice: counterpart.advice(value) })
    });
    written.collect()
}

impl Counterpart {
    /// Values other than numbers are not repeated: there may be a secret in them.
    fn advice(&self, value: &str) -> String {
        match self {
            Words(words) => (*words).to_owned(),
            Number(name) => match value.parse::<u32>() {
                Ok(number) => format!("{name}={number}"),
                Err(_) => (*name).to_owned(),
            },
        }
    }
}
