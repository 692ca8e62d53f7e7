//! What is in the data directory: whether it belongs together, and whether anybody can be served by it.

use crate::cli::doctor::Finding;
use crate::clock::Clock;
use crate::config::Config;
use crate::data::{self, Data};
use crate::pool::{self, KeyPool};
use crate::store::error::OpenError;

/// Google's keys that begin with `AIza` have this many characters.
const GOOGLE_KEY_CHARS: usize = 39;
/// A log row from so far in the future was written by a clock that was wrong, in ms.
const FUTURE_MS: i64 = 10 * 60 * 1_000;

/// Whether a gateway runs on the data directory, and what was found in it.
pub(super) async fn findings(config: &Config, clock: &Clock) -> (bool, Vec<Finding>) {
    if !config.storage.database().exists() {
        return (false, vec![Finding::note("there is no database yet; the first start makes it")]);
    }
    let data = match data::open(config, clock).await {
        Ok(data) => data,
        Err(error)
            if matches!(error.downcast_ref::<OpenError>(), Some(OpenError::InUse { .. })) =>
        {
            let what = "a gateway runs on the data directory: its own page shows its keys";
            return (true, vec![Finding::note(what)]);
        }
        Err(error) => {
            let what = format!("the data directory cannot be used: {error:#}");
            let remedy =
                "put back what is missing, or restore a backup by `gemini-balance restore`";
            return (false, vec![Finding::bad(what, remedy)]);
        }
    };
    let mut findings = vec![Finding::good("database and secrets belong together")];
    findings.extend(service_keys(config, clock, &data).await);
    findings.push(user_keys(&data, clock.wall_ms()).await);
    findings.extend(log(&data, clock.wall_ms()).await);
    data.store.close().await;
    (false, findings)
}

async fn service_keys(config: &Config, clock: &Clock, data: &Data) -> Vec<Finding> {
    let keys = KeyPool::new(pool::policy(config), 0, clock.clone());
    if let Err(error) = pool::load(&keys, &data.store, &data.vault).await {
        let what = format!("the service keys cannot be read: {error}");
        return vec![Finding::bad(what, "restore the database from a backup")];
    }
    let counts = keys.counts();
    let mut findings = vec![match counts.active {
        0 => Finding::bad(
            format!("none of {} service keys is usable", counts.total),
            "add one with `gemini-balance keys add`, or see `keys list` and `keys test`",
        ),
        active => Finding::good(format!("{active} of {} service keys are active", counts.total)),
    }];
    let stored = data.store.size().await.map_or(0, |size| size.service_keys);
    let unreadable = stored.saturating_sub(counts.total as u64);
    if 0 < unreadable {
        findings.push(Finding::bad(
            format!("{unreadable} service keys are damaged and cannot be decrypted"),
            "delete them on the page of service keys and add them again",
        ));
    }
    let odd = keys.views().into_iter().filter_map(|(key, _)| {
        oddity(key.secret.expose()).map(|oddity| (key.brief.clone(), oddity))
    });
    let odd: Vec<_> = odd.collect();
    if let Some((brief, oddity)) = odd.first() {
        findings.push(Finding::bad(
            format!("{} service keys do not look like keys, such as {brief}: {oddity}", odd.len()),
            "delete them and add them again as the provider shows them",
        ));
    }
    findings
}

/// What is odd about a text for a key of an upstream.
fn oddity(key: &str) -> Option<&'static str> {
    let is_edge = |it: char| matches!(it, '"' | '\'' | '`' | ',' | ';' | '<' | '>');
    if key.starts_with(is_edge) || key.ends_with(is_edge) {
        return Some("there is a quote or a comma at its end");
    }
    if key.starts_with("gb-") {
        return Some("it is a user key of a gateway");
    }
    if key.contains('=') && !key.ends_with('=') {
        return Some("there is a name in front of it");
    }
    if key.starts_with("http://") || key.starts_with("https://") {
        return Some("it is an address");
    }
    if key.starts_with("AIza") && key.chars().count() != GOOGLE_KEY_CHARS {
        return Some("a key that begins with AIza has 39 characters");
    }
    None
}

async fn user_keys(data: &Data, now_ms: i64) -> Finding {
    let keys = data.store.user_keys().await.unwrap_or_default();
    let is_live = |expires_at_ms: Option<i64>| expires_at_ms.is_none_or(|end| now_ms < end);
    let live = keys.iter().filter(|key| key.is_enabled && is_live(key.expires_at_ms)).count();
    match (keys.len(), live) {
        (0, _) => Finding::bad(
            "there is no user key, so nobody can call",
            "make one with `gemini-balance users add NAME`",
        ),
        (total, 0) => Finding::bad(
            format!("all {total} user keys are disabled or expired, so nobody can call"),
            "make one with `gemini-balance users add NAME`, or enable one on the page of user keys",
        ),
        (total, live) => Finding::good(format!("{live} of {total} user keys let in")),
    }
}

async fn log(data: &Data, now_ms: i64) -> Option<Finding> {
    let (_, newest_ms) = data.store.size().await.ok()?.log_time_ms?;
    (now_ms + FUTURE_MS < newest_ms).then(|| {
        Finding::bad(
            "the request log has rows from the future: the clock is behind now, or was ahead",
            "set the clock; the rows pass by themselves",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_with_something_around_it_does_not_look_like_a_key() {
        let google = format!("AIza{}", "x".repeat(35));
        for key in [&google, "AQ.Ab8RN6", "sk-proj-0123", "a-plain-key", "MTIzNDU2Nzg=="] {
            assert_eq!(oddity(key), None, "{key}");
        }
        for key in [
            &google[..38],
            &format!("{google},"),
            "\"a-plain-key\"",
            "gb-0123456789",
            "GEMINI_KEY=a-plain-key",
            "https://aistudio.google.com/apikey",
        ] {
            assert!(oddity(key).is_some(), "{key}");
        }
    }
}
