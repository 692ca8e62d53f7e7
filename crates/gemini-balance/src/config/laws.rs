//! Whatever is written, the settings are read or refused without telling a secret, and what was read
//! means the same when it is written down again.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use http::{HeaderValue, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use toml::Value;

use crate::config::base_url::BaseUrl;
use crate::config::network::{Network, Reach};
use crate::config::outbound_proxy::ProxyUrl;
use crate::config::sources::Sources;
use crate::config::{Config, ConfigErrors, Source};
use crate::secret::Secret;

/// Stands wherever the input has a `~`, so that it is found again where it must not be.
const CANARY: &str = "cAnaryMnBvCxZ";

const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Input: `NAME=value` lines of the environment, the text of `.env`, and that of the settings file,
/// parted by lines of `---`.
pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input).replace('~', CANARY);
    let mut parts = text.splitn(3, "\n---\n");
    let mut part = || parts.next().unwrap_or_default();
    match read(part(), part(), part()) {
        Err(errors) => tells_no_secret(&errors),
        Ok(config) => {
            shows_no_secret(&config);
            hangs_together(&config);
            for base_url in [&config.upstream.gemini, &config.upstream.openai] {
                is_a_plain_base(base_url, config.upstream.reach);
            }
            config.server.trusted_proxies.iter().for_each(is_a_network);
            let proxy = &config.upstream.proxy;
            proxy.http.iter().chain(&proxy.https).for_each(is_a_proxy);
            means_the_same_again(config);
        }
    }
}

fn read(environment: &str, dot_env: &str, file: &str) -> Result<Config, ConfigErrors> {
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut mistakes = Vec::new();
    let sources = Sources::of(variables, dot_env, file, &mut mistakes);
    Config::read(sources, Path::new("/srv"), mistakes)
}

fn tells_no_secret(errors: &ConfigErrors) {
    assert!(!errors.0.is_empty());
    for error in &errors.0 {
        assert!(!error.problem.is_empty());
        assert!(!error.problem.contains(CANARY), "{errors}");
    }
}

/// The secrets that a configuration holds, by the name of their setting.
fn secrets(config: &Config) -> BTreeMap<&'static str, Option<&Secret>> {
    BTreeMap::from([
        ("PASSWORD", config.admin.password.as_ref()),
        ("SECRET_KEY", config.admin.secret_key.as_ref()),
        ("ENCRYPTION_KEY", config.admin.encryption_key.as_ref()),
        ("CF_AI_AUTHORIZATION_KEY", config.upstream.cloudflare_authorization.as_ref()),
    ])
}

fn shows_no_secret(config: &Config) {
    let secrets = secrets(config);
    for setting in &config.settings {
        if let Some(secret) = secrets.get(setting.name) {
            assert_eq!(setting.value, if secret.is_some() { "[secret]" } else { "" });
        }
        if PROXIES.contains(&setting.name) {
            let (_, address) = setting.value.split_once("://").unwrap_or_default();
            let address = address.strip_prefix("[secret]@").unwrap_or(address);
            assert!(!address.contains('@'), "{}", setting.value);
        }
    }
    let is_shown = config.settings.iter().any(|setting| setting.value.contains(CANARY));
    assert!(is_shown || !format!("{config:?}").contains(CANARY));
}

/// Rules between settings.
fn hangs_together(config: &Config) {
    let limits = &config.limits;
    assert!(0 < limits.attempt_timeout_ms);
    assert!(limits.attempt_timeout_ms <= limits.request_timeout_ms);
    assert!(limits.body_bytes_max <= limits.body_budget_bytes);
    assert!(config.pool.cool_down_ms <= config.pool.cool_down_ms_max);
    assert!(config.server.cors_origins.iter().all(|origin| HeaderValue::from_str(origin).is_ok()));
    assert!(config.admin.password.as_ref().is_none_or(|it| !it.expose().trim().is_empty()));
}

fn is_a_plain_base(base_url: &BaseUrl, reach: Reach) {
    let text = base_url.to_string();
    let authority = base_url.authority();
    assert_eq!(text.parse().as_ref(), Ok(base_url));
    assert!(HeaderValue::from_str(&authority).is_ok());
    let uri: Uri = format!("{text}/v1/models?alt=sse").parse().unwrap_or_default();
    assert_eq!(uri.authority().map(|it| it.as_str()), Some(authority.as_str()), "{text}");
    assert_eq!(uri.path(), format!("{}/v1/models", base_url.path));
    assert!(!authority.contains(['@', '/', '\\', '?', '#', ' ']), "{authority}");
    assert!(!base_url.path.ends_with('/') && base_url.port != 0);

    assert_ne!(base_url.host.trim_end_matches('.'), "metadata.google.internal");
    if let Some(address) = base_url.address() {
        assert!(reach.allows(address), "{text}");
        assert!(!is_of_the_link(address), "{text}");
    }
}

/// Where cloud machines find their credentials, said without any list of networks.
fn is_of_the_link(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local() || address == Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(address) => address.is_unicast_link_local() || address.is_unspecified(),
    }
}

fn is_a_network(network: &Network) {
    let text = network.to_string();
    assert_eq!(text.parse().as_ref(), Ok(network));
    let address: Option<IpAddr> = text.split('/').next().and_then(|it| it.parse().ok());
    // An address of one family written in the other belongs to no network of the other.
    let is_mapped = address.is_some_and(|address| address != address.to_canonical());
    assert!(is_mapped || address.is_some_and(|address| network.contains(address)), "{text}");
}

fn is_a_proxy(proxy: &ProxyUrl) {
    let shown = proxy.to_string();
    let (scheme, address) = shown.split_once("://").unwrap_or_default();
    let address = address.strip_prefix("[secret]@").unwrap_or(address);
    let is_uri = format!("http://{address}").parse::<Uri>().is_ok();
    assert!(is_uri, "{shown} cannot be connected to");
    let credentials = proxy.credentials.as_ref().map_or_else(String::new, |(user, password)| {
        let [user, password] =
            [user, password].map(|it| utf8_percent_encode(it.expose(), NON_ALPHANUMERIC));
        format!("{user}:{password}@")
    });
    let written = format!("{scheme}://{credentials}{address}");
    assert_eq!(written.parse().as_ref(), Ok(proxy));
}

/// What took effect, written into a settings file, takes effect again.
fn means_the_same_again(mut config: Config) {
    let secrets = secrets(&config);
    let written = config.settings.iter().filter(|it| it.source != Source::Default);
    let lines = written.filter(|setting| !PROXIES.contains(&setting.name)).map(|setting| {
        let secret = secrets.get(setting.name);
        let value = secret.map_or(setting.value.as_str(), |it| it.map_or("", Secret::expose));
        format!("{} = {}\n", setting.name.to_lowercase(), Value::from(value))
    });
    let file: String = lines.collect();
    let again = read("", "", &file);
    assert!(again.is_ok(), "{file}\n{again:?}");

    let Ok(again) = again else { return };
    config.upstream.proxy.http = None;
    config.upstream.proxy.https = None;
    assert_eq!(self::secrets(&again), self::secrets(&config));
    assert_eq!(effect(&again), effect(&config));
}

/// Everything but where it was written.
fn effect(config: &Config) -> String {
    let Config { server, admin, upstream, limits, pool, storage, logging, metrics, .. } = config;
    let settings = config.settings.iter().filter(|setting| !PROXIES.contains(&setting.name));
    let values: Vec<_> = settings.map(|setting| (setting.name, &setting.value)).collect();
    format!(
        "{server:?}{admin:?}{upstream:?}{limits:?}{pool:?}{storage:?}{logging:?}{metrics:?}\
         {values:?}{:?}",
        config.notices
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws;

    #[test]
    fn kept_settings_are_read_or_refused_without_telling_a_secret() {
        laws::check("settings", holds);
    }
}
