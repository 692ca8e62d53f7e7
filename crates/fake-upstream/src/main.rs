//! The scripted upstream as a program, for the demo and for load runs.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Parser;
use fake_upstream::{Options, Rule, Settings, Upstream};

/// A scripted Gemini and OpenAI upstream.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// A JSON file with a list of rules: [{"when": {…}, "answer": {…}}].
    #[arg(long)]
    script: Option<PathBuf>,
    /// How many events carry the text of a stream.
    #[arg(long, default_value_t = 3)]
    chunks: usize,
    /// The pause between two events, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pace_ms: u64,
    /// The pause before the first byte, in milliseconds.
    #[arg(long, default_value_t = 0)]
    first_byte_ms: u64,
    /// The least size of the text, in bytes.
    #[arg(long, default_value_t = 0)]
    text_bytes: usize,
    /// Refuse unknown fields as Google does.
    #[arg(long)]
    strict: bool,
    /// Keep files and other resources, each for the project of its key.
    #[arg(long)]
    resources: bool,
    /// Print nothing.
    #[arg(long)]
    quiet: bool,
    /// Do not remember requests.
    #[arg(long)]
    no_record: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let ordinary = Settings::default();
    let settings = Settings {
        options: Options {
            chunks: arguments.chunks,
            pace_ms: arguments.pace_ms,
            first_byte_ms: arguments.first_byte_ms,
            text_bytes: arguments.text_bytes,
            ..ordinary.options
        },
        is_strict: arguments.strict,
        seen_max: if arguments.no_record { 0 } else { ordinary.seen_max },
    };
    let rules = arguments.script.as_deref().map(read_script).transpose()?.unwrap_or_default();
    let upstream = Upstream::start_with(arguments.listen, settings)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    if arguments.resources {
        upstream.keep_resources();
    }
    for rule in rules {
        upstream.on(rule.when, rule.answer);
    }
    if !arguments.quiet {
        announce(&upstream);
    }
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")?;
    upstream.stop().await;
    Ok(())
}

fn read_script(path: &Path) -> anyhow::Result<Vec<Rule>> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no script", path.display()))
}

#[expect(clippy::print_stdout, reason = "the address is what the program is started for")]
fn announce(upstream: &Upstream) {
    println!("fake upstream on {}", upstream.url());
}
