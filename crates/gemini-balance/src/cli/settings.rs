//! `gemini-balance settings`: what is in force, and what may change while a gateway runs.

use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::say;
use crate::config::live::LIVE;
use crate::config::stored::{self, Stored};
use crate::config::{Config, Source};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the settings that are written somewhere, with `--all` every one
    List {
        /// Those that have their default, too
        #[arg(long)]
        all: bool,
    },
    /// Change a setting; a running gateway takes it up within seconds
    Set {
        /// Its name, as in `docs/configuration.md`
        name: String,
        /// Its value
        value: String,
    },
    /// Take such a change back
    Unset {
        /// Its name
        name: String,
    },
}

pub(super) fn run(command: Command, config: &Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { all } => list(config, all),
        Command::Set { name, value } => change(config, &name, Some(value))?,
        Command::Unset { name } => change(config, &name, None)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(config: &Config, all: bool) {
    for setting in config.settings.iter().filter(|it| all || it.source != Source::Default) {
        let live = if LIVE.contains(&setting.name) { "" } else { "  (needs a restart)" };
        say(&format!("{}={}  from {}{live}", setting.name, setting.value, setting.source));
    }
}

fn change(config: &Config, name: &str, value: Option<String>) -> anyhow::Result<()> {
    let name = name.to_uppercase();
    let Some(setting) = config.settings.iter().find(|it| it.name == name) else {
        bail!("{name} is no setting; see docs/configuration.md for those there are");
    };
    if !LIVE.contains(&setting.name) {
        bail!("{name} cannot be changed while a gateway runs: set it in .env and restart");
    }
    if ![Source::Stored, Source::Default].contains(&setting.source) {
        bail!("{name} is written in {}, which goes before: change it there", setting.source);
    }
    let data_dir = &config.storage.data_dir;
    if !data_dir.is_dir() {
        bail!("there is no data directory {} yet: start the gateway once", data_dir.display());
    }
    let mut stored = Stored::read(data_dir)
        .with_context(|| format!("cannot read {}", data_dir.join(stored::FILE).display()))?;
    stored.set(&name, value);
    config.reload_with(Some(&stored.text()))?;
    stored.write(data_dir)?;
    say("changed; a running gateway takes it up within seconds");
    Ok(())
}
