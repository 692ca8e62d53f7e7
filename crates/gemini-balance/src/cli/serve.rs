//! `gemini-balance serve`: start, say where, wait for the signal, shut down.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::say;
use crate::clock::Clock;
use crate::config::Config;
use crate::live::Live;
use crate::start::{self, Running};
use crate::telemetry;

pub(super) async fn run(config: Config, clock: Clock) -> anyhow::Result<ExitCode> {
    let live = Live::new(config.logging.history_lines, clock.wall_ms());
    let _telemetry = telemetry::start(&config.logging, clock.clone(), live.clone())?;
    let mut stop = Stop::listen()?;
    for notice in &config.notices {
        tracing::info!("{notice}");
    }
    let running = tokio::select! {
        running = start::start(config, clock, live) => running?,
        // A first start may take over a large log; what was begun of it is not kept.
        () = stop.requested() => return Ok(ExitCode::FAILURE),
    };
    greet(&running);
    let code = tokio::select! {
        () = stop.requested() => ExitCode::SUCCESS,
        () = running.failed() => ExitCode::FAILURE,
    };
    tracing::info!("shutting down; a second signal ends at once");
    tokio::select! {
        () = running.shutdown() => {
            tracing::info!("stopped");
            Ok(code)
        }
        () = stop.requested() => Ok(ExitCode::FAILURE),
    }
}

/// The signals that ask for an end.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What a person needs after the start: where it is, how to get in, what to do next.
fn greet(running: &Running) {
    let scheme = if running.app().tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", reachable(running.address()));
    say("");
    say(&format!("  Gemini Balance {} serves on {url}", env!("CARGO_PKG_VERSION")));
    if let Some(report) = running.moved_in() {
        say("");
        report.lines().iter().for_each(|line| say(&format!("  {line}")));
    }
    if let Some(password) = running.first_password() {
        say("");
        say(&format!("  Admin password: {}", password.expose()));
        say("  It is shown only now and stored hashed; `gemini-balance password` sets another.");
    }
    if running.app().pool.counts().total == 0 {
        say("");
        say("  Next: log in and add a service key (docs/getting-started.md):");
        say(&format!(
            "    TOKEN=$(curl -s {url}/api/auth/login -d username=admin --data-urlencode password=… | jq -r .access_token)"
        ));
        say(&format!(
            "    curl {url}/api/keys -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{{\"api_keys\":[\"AIza…\"]}}'"
        ));
    }
    say("");
}

/// The address to type: one that listens everywhere is reached on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}
