//! `gemini-balance backup` and `restore`: everything into one file, and back.
//!
//! A backup is made while the gateway runs; a restore wants it stopped.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::backups::{self, Order, Place, Source};
use crate::cli::say;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::forbidden;
use crate::secret::Secret;

#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The file to make; one of that name is replaced
    file: PathBuf,
    /// Seal it under the passphrase in this file, `-` for standard input, rather than `BACKUP_PASSPHRASE`
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    /// The passphrase is in this file, `-` for standard input, rather than in `BACKUP_PASSPHRASE`
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The file `secrets` that was kept with a backup without a passphrase
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
}

pub(super) async fn backup(
    command: Backup,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let database = config.storage.database();
    if !database.exists() {
        bail!("there is no database at {}", database.display());
    }
    let passphrase = passphrase(command.passphrase_file.as_deref(), config)?;
    if let Some(problem) =
        passphrase.as_ref().and_then(|it| forbidden::passphrase_problem(it.expose()))
    {
        bail!("the passphrase {problem}");
    }
    let is_sealed = passphrase.is_some();
    let order = Order {
        destination: command.file.clone(),
        data_dir: config.storage.data_dir.clone(),
        passphrase,
        settings: Some(config.as_env()),
        now_ms: clock.wall_ms(),
    };
    let making = tokio::task::spawn_blocking(move || order.carry_out(&database));
    let bytes = making.await.context("making the backup failed")??;
    say(&format!("{}: {bytes} bytes", command.file.display()));
    if is_sealed {
        say("it is sealed and holds everything that a restore needs, but for the passphrase");
    } else if config.admin.encryption_key.is_some() {
        say("keep ENCRYPTION_KEY for it: no service key in it can be read without");
    } else {
        let secrets = config.storage.data_dir.join("secrets");
        say(&format!(
            "keep {} for it: no service key in it can be read without",
            secrets.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(
    command: Restore,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let passphrase = passphrase(command.passphrase_file.as_deref(), config)?;
    let (config, now_ms) = (config.clone(), clock.wall_ms());
    let restoring = tokio::task::spawn_blocking(move || {
        let source = Source {
            file: &command.file,
            passphrase: passphrase.as_ref(),
            secrets: command.secrets.as_deref(),
        };
        let place = Place {
            data_dir: &config.storage.data_dir,
            database: &config.storage.database(),
            master: config.admin.encryption_key.as_ref(),
            token: config.admin.secret_key.as_ref(),
            now_ms,
        };
        backups::restore(source, place)
    });
    let restored = restoring.await.context("restoring failed")??;
    match restored.made_at_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()) {
        Some(made_at) => say(&format!("restored as of {made_at:.0}; every session has ended")),
        None => say("restored; every session has ended"),
    }
    if restored.has_secrets {
        say("the file `secrets` is the one of the backup");
    }
    if let Some(settings) = restored.settings {
        let settings = settings.display();
        say(&format!("its settings are in {settings}: take into .env what is right here"));
    }
    if let Some(kept) = restored.kept {
        say(&format!("what was there before is kept as {}", kept.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The passphrase from a file, or from the settings.
fn passphrase(file: Option<&Path>, config: &Config) -> anyhow::Result<Option<Secret>> {
    let Some(file) = file else {
        return Ok(config.backups.passphrase.clone());
    };
    let mut text = zeroize::Zeroizing::new(String::new());
    if file == Path::new("-") {
        if std::io::stdin().is_terminal() {
            say("Passphrase (it will be visible while you type; end with Ctrl-D):");
        }
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    } else {
        *text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    let passphrase = text.trim_end_matches(['\r', '\n']);
    if passphrase.is_empty() {
        bail!("the passphrase is empty");
    }
    Ok(Some(Secret::new(passphrase)))
}
