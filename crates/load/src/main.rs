//! Both ends of a bench: load on a server, and an upstream that costs next to nothing.
//!
//! What is measured lies between the two, so both do as little as they can: bare sockets, one
//! thread, bytes that were made before the clock started. `cargo xtask bench` starts both.

mod histogram;
mod message;
mod pacemaker;
mod request;
mod run;
mod stamp;
mod summary;
mod upstream;

use std::net::SocketAddr;

use clap::Parser;

/// Load on a server, or an upstream for it.
#[derive(Parser)]
enum Arguments {
    /// Puts load on a server and prints what it saw as one line of JSON.
    Run(run::Arguments),
    /// Answers every request with fixed bytes: JSON, or a stream that its path chooses.
    Upstream {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse() {
        Arguments::Run(arguments) => run::run(&arguments).await?.print(),
        Arguments::Upstream { listen } => upstream::serve(listen).await,
    }
}
