//! Settings that are understood and yet open a door, or leave one without a bell.

use std::net::IpAddr;

use tracing::Level;

use crate::cli::doctor::Finding;
use crate::config::base_url::BaseUrl;
use crate::config::{Config, CookieSecure};

/// A shorter password is guessed.
const PASSWORD_CHARS_MIN: usize = 8;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_open = !config.server.listen.ip().is_loopback();
    let is_in_clear = config.server.tls.is_none() && config.server.trusted_proxies.is_empty();
    if is_open && is_in_clear {
        findings.push(Finding::bad(
            format!(
                "{} is reached from elsewhere without TLS: passwords and keys can be read on the way",
                config.server.listen
            ),
            "set TLS_CERT and TLS_KEY, or put a proxy with TLS in front and its address into \
             TRUSTED_PROXIES",
        ));
    }
    if is_open && config.admin.cookie_secure == CookieSecure::Never {
        findings.push(Finding::bad(
            "COOKIE_SECURE=false sends the admin's session over plain HTTP too",
            "remove it: `auto` does the right thing behind TLS",
        ));
    }
    let is_short =
        |password: &crate::secret::Secret| password.expose().chars().count() < PASSWORD_CHARS_MIN;
    if config.admin.password.as_ref().is_some_and(is_short) {
        findings.push(Finding::bad(
            format!("PASSWORD has fewer than {PASSWORD_CHARS_MIN} characters and can be guessed"),
            "choose a longer one, or remove the line and use `gemini-balance password`",
        ));
    }
    let anybody: [IpAddr; 2] = [[192, 0, 2, 1].into(), [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()];
    let trusts = |address: &IpAddr| {
        config.server.trusted_proxies.iter().any(|network| network.contains(*address))
    };
    if anybody.iter().any(trusts) {
        findings.push(Finding::bad(
            "TRUSTED_PROXIES trusts the whole internet: everybody may claim any address",
            "name only the addresses of your own reverse proxies",
        ));
    }
    for (name, base) in [
        ("GEMINI_API_BASE_URL", &config.upstream.gemini),
        ("OPENAI_API_BASE_URL", &config.upstream.openai),
    ] {
        if !base.is_https && !is_near(base) {
            findings.push(Finding::bad(
                format!("{name} is http: service keys and prompts can be read on the way"),
                "write https://",
            ));
        }
    }
    findings.extend(notes(config, is_open));
    findings
}

fn notes(config: &Config, is_open: bool) -> Vec<Finding> {
    let mut notes = Vec::new();
    if is_open && config.metrics.public {
        notes.push(Finding::note(
            "METRICS_PUBLIC shows everybody who can reach the port how much is asked of which model",
        ));
    }
    if config.logging.level > Level::INFO {
        notes.push(Finding::note(
            "LOG_LEVEL writes a line for each step, which takes time and room",
        ));
    }
    if config.backups.every_ms.is_none() {
        notes.push(Finding::note(
            "no backups are made by themselves; BACKUP_EVERY_HOURS makes them",
        ));
    }
    let alerts = &config.alerts;
    if alerts.webhook.is_none() && alerts.telegram.is_none() && alerts.mail.is_none() {
        notes.push(Finding::note(
            "nobody is told when keys run out; ALERT_WEBHOOK_URL, ALERT_TELEGRAM_TOKEN or \
             ALERT_SMTP_URL tell somebody",
        ));
    }
    notes.extend(config.notices.iter().map(Finding::note));
    notes
}

/// Whether a base URL is an address of this machine or of a private network.
fn is_near(base: &BaseUrl) -> bool {
    base.address().is_some_and(|address| match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    })
}
