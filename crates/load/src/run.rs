//! A run: so many connections, each sending the same request and reading its answer, one after
//! another.
//!
//! In a closed loop the next request follows the answer; at a rate, the pacemaker says when it is
//! due. Every request that was begun is also ended, so that the work of the server and the requests
//! that were counted belong together.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time,
};

use crate::{
    message::Message,
    pacemaker::Pacemaker,
    request::request,
    stamp::{self, Scanner},
    summary::{Summary, Tally},
};

/// How long requests may take to end when the time of the run is over; what has not ended by then
/// is an error.
const LAST_ANSWERS_WAIT: Duration = Duration::from_secs(30);
/// Rest after an error, so that a dead server is not asked a hundred thousand times a second.
const ERROR_PAUSE: Duration = Duration::from_millis(10);
const READ_BYTES: usize = 16 * 1024;

/// What a run is to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the server listens.
    address: SocketAddr,
    /// The path to ask for.
    path: String,
    /// How many connections.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// How long, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Requests a second over all connections, due at fixed instants; without it, as many as answers
    /// allow.
    #[arg(long)]
    rate: Option<u32>,
    /// Size of the request body.
    #[arg(long, default_value_t = 1024)]
    body_bytes: usize,
    /// A further header field, `name: value`.
    #[arg(long)]
    header: Vec<String>,
    /// Time over which the connections send their first requests, evenly spread, in milliseconds.
    #[arg(long, default_value_t = 0)]
    ramp_ms: u32,
}

/// Puts load on a server.
///
/// # Errors
///
/// If the request cannot be made, or nobody listens. What the server does wrong later is counted.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<Summary> {
    let Arguments { connections, seconds, rate, ramp_ms, .. } = *arguments;
    let request = request(&arguments.path, &arguments.header, arguments.body_bytes)?;
    let length = Duration::from_secs(seconds);
    // Before the clock starts: thousands of handshakes are not what a run is about.
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(connect(arguments.address).await?);
    }
    let start = Instant::now();
    let shared = Arc::new(Shared {
        address: arguments.address,
        request,
        end: start + length,
        pacemaker: rate.map(|rate| Pacemaker::start(rate, length, connections)).transpose()?,
        tally: Mutex::new(Tally::new()),
    });
    let ramp = Duration::from_millis(u64::from(ramp_ms));

    let mut caller_tasks = JoinSet::new();
    for (index, stream) in streams.into_iter().enumerate() {
        let delay = ramp.mul_f64(as_f64(index) / as_f64(connections));
        caller_tasks.spawn(Caller::live(Arc::clone(&shared), stream, delay));
    }
    let all = async { while caller_tasks.join_next().await.is_some() {} };
    let in_time = time::timeout(length + ramp + LAST_ANSWERS_WAIT, all).await.is_ok();

    let took = start.elapsed();
    let mut tally = shared.tally.lock();
    if !in_time {
        for _ in 0..caller_tasks.len() {
            tally.fail(&anyhow::anyhow!("no answer within {LAST_ANSWERS_WAIT:?} after the run"));
        }
    }
    Ok(tally.summary(took))
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// What all connections of a run share.
struct Shared {
    address: SocketAddr,
    request: Vec<u8>,
    end: Instant,
    pacemaker: Option<Arc<Pacemaker>>,
    tally: Mutex<Tally>,
}

impl Shared {
    /// Waits until the next request may go and returns the instant from which its latency counts,
    /// or `None` when the run is over.
    async fn next(&self) -> Option<Instant> {
        match &self.pacemaker {
            Some(pacemaker) => pacemaker.next().await,
            None => Some(Instant::now()).filter(|&now| now < self.end),
        }
    }
}

/// One caller with one connection, which is made anew after an error.
struct Caller {
    shared: Arc<Shared>,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    message: Message,
    scanner: Scanner,
}

impl Caller {
    async fn live(shared: Arc<Shared>, stream: TcpStream, delay: Duration) {
        if !delay.is_zero() {
            time::sleep(delay).await;
        }
        let mut caller = Self {
            shared,
            stream: Some(stream),
            buffer: vec![0; READ_BYTES],
            message: Message::default(),
            scanner: Scanner::default(),
        };
        while let Some(since) = caller.shared.next().await {
            match caller.exchange().await {
                Ok(()) => {
                    let latency_us = since.elapsed().as_micros();
                    let latency_us = u64::try_from(latency_us).unwrap_or(u64::MAX);
                    caller.shared.tally.lock().latencies.record(latency_us);
                }
                Err(error) => {
                    caller.stream = None;
                    caller.shared.tally.lock().fail(&error);
                    time::sleep(ERROR_PAUSE).await;
                }
            }
        }
    }

    /// Sends the request and reads its answer to the end.
    async fn exchange(&mut self) -> anyhow::Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.shared.address).await?,
        };
        stream.write_all(&self.shared.request).await?;
        self.message.clear();
        while !self.message.is_complete() {
            let read = stream.read(&mut self.buffer).await?;
            ensure!(0 < read, "the connection ended within an answer");
            let bytes = self.buffer.get(..read).unwrap_or_default();
            let Self { shared, message, scanner, .. } = self;
            message.feed(bytes, |body| {
                scanner.scan(body, |sent_us| {
                    let age_us = stamp::now_us().saturating_sub(sent_us);
                    shared.tally.lock().ages.record(age_us);
                });
            })?;
        }
        let status = self.message.status();
        ensure!(status == Some(200), "the status is {status:?}");
        if !self.message.is_last() {
            self.stream = Some(stream);
        }
        Ok(())
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
