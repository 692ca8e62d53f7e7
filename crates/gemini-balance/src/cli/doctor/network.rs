//! The way out: names, outbound proxies, the upstreams themselves, and by their answers the clock.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use dialect::Dialect;
use http::HeaderMap;
use http::header::DATE;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::cli::doctor::Finding;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::base_url::BaseUrl;
use crate::config::network::Reach;
use crate::config::outbound_proxy::ProxyUrl;
use crate::secret::Secret;
use crate::start;
use crate::upstream::{Outgoing, Upstream};

/// How long a name server, a proxy or an upstream may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A clock that is further off is wrong: sessions and rests end at wrong times, TLS may fail.
const SKEW_MS_MAX: u64 = 60 * 1_000;
/// No clock of a machine on which this program runs can be before it was written.
const WRITTEN_MS: i64 = 1_764_547_200_000;

pub(super) async fn findings(config: &Config, clock: &Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    if clock.wall_ms() < WRITTEN_MS {
        findings.push(Finding::bad(
            "the clock of this machine is years behind",
            "set it, and have it kept by `timedatectl set-ntp true` or the like",
        ));
    }
    let mut skew = None;
    for dialect in [Dialect::Gemini, Dialect::OpenAi] {
        let base = match dialect {
            Dialect::Gemini => &config.upstream.gemini,
            Dialect::OpenAi => &config.upstream.openai,
        };
        let proxy = config.upstream.proxy.towards(base);
        let before = match proxy {
            Some(proxy) => reach_proxy(proxy).await,
            None => resolve(base, config.upstream.reach).await,
        };
        let is_way_open = !matches!(before, Some(Finding::Bad { .. }));
        findings.extend(before);
        if is_way_open {
            let (finding, headers) = ask(config, clock, dialect, base).await;
            findings.push(finding);
            let skew_ms = headers.and_then(|headers| clock_skew_ms(&headers, clock.wall_ms()));
            skew = skew.or(skew_ms);
        }
    }
    findings.extend(skew.map(clock_finding));
    findings
}

/// Whether a name leads to an address that may be connected to.
async fn resolve(base: &BaseUrl, reach: Reach) -> Option<Finding> {
    match base.address() {
        Some(_) => None,
        None => Some(look_up(&base.host, base.port, reach).await),
    }
}

async fn look_up(host: &str, port: u16, reach: Reach) -> Finding {
    let wrong = |error: &dyn std::fmt::Display| {
        Finding::bad(
            format!("the name {host} cannot be looked up: {error}"),
            "check the name, the network and the name server (/etc/resolv.conf)",
        )
    };
    let addresses = match timeout(PATIENCE, lookup_host((host, port))).await {
        Err(_) => return wrong(&"the name server does not answer"),
        Ok(Err(error)) => return wrong(&error),
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
    };
    if addresses.iter().any(|address| reach.allows(address.ip())) {
        Finding::good(format!("the name {host} leads to an address"))
    } else {
        Finding::bad(
            format!("the name {host} leads only to addresses that may not be connected to"),
            "check the name server; for an upstream of your own set UPSTREAM_ALLOW_PRIVATE=true",
        )
    }
}

async fn reach_proxy(proxy: &ProxyUrl) -> Option<Finding> {
    let connecting = TcpStream::connect((proxy.host.as_str(), proxy.port));
    let error = match timeout(PATIENCE, connecting).await {
        Ok(Ok(_)) => return Some(Finding::good(format!("the proxy {proxy} takes connections"))),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it does not answer".to_owned(),
    };
    Some(Finding::bad(
        format!("the outbound proxy {proxy} cannot be reached: {error}"),
        "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or list the upstream in NO_PROXY",
    ))
}

/// Whether an upstream answers at all; what it says to a made-up key does not matter.
async fn ask(
    config: &Config,
    clock: &Clock,
    dialect: Dialect,
    base: &BaseUrl,
) -> (Finding, Option<HeaderMap>) {
    let bad = |error: &dyn std::fmt::Display| {
        Finding::bad(
            format!("{base} cannot be reached: {error}"),
            "check the network, HTTPS_PROXY and the base URLs",
        )
    };
    let way_out = match start::way_out(config) {
        Ok(way_out) => way_out,
        Err(error) => return (bad(&format!("{error:#}")), None),
    };
    let client = Upstream::new(&way_out, clock.clone(), TaskTracker::new());
    let question = Outgoing::get(match dialect {
        Dialect::Gemini => "/v1beta/models",
        Dialect::OpenAi => "/models",
    });
    let key = Arc::new(Secret::new("doctor"));
    match timeout(PATIENCE, client.send(dialect, &question, &key)).await {
        Err(_) => (bad(&"it does not answer"), None),
        Ok(Err(error)) => (bad(&format!("{:#}", anyhow::Error::from(error))), None),
        Ok(Ok(answer)) => {
            let status = answer.status().as_u16();
            (Finding::good(format!("{base} answers ({status})")), Some(answer.headers().clone()))
        }
    }
}

/// How far our clock is before that of whoever answered, in ms.
fn clock_skew_ms(headers: &HeaderMap, now_ms: i64) -> Option<i64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let theirs_ms = date.duration_since(UNIX_EPOCH).ok()?.as_millis();
    Some(now_ms - i64::try_from(theirs_ms).ok()?)
}

fn clock_finding(skew_ms: i64) -> Finding {
    let seconds = skew_ms.unsigned_abs() / 1_000;
    if skew_ms.unsigned_abs() <= SKEW_MS_MAX {
        return Finding::good("the clock of this machine is right");
    }
    let side = if skew_ms < 0 { "behind" } else { "ahead of" };
    Finding::bad(
        format!("the clock of this machine is {seconds} s {side} the upstream's"),
        "set it, and have it kept by `timedatectl set-ntp true` or the like",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_only_inside_is_found_unless_that_is_permitted() {
        let refused = look_up("localhost", 443, Reach::Public).await;
        let permitted = look_up("localhost", 443, Reach::Private).await;

        assert!(matches!(refused, Finding::Bad { remedy, .. } if remedy.contains("PRIVATE=true")));
        assert!(matches!(permitted, Finding::Good(_)));
    }
}
