//! The settings in force, some of which change while the gateway runs.
//!
//! Whoever reads a setting holds a plain reference for as long as it likes, at the cost of one atomic
//! step: so every former state stays in memory, some ten KiB each, and their number has a bound. What is
//! used only while starting stays as it was until the next start.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::config::{Admin, Alerts, Config, Limits, MetricsPage, Pool, Server, Storage, Upstream};

/// Settings that change while the gateway runs.
pub const LIVE: [&str; 36] = [
    "TRUSTED_PROXIES",
    "CORS_ORIGINS",
    "COOKIE_SECURE",
    "METER_OPENAI_STREAMS",
    "MODEL_SUFFIXES",
    "REQUEST_TIMEOUT_SECONDS",
    "ATTEMPT_TIMEOUT_SECONDS",
    "UPLOAD_LIMIT_MB",
    "STREAM_IDLE_TIMEOUT_SECONDS",
    "HEARTBEAT_SECONDS",
    "WRITE_STALL_SECONDS",
    "HEADER_TIMEOUT_SECONDS",
    "BODY_IDLE_TIMEOUT_SECONDS",
    "MAX_CONNECTIONS",
    "LIVE_IDLE_TIMEOUT_SECONDS",
    "DRAIN_SECONDS",
    "API_KEY_FAILURE_THRESHOLD",
    "API_KEY_COOL_DOWN_SECONDS",
    "MAX_COOL_DOWN_SECONDS",
    "MAX_RETRIES",
    "RATE_LIMIT_DEFAULT_WAIT_SECONDS",
    "CHECK_HEALTH_AFTER_COOL_DOWN",
    "CHECK_HEALTH_TIME_INTERVAL_SECONDS",
    "NO_KEY_WAIT_SECONDS",
    "KEY_IN_USE_TIMEOUT_SECONDS",
    "KEY_MAX_CONCURRENCY",
    "LOG_RETENTION_DAYS",
    "LOG_MAX_MB",
    "ALERT_KEYS_LEFT",
    "ALERT_ERROR_PERCENT",
    "ALERT_DISK_PERCENT",
    "ALERT_REPEAT_SECONDS",
    "ALERT_QUIET_HOURS",
    "ALERT_TIME_ZONE",
    "METRICS_PUBLIC",
    "OVERHEAD_HEADER",
];

/// Changes of one process; each leaves its predecessor in memory.
const CHANGES_MAX: usize = 10_000;

/// The settings in force; used as they are.
pub struct LiveConfig {
    in_force: ArcSwap<&'static Config>,
    changes: AtomicUsize,
    /// What is written otherwise than it holds, and needs a restart.
    waiting: Mutex<Vec<Changed>>,
    /// Held from reading the settings anew until they are in force.
    pub turn: tokio::sync::Mutex<()>,
}

/// One setting that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its name.
    pub name: &'static str,
    /// What held before; secrets are not shown.
    pub from: String,
    /// What holds now, or will after a restart.
    pub to: String,
}

/// More changes than one process takes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the settings were changed {CHANGES_MAX} times since the start; restart the gateway")]
pub struct TooManyChanges;

impl LiveConfig {
    /// These settings are in force.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let config: &'static Config = Box::leak(Box::new(config));
        let in_force = ArcSwap::from(Arc::new(config));
        Self {
            in_force,
            changes: AtomicUsize::new(0),
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Puts of these settings into force what may change at run time, and answers what has changed.
    ///
    /// # Errors
    ///
    /// [`TooManyChanges`]; then nothing has.
    pub fn apply(&self, new: &Config) -> Result<Vec<Changed>, TooManyChanges> {
        *self.waiting.lock() = self.differing(new, false);
        let changed = self.differing(new, true);
        if changed.is_empty() {
            return Ok(changed);
        }
        if CHANGES_MAX <= self.changes.fetch_add(1, Ordering::Relaxed) {
            return Err(TooManyChanges);
        }
        let merged: &'static Config = Box::leak(Box::new(merged(self, new)));
        self.in_force.store(Arc::new(merged));
        Ok(changed)
    }

    /// What was written otherwise than it holds when the settings were read last, and needs a restart.
    #[must_use]
    pub fn waiting_for_restart(&self) -> Vec<Changed> {
        self.waiting.lock().clone()
    }

    fn differing(&self, new: &Config, is_live: bool) -> Vec<Changed> {
        let pairs = self.settings.iter().zip(&new.settings);
        pairs
            .filter(|(one, other)| one.value != other.value || one.source != other.source)
            .filter(|(one, _)| LIVE.contains(&one.name) == is_live)
            .map(|(one, other)| Changed {
                name: one.name,
                from: one.value.clone(),
                to: other.value.clone(),
            })
            .collect()
    }
}

impl Deref for LiveConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        **self.in_force.load()
    }
}

impl fmt::Debug for LiveConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveConfig")
    }
}

/// The old settings with those of the new ones that may change.
fn merged(old: &Config, new: &Config) -> Config {
    let settings = old
        .settings
        .iter()
        .zip(&new.settings)
        .map(|(old, new)| if LIVE.contains(&old.name) { new.clone() } else { old.clone() });
    Config {
        server: Server {
            trusted_proxies: new.server.trusted_proxies.clone(),
            cors_origins: new.server.cors_origins.clone(),
            ..old.server.clone()
        },
        admin: Admin { cookie_secure: new.admin.cookie_secure, ..old.admin.clone() },
        upstream: Upstream {
            meter_openai_streams: new.upstream.meter_openai_streams,
            model_suffixes: new.upstream.model_suffixes,
            ..old.upstream.clone()
        },
        limits: Limits {
            request_timeout_ms: new.limits.request_timeout_ms,
            attempt_timeout_ms: new.limits.attempt_timeout_ms,
            upload_bytes_max: new.limits.upload_bytes_max,
            stream_idle_timeout_ms: new.limits.stream_idle_timeout_ms,
            heartbeat_ms: new.limits.heartbeat_ms,
            write_stall_timeout_ms: new.limits.write_stall_timeout_ms,
            header_timeout_ms: new.limits.header_timeout_ms,
            connections_max: new.limits.connections_max,
            live_idle_timeout_ms: new.limits.live_idle_timeout_ms,
            body_idle_timeout_ms: new.limits.body_idle_timeout_ms,
            drain_ms: new.limits.drain_ms,
            ..old.limits.clone()
        },
        pool: Pool {
            keep_together_ms: old.pool.keep_together_ms,
            share_resources: old.pool.share_resources,
            ..new.pool.clone()
        },
        storage: Storage {
            log_retention_days: new.storage.log_retention_days,
            log_bytes_max: new.storage.log_bytes_max,
            ..old.storage.clone()
        },
        alerts: Alerts {
            webhook: old.alerts.webhook.clone(),
            telegram: old.alerts.telegram.clone(),
            mail: old.alerts.mail.clone(),
            ..new.alerts.clone()
        },
        metrics: MetricsPage {
            public: new.metrics.public,
            overhead_header: new.metrics.overhead_header,
            ..old.metrics
        },
        settings: settings.collect(),
        ..old.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each live setting with a value that is not its default.
    const OTHERS: [(&str, &str); 36] = [
        ("TRUSTED_PROXIES", "10.0.0.1"),
        ("CORS_ORIGINS", "https://chat.example"),
        ("COOKIE_SECURE", "true"),
        ("METER_OPENAI_STREAMS", "false"),
        ("MODEL_SUFFIXES", "true"),
        ("REQUEST_TIMEOUT_SECONDS", "60"),
        ("ATTEMPT_TIMEOUT_SECONDS", "30"),
        ("UPLOAD_LIMIT_MB", "7"),
        ("STREAM_IDLE_TIMEOUT_SECONDS", "7"),
        ("HEARTBEAT_SECONDS", "7"),
        ("WRITE_STALL_SECONDS", "7"),
        ("HEADER_TIMEOUT_SECONDS", "7"),
        ("BODY_IDLE_TIMEOUT_SECONDS", "7"),
        ("MAX_CONNECTIONS", "7"),
        ("LIVE_IDLE_TIMEOUT_SECONDS", "77"),
        ("DRAIN_SECONDS", "7"),
        ("API_KEY_FAILURE_THRESHOLD", "7"),
        ("API_KEY_COOL_DOWN_SECONDS", "7"),
        ("MAX_COOL_DOWN_SECONDS", "7000"),
        ("MAX_RETRIES", "7"),
        ("RATE_LIMIT_DEFAULT_WAIT_SECONDS", "7"),
        ("CHECK_HEALTH_AFTER_COOL_DOWN", "true"),
        ("CHECK_HEALTH_TIME_INTERVAL_SECONDS", "7"),
        ("NO_KEY_WAIT_SECONDS", "7"),
        ("KEY_IN_USE_TIMEOUT_SECONDS", "7"),
        ("KEY_MAX_CONCURRENCY", "7"),
        ("LOG_RETENTION_DAYS", "7"),
        ("LOG_MAX_MB", "7"),
        ("ALERT_KEYS_LEFT", "7"),
        ("ALERT_ERROR_PERCENT", "7"),
        ("ALERT_DISK_PERCENT", "7"),
        ("ALERT_REPEAT_SECONDS", "77"),
        ("ALERT_QUIET_HOURS", "22:00-07:00"),
        ("ALERT_TIME_ZONE", "Europe/Berlin"),
        ("METRICS_PUBLIC", "true"),
        ("OVERHEAD_HEADER", "false"),
    ];

    #[test]
    fn each_live_setting_is_in_force_once_it_is_applied() {
        let directory = tempfile::tempdir().unwrap();
        for (name, value) in OTHERS {
            let live = LiveConfig::new(load(directory.path(), &[]));
            let new = load(directory.path(), &[(name, value)]);

            let changed = live.apply(&new).unwrap();

            assert_eq!(changed.len(), 1, "{name}");
            assert_eq!((changed[0].name, changed[0].to.as_str()), (name, value));
            // All of the settings are those that were read, but for what they were read from.
            assert_eq!(shown(&live), shown(&new), "{name}");
            assert!(live.apply(&new).unwrap().is_empty());
        }
        assert_eq!(OTHERS.map(|(name, _)| name), LIVE);
    }

    #[test]
    fn what_needs_a_restart_stays_as_it_was_and_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let live = LiveConfig::new(load(directory.path(), &[]));
        let new = load(directory.path(), &[("PORT", "1234"), ("DRAIN_SECONDS", "7")]);

        let changed = live.apply(&new).unwrap();

        assert_eq!(changed.len(), 1);
        assert_eq!((live.server.listen.port(), live.limits.drain_ms), (8_090, 7_000));
        assert_eq!(live.waiting_for_restart()[0].name, "PORT");
    }

    fn load(directory: &std::path::Path, settings: &[(&str, &str)]) -> Config {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::load(settings, directory).unwrap()
    }

    fn shown(config: &Config) -> String {
        let config = Config { origin: crate::config::Origin::default(), ..config.clone() };
        format!("{config:?}")
    }
}
