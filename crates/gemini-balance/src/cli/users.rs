//! `gemini-balance users`: user keys from the command line.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::cli::say;
use crate::clock::Clock;
use crate::config::Config;
use crate::data::{self, Data};
use crate::user_keys::UserKeys;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a user key and show it, once
    Add {
        /// Whose key it is
        name: String,
        /// A note
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List the user keys
    List,
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let data = data::open(config, clock).await?;
    let outcome = match command {
        Command::Add { name, note } => add(&data, name, note, clock).await,
        Command::List => list(&data).await,
    };
    data.store.close().await;
    outcome
}

async fn add(data: &Data, name: String, note: String, clock: &Clock) -> anyhow::Result<ExitCode> {
    let keys = UserKeys::load(data.store.clone(), Arc::clone(&data.vault)).await?;
    let refused = format!("no user key was made for {name}");
    let (row, secret) = keys.create(name, note, None, clock.wall_ms()).await.context(refused)?;
    say(&format!("{} (shown only now): {}", row.name, secret.expose()));
    Ok(ExitCode::SUCCESS)
}

async fn list(data: &Data) -> anyhow::Result<ExitCode> {
    for key in data.store.user_keys().await? {
        let state = if key.is_enabled { "enabled" } else { "disabled" };
        say(&format!(
            "{:>5}  {:<30}  {}  {state}  {} calls, {} tokens",
            key.id, key.name, key.brief, key.calls, key.tokens
        ));
    }
    Ok(ExitCode::SUCCESS)
}
