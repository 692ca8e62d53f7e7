//! `gemini-balance password`: set the admin password, which ends every session.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::say;
use crate::clock::Clock;
use crate::config::Config;
use crate::data;
use crate::secret::Secret;

/// Shortest password that is taken.
const PASSWORD_CHARS_MIN: usize = 8;

pub(super) async fn run(config: &Config, clock: &Clock) -> anyhow::Result<ExitCode> {
    if config.admin.password.is_some() {
        bail!(
            "PASSWORD is set and would win at the next start: change it there, or remove it first"
        );
    }
    let data = data::open(config, clock).await?;
    let outcome = set(&data, clock).await;
    data.store.close().await;
    outcome
}

async fn set(data: &data::Data, clock: &Clock) -> anyhow::Result<ExitCode> {
    if std::io::stdin().is_terminal() {
        say(
            "New admin password (it will be visible while you type; an empty line makes a random one):",
        );
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read standard input")?;
    let typed = line.trim_end_matches(['\r', '\n']);
    let (secret, is_made) = match typed.chars().count() {
        0 => (crate::random::random_password()?, true),
        count if count < PASSWORD_CHARS_MIN => {
            bail!("the password must have at least {PASSWORD_CHARS_MIN} characters")
        }
        _ => (Secret::new(typed), false),
    };
    data::ensure_password(&data.store, Some(&secret), clock).await?;
    if is_made {
        say(&format!("Admin password (shown only now): {}", secret.expose()));
    } else {
        say("The password is set; every session has ended.");
    }
    Ok(ExitCode::SUCCESS)
}
