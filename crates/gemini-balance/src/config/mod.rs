//! The settings: where they come from, what they may be, and what becomes of them.
//!
//! `settings.rs` is the one table. Reading a setting there declares its name, form, default and
//! meaning at once; `docs/configuration.md`, `.env.example` and the page of effective settings are
//! made from the same declaration. All mistakes are found in one go, before any port is opened.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tracing::Level;
use zeroize::Zeroizing;

use self::alerts::{HookUrl, MailServer, QuietHours, Zone};
use self::base_url::BaseUrl;
use self::network::{Network, Reach};
use self::outbound_proxy::OutboundProxy;
use self::reader::Reader;
use self::sources::Sources;
use crate::secret::Secret;

pub mod alerts;
pub mod base_url;
pub mod forbidden;
#[cfg(any(test, fuzzing))]
pub mod laws;
pub mod live;
pub mod network;
pub mod outbound_proxy;
mod reader;
pub mod reference;
mod settings;
mod sources;
pub mod stored;

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where we listen and on how many threads.
    pub server: Server,
    /// The admin's access.
    pub admin: Admin,
    /// Where requests go.
    pub upstream: Upstream,
    /// How long and how much.
    pub limits: Limits,
    /// How service keys are treated.
    pub pool: Pool,
    /// Where data lies and how long it is kept.
    pub storage: Storage,
    /// Backups that are made by themselves.
    pub backups: Backups,
    /// Whom to tell when somebody must act.
    pub alerts: Alerts,
    /// What is written about it all.
    pub logging: Logging,
    /// The page for Prometheus.
    pub metrics: MetricsPage,
    /// The collector of traces and metrics, if there is one.
    pub otlp: Option<Otlp>,
    /// Each setting as it took effect, in the order of the documentation; secrets are not in it.
    pub settings: Vec<Setting>,
    /// What the admin should know once, at the start: settings without effect.
    pub notices: Vec<String>,
    /// Where they were read from, to read them again.
    pub origin: Origin,
}

/// Where settings were read from.
#[derive(Clone, Default)]
pub struct Origin {
    /// The environment, as far as it holds settings.
    variables: Vec<(String, Secret)>,
    dir: PathBuf,
    /// Each setting that is written somewhere, as it is written.
    written: Vec<(&'static str, Secret)>,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Where we listen and on how many threads.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address and port of the gateway.
    pub listen: SocketAddr,
    /// Threads that serve callers; 0 = one per core.
    pub workers: usize,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Origins that browsers may call from; none by default.
    pub cors_origins: Vec<String>,
    /// What the gateway speaks TLS with; without it, it does not.
    pub tls: Option<TlsFiles>,
}

/// Files that TLS is spoken with, both in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The admin's access.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The password, if it is given; else a random one is made at the first start.
    pub password: Option<Secret>,
    /// What tokens are signed with, if it is given; else the vault has a random one.
    pub secret_key: Option<Secret>,
    /// What stored secrets are sealed under, if it is given; else the vault has a random one.
    pub encryption_key: Option<Secret>,
    /// Life of a session token in milliseconds.
    pub token_life_ms: u64,
    /// When the session cookie is for TLS only.
    pub cookie_secure: CookieSecure,
}

/// When the session cookie carries `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieSecure {
    /// When the request came over TLS, our own or, as it reports, a trusted proxy's.
    Auto,
    /// On every answer.
    Always,
    /// On none.
    Never,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Base of the Gemini paths.
    pub gemini: BaseUrl,
    /// Base of the OpenAI paths.
    pub openai: BaseUrl,
    /// Whether requests go through a Cloudflare AI gateway.
    pub cloudflare: bool,
    /// Sent as `cf-aig-authorization` in that mode.
    pub cloudflare_authorization: Option<Secret>,
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// Additional certificates to trust, a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Whether OpenAI streams are asked for their token counts.
    pub meter_openai_streams: bool,
    /// Whether endings of model names mean something.
    pub model_suffixes: bool,
    /// The proxy on the way out.
    pub proxy: OutboundProxy,
}

/// How long and how much.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From admission to response headers, over all tries and all waiting, in milliseconds.
    pub request_timeout_ms: u64,
    /// From sending to response headers in one try; never longer than the whole.
    pub attempt_timeout_ms: u64,
    /// Until a connection to the upstream stands.
    pub connect_timeout_ms: u64,
    /// Between two pieces of an answer.
    pub stream_idle_timeout_ms: u64,
    /// Until a quiet stream gets a comment; 0 = never.
    pub heartbeat_ms: u64,
    /// A caller that takes no byte for this long is cut off.
    pub write_stall_timeout_ms: u64,
    /// Until a request's header is complete.
    pub header_timeout_ms: u64,
    /// Between two pieces of a request body.
    pub body_idle_timeout_ms: u64,
    /// Largest request body.
    pub body_bytes_max: usize,
    /// All request bodies held at once.
    pub body_budget_bytes: usize,
    /// Largest piece of an upload, which goes through without being held.
    pub upload_bytes_max: u64,
    /// Requests at once, from admission to the last byte.
    pub concurrent_requests_max: usize,
    /// Longest wait for a place among them.
    pub concurrency_timeout_ms: u64,
    /// Connections at once.
    pub connections_max: usize,
    /// Live sessions at once.
    pub live_sessions_max: usize,
    /// Between two messages of a Live session, of either side.
    pub live_idle_timeout_ms: u64,
    /// From the signal to stop until the last streams are ended.
    pub drain_ms: u64,
}

/// How service keys are treated.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Failures in a row before a bucket cools.
    pub failure_threshold: u32,
    /// First cool-down; doubles with each further one.
    pub cool_down_ms: u64,
    /// Longest cool-down.
    pub cool_down_ms_max: u64,
    /// Cool-down after a 429 that names no time.
    pub rate_limit_wait_ms: u64,
    /// Whether a cooled key is probed before it serves again.
    pub check_after_cool_down: bool,
    /// Time between two such probes.
    pub check_interval_ms: u64,
    /// Tries after an upstream fault; `None` = the built-in rule.
    pub retries_max: Option<u32>,
    /// Longest wait for a key that will be free soon.
    pub no_key_wait_ms: u64,
    /// Life of a lease on which no byte moves.
    pub lease_idle_ms_max: u64,
    /// Requests at once on one key; 0 = no limit.
    pub key_concurrency_max: u32,
    /// How long what a user key makes goes to the same project; 0 = it does not.
    pub keep_together_ms: u64,
    /// Whether all user keys see the files and other resources that each of them has made.
    pub share_resources: bool,
}

/// Where data lies and how long it is kept.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Our directory.
    pub data_dir: PathBuf,
    /// The database of the Python version, imported at the first start if it exists.
    pub predecessor_database: PathBuf,
    /// Request log rows older than this many days are removed; 0 = never.
    pub log_retention_days: u32,
    /// Request log rows are removed, oldest first, beyond this size; 0 = never.
    pub log_bytes_max: u64,
}

impl Storage {
    /// Our database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("gemini-balance.db")
    }
}

/// Backups that are made by themselves.
#[derive(Clone, Debug)]
pub struct Backups {
    /// Time between two, in ms; `None` = none are made.
    pub every_ms: Option<u64>,
    /// How many are kept.
    pub keep: usize,
    /// Where they lie.
    pub dir: PathBuf,
    /// What backups are sealed under; without it they are plain.
    pub passphrase: Option<Secret>,
}

/// Whom to tell when somebody must act, and about what.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// An address that takes messages.
    pub webhook: Option<Webhook>,
    /// A chat.
    pub telegram: Option<Telegram>,
    /// Mail.
    pub mail: Option<Mail>,
    /// Fewer service keys that could serve are too few; 0 = never.
    pub keys_min: usize,
    /// Percentage of failed requests that are too many; 0 = never.
    pub errors_percent: u32,
    /// Percentage of free room on the disk that is too little; 0 = never.
    pub disk_percent: u32,
    /// The same is not told again within this time, in ms.
    pub repeat_ms: u64,
    /// When nobody is woken.
    pub quiet: Option<QuietHours>,
    /// The zone in which that is meant.
    pub zone: Zone,
}

/// An address that takes messages by `POST`.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where.
    pub url: HookUrl,
    /// In which form.
    pub form: HookForm,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
}

/// The form of a message to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookForm {
    /// An object with everything that is known.
    Json,
    /// That of Slack, Mattermost, Rocket.Chat.
    Slack,
    /// That of Discord.
    Discord,
    /// That of ntfy.
    Ntfy,
}

/// A chat of Telegram.
#[derive(Clone, Debug)]
pub struct Telegram {
    /// Where its API is.
    pub api: HookUrl,
    /// The bot's token.
    pub token: Secret,
    /// The chat.
    pub chat: String,
}

/// Mail to somebody.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server that takes it.
    pub server: MailServer,
    /// Who it is from.
    pub from: String,
    /// Who it is to; at least one.
    pub to: Vec<String>,
}

/// What is written about it all.
#[derive(Clone, Debug)]
pub struct Logging {
    /// Least grave level that is written.
    pub level: Level,
    /// How a line looks.
    pub format: LogFormat,
    /// Lines kept for those who open the live log.
    pub history_lines: usize,
    /// Log files, if there are any.
    pub files: Option<LogFiles>,
}

/// How a log line looks on standard output and in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Log files that replace each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFiles {
    /// Their directory.
    pub dir: PathBuf,
    /// Size at which the next one begins.
    pub bytes_max: u64,
    /// How many are kept.
    pub count_max: usize,
}

/// The page for Prometheus.
#[derive(Clone, Copy, Debug)]
pub struct MetricsPage {
    /// An address of its own, if it has one.
    pub listen: Option<SocketAddr>,
    /// Whether it is also on the gateway's port.
    pub public: bool,
    /// Whether answers tell how much of the time until they began was the gateway's own.
    pub overhead_header: bool,
}

/// A collector of traces and metrics that speaks OTLP over HTTP.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// Where its paths begin.
    pub endpoint: HookUrl,
    /// Header fields that it wants; their values are secret.
    pub headers: Vec<(String, Secret)>,
    /// What this process is called there.
    pub service_name: String,
    /// The share of traces that are told, of those that begin here.
    pub sample: f64,
    /// Time between two messages of metrics, in ms.
    pub interval_ms: u64,
}

/// One setting as it took effect.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Its name in the environment; in the file the same in lower case.
    pub name: &'static str,
    /// Other names that work.
    pub aliases: &'static [&'static str],
    /// Heading it stands under.
    pub section: &'static str,
    /// What may be written.
    pub form: String,
    /// What holds when nothing is written; empty = nothing.
    pub default: String,
    /// What it means.
    pub doc: &'static str,
    /// What holds here; secrets and passwords within are replaced.
    pub value: String,
    /// Where that was written.
    pub source: Source,
}

/// Where a setting was written; the first in this order wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The environment of the process.
    Environment,
    /// The file `.env` in the working directory.
    DotEnv,
    /// The file `gemini-balance.toml` in the working directory.
    File,
    /// The file `settings.toml` in the data directory.
    Stored,
    /// Nowhere.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::DotEnv => sources::DOT_ENV,
            Self::File => sources::TOML_FILE,
            Self::Stored => stored::FILE,
            Self::Default => "default",
        })
    }
}

impl Config {
    /// Reads the settings of this process from its environment and the files in `dir`.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with every mistake there is.
    pub fn from_process(dir: &Path) -> Result<Self, ConfigErrors> {
        // What is not UTF-8 can hold no setting of ours; `std::env::vars` would panic on it.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::load(std::env::vars_os().filter_map(text), dir)
    }

    /// Reads the settings from these variables and from `.env` and `gemini-balance.toml` in `dir`.
    /// Relative paths in settings are taken from `dir`.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with every mistake there is.
    pub fn load(
        env: impl Iterator<Item = (String, String)>,
        dir: &Path,
    ) -> Result<Self, ConfigErrors> {
        let variables: Vec<_> = env.collect();
        Self::load_with(variables, dir, None)
    }

    /// Reads the settings again from where these were read.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with every mistake there is.
    pub fn reload(&self) -> Result<Self, ConfigErrors> {
        self.reload_with(None)
    }

    /// The same, as if this were the text of `settings.toml`.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with every mistake there is.
    pub fn reload_with(&self, stored: Option<&str>) -> Result<Self, ConfigErrors> {
        let Origin { variables, dir, .. } = &self.origin;
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| (name.clone(), value.expose().to_owned()));
        Self::load_with(variables.collect(), dir, stored)
    }

    /// Each setting that is written somewhere, as a file `.env` would have it: with its secrets.
    #[must_use]
    pub fn as_env(&self) -> Secret {
        let mut text = Zeroizing::new(String::new());
        for (name, value) in &self.origin.written {
            text.push_str(&format!("{name}={}\n", quoted(value.expose())));
        }
        Secret::new(text.as_str())
    }

    fn load_with(
        variables: Vec<(String, String)>,
        dir: &Path,
        stored: Option<&str>,
    ) -> Result<Self, ConfigErrors> {
        let mut mistakes = Vec::new();
        let mut sources = Sources::gather(variables.iter().cloned(), dir, &mut mistakes);
        sources.read_stored(dir, stored, &mut mistakes);
        let mut config = Self::read(sources.clone(), dir, mistakes)?;
        let written = config.settings.iter().filter_map(|setting| {
            let names: Vec<&'static str> =
                [setting.name].into_iter().chain(setting.aliases.iter().copied()).collect();
            let text = sources.find(&names)?.text.trim();
            (!text.is_empty()).then(|| (setting.name, Secret::new(text)))
        });
        let written = written.collect();
        let is_setting = |name: &str| {
            let name = name.to_uppercase();
            let names = |it: &Setting| it.name == name || it.aliases.contains(&name.as_str());
            config.settings.iter().any(names)
        };
        let variables = variables.into_iter().filter(|(name, _)| is_setting(name));
        let variables = variables.map(|(name, value)| (name, Secret::new(value))).collect();
        config.origin = Origin { variables, dir: dir.to_owned(), written };
        Ok(config)
    }

    /// Reads every setting from what was written; `mistakes` were found on the way there.
    fn read(
        sources: Sources,
        dir: &Path,
        mistakes: Vec<ConfigError>,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(sources, dir, mistakes);
        let config = settings::read(&mut reader);
        reader.finish(config)
    }
}

/// A value as it stands in a file `.env`.
fn quoted(value: &str) -> String {
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
    format!("\"{escaped}\"")
}

/// Every mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting, or the file when it cannot be read at all.
    pub name: String,
    /// Where it was written.
    pub source: Source,
    /// What is wrong and what to do, without the value: it may be a secret in the wrong place.
    pub problem: String,
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ConfigError { name, source, problem }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{name} ({source}): {problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
