//! `gemini-balance keys`: service keys from the command line.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::task::TaskTracker;

use crate::cli::say;
use crate::clock::Clock;
use crate::config::Config;
use crate::data::{self, Data};
use crate::pool::{self, KeyPool, Probed, Prober};
use crate::service_keys::{self, Common, LineResult};
use crate::start;
use crate::upstream::Upstream;

/// Keys tested at once.
const TESTS_AT_ONCE: usize = 4;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add keys: one per line from standard input, or the ones given here
    Add {
        /// Keys; better on standard input, since arguments end up in the shell's history
        keys: Vec<String>,
        /// Project whose quota they share
        #[arg(long, default_value = "")]
        project: String,
        /// Lower tiers serve first
        #[arg(long, default_value_t = 0)]
        tier: u8,
    },
    /// List the keys with their states
    List,
    /// Ask the upstream about each key with a free call
    Test,
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let data = data::open(config, clock).await?;
    let outcome = match command {
        Command::Add { keys, project, tier } => {
            let common = Common { project, tier, ..Common::default() };
            add(&data, keys, common, clock).await
        }
        Command::List => list(&data, config, clock).await,
        Command::Test => test(&data, config, clock).await,
    };
    data.store.close().await;
    outcome
}

async fn add(
    data: &Data,
    keys: Vec<String>,
    common: Common,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    let (numbers, lines): (Vec<usize>, Vec<String>) =
        if keys.is_empty() { read_lines()? } else { (1..).zip(keys).unzip() };
    let now_ms = clock.wall_ms();
    let results = service_keys::add(&data.store, &data.vault, None, lines, common, now_ms).await?;
    let mut counts = (0, 0, 0);
    for (number, result) in numbers.iter().zip(&results) {
        match result {
            LineResult::Added { .. } => counts.0 += 1,
            LineResult::Duplicate { brief, .. } => {
                counts.1 += 1;
                say(&format!("line {number}: {brief} is there already"));
            }
            LineResult::Invalid { reason } => {
                counts.2 += 1;
                say(&format!("line {number}: {reason}"));
            }
        }
    }
    let (added, duplicates, invalid) = counts;
    say(&format!("{added} added, {duplicates} there already, {invalid} invalid"));
    Ok(if invalid == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lines from standard input without the blank ones, and their numbers there.
fn read_lines() -> anyhow::Result<(Vec<usize>, Vec<String>)> {
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        say("One key per line; end with Ctrl-D:");
    }
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    Ok(lines.map(|(number, line)| (number, line.to_owned())).unzip())
}

async fn list(data: &Data, config: &Config, clock: &Clock) -> anyhow::Result<ExitCode> {
    let pool = loaded_pool(data, config, clock).await?;
    for (key, view) in pool.views() {
        let resting: Vec<_> = view
            .buckets
            .iter()
            .filter(|bucket| bucket.state != keypool::BucketState::Ready)
            .map(|bucket| format!("{} {}", bucket.model, bucket.state.word()))
            .collect();
        let project = view.project.as_deref().unwrap_or("-");
        say(&format!(
            "{}  {}  {:<9}  project {project}  tier {}  {}",
            key.identifier,
            key.brief,
            view.word(),
            view.tier,
            resting.join(", ")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn test(data: &Data, config: &Config, clock: &Clock) -> anyhow::Result<ExitCode> {
    let pool = loaded_pool(data, config, clock).await?;
    let upstream = Upstream::new(&start::way_out(config)?, clock.clone(), TaskTracker::new());
    let prober = Arc::new(Prober::new(upstream, clock.clone()));
    let keys: Vec<_> = pool.views().into_iter().map(|(key, _)| key).collect();
    let progress = progress(keys.len() as u64);
    let mut tests = tokio::task::JoinSet::new();
    let mut waiting = keys.into_iter();
    let mut failed = 0;
    loop {
        while tests.len() < TESTS_AT_ONCE {
            let Some(key) = waiting.next() else { break };
            let prober = Arc::clone(&prober);
            tests.spawn(async move { (prober.probe(&key, None).await, key) });
        }
        let Some(tested) = tests.join_next().await else {
            break;
        };
        let (probed, key) = tested.context("a test failed")?;
        failed += u32::from(!probed.is_ok);
        let line = format!("{}  {}  {}", key.identifier, key.brief, words(&probed));
        progress.suspend(|| say(&line));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn words(probed: &Probed) -> String {
    if probed.is_ok {
        return format!("ok ({} ms)", probed.duration_ms);
    }
    let (error, message) = (probed.error.unwrap_or("failed"), probed.message.as_deref());
    format!("{error} {}", message.unwrap_or_default())
}

/// A bar on a terminal, nothing elsewhere.
fn progress(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}");
    let bar = ProgressBar::new(length);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

async fn loaded_pool(data: &Data, config: &Config, clock: &Clock) -> anyhow::Result<Arc<KeyPool>> {
    let pool = KeyPool::new(pool::policy(config), 0, clock.clone());
    pool::load(&pool, &data.store, &data.vault).await?;
    Ok(pool)
}
