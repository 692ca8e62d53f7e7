//! `gemini-balance doctor`: what is wrong with this set-up, and what to do.
//!
//! It looks and changes nothing but what a start would. `WRONG` ends with a code that scripts go by; a
//! `note` is for people.

mod files;
mod network;
mod settings;
mod stored;

use std::net::TcpListener;
use std::process::ExitCode;

use crate::cli::say;
use crate::clock::Clock;
use crate::config::{Config, TlsFiles};
use crate::tls::Tls;

/// One thing that was looked at.
enum Finding {
    /// As it should be.
    Good(String),
    /// Worth knowing; it may be meant so.
    Note(String),
    /// To be mended, and how.
    Bad { what: String, remedy: String },
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        Self::Good(what.into())
    }

    fn note(what: impl Into<String>) -> Self {
        Self::Note(what.into())
    }

    fn bad(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Bad { what: what.into(), remedy: remedy.into() }
    }
}

pub(super) async fn run(config: &Config, clock: &Clock) -> anyhow::Result<ExitCode> {
    let mut findings = vec![Finding::good("the settings are understood")];
    findings.extend(settings::findings(config));
    // Before anything is opened, which mends some rights by itself.
    findings.extend(files::findings(config));
    let (is_running, of_store) = stored::findings(config, clock).await;
    findings.push(port(config, is_running));
    findings.extend(config.server.tls.as_ref().map(certificate));
    findings.extend(of_store);
    findings.extend(network::findings(config, clock).await);
    let mut is_well = true;
    for finding in &findings {
        match finding {
            Finding::Good(what) => say(&format!("ok    {what}")),
            Finding::Note(what) => say(&format!("note  {what}")),
            Finding::Bad { what, remedy } => {
                is_well = false;
                say(&format!("WRONG {what}"));
                say(&format!("      → {remedy}"));
            }
        }
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn port(config: &Config, is_running: bool) -> Finding {
    let address = config.server.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(format!("{address} is free to listen on")),
        Err(_) if is_running => Finding::good(format!("{address} is taken, as by that gateway")),
        Err(error) => Finding::bad(
            format!("cannot listen on {address}: {error}"),
            "stop the other program (perhaps a gateway that runs already), or set PORT",
        ),
    }
}

fn certificate(files: &TlsFiles) -> Finding {
    match Tls::load(files) {
        Ok(_) => Finding::good("TLS_CERT and TLS_KEY belong together"),
        Err(error) => Finding::bad(
            error.to_string(),
            "both must be PEM files of one certificate, readable by the gateway's user",
        ),
    }
}
