//! What an admin does at a gateway that has just started: logs in, brings in service keys, makes a
//! user key.

use std::time::{Duration, Instant};

use crate::{Outcome, http};

/// Adds the service keys to the gateway on `port` and returns a fresh user key, and how long the adding took.
///
/// # Errors
///
/// If the gateway refuses something.
pub(crate) fn furnish(
    port: u16,
    password: &str,
    service_keys: &[impl AsRef<str>],
) -> Outcome<(String, Duration)> {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let login = format!("username=admin&password={password}");
    let token = http::post(port, "/api/login", form, &login)?.field("access_token")?;

    let admin = format!("Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n");
    let quoted: Vec<_> = service_keys.iter().map(|key| format!("\"{}\"", key.as_ref())).collect();
    let keys = format!(r#"{{"api_keys":[{}]}}"#, quoted.join(","));
    let began = Instant::now();
    let added = http::post(port, "/api/keys", &admin, &keys)?;
    let took = began.elapsed();
    if added.status != 201 {
        return Err(
            format!("the service keys were refused ({}): {}", added.status, added.body).into()
        );
    }
    let made = http::post(port, "/api/auth_keys", &admin, r#"{"alias":"caller"}"#)?;
    Ok((made.field("api_key")?, took))
}
