//! `gemini-balance import`: what another gateway has left, or the Python version.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{say, say_error};
use crate::clock::Clock;
use crate::config::Config;
use crate::data::{self, Data};
use crate::import::{self, Findings, MoveError, Progress, Report, TEXT_BYTES_MAX};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(super) struct Command {
    /// A database, a dump, an export, a `.env` or a list of keys; `-` reads standard input
    file: PathBuf,
    /// Say what would be done, line by line, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave the request log where it is
    #[arg(long)]
    no_log: bool,
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let shown = command.file.display().to_string();
    let mut findings = read(command.file, config, clock)
        .await?
        .with_context(|| format!("{shown} cannot be taken over"))?;
    if command.no_log {
        findings.without_log();
    }
    let report = match command.dry_run {
        true => foresee(findings, config, clock).await?,
        false => take(findings, config, clock).await?,
    };
    let lines = if report.is_trial { report.every_line() } else { report.lines() };
    lines.iter().for_each(|line| say(line));
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn read(
    path: PathBuf,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<Result<Findings, MoveError>> {
    let data_dir = &config.storage.data_dir;
    let scratch = if data_dir.is_dir() { data_dir.clone() } else { std::env::temp_dir() };
    let now_ms = clock.wall_ms();
    let reading = tokio::task::spawn_blocking(move || {
        if path != Path::new("-") {
            return Ok(import::read_file(&path, &scratch, now_ms));
        }
        let mut bytes = Vec::new();
        std::io::stdin().take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(import::read_bytes(&bytes, now_ms))
    });
    reading.await?.map_err(|error: std::io::Error| {
        anyhow::Error::new(error).context("cannot read standard input")
    })
}

/// What would be done. Where there is no database yet, none is made for that.
async fn foresee(findings: Findings, config: &Config, clock: &Clock) -> anyhow::Result<Report> {
    if !config.storage.database().exists() {
        return Ok(import::foresee(findings, None).await?);
    }
    let Data { store, vault } = data::open(config, clock).await?;
    let report = import::foresee(findings, Some((&store, vault.as_ref()))).await;
    store.close().await;
    Ok(report?)
}

async fn take(findings: Findings, config: &Config, clock: &Clock) -> anyhow::Result<Report> {
    let Data { store, vault } = data::open(config, clock).await?;
    let (progress, bar) = (Progress::default(), bar(findings.log_rows()));
    let taking = import::take(findings, &store, &vault, clock.wall_ms(), progress.clone());
    tokio::pin!(taking);
    let taken = loop {
        tokio::select! {
            taken = &mut taking => break taken,
            () = tokio::time::sleep(TICK) => bar.set_position(progress.done()),
        }
    };
    bar.finish_and_clear();
    store.close().await;
    if taken.is_err() {
        say_error("nothing was taken over");
    }
    Ok(taken?.report)
}

/// A bar on a terminal, nothing elsewhere.
fn bar(rows: u64) -> ProgressBar {
    if rows == 0 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(rows);
    match ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} log rows {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
