//! The command line: one command per chore, plain words, exit codes that scripts can use.
//!
//! Everything but `serve`, `backup` and `health` works on the data directory while no gateway runs on it; a
//! running one holds the lock and is administered through its pages and its API.

mod backup;
mod doctor;
mod health;
mod import;
mod keys;
mod master_key;
mod password;
mod serve;
mod settings;
mod users;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::Config;

/// A gateway in front of LLM APIs that keeps a pool of keys alive.
///
/// Settings come from the environment, `.env` and `gemini-balance.toml`: see
/// `docs/configuration.md`. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "gemini-balance", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default)
    Serve,
    /// Service keys, which let the gateway into the upstream
    #[command(subcommand)]
    Keys(keys::Command),
    /// User keys, which let callers into the gateway
    #[command(subcommand)]
    Users(users::Command),
    /// Take over keys, users and logs from elsewhere; see docs/moving-in.md
    Import(import::Command),
    /// Set the admin password
    Password,
    /// Find what is wrong with this set-up and say what to do
    Doctor,
    /// Ask the running gateway whether it is alive, with the same settings; 0 if it is
    Health,
    /// Settings: what is in force, and what may change while the gateway runs
    #[command(subcommand)]
    Settings(settings::Command),
    /// Copy everything into one file, also while the gateway runs
    Backup(backup::Backup),
    /// Put a backup back, while the gateway is stopped
    Restore(backup::Restore),
    /// Seal everything under another master key, while the gateway is stopped
    RotateKey,
}

/// Runs a command to its end.
pub fn run(cli: Cli) -> ExitCode {
    let config = match Config::from_process(Path::new(".")) {
        Ok(config) => config,
        Err(errors) => {
            say_error(&errors.to_string());
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            say_error(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let clock = Clock::system();
    let outcome = runtime.block_on(async {
        match cli.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(config, clock).await,
            Command::Keys(command) => keys::run(command, &config, &clock).await,
            Command::Users(command) => users::run(command, &config, &clock).await,
            Command::Import(command) => import::run(command, &config, &clock).await,
            Command::Password => password::run(&config, &clock).await,
            Command::Doctor => doctor::run(&config, &clock).await,
            Command::Health => Ok(health::run(&config).await),
            Command::Settings(command) => settings::run(command, &config),
            Command::Backup(command) => backup::backup(command, &config, &clock).await,
            Command::Restore(command) => backup::restore(command, &config, &clock).await,
            Command::RotateKey => master_key::rotate(&config, &clock).await,
        }
    });
    // Whatever had to come to its end has. What still runs, such as a caller who does not read or
    // everything after a second signal, ends with the process.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            say_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// One line for whoever sits in front of it. A closed pipe is no reason to fail.
fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// One line about what went wrong.
fn say_error(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
