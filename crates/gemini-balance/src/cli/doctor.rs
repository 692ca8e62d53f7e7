//! `gemini-balance doctor`: what is wrong with this set-up, and what to do.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;

use dialect::Dialect;
use tokio_util::task::TaskTracker;

use crate::cli::say;
use crate::clock::Clock;
use crate::config::{Config, TlsFiles};
use crate::data;
use crate::pool::{self, KeyPool};
use crate::secret::Secret;
use crate::start;
use crate::tls::Tls;
use crate::upstream::{Outgoing, Upstream};

/// One thing that was looked at.
enum Finding {
    Good(String),
    Bad { what: String, remedy: String },
}

pub(super) async fn run(config: &Config, clock: &Clock) -> anyhow::Result<ExitCode> {
    let mut findings = vec![Finding::Good("the settings are understood".to_owned())];
    findings.push(port(config));
    findings.extend(config.server.tls.as_ref().map(certificate));
    findings.extend(stored(config, clock).await);
    for dialect in [Dialect::Gemini, Dialect::OpenAi] {
        findings.push(upstream(config, clock, dialect).await);
    }
    let mut is_well = true;
    for finding in &findings {
        match finding {
            Finding::Good(what) => say(&format!("ok    {what}")),
            Finding::Bad { what, remedy } => {
                is_well = false;
                say(&format!("WRONG {what}"));
                say(&format!("      → {remedy}"));
            }
        }
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn port(config: &Config) -> Finding {
    let address = config.server.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::Good(format!("{address} is free to listen on")),
        Err(error) => Finding::Bad {
            what: format!("cannot listen on {address}: {error}"),
            remedy: "stop the other program (perhaps a gateway that runs already), or set PORT"
                .to_owned(),
        },
    }
}

fn certificate(files: &TlsFiles) -> Finding {
    match Tls::load(files) {
        Ok(_) => Finding::Good("TLS_CERT and TLS_KEY belong together".to_owned()),
        Err(error) => Finding::Bad {
            what: error.to_string(),
            remedy: "both must be PEM files of one certificate, readable by the gateway's user"
                .to_owned(),
        },
    }
}

/// Data directory, secrets, database, keys.
async fn stored(config: &Config, clock: &Clock) -> Vec<Finding> {
    if !config.storage.database().exists() {
        let what = "there is no database yet; the first start makes it".to_owned();
        return vec![Finding::Good(what)];
    }
    let data = match data::open(config, clock).await {
        Ok(data) => data,
        Err(error) => {
            return vec![Finding::Bad {
                what: format!("the data directory cannot be used: {error:#}"),
                remedy: "if a gateway runs on it, this is normal: its pages show its health"
                    .to_owned(),
            }];
        }
    };
    let keys = KeyPool::new(pool::policy(config), 0, clock.clone());
    let loaded = pool::load(&keys, &data.store, &data.vault).await;
    let users = data.store.user_keys().await.map_or(0, |users| users.len());
    data.store.close().await;
    let counts = keys.counts();
    let mut findings = vec![Finding::Good("database and secrets belong together".to_owned())];
    findings.push(match (loaded, counts.active) {
        (Err(error), _) => Finding::Bad {
            what: format!("the service keys cannot be read: {error}"),
            remedy: "restore the database from a backup".to_owned(),
        },
        (Ok(()), 0) => Finding::Bad {
            what: format!("none of {} service keys is usable", counts.total),
            remedy: "add one with `gemini-balance keys add`, or see `keys list` and `keys test`"
                .to_owned(),
        },
        (Ok(()), active) => {
            Finding::Good(format!("{active} of {} service keys are active", counts.total))
        }
    });
    findings.push(if users == 0 {
        Finding::Bad {
            what: "there is no user key, so nobody can call".to_owned(),
            remedy: "make one with `gemini-balance users add NAME`".to_owned(),
        }
    } else {
        Finding::Good(format!("{users} user keys"))
    });
    findings
}

/// Whether an upstream answers at all; what it says to a made-up key does not matter.
async fn upstream(config: &Config, clock: &Clock, dialect: Dialect) -> Finding {
    let base = match dialect {
        Dialect::Gemini => &config.upstream.gemini,
        Dialect::OpenAi => &config.upstream.openai,
    };
    let bad = |error: &dyn std::fmt::Display| Finding::Bad {
        what: format!("{base} cannot be reached: {error}"),
        remedy: "check the network, HTTPS_PROXY and the base URLs".to_owned(),
    };
    let way_out = match start::way_out(config) {
        Ok(way_out) => way_out,
        Err(error) => return bad(&format!("{error:#}")),
    };
    let client = Upstream::new(&way_out, clock.clone(), TaskTracker::new());
    let question = Outgoing::get(match dialect {
        Dialect::Gemini => "/v1beta/models",
        Dialect::OpenAi => "/models",
    });
    match client.send(dialect, &question, &Arc::new(Secret::new("doctor"))).await {
        Ok(answer) => Finding::Good(format!("{base} answers ({})", answer.status().as_u16())),
        Err(error) => bad(&error),
    }
}
